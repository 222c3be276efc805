# SPDX-License-Identifier: GPL-3.0-or-later
"""Call the tools, with the environment that they need and nothing on their standard input."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from environments import CHECKOUT, COLLECTIONS

ARTIFACTS = CHECKOUT / "test-artifacts"


class Failed(Exception):
    """A part of the tests did not pass; what went wrong has been printed."""


class Skipped(Exception):
    """A part can't run on this machine; the text is the reason."""


def environment(venv: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a tool: programs of ``venv`` first, this checkout as the collection."""
    return {
        **os.environ,
        "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(venv),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_HOME": str(CHECKOUT / ".cache" / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "MYPYPATH": "",
        **(extra or {}),
    }


def call(
    command: list[str],
    *,
    venv: Path = CHECKOUT / ".venv",
    cwd: Path = CHECKOUT,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Run a command in sight; Failed when it does not end with 0."""
    print(f"$ {shlex.join(command)}", flush=True)
    ended = subprocess.run(
        command, check=False, cwd=cwd, env=environment(venv, extra), stdin=subprocess.DEVNULL
    )
    if ended.returncode != 0:
        raise Failed(f"{command[0]} ended with {ended.returncode}")


def interrupt(process: subprocess.Popen[Any] | None) -> None:
    """End what was started in a session of its own, and what that has started; wait for it."""
    if process is not None and process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        process.wait()


def project_files(*, checkout: Path = CHECKOUT) -> list[Path]:
    """Relative paths of all files that belong to the project: in git's index or not ignored."""
    # A clone that belongs to another user is no reason to refuse to list it.
    git = ["git", "-c", f"safe.directory={checkout}"]
    listing = subprocess.run(
        [*git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        check=True,
        cwd=checkout,
        capture_output=True,
        text=True,
    ).stdout
    paths = (Path(name) for name in listing.split("\0") if name)
    return sorted(path for path in set(paths) if (checkout / path).is_file())
