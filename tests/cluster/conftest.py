# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests on a cluster share: its inventory, playbook runs, and a developer's clients.

They run on a cluster that molecule has installed devpi on, and change it like its users do. The
environment variable DEVPI_TEST_STATE names the state folder of the local cluster; counts come from
DEVPI_TEST_INTERRUPTS.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Cluster:
    """The cluster under test, as its state folder describes it."""

    state: Path

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def inventory(self) -> Path:
        return self.state / "inventory"

    @property
    def ca_bundle(self) -> Path:
        return self.state / "ca-bundle.crt"

    @property
    def devpi(self) -> Path:
        """The command that 15_configure_cli put into the workstation's home."""
        return self.state / "home/.local/bin/devpi"

    @property
    def password(self) -> str:
        return (self.state / "admin-password").read_text().strip()

    @property
    def settings(self) -> dict[str, Any]:
        return dict(yaml.safe_load((self.inventory / "group_vars/all.yaml").read_text()))

    @property
    def domain(self) -> str:
        return str(self.settings["domain_name"])

    @property
    def api_url(self) -> str:
        return f"https://devpi-api.{self.domain}"

    @property
    def dashboard_url(self) -> str:
        return f"https://devpi.{self.domain}"

    @property
    def simple_url(self) -> str:
        return f"{self.api_url}/root/stable/+simple/"


@dataclass(frozen=True)
class Run:
    """A finished playbook run."""

    code: int
    output: str

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """Counts of Ansible's PLAY RECAP by host."""
        recap = self.output.rpartition("PLAY RECAP")[2]
        return {
            host: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", counts)}
            for host, counts in re.findall(r"^(\S+)\s+: (ok=.*)$", recap, re.MULTILINE)
        }

    @property
    def changed(self) -> int:
        return sum(counts["changed"] for counts in self.recap.values())

    def unchanged(self) -> Run:
        """For a run that has to find all as it wants it; it fails with the tasks that did not."""
        tasks = self.succeeded().output.split("\nTASK ")
        changes = [task for task in tasks if "\nchanged: " in task]
        assert self.changed == 0, "\n".join(changes)
        return self

    def succeeded(self) -> Run:
        assert self.code == 0, self.output
        return self


@dataclass(frozen=True)
class Playbooks:
    """Runs the collection's playbooks as an installer does."""

    cluster: Cluster

    def environment(self, given: Mapping[str, str | None]) -> dict[str, str]:
        wanted = {**os.environ, "ADMIN_PASSWORD": self.cluster.password, "ANSIBLE_NOCOLOR": "1"}
        wanted.update(
            {"ANSIBLE_FORCE_COLOR": "0"} | {k: v for k, v in given.items() if v is not None}
        )
        return {key: value for key, value in wanted.items() if given.get(key, "") is not None}

    def start(
        self,
        playbook: str,
        *arguments: str,
        environment: Mapping[str, str | None] | None = None,
        inventory: Path | None = None,
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                "ansible-playbook",
                "--inventory",
                str(inventory or self.cluster.inventory),
                *arguments,
                str(CHECKOUT / "playbooks" / f"{playbook}.yaml"),
            ],
            env=self.environment(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, playbook: str, *arguments: str, **options: Any) -> Run:
        process = self.start(playbook, *arguments, **options)
        output, _ = process.communicate(timeout=900)
        return Run(process.returncode, output)

    def interrupt(self, playbook: str, after: float, with_signal: signal.Signals) -> None:
        """Start a run, and end it and all that it started after so many seconds."""
        process = self.start(playbook)
        time.sleep(after)
        if process.poll() is None:
            os.killpg(process.pid, with_signal)
        process.communicate(timeout=120)


@dataclass(frozen=True)
class Workstation:
    """A developer's machine: an empty folder, no settings but the CA bundle."""

    home: Path
    ca_bundle: Path

    def run(self, *command: str | Path, given: str | None = None, **variables: str) -> str:
        """Standard output and error of a command that has to succeed."""
        kept = ("PATH", "LANG")
        environment = {name: os.environ[name] for name in kept if name in os.environ} | {
            "HOME": str(self.home),
            # The base of what is installed is not this machine's; no other index, no wheel folder.
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_CERT": str(self.ca_bundle),
            "SSL_CERT_FILE": str(self.ca_bundle),
            "REQUESTS_CA_BUNDLE": str(self.ca_bundle),
            "UV_NO_CONFIG": "1",
        }
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.home,
            env=environment | variables,
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def venv(self, name: str) -> Path:
        """An empty environment; its bin folder."""
        folder = self.home / name
        self.run(sys.executable, "-m", "venv", folder)
        return folder / "bin"


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return Cluster(Path(os.environ["DEVPI_TEST_STATE"]))


@pytest.fixture(scope="session")
def playbooks(cluster: Cluster) -> Playbooks:
    return Playbooks(cluster)


@pytest.fixture
def workstation(cluster: Cluster, tmp_path: Path) -> Workstation:
    return Workstation(tmp_path, cluster.ca_bundle)


@pytest.fixture(scope="session")
def core(cluster: Cluster) -> client.CoreV1Api:
    return client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))


@pytest.fixture(scope="session")
def apps(cluster: Cluster) -> client.AppsV1Api:
    return client.AppsV1Api(config.new_client_from_config(str(cluster.kubeconfig)))


@pytest.fixture
def namespace(core: client.CoreV1Api) -> Iterator[str]:
    """The name of a namespace that is not there, and is not afterwards."""
    name = "devpi-scratch"
    yield name
    if any(item.metadata.name == name for item in core.list_namespace().items):
        core.delete_namespace(name)
        wait_until(
            lambda: name not in {ns.metadata.name for ns in core.list_namespace().items}, 120
        )


def wait_until(holds: Any, seconds: float) -> None:
    """Return as soon as `holds()` is true; fail after so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"still not so after {seconds} s"
        time.sleep(0.5)


@contextmanager
def scaled_to_nothing(apps: client.AppsV1Api, name: str) -> Iterator[None]:
    """A Deployment of devpi's without pods, and back with one afterwards."""

    def replicas(wanted: int) -> None:
        body = {"spec": {"replicas": wanted}}
        apps.patch_namespaced_deployment_scale(name, "devpi", body)
        wait_until(
            lambda: (
                (apps.read_namespaced_deployment(name, "devpi").status.available_replicas or 0)
                == wanted
            ),
            120,
        )

    replicas(0)
    try:
        yield
    finally:
        replicas(1)
