# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook 20_configure_indexes as it is run, against real servers: several, as a trial, again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest
import yaml

if TYPE_CHECKING:
    from tests.integration.devpi_server.conftest import DevpiServer

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
SECRET = "x3cr3t-of-ann"
CHANGED = re.compile(r"^(\w+) .*changed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Play:
    """Runs on an inventory of two clusters."""

    server: DevpiServer
    folder: Path

    def run(self, *options: str, playbook: str = "20_configure_indexes", **more: Any) -> Run:
        (self.folder / "hosts.yaml").write_text(yaml.safe_dump({"devpi": self.clusters(more)}))
        done = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("ansible-playbook")), "-vvv"),
                *("-i", str(self.folder / "hosts.yaml"), *options),
                str(PLAYBOOKS / f"{playbook}.yaml"),
            ],
            env={
                **os.environ,
                "ADMIN_PASSWORD": self.server.root_password,
                "ANSIBLE_NOCOLOR": "1",
                # It is a matter of devpi's administrators, who need have no cluster.
                "KUBECONFIG": "/nonexistent",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert SECRET not in done.stdout + done.stderr
        assert self.server.root_password not in done.stdout + done.stderr
        return Run(done.returncode, done.stdout + done.stderr)

    def clusters(self, more: dict[str, Any]) -> dict[str, Any]:
        ann = {"email": "ann@example.com", "password": SECRET}
        indexes = {"p-ann/dev": {"bases": ["p-ann/stable"]}, "p-ann/stable": {"volatile": False}}
        return {
            "hosts": {
                "first": {"devpi_users": {"p-ann": ann}, "devpi_indexes": indexes, **more},
                "second": {"devpi_index_name": "p-second"},
            },
            "vars": {
                "domain_name": "example.com",
                "devpi_configuration_url": self.server.url,
            },
        }

    def listing(self) -> Any:
        asked = Request(self.server.url, headers={"Accept": "application/json"})
        with urlopen(asked, timeout=30) as answer:
            return json.load(answer)["result"]


@dataclass(frozen=True)
class Run:
    """A finished run."""

    code: int
    output: str

    @property
    def changed(self) -> dict[str, int]:
        recap = self.output.rpartition("PLAY RECAP")[2]
        return {name: int(n) for name, n in re.findall(CHANGED, recap)}


@pytest.fixture
def play(devpi: DevpiServer, tmp_path: Path) -> Play:
    return Play(devpi, tmp_path)


def test_two_clusters_a_trial_and_again(play: Play) -> None:
    before = play.listing()
    trial = play.run("--check", "--diff")
    assert trial.code == 0, trial.output
    assert trial.changed == {"first": 1, "second": 1, "localhost": 0}
    for difference in ("+++ after: p-ann/stable", "+++ after: root/p-second", "ann@example.com"):
        assert difference in trial.output
    assert play.listing() == before

    run = play.run("--diff")
    assert run.code == 0, run.output
    assert run.changed == trial.changed
    listing = play.listing()
    assert listing["p-ann"]["indexes"]["dev"]["bases"] == ["p-ann/stable"]
    assert listing["root"]["indexes"]["p-second"]["bases"] == ["root/pypi"]

    again = play.run("--diff", playbook="configure_indexes")
    assert again.code == 0, again.output
    assert again.changed == {"first": 0, "second": 0, "localhost": 0}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"devpi_indexes": {"root/a": {"bases": ["root/b"]}, "root/b": {"bases": ["root/a"]}}},
            "root/a -> root/b -> root/a",
        ),
        ({"devpi_indexes": {"root/a": {"bases": ["root/nosuch"]}}}, "its base 'root/nosuch' is"),
    ],
)
def test_wrong_input_is_named_and_nothing_written(play: Play, wrong: Any, words: str) -> None:
    before = play.listing()
    run = play.run("--limit", "first,localhost", **wrong)
    assert run.code != 0
    assert words in " ".join(run.output.replace('\\"', '"').split())
    assert play.listing() == before
