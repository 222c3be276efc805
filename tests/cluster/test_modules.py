# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules through the API host: a front stands before devpi there, and TLS with its own CA.

Everything has names of its own and is taken away again, so it may run beside other tests.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Cluster, Playbooks, Run

PLAY = Path(__file__).parent / "plays/modules.yaml"
WHEEL = {
    "METADATA": "Metadata-Version: 2.1\nName: {0}\nVersion: 1.2.3\n",
    "WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
    "RECORD": "",
}


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A folder with one wheel, whose project has the folder's name."""
    name = f"modules_{secrets.token_hex(3)}"
    folder = tmp_path / name
    folder.mkdir()
    with zipfile.ZipFile(folder / f"{name}-1.2.3-py3-none-any.whl", "w") as wheel:
        for file, text in WHEEL.items():
            wheel.writestr(f"{name}-1.2.3.dist-info/{file}", text.format(name))
    return folder


@pytest.fixture
def play(cluster: Cluster, playbooks: Playbooks, dist: Path) -> Iterator[Any]:
    """`play("present")` and `play("absent")`; what was made is gone in the end."""
    team = dist.name.replace("_", "-")
    password = secrets.token_urlsafe(12)
    given = {"url": cluster.api_url, "ca_path": str(cluster.ca_bundle), "team": team}
    given |= {"dist": str(dist), "project": dist.name}

    def run(wanted: str, *options: str, still_there: bool = True) -> Run:
        variables = json.dumps(given | {"wanted": wanted, "still_there": still_there})
        done = subprocess.run(
            ["ansible-playbook", "-i", "localhost,", "-vvv", *options, "-e", variables, str(PLAY)],
            env=playbooks.environment({"TEAM_PASSWORD": password}),
            capture_output=True,
            check=False,
            text=True,
        )
        output = done.stdout + done.stderr
        for secret in (password, cluster.password):
            assert secret not in output
        return Run(done.returncode, output).succeeded()

    yield run
    run("absent", still_there=False)


def test_a_team_comes_works_and_goes(play: Any) -> None:
    assert play("present", "--check", "--diff").changed == 1
    # The trial has made nothing: there is as much to do as before.
    assert play("present", "--diff").changed == 5
    assert play("present").changed == 0
    assert play("present", "--check").changed == 0
    assert play("absent").changed == 4
    assert play("absent", still_there=False).changed == 0
