# SPDX-License-Identifier: GPL-3.0-or-later
"""What role devpi_discovery writes for the shells of code-server, read by these shells."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.thinkube.devpi.plugins.filter.exports import FilterModule

exports = FilterModule().filters()["exports"]
PROGRAM = Path(__file__).parents[3] / "roles/devpi_discovery/files/code-server.sh"
# What the shells would make more of.
VALUES = {
    "DEVPI_URL": "https://devpi-api.example.com",
    "EMPTY": "",
    "QUOTES": """it's "quoted" \\' \\\\ \\""",
    "WORDS": "$HOME `id` $(id) *.py ; # !x ~",
    "TEXT": "one\n\n  three",
    "LETTERS": "Größe ✓",
}


@pytest.mark.parametrize(
    "shell", [["bash", "-ic"], ["zsh", "-ic"], ["fish", "-c"]], ids=lambda shell: shell[0]
)
def test_a_new_shell_has_the_variables_as_they_are(shell: list[str], tmp_path: Path) -> None:
    lines = [base64.b64encode(exports(VALUES, one).encode()) for one in ("sh", "fish")]
    program = ["sh", str(PROGRAM), "write", str(tmp_path)]
    subprocess.run(program, input=b"\n".join([*lines, b""]), check=True)
    done = subprocess.run(
        [*shell, "env -0"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    found = dict(entry.split("=", 1) for entry in done.stdout.decode().split("\0") if entry)
    assert {name: found.get(name) for name in VALUES} == VALUES
