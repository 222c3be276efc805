# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings for all users, in a mount namespace that has /etc and /usr/local of its own to write."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import Run, Server, Workstation, new_workstation, play, write_inventory

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may write for all users")

# What is bound over a file of /etc, such as a container's resolv.conf, would be hidden.
NAMESPACE = """
mount -t tmpfs tmpfs "$0"
for folder in etc usr/local; do
    mkdir -p "$0/$folder/upper" "$0/$folder/work"
    layers=lowerdir=/$folder,upperdir=$0/$folder/upper,workdir=$0/$folder/work
    [ $folder != etc ] || cp -L /etc/hosts /etc/resolv.conf "$0/etc/upper/"
    mount -t overlay -o "$layers" overlay "/$folder"
done
echo ready
exec sleep infinity
"""


@dataclass(frozen=True)
class Machine:
    """Runs things where what they write for all users is not this machine's."""

    enter: list[str]
    layers: Path
    user: Workstation

    def configure(self, **variables: object) -> Run:
        inventory = self.layers.parent / "machine.json"
        write_inventory(inventory, {"machine": {**self.user.variables, **variables}})
        return play("-i", str(inventory), inside=self.enter)

    def run(self, *command: str) -> str:
        """What a command of the user prints."""
        ended = self.user.run(*self.enter, *command, PATH="/usr/bin:/bin")
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    def tree(self) -> list[str]:
        """Every file and folder with its mode, those of /etc with their content."""
        names = self.run("find", "/etc", "/usr/local", "-printf", r"%p %m %l\n")
        contents = self.run("find", "/etc", "-type", "f", "-exec", "sha256sum", "{}", "+")
        return sorted(names.splitlines() + contents.splitlines())


@pytest.fixture
def machine(server: Server, tmp_path: Path) -> Iterator[Machine]:
    layers = tmp_path / "layers"
    layers.mkdir()
    unshare = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-ec", NAMESPACE]
    with subprocess.Popen([*unshare, layers], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "ready\n"
        enter = ["nsenter", f"--target={holder.pid}", "--mount", f"--wd={tmp_path}"]
        user = new_workstation(tmp_path, server)
        del user.variables["devpi_client_home"]
        user.variables["devpi_client_scope"] = "system"
        yield Machine(enter, layers, user)
        holder.kill()


def test_all_users_have_it_and_nobody_when_it_is_undone(
    machine: Machine, server: Server, tmp_path: Path
) -> None:
    before = machine.tree()
    ended = machine.configure()
    assert ended.status == 0, ended.output
    again = machine.configure()
    assert (again.status, again.changed) == (0, 0), again.output
    assert machine.user.tree() == {}, "a user's home is not touched"

    pip = machine.run(sys.executable, "-m", "pip", "config", "--global", "get", "global.index-url")
    assert pip.strip() == f"{server.url}/root/stable/+simple/"
    assert server.url in machine.run("cat", "/etc/uv/uv.toml")
    for shell, option in (("bash", "-lc"), ("bash", "-ic"), ("zsh", "-ic"), ("fish", "-c")):
        shown = machine.run(shell, option, "echo $DEVPI_URL; devpi-env")
        assert shown.count(server.url) >= 3, shown
        # The first call has selected the server for this user.
        assert f"devpi-client: {server.url}/root/stable" in shown
    assert machine.run("/bin/sh", "-lc", "echo $DEVPI_URL").strip() == server.url

    removed = machine.configure(devpi_state="absent")
    assert removed.status == 0, removed.output
    assert machine.tree() == before
