# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests that need no cluster, on every Python that we claim."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from collection import playbooks
from commands import Skipped, call
from environments import CHECKOUT, ensure, find_python

VENV = CHECKOUT / ".venv"
# For tests that share nothing but the files of the checkout.
ON_ALL_CORES = ("--numprocesses", "auto", "--dist", "worksteal")
# What it judges with is built of Go, like the cluster's programs: it does not build beside them.
KUBE_SCORE = "tests/unit/roles/test_kube_score.py"
UNITS = ("tests/unit", f"--ignore={KUBE_SCORE}", *ON_ALL_CORES)
IMAGE_REQUIREMENTS = CHECKOUT / "roles/devpi_image/files/image/requirements.in"


def unit() -> None:
    """Unit tests and contracts, on the Python that runs this."""
    run_pytest(VENV, *UNITS)


def unit_on(version: str) -> None:
    """The same, and the playbooks' syntax, on another Python with its own Ansible."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        raise Skipped("the Python of all other parts")
    if version not in os.environ.get("DEVPI_TEST_PYTHONS", version).split():
        raise Skipped("not in DEVPI_TEST_PYTHONS; `make test-long` has it")
    python = find_python(version)
    if python is None:
        raise Skipped(f"no Python {version} on PATH or in pyenv")
    venv = ensure(python)
    call(["ansible", "--version"], venv=venv)
    run_pytest(venv, *UNITS)
    call(["ansible-playbook", "--syntax-check", *map(str, playbooks())], venv=venv)


def kube_score() -> None:
    """The rendered manifests, judged."""
    run_pytest(VENV, KUBE_SCORE)


def with_server(folder: str) -> None:
    """Tests that start a devpi-server of the image's versions on this machine."""
    server = ensure(Path(sys.executable), (IMAGE_REQUIREMENTS,))
    run_pytest(VENV, folder, extra={"DEVPI_SERVER_PREFIX": str(server)})


def server() -> None:
    """Modules and init program against a real devpi-server; with the unit tests they cover all."""
    prefix = ensure(Path(sys.executable), (IMAGE_REQUIREMENTS,))
    tests = ["tests/unit/plugins", "tests/integration/devpi_server"]
    call(
        ["python", "-m", "coverage", "run", "-m", "pytest", "--quiet", *tests],
        extra={"DEVPI_SERVER_PREFIX": str(prefix)},
    )
    call(["python", "-m", "coverage", "report"])


def front() -> None:
    """nginx before a real devpi-server, both as processes."""
    with_server("tests/integration/front")


def workstation() -> None:
    """What 15_configure_cli writes, read by the real tools."""
    with_server("tests/integration/devpi_client")


def image() -> None:
    """The image by itself, built on the base that the cluster's driver has made."""
    run_pytest(VENV, "tests/integration/image")


def run_pytest(venv: Path, *arguments: str, extra: dict[str, str] | None = None) -> None:
    call(["python", "-m", "pytest", "--quiet", *arguments], venv=venv, extra=extra)
