# SPDX-License-Identifier: GPL-3.0-or-later
"""The linters, each over all that it understands."""

from __future__ import annotations

import os
from pathlib import Path

from commands import Failed, call
from environments import COLLECTIONS

# Folders whose modules and packages are imported from there, each a world of its own to mypy, and
# where else they find modules.
PROGRAMS = {
    "benchmarks": os.pathsep.join(
        (
            "tests/integration/image",
            "tests/integration/front",
            "tests/unit/roles/devpi_image",
            "tests/run",
            "roles/devpi_image/files/image",
        )
    ),
    "molecule": "",
    "molecule/cluster": "",
    "roles/devpi_image/files/image": "",
    "roles/devpi_init/files": "plugins/module_utils",
    "tests/run": "roles/devpi_image/files/image",
}
PLUGINS = "ansible_collections.thinkube.devpi.plugins"


def ansible_lint() -> None:
    """Profile production, nothing skipped, no network."""
    call(["ansible-lint", "--offline", "--strict", "-q"])


def yamllint() -> None:
    call(["yamllint", "--strict", "."])


def ruff() -> None:
    call(["ruff", "check", "--no-cache", "."])
    call(["ruff", "format", "--check", "--no-cache", "."])


def mypy() -> None:
    """Strict: each program, and the plugins under their full name."""
    passed = [passes(arguments, path) for arguments, path in mypy_runs()]
    if not all(passed):
        raise Failed("mypy found errors")


def passes(arguments: list[str], path: str) -> bool:
    """Whether one run of mypy finds nothing; ``path`` is its MYPYPATH."""
    try:
        call(["mypy", *arguments], extra={"MYPYPATH": path})
    except Failed:
        return False
    return True


def mypy_runs() -> list[tuple[list[str], str]]:
    """Arguments and MYPYPATH of each run; a folder that is not there has none."""
    runs = []
    for program, more in PROGRAMS.items():
        folder = Path(program)
        packages = [init.parent for init in sorted(folder.glob("*/__init__.py"))]
        sources = [str(source) for source in [*sorted(folder.glob("*.py")), *packages]]
        if sources:
            runs.append((sources, os.pathsep.join(filter(None, (program, more)))))
    if Path("plugins").is_dir():
        runs.append((["--package", PLUGINS], str(COLLECTIONS)))
    return runs
