# SPDX-License-Identifier: GPL-3.0-or-later
"""18_test: says that a good installation is good, and what is wrong with one that is not."""

from __future__ import annotations

import json

import pytest
from kubernetes import client

from .conftest import Cluster, Playbooks, scaled_to_nothing


def test_a_good_installation_passes_and_nothing_is_changed(playbooks: Playbooks) -> None:
    run = playbooks.run("18_test").succeeded()
    assert run.changed == 0
    assert '"FAILED"' not in run.output
    assert run.output.count('": "ok"') >= 13


@pytest.mark.parametrize(
    ("name", "failed"),
    [
        ("oauth2-proxy", "The dashboard is closed to who has not signed in"),
        ("devpi", "The API host answers, and names itself"),
    ],
)
def test_a_part_that_is_away_is_named(
    playbooks: Playbooks, apps: client.AppsV1Api, name: str, failed: str
) -> None:
    with scaled_to_nothing(apps, name):
        run = playbooks.run("18_test", "-e", "devpi_test_timeout=20")
    assert run.code != 0
    assert f"Not available in namespace 'devpi': {name}." in run.output
    for check in ("Workloads are available", failed):
        assert f'"{check}": "FAILED"' in run.output


def test_a_wrong_password_is_named_and_not_shown(playbooks: Playbooks) -> None:
    run = playbooks.run("18_test", "-vvv", environment={"ADMIN_PASSWORD": "not-the-password"})
    assert run.code != 0
    assert "devpi does not take the password of ADMIN_PASSWORD" in run.output
    assert "not-the-password" not in run.output


def test_discovery_that_leads_elsewhere_is_named(
    playbooks: Playbooks, core: client.CoreV1Api
) -> None:
    elsewhere = {"data": {"DEVPI_URL": "https://elsewhere.invalid"}}
    core.patch_namespaced_config_map("thinkube-service-config", "devpi", elsewhere)
    run = playbooks.run("18_test")
    assert run.code != 0
    assert "Its DEVPI_URL is 'https://elsewhere.invalid'" in " ".join(run.output.split())
    playbooks.run("17_configure_discovery").succeeded()
    playbooks.run("18_test").succeeded()


def test_a_dashboard_that_is_open_is_found_out(
    cluster: Cluster, playbooks: Playbooks, core: client.CoreV1Api
) -> None:
    """An ingress that leads past the proxy is what the systems before this one lost to."""
    networking = client.NetworkingV1Api(core.api_client)
    body = networking.read_namespaced_ingress("devpi-http-ingress", "devpi")
    path = body.spec.rules[0].http.paths[0]
    proxy = json.loads(json.dumps(core.api_client.sanitize_for_serialization(path.backend)))
    wrong = {"service": {"name": "devpi", "port": {"name": "http"}}}
    patch = "/spec/rules/0/http/paths/0/backend"

    def lead_to(backend: dict[str, object]) -> None:
        networking.patch_namespaced_ingress(
            "devpi-http-ingress", "devpi", [{"op": "replace", "path": patch, "value": backend}]
        )

    lead_to(wrong)
    try:
        run = playbooks.run("18_test")
    finally:
        lead_to(proxy)
    assert run.code != 0
    assert '"The dashboard is closed to who has not signed in": "FAILED"' in run.output
    playbooks.run("18_test").succeeded()
