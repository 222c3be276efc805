# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs as an installer makes them: again, as a trial, over two clusters, cut off in the middle."""

from __future__ import annotations

import base64
import os
import random
import secrets
import signal
import ssl
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from kubernetes import client

from .conftest import Cluster, Playbooks, wait_until

INTERRUPTS = int(os.environ.get("DEVPI_TEST_INTERRUPTS", "3"))

SEED_INVENTORY = """\
all:
  vars:
    devpi_namespace: {namespace}
    devpi_dashboard_hostname: seed.{domain}
    devpi_api_hostname: seed-api.{domain}
    devpi_index_name: stable
    oauth2_proxy_client_id: oauth2-proxy-seed
    oauth2_proxy_enabled: true
    harbor_registry: harbor.{domain}
    harbor_project: library
    keycloak_url: https://keycloak.{domain}
    keycloak_realm: thinkube
    admin_username: admin
    domain_name: {domain}
    kubeconfig: {kubeconfig}
    kubectl_bin: /snap/k8s/current/bin/kubectl
    helm_bin: /snap/k8s/current/bin/helm
"""


def test_a_second_run_changes_nothing(playbooks: Playbooks) -> None:
    playbooks.run("00_install", "--diff").unchanged()


def test_a_second_run_without_the_job_changes_nothing(
    cluster: Cluster, playbooks: Playbooks, apps: client.AppsV1Api
) -> None:
    batch = client.BatchV1Api(apps.api_client)
    for job in batch.list_namespaced_job("devpi").items:
        batch.delete_namespaced_job(job.metadata.name, "devpi", propagation_policy="Foreground")
    playbooks.run("10_deploy").unchanged()


def test_check_mode_of_an_installation_says_no_change(playbooks: Playbooks) -> None:
    playbooks.run("00_install", "--check", "--diff").unchanged()


def test_check_mode_on_an_empty_cluster_shows_all_and_sends_nothing(
    cluster: Cluster, playbooks: Playbooks, core: client.CoreV1Api, namespace: str
) -> None:
    run = playbooks.run(
        "10_deploy", "--check", "--diff", "-e", f"devpi_namespace={namespace}"
    ).succeeded()
    assert namespace not in {item.metadata.name for item in core.list_namespace().items}
    for kind in ("Namespace", "PersistentVolumeClaim", "Deployment", "Service", "Ingress"):
        assert f'"kind": "{kind}"' in run.output or f"kind: {kind}" in run.output, kind
    assert run.changed > 0
    assert cluster.password not in run.output


def test_check_mode_sees_a_change(playbooks: Playbooks) -> None:
    run = playbooks.run("10_deploy", "--check", "--diff", "-e", "devpi_server_login_burst=21")
    assert run.succeeded().changed > 0
    assert '"21"' in run.output or "'21'" in run.output


@pytest.fixture
def new_password(tmp_path: Path) -> tuple[str, ...]:
    """Arguments of a run that takes root's password from the variable DEVPI_NEW_PASSWORD."""
    inputs = tmp_path / "inputs.yaml"
    inputs.write_text(
        "devpi_root_password: \"{{ lookup('ansible.builtin.env', 'DEVPI_NEW_PASSWORD') }}\"\n"
    )
    return ("-e", f"@{inputs}")


def test_another_password_is_rotated_and_nothing_is_left_of_the_old_one(
    cluster: Cluster,
    playbooks: Playbooks,
    core: client.CoreV1Api,
    new_password: tuple[str, ...],
) -> None:
    new = {"DEVPI_NEW_PASSWORD": secrets.token_urlsafe(16)}
    token = log_in(cluster, cluster.password)["result"]["password"]
    assert is_known(cluster, token)
    rotated = playbooks.run("10_deploy", *new_password, environment=new).succeeded()
    assert rotated.changed > 0
    assert log_in(cluster, new["DEVPI_NEW_PASSWORD"])
    assert not log_in(cluster, cluster.password)
    assert not is_known(cluster, token)
    # At once, when the kubelet of a pod that stays would not have brought the new password yet.
    playbooks.run("10_deploy", *new_password, environment=new).unchanged()
    assert set(core.read_namespaced_secret("devpi-root", "devpi").data) == {"password"}
    playbooks.run("10_deploy").succeeded()
    assert log_in(cluster, cluster.password)


def test_a_password_that_was_changed_at_the_server_is_found_and_mended(
    cluster: Cluster,
    playbooks: Playbooks,
    core: client.CoreV1Api,
    apps: client.AppsV1Api,
    new_password: tuple[str, ...],
) -> None:
    by_hand = secrets.token_urlsafe(16)
    change_password(cluster, by_hand)
    token = log_in(cluster, by_hand)["result"]["password"]

    def versions() -> list[str]:
        found = [
            *core.list_namespaced_secret("devpi").items,
            *core.list_namespaced_config_map("devpi").items,
            *apps.list_namespaced_deployment("devpi").items,
        ]
        return [f"{item.metadata.name} {item.metadata.resource_version}" for item in found]

    before = versions()
    refused = playbooks.run("10_deploy")
    assert refused.code != 0
    said = " ".join(refused.output.split())
    assert "devpi takes no password for root that is known here" in said
    assert "devpi_root_password_reset: true" in said
    assert (refused.changed, versions()) == (0, before)
    # Whoever knows the new one gives it: that is a rotation to it.
    given = {"DEVPI_NEW_PASSWORD": by_hand}
    playbooks.run("10_deploy", "--check", *new_password, environment=given).succeeded()

    resetting = playbooks.start("10_deploy", "-e", "devpi_root_password_reset=true")
    wait_until(lambda: "reset" in core.read_namespaced_secret("devpi-root", "devpi").data, 120)
    os.killpg(resetting.pid, signal.SIGKILL)
    resetting.communicate(timeout=60)
    # The Secret knows, so the variable need not be given again.
    assert playbooks.run("10_deploy").succeeded().changed > 0
    assert log_in(cluster, cluster.password)
    assert not log_in(cluster, by_hand)
    assert not is_known(cluster, token)
    assert set(core.read_namespaced_secret("devpi-root", "devpi").data) == {"password"}
    playbooks.run("10_deploy", "-e", "devpi_root_password_reset=true").unchanged()


