# SPDX-License-Identifier: GPL-3.0-or-later
"""Role devpi_image against a registry with TLS and login: one build, one push, the digest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import base_image
from containers import SYSTEM_CA, eventually, free_port, listens, podman, run

ROLES = Path(__file__).parents[3] / "roles"
ROLE = ROLES / "devpi_image"
PASSWORD = 'pa ss:w$rd"ö'
PLAY = {
    "hosts": "all",
    "connection": "local",
    "gather_facts": False,
    "vars": {"ansible_python_interpreter": sys.executable},
    "vars_files": [
        str(ROLES / "devpi/defaults/main.yaml"),
        str(ROLE / "defaults/main.yaml"),
        str(ROLE / "vars/main.yaml"),
    ],
    "tasks": [
        {"ansible.builtin.import_tasks": str(ROLE / "tasks/preflight.yaml")},
        {"ansible.builtin.import_tasks": str(ROLE / "tasks/main.yaml")},
        {"ansible.builtin.debug": {"var": "__devpi_image_reference"}},
    ],
}


@dataclass
class Registry:
    """Name, and the file that its certificate is trusted by."""

    host: str
    ca: Path


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("registry")
    host = f"127.0.0.1:{free_port()}"
    certificate = ["-days", "1", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    out = ["-keyout", folder / "key", "-out", folder / "ca.crt"]
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *certificate, *out])
    bundle = folder / "bundle.crt"
    system = SYSTEM_CA.read_text() if SYSTEM_CA.exists() else ""
    bundle.write_text(system + (folder / "ca.crt").read_text())
    hashed = subprocess.run(
        ["htpasswd", "-iBn", "admin"], input=PASSWORD, text=True, capture_output=True, check=True
    )
    (folder / "htpasswd").write_text(hashed.stdout)
    settings = {
        "version": 0.1,
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
        },
        "http": {
            "addr": host,
            "tls": {"certificate": str(folder / "ca.crt"), "key": str(folder / "key")},
        },
        "auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}},
    }
    (folder / "config.yml").write_text(yaml.safe_dump(settings))
    with (folder / "log").open("w") as log:
        serving = subprocess.Popen(
            ["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log
        )
    try:
        eventually(lambda: listens(int(host.split(":")[1])), "the registry listens")
        yield Registry(host, bundle)
    finally:
        serving.terminate()
        serving.wait()
        for name in podman("images", "--format={{.Repository}}:{{.Tag}}").split():
            if name.startswith(host):
                podman("rmi", "--force", name)


@dataclass
class Played:
    """What a run of the role came to."""

    code: int
    output: str
    result: dict[str, Any]

    @property
    def changed(self) -> int:
        return sum(self.result["stats"][host]["changed"] for host in self.result["stats"])

    def reference(self, host: str = "localhost") -> str:
        tasks = self.result["plays"][-1]["tasks"]
        return str(tasks[-1]["hosts"][host]["__devpi_image_reference"])


def play(folder: Path, *flags: str, hosts: str = "localhost,", **variables: Any) -> Played:
    """The role's checks and the role itself, as the play runs them, but for the cluster."""
    inputs = folder / "inputs.json"
    inputs.write_text(json.dumps({"domain_name": "example.org", **variables}))
    file = folder / "play.yaml"
    file.write_text(yaml.safe_dump([PLAY]))
    ansible = [sys.executable, "-m", "ansible", "playbook"]
    callback = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    done = subprocess.run(
        [*ansible, "-i", hosts, "-e", f"role_path={ROLE}", "-e", f"@{inputs}", *flags, str(file)],
        env=os.environ | callback | {"ADMIN_PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    output = done.stdout + done.stderr
    assert PASSWORD not in output
    start = done.stdout.find("{")
    return Played(done.returncode, output, json.loads(done.stdout[start:]) if start >= 0 else {})


@pytest.fixture
def good(registry: Registry) -> dict[str, Any]:
    return {
        "harbor_registry": registry.host,
        "devpi_ca_bundle": str(registry.ca),
        "devpi_image_base": base_image(),
    }


def test_built_once_and_removed_on_request(tmp_path: Path, good: dict[str, Any]) -> None:
    planned = play(tmp_path, "--check", **good)
    assert (planned.code, planned.changed) == (0, 1), planned.output
    first = play(tmp_path, hosts="one,two", **good)
    assert first.code == 0, first.output
    assert first.reference("one") == first.reference("two")
    assert first.reference("one").startswith(f"{good['harbor_registry']}/library/devpi@sha256:")
    for flags in ([], ["--check"]):
        again = play(tmp_path, *flags, **good)
        assert (again.code, again.changed) == (0, 0), again.output
        assert again.reference() == first.reference("one")
    tagged = [play(tmp_path, **good, devpi_image_tag="latest") for _ in range(2)]
    assert [run.changed for run in tagged] == [1, 0], tagged[0].output
    absent = {**good, "devpi_state": "absent"}
    assert play(tmp_path, **absent).changed == 0
    removed = [play(tmp_path, **absent, devpi_image_remove=True) for _ in range(2)]
    assert [run.changed > 0 for run in removed] == [True, False], removed[0].output


def test_an_image_that_exists_needs_no_registry(tmp_path: Path) -> None:
    named = "registry.example.org/devpi:6.20.3"
    given = play(tmp_path, devpi_image_build=False, devpi_image_reference=named)
    assert (given.code, given.changed, given.reference()) == (0, 0, named)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"harbor_registry": "https://harbor.example.org"}, "which is not a host name"),
        ({"harbor_registry": ""}, "which is not a host name"),
        ({"harbor_project": "Library"}, "harbor_project is 'Library'"),
        ({"harbor_password": ""}, "its password is empty"),
        ({"harbor_password": "wrong"}, "refuses the login of 'admin'"),
        ({"devpi_ca_bundle": ""}, "is not trusted"),
        ({"devpi_ca_bundle": "/nosuch"}, "no such file"),
        ({"harbor_registry": "nosuch.invalid"}, "cannot be used"),
        ({"harbor_registry": "127.0.0.1:1"}, "cannot be used"),
        ({"devpi_image_tag": "a b"}, "which is not a tag"),
        ({"devpi_image_index_url": "https://u:p@pypi.example.org"}, "without credentials"),
        ({"devpi_image_build": False}, "has to name an image that exists"),
    ],
)
def test_bad_input_is_named_before_anything_is_built(
    tmp_path: Path, good: dict[str, Any], wrong: dict[str, Any], says: str
) -> None:
    refused = play(tmp_path, **{**good, **wrong})
    assert refused.code != 0
    assert says in refused.output
    assert refused.changed == 0
