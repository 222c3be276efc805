# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that writes into code-server's home, run by real shells on real files."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[4] / "roles/devpi_discovery/files/code-server.sh"
SHELLS = [name for name in ("sh", "bash", "busybox") if shutil.which(name)]
SH, FISH = "export A='1\n2'\nexport B=", "set -gx A '1\n2'\nset -gx B ''"
ENV = ".config/thinkube/service-env-cs"
ALL = {f"{ENV}.sh", ".bashrc", ".zshrc", f"{ENV}.fish", ".config/fish/config.fish"}


def run(shell: str, mode: str, home: Path, *texts: str) -> subprocess.CompletedProcess[str]:
    command = ["busybox", "sh"] if shell == "busybox" else [shell]
    lines = [base64.b64encode(text.encode()).decode() for text in texts]
    return subprocess.run(
        [*command, "-c", PROGRAM.read_text(), PROGRAM.name, mode, str(home)],
        # More may follow: the other end of an exec stays open.
        input="\n".join([*lines, "not for this program", ""]),
        capture_output=True,
        check=False,
        text=True,
    )


def call(shell: str, mode: str, home: Path, for_sh: str = SH, for_fish: str = FISH) -> set[str]:
    """The files that the program names."""
    done = run(shell, mode, home, for_sh, for_fish)
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.splitlines())


def tree(home: Path) -> dict[str, tuple[int, str]]:
    """Mode and text of every file below."""
    return {
        str(path.relative_to(home)): (path.stat().st_mode & 0o777, path.read_text())
        for path in home.rglob("*")
        if path.is_file()
    }


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_an_empty_home(shell: str, tmp_path: Path) -> None:
    assert call(shell, "check", tmp_path) == ALL
    assert tree(tmp_path) == {}
    assert call(shell, "write", tmp_path) == ALL
    after = tree(tmp_path)
    assert set(after) == ALL
    assert SH in after[f"{ENV}.sh"][1]
    assert FISH in after[f"{ENV}.fish"][1]
    assert {mode for name, (mode, _) in after.items() if ENV in name} == {0o600}
    assert call(shell, "check", tmp_path) == call(shell, "write", tmp_path) == set()
    assert tree(tmp_path) == after


def test_what_others_have_there_stays(shell: str, tmp_path: Path) -> None:
    mine = {
        ".bashrc": "alias ll='ls -l'\n",
        ".zshrc": "test -f ~/.config/thinkube/service-env-cs.sh && source that\n",
        f"{ENV}.sh": '#!/bin/bash\nexport GITEA_URL="https://git.example.com"\n',
    }
    for name, text in mine.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    before = tree(tmp_path)
    (tmp_path / f"{ENV}.sh").chmod(0o755)
    changed = call(shell, "write", tmp_path)
    # Who reads the file already by a line of their own needs none of ours.
    assert changed == ALL - {".zshrc"} | {f"{ENV}.sh (mode)"}
    after = tree(tmp_path)
    assert after[".bashrc"][1].startswith(mine[".bashrc"])
    assert after[f"{ENV}.sh"][1].startswith(mine[f"{ENV}.sh"])
    assert after[f"{ENV}.sh"][0] == 0o600
    assert call(shell, "write", tmp_path) == set()

    # Other values take the place of the old ones, and none leave what was there before.
    assert call(shell, "write", tmp_path, for_sh="export A=3") == {f"{ENV}.sh"}
    assert "'1\n2'" not in tree(tmp_path)[f"{ENV}.sh"][1]
    call(shell, "write", tmp_path, "", "")
    undone = tree(tmp_path)
    # The variables of others are still there, so they are still read.
    assert undone.pop(".bashrc")[1].startswith(mine[".bashrc"])
    assert undone == {
        name: (0o600 if ENV in name else mode, text)
        for name, (mode, text) in before.items()
        if name != ".bashrc"
    }


def test_undone_the_home_is_what_it_was(shell: str, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "dotfiles/bashrc").write_text("alias ll='ls -l'\n\n# the end\n")
    (tmp_path / ".bashrc").symlink_to("dotfiles/bashrc")
    before = tree(tmp_path)
    call(shell, "write", tmp_path)
    assert (tmp_path / ".bashrc").is_symlink()
    assert tree(tmp_path) != before
    assert call(shell, "check", tmp_path, "", "") == ALL
    assert call(shell, "write", tmp_path, "", "") == ALL
    assert tree(tmp_path) == before
    assert call(shell, "write", tmp_path, "", "") == set()


def test_a_home_that_is_not_there_is_an_error(shell: str, tmp_path: Path) -> None:
    done = run(shell, "write", tmp_path / "nowhere", SH, FISH)
    assert done.returncode != 0
    assert str(tmp_path / "nowhere") in done.stderr