def change_password(cluster: Cluster, new: str) -> None:
    """As somebody does it at the server, past the inventory."""
    token = log_in(cluster, cluster.password)["result"]["password"]
    login = {"X-Devpi-Auth": base64.b64encode(f"root:{token}".encode()).decode()}
    with api(cluster) as devpi:
        assert devpi.patch("/root", json={"password": new}, headers=login).status_code == 200


def log_in(cluster: Cluster, password: str) -> dict[str, Any]:
    """What devpi answers to root's login; empty when it takes the password for wrong."""
    with api(cluster) as devpi:
        answer = devpi.post("/+login", json={"user": "root", "password": password})
    return dict(answer.json()) if answer.status_code == 200 else {}


def is_known(cluster: Cluster, token: str) -> bool:
    """Whether devpi takes this token of a login of root for valid."""
    login = {"X-Devpi-Auth": base64.b64encode(f"root:{token}".encode()).decode()}
    with api(cluster) as devpi:
        return bool(devpi.get("/+api", headers=login).json()["result"]["authstatus"][0] == "ok")


def api(cluster: Cluster) -> httpx.Client:
    trusted = ssl.create_default_context(cafile=str(cluster.ca_bundle))
    return httpx.Client(base_url=cluster.api_url, verify=trusted, timeout=60)


def test_without_an_inventory_localhost_is_the_cluster(
    cluster: Cluster, playbooks: Playbooks, tmp_path: Path
) -> None:
    inputs = tmp_path / "inputs.yaml"
    inputs.write_text(yaml.safe_dump(cluster.settings))
    run = playbooks.run("10_deploy", "--check", "-e", f"@{inputs}", inventory=Path("/dev/null"))
    assert run.succeeded().recap["localhost"]["changed"] == 0


def test_one_run_over_two_hosts_makes_two_installations(
    cluster: Cluster, playbooks: Playbooks, apps: client.AppsV1Api, namespace: str, tmp_path: Path
) -> None:
    inventory = tmp_path / "hosts.yaml"
    second = {
        "devpi_namespace": namespace,
        "devpi_api_hostname": f"second.{cluster.domain}",
        "devpi_dashboard_hostname": f"second-pages.{cluster.domain}",
        "oauth2_proxy_client_id": "oauth2-proxy-second",
    }
    hosts = {"hosts": {"first": {}, "second": second}, "vars": cluster.settings}
    inventory.write_text(yaml.safe_dump({"devpi": hosts}))
    run = playbooks.run("10_deploy", inventory=inventory).succeeded()
    assert set(run.recap) >= {"first", "second"}
    assert run.recap["first"]["changed"] == 0
    for name in ("devpi", namespace):
        assert apps.read_namespaced_deployment("devpi", name).status.available_replicas == 1


def test_the_seeds_inventory_is_enough(
    cluster: Cluster, playbooks: Playbooks, apps: client.AppsV1Api, namespace: str, tmp_path: Path
) -> None:
    inventory = tmp_path / "hosts.yaml"
    inventory.write_text(
        SEED_INVENTORY.format(
            namespace=namespace, domain=cluster.domain, kubeconfig=cluster.kubeconfig
        )
    )
    # Things of this place that the seed's list has no names for.
    ours = ("ca_bundle", "image_base", "oauth2_proxy_image", "valkey_image")
    here = {f"devpi_{name}": cluster.settings[f"devpi_{name}"] for name in ours}
    arguments = [part for name, value in here.items() for part in ("-e", f"{name}={value}")]
    playbooks.run("10_deploy", *arguments, inventory=inventory).succeeded()
    assert apps.read_namespaced_deployment("devpi", namespace).status.available_replicas == 1


@pytest.mark.parametrize("number", range(INTERRUPTS))
def test_a_run_that_was_cut_off_converges(
    cluster: Cluster, playbooks: Playbooks, core: client.CoreV1Api, number: int
) -> None:
    # Every other one from nothing: the moments differ, the end may not.
    if number % 2 == 0:
        playbooks.run("19_rollback").succeeded()
    moment = random.Random(number).uniform(2, 40)  # the same moments in every run of the tests
    how = (signal.SIGINT, signal.SIGKILL)[number % 2]
    began = time.monotonic()
    playbooks.interrupt("00_install", moment, how)
    print(f"{how.name} after {time.monotonic() - began:.1f} s")
    playbooks.run("00_install").succeeded()
    playbooks.run("00_install").unchanged()
    pods = core.list_namespaced_pod("devpi", label_selector="app=devpi").items
    assert [pod.status.phase for pod in pods] == ["Running"]
