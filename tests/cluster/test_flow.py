# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's whole way with devpi-client against the API host, as docs/clients.md has it.

Everything is made under names of its own and taken away again, so it may run beside other tests.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Cluster, Workstation

PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "{name}"
version = "1.2.3"
[tool.tox]
env_list = ["py"]
[tool.tox.env_run_base]
commands = [["python", "-c", "import {module}; assert {module}.ANSWER == 42"]]
"""


@pytest.fixture
def name() -> str:
    return f"flow-{secrets.token_hex(3)}"


@pytest.fixture
def project(workstation: Workstation, name: str) -> Path:
    """A project whose tests tox can run."""
    module = name.replace("-", "_")
    folder = workstation.home / "project"
    (folder / module).mkdir(parents=True)
    (folder / module / "__init__.py").write_text("ANSWER = 42\n")
    (folder / "pyproject.toml").write_text(PROJECT.format(name=name, module=module))
    return folder


@pytest.fixture
def devpi(cluster: Cluster, workstation: Workstation, project: Path) -> Any:
    """`devpi("use ...")` as typed in the project; packages of builds and of tox come from devpi."""
    tools = workstation.venv("tools")
    workstation.run(tools / "pip", "install", "--index-url", cluster.simple_url, "tox")
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"

    def run(line: str, given: str | None = None) -> str:
        command = ["env", "-C", project, cluster.devpi, *line.split()]
        variables = {"PATH": path, "PIP_INDEX_URL": cluster.simple_url}
        return workstation.run(*command, given=given, **variables)

    return run


@pytest.fixture
def as_root(cluster: Cluster, devpi: Any, name: str) -> Iterator[Any]:
    """The same, logged in as root; what was made is taken away again, by root."""

    def log_in() -> None:
        devpi(f"use {cluster.api_url}")
        # Without a terminal the client reads the password from standard input.
        devpi("login root", given=f"{cluster.password}\n")

    log_in()
    yield devpi
    log_in()
    for index in (f"root/{name}", f"{name}/release", f"{name}/dev"):
        devpi(f"index --delete -y {index}")
    devpi(f"user --delete -y {name}")


def test_from_the_first_login_to_a_release(
    cluster: Cluster, workstation: Workstation, as_root: Any, name: str, project: Path
) -> None:
    devpi = as_root
    # What root does: an index of its own, and for a user who makes none.
    assert "bases=root/pypi" in devpi(f"index -c {name} bases=root/pypi")
    assert f"root/{name}" in devpi("index -l")
    password = secrets.token_urlsafe(12)
    devpi(f"user -c {name}", given=f"{password}\n{password}\n")
    devpi(f"index -c {name}/dev bases=root/stable")
    devpi(f"index -c {name}/release bases=root/stable volatile=True")

    # What the user does: log in, build and upload, test, release.
    devpi(f"login {name}", given=f"{password}\n")
    devpi(f"use {name}/dev")
    uploaded = devpi("upload --sdist --wheel")
    assert uploaded.count("file_upload of") == 2
    assert "congratulations" in devpi(f"test {name}")
    assert "tests passed" in devpi(f"list --toxresults {name}")
    devpi(f"push {name}==1.2.3 {name}/release")
    assert f"{name}/release" in devpi(f"list --index {name}/release {name}")

    # A wheelhouse, which saves every machine the compiling.
    (project / "requirements.txt").write_text("idna\n")
    for line in (
        "wheel --wheel-dir=wheelhouse -r requirements.txt",
        "download -d packages --no-deps six",
    ):
        pip = workstation.home / "tools/bin/pip"
        index = {"PIP_INDEX_URL": cluster.simple_url}
        workstation.run("env", "-C", project, pip, *line.split(), **index)
    assert devpi("upload --from-dir wheelhouse packages").count("file_upload of") == 2

    # What others get: the release, and through it all of PyPI.
    released = f"{cluster.api_url}/{name}/release/+simple/"
    bin_folder = workstation.venv("venv")
    workstation.run(
        *(bin_folder / "pip", "install", "--no-cache-dir", "--index-url", released, name, "idna")
    )
    module = name.replace("-", "_")
    workstation.run(bin_folder / "python", "-c", f"import idna, {module} as it; assert it.ANSWER")
