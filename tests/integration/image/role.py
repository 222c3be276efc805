# SPDX-License-Identifier: GPL-3.0-or-later
"""Playing role devpi_image, without a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from registry import PASSWORD

ROLES = Path(__file__).parents[3] / "roles"
ROLE = ROLES / "devpi_image"
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


def play(
    folder: Path,
    *flags: str,
    hosts: str = "localhost,",
    environment: Mapping[str, str] | None = None,
    **variables: Any,
) -> Played:
    """The role's checks and the role itself, as the play runs them, but for the cluster."""
    inputs = folder / "inputs.json"
    inputs.write_text(json.dumps({"domain_name": "example.org", **variables}))
    file = folder / "play.yaml"
    file.write_text(yaml.safe_dump([PLAY]))
    ansible = [sys.executable, "-m", "ansible", "playbook"]
    callback = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    done = subprocess.run(
        [*ansible, "-i", hosts, "-e", f"role_path={ROLE}", "-e", f"@{inputs}", *flags, str(file)],
        env=os.environ | callback | {"ADMIN_PASSWORD": PASSWORD, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    output = done.stdout + done.stderr
    assert PASSWORD not in output
    start = done.stdout.find("{")
    return Played(done.returncode, output, json.loads(done.stdout[start:]) if start >= 0 else {})
