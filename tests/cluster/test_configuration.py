# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and indexes as declared: by the Job inside the cluster, and by a playbook from outside."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from kubernetes import client

from .conftest import Cluster, Playbooks

SECRET = "x3cr3t-of-the-team"
STABLE = {"root/stable": {"bases": ["root/pypi"], "volatile": False}}
DECLARED = {
    "devpi_users": {"c-team": {"email": "team@example.com", "password": SECRET}},
    "devpi_indexes": {**STABLE, "c-team/dev": {"bases": ["root/stable"]}},
}
GONE = {"state": "absent"}
REMOVED = {"devpi_users": {"c-team": GONE}, "devpi_indexes": {**STABLE, "c-team/dev": GONE}}


@pytest.fixture
def api(cluster: Cluster) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(cluster.ca_bundle))
    json_only = {"Accept": "application/json"}
    with httpx.Client(
        base_url=cluster.api_url, verify=trusted, timeout=60, headers=json_only
    ) as it:
        yield it


@pytest.fixture
def given(playbooks: Playbooks, tmp_path: Path) -> Iterator[Any]:
    """Extra variables as a file, since arguments can be seen; all is taken away afterwards."""

    def arguments(declared: Any) -> list[str]:
        file = tmp_path / "declared.yaml"
        file.write_text(yaml.safe_dump(declared))
        return ["-e", f"@{file}"]

    yield arguments
    playbooks.run("20_configure_indexes", *arguments(REMOVED)).succeeded()
    playbooks.run("10_deploy").succeeded()


def log_in(api: httpx.Client, password: str) -> int:
    return api.post("/+login", json={"user": "c-team", "password": password}).status_code


def test_declared_inside_and_from_outside(
    playbooks: Playbooks, api: httpx.Client, core: client.CoreV1Api, given: Any
) -> None:
    # By the Job, and then nothing is left to do, neither for it nor from outside.
    inside = playbooks.run("10_deploy", "-vvv", "--diff", *given(DECLARED)).succeeded()
    assert inside.changed > 0
    assert api.get("/c-team/dev?no_projects=").json()["result"]["bases"] == ["root/stable"]
    assert log_in(api, SECRET) == 200
    encoded = base64.b64encode(SECRET.encode()).decode()
    for run in (inside, playbooks.run("10_deploy", *given(DECLARED)).succeeded()):
        assert SECRET not in run.output
        assert encoded not in run.output
    assert run.changed == 0
    playbooks.run("20_configure_indexes", *given(DECLARED)).unchanged()
    config = core.read_namespaced_config_map("devpi-init", "devpi").data
    assert "team@example.com" in config["wanted.json"]
    assert SECRET not in json.dumps(config)

    # From outside: another password and another base, as a trial first.
    changed: Any = json.loads(json.dumps(DECLARED))
    changed["devpi_users"]["c-team"]["password"] = f"{SECRET}-2"
    changed["devpi_indexes"]["c-team/dev"]["bases"] = ["root/pypi"]
    trial = playbooks.run("20_configure_indexes", "--check", "--diff", *given(changed)).succeeded()
    assert trial.changed == 1
    assert log_in(api, SECRET) == 200
    outside = playbooks.run("configure_indexes", "-vvv", "--diff", *given(changed)).succeeded()
    assert outside.changed == 1
    assert SECRET not in outside.output + trial.output
    assert (log_in(api, SECRET), log_in(api, f"{SECRET}-2")) == (401, 200)
    playbooks.run("20_configure_indexes", *given(changed)).unchanged()

    # Passwords that are no longer declared are no longer kept.
    without = {**DECLARED, "devpi_users": {"c-team": {}}}
    playbooks.run("10_deploy", *given(without)).succeeded()
    names = {secret.metadata.name for secret in core.list_namespaced_secret("devpi").items}
    assert "devpi-users" not in names
