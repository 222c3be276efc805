# SPDX-License-Identifier: GPL-3.0-or-later
"""After all other tests: no secret of the installation is anywhere that it can be read.

One more rollback and installation show everything that they do, while the machine's processes are
watched. Then objects, logs, output, argument lists and readable files are searched for each secret
in every form that it may have.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from kubernetes import client

from .conftest import CHECKOUT, Cluster, Playbooks

OURS = ("oauth2-proxy", "ephemeral-redis", "devpi-root", "devpi-token-key", "devpi-tls-secret")
PLAYBOOKS = ("19_rollback", "10_deploy", "15_configure_cli", "17_configure_discovery", "18_test")
# Below it, images and the containers made of them; they hold nothing of an installation.
NOT_SEARCHED = {"containerd", "containerd-opt", "registry", "bin"}


@dataclass
class ArgumentLists(threading.Thread):
    """Reads the argument lists of all processes, again and again, until ``end``."""

    seen: set[bytes] = field(default_factory=set)
    ends: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        while not self.ends.wait(0.2):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    self.seen.add((process / "cmdline").read_bytes())
                except OSError:
                    continue


@pytest.fixture(scope="module")
def shown(cluster: Cluster, playbooks: Playbooks, before: dict[str, str]) -> dict[str, str]:
    """All that a rollback, an installation and its proof show, and the processes meanwhile."""
    watching = ArgumentLists()
    watching.start()
    try:
        runs = {}
        for name in PLAYBOOKS:
            runs[name] = playbooks.run(name, "-vvv", "--diff").succeeded().output
    finally:
        watching.ends.set()
        watching.join()
    assert len(watching.seen) > len(runs)
    arguments = b"\n".join(watching.seen).replace(b"\0", b" ").decode(errors="replace")
    return {**runs, "arguments of processes": arguments}


@pytest.fixture(scope="module")
def secrets_by_name(
    cluster: Cluster, before: dict[str, str], shown: dict[str, str], core: client.CoreV1Api
) -> dict[str, str]:
    """What is secret, before the rollback and after the installation that ``shown`` has made."""
    accounts = json.loads((cluster.state / "keycloak-users.json").read_text())
    people = {name: account["password"] for name, account in accounts.items()}
    earlier = {f"{name} before": secret for name, secret in before.items()}
    found = {**people, **earlier, **kept_by(core), "admin-password": cluster.password}
    assert len(set(found.values())) >= 9
    return found


def kept_by(core: client.CoreV1Api) -> dict[str, str]:
    """Secret and key -> value."""
    return {
        f"{name}/{key}": base64.b64decode(value).decode()
        for name in OURS
        for key, value in core.read_namespaced_secret(name, "devpi").data.items()
        if key != "tls.crt"
    }


@pytest.fixture(scope="module")
def before(core: client.CoreV1Api) -> dict[str, str]:
    """What is secret in the installation that is rolled back."""
    return kept_by(core)


def forms(secret: str) -> set[str]:
    """A secret as it is, in JSON, in a URL, and within something that is base64 as a whole."""
    raw = secret.strip().encode()
    within = {
        # What the neighbours have a part in is cut off: two characters are in it for each byte.
        base64.b64encode(b"\0" * before + raw)[before and before + 1 : -4].decode()
        for before in range(3)
    }
    lines = {line for line in secret.splitlines() if len(line) > 40}
    return {
        secret.strip(),
        json.dumps(secret.strip())[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
        *within,
        # A key in PEM may be indented.
        *(lines if len(lines) > 1 else ()),
    } - {""}


@pytest.fixture(scope="module")
def found_in(secrets_by_name: dict[str, str]) -> Callable[[str], set[str]]:
    """Names of the secrets that a text has in any form."""
    wanted = {form: name for name, secret in secrets_by_name.items() for form in forms(secret)}

    def search(text: str) -> set[str]:
        return {name for form, name in wanted.items() if form in text}

    return search


def test_a_secret_would_be_found_in_any_form(
    cluster: Cluster, found_in: Callable[[str], set[str]]
) -> None:
    login = f"admin:{cluster.password}!"
    for text in (
        login,
        json.dumps({"password": cluster.password}),
        quote(login),
        *(base64.b64encode(("x" * before + login).encode()).decode() for before in range(3)),
    ):
        assert "admin-password" in found_in(text), text.replace(cluster.password, "***")
    assert found_in("nothing") == set()


@pytest.mark.parametrize("place", [*PLAYBOOKS, "arguments of processes"])
def test_no_run_shows_a_secret(
    shown: dict[str, str], found_in: Callable[[str], set[str]], place: str
) -> None:
    assert found_in(shown[place]) == set()


def kubectl(cluster: Cluster, *arguments: str) -> str:
    program = [str(cluster.state / "bin/kubectl"), "--kubeconfig", str(cluster.kubeconfig)]
    return subprocess.run([*program, *arguments], check=True, capture_output=True, text=True).stdout


def test_no_object_but_secrets_holds_one(
    cluster: Cluster, found_in: Callable[[str], set[str]]
) -> None:
    kinds = kubectl(cluster, "api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
    assert {"configmaps", "pods", "events", "jobs.batch", "replicasets.apps"} <= set(kinds)
    wanted = ",".join(kind for kind in kinds if kind != "secrets")
    shown = ("get", wanted, "-A", "-o", "json", "--show-managed-fields")
    assert found_in(kubectl(cluster, *shown)) == set()
    secrets = json.loads(kubectl(cluster, "get", "secrets", "-A", "-o", "json"))["items"]
    for secret in secrets:
        assert found_in(json.dumps(secret["metadata"])) == set(), secret["metadata"]["name"]


def test_no_log_of_a_pod_holds_one(cluster: Cluster, found_in: Callable[[str], set[str]]) -> None:
    """As the node keeps them, with what a container said before it was started anew."""
    logs = [file for file in (cluster.state / "pod-logs").rglob("*.log*") if file.is_file()]
    assert any("devpi_devpi-" in str(file) for file in logs)
    found = {file.name for file in logs if found_in(file.read_text(errors="replace"))}
    assert found == set()


def readable_files(cluster: Cluster) -> Iterator[Path]:
    """Files that every account of this machine can read, changed since the cluster is there."""
    since = (cluster.state / "cluster.json").stat().st_mtime
    ansible = Path(os.environ.get("ANSIBLE_HOME", Path.home() / ".ansible"))
    places = {cluster.state, ansible, CHECKOUT, Path(tempfile.gettempdir()), Path("/var/tmp")}
    for place in sorted(places):
        for folder, folders, files in os.walk(place):
            folders[:] = [
                name
                for name in folders
                if rights(Path(folder, name)) & 0o005
                and not (Path(folder) == cluster.state and name in NOT_SEARCHED)
                and name != ".git"
            ]
            for path in (Path(folder, name) for name in files):
                if rights(path) & 0o004 and path.is_file() and path.stat().st_mtime >= since:
                    yield path


def rights(path: Path) -> int:
    """None for a link, whose target is looked at where it lies, and for what has gone meanwhile."""
    try:
        return 0 if path.is_symlink() else path.stat().st_mode
    except FileNotFoundError:
        return 0


def test_no_file_that_all_can_read_holds_one(
    cluster: Cluster, found_in: Callable[[str], set[str]]
) -> None:
    found = set()
    number = 0
    for file in readable_files(cluster):
        number += 1
        # What has gone since, nobody can read.
        with suppress(FileNotFoundError):
            found |= {f"{file}: {name}" for name in found_in(file.read_text(errors="replace"))}
    print(f"{number} files")
    assert number > 0
    assert found == set()
