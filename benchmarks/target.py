# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster that is measured: playbooks and kubectl on it, timed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import applied

CHECKOUT = Path(__file__).resolve().parents[1]
PROGRAMS = CHECKOUT / ".venv" / "bin"
KINDS = "secret,configmap,service,persistentvolumeclaim,deployment,networkpolicy,ingress"
EMPTY_PLAY = "- hosts: localhost\n  gather_facts: false\n  tasks: []\n"


class BenchmarkError(Exception):
    """Something can't be measured; the text says why and what to do."""


@dataclass(frozen=True)
class Timed:
    """What a program printed, and its wall time in seconds."""

    seconds: float
    output: str

    @property
    def changed(self) -> int:
        """Changes that the recap of a playbook counts, over all hosts."""
        return sum(int(count) for count in re.findall(r"\bchanged=(\d+)", self.output))


@dataclass(frozen=True)
class Target:
    """A cluster by the state folder of ``molecule/cluster``: inventory, kubeconfig, password.

    ``variables`` (``name=value``) are given to every playbook, besides its inventory.
    """

    state: Path
    variables: tuple[str, ...] = ()

    @property
    def password(self) -> str:
        """Of root, of the registry and of Keycloak's administrator."""
        return (self.state / "admin-password").read_text().rstrip("\n")

    @property
    def domain(self) -> str:
        """Above the host names."""
        settings = (self.state / "inventory/group_vars/all.yaml").read_text()
        found = re.search(r"^domain_name: (\S+)$", settings, re.MULTILINE)
        if found is None:
            raise BenchmarkError(f"the inventory in {self.state} has no domain_name")
        return found[1]

    def play(self, playbook: str | Path, *arguments: str, **environment: str) -> Timed:
        """Run a playbook of ours by its name, or a file; BenchmarkError when it fails."""
        file = (
            CHECKOUT / "playbooks" / f"{playbook}.yaml" if isinstance(playbook, str) else playbook
        )
        return run(
            [
                str(PROGRAMS / "ansible-playbook"),
                *("-i", str(self.state / "inventory"), str(file)),
                *(part for variable in self.variables for part in ("-e", variable)),
                *arguments,
            ],
            environment=self._environment() | environment,
        )

    def kubectl(self, *arguments: str, given: str = "") -> Timed:
        """Run kubectl with ``given`` on its standard input; BenchmarkError when it fails."""
        program = [str(self.state / "bin" / "kubectl"), "--kubeconfig"]
        return run([*program, str(self.state / "kubeconfig"), *arguments], given=given)

    def apply(self, manifests: list[applied.Manifest]) -> Timed:
        """Apply as the roles do. By standard input, since Secrets are among them."""
        how = ["--server-side", "--field-manager", applied.MANAGER, "--force-conflicts"]
        return self.kubectl("apply", *how, "-f", "-", given=applied.as_list(manifests))

    def objects(self, namespace: str, kinds: str = KINDS) -> list[applied.Manifest]:
        """The namespace and what is in it, as the cluster has them, with managedFields."""
        asked = ["--output", "json", "--show-managed-fields"]
        inside = json.loads(self.kubectl("get", kinds, "-n", namespace, *asked).output)
        around = json.loads(self.kubectl("get", "namespace", namespace, *asked).output)
        return [around, *inside["items"]]

    def _environment(self) -> dict[str, str]:
        path = f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {
            "PATH": path,
            "ADMIN_PASSWORD": self.password,
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache" / "collections"),
            "ANSIBLE_HOME": str(CHECKOUT / ".cache" / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_NOCOLOR": "1",
        }


def run(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, given: str = ""
) -> Timed:
    """Time a program; what it says goes into the error if it fails, and nowhere else."""
    began = time.perf_counter()
    ended = subprocess.run(
        command,
        check=False,
        cwd=CHECKOUT,
        env={**os.environ, **(environment or {})},
        input=given,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - began
    if ended.returncode != 0:
        said = (ended.stdout + ended.stderr)[-4000:]
        raise BenchmarkError(f"{' '.join(command)} ended with {ended.returncode}:\n{said}")
    return Timed(seconds, ended.stdout)


def versions(objects: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """resourceVersion by kind and name: the same before and after means nothing was changed."""
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for item in objects
        if applied.applied_fields(dict(item))
    }
