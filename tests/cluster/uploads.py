# SPDX-License-Identifier: GPL-3.0-or-later
"""A package of our own: made, uploaded by twine or devpi, and got back by pip and uv."""

from __future__ import annotations

import hashlib
import secrets
import sys
from pathlib import Path

import pytest

from .conftest import Cluster, Workstation


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def package(workstation: Workstation, request: pytest.FixtureRequest) -> tuple[str, Path]:
    """Name, new in each run, and dist folder of a package made for this test: sdist and wheel."""
    made_for = request.node.originalname.removeprefix("test_").replace("_", "-")
    name = f"made-for-{made_for}-{secrets.token_hex(3)}"
    source = workstation.home / "source"
    (source / name.replace("-", "_")).mkdir(parents=True)
    (source / name.replace("-", "_") / "__init__.py").write_text("ANSWER = 42\n")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        f'[project]\nname = "{name}"\nversion = "1.2.3"\n'
    )
    workstation.run(sys.executable, "-m", "build", "--no-isolation", source)
    return name, source / "dist"


def upload_by_twine(
    cluster: Cluster, workstation: Workstation, *files: Path, index: str = "root/stable"
) -> None:
    workstation.run(
        *("twine", "upload", "--non-interactive", "--repository-url"),
        *(f"{cluster.api_url}/{index}/", *files),
        TWINE_USERNAME="root",
        TWINE_PASSWORD=cluster.password,
    )


def upload_by_devpi(cluster: Cluster, workstation: Workstation, *files: Path) -> None:
    workstation.run(cluster.devpi, "use", f"{cluster.api_url}/root/stable")
    # Without a terminal the client reads the password from standard input.
    workstation.run(cluster.devpi, "login", "root", given=cluster.password + "\n")
    workstation.run(cluster.devpi, "upload", *files)


def check_installed_back(cluster: Cluster, workstation: Workstation, name: str, dist: Path) -> None:
    """The wheel and the sdist come back byte by byte, and pip and uv install them."""
    for kind, file in (
        ("--only-binary=:all:", next(dist.glob("*.whl"))),
        ("--no-binary=:all:", next(dist.glob("*.tar.gz"))),
    ):
        target = workstation.home / "back"
        workstation.run(
            *(sys.executable, "-m", "pip", "download", "--no-cache-dir", "--no-deps", kind),
            *("--no-build-isolation", "--index-url", cluster.simple_url, "--dest", target, name),
        )
        assert sha256(target / file.name) == sha256(file)
    for tool in ("pip", "uv"):
        bin_folder = workstation.venv(tool)
        if tool == "pip":
            command = [bin_folder / "pip", "install", "--no-cache-dir", "--index-url"]
        else:
            python = bin_folder / "python"
            command = ["uv", "pip", "install", "--no-cache", "--python", python, "--default-index"]
        workstation.run(*command, cluster.simple_url, name)
        module = name.replace("-", "_")
        workstation.run(
            bin_folder / "python", "-c", f"import {module}; assert {module}.ANSWER == 42"
        )


def check_all_clients(cluster: Cluster, workstation: Workstation, name: str, dist: Path) -> None:
    """twine and devpi bring one file each, pip and uv get both back."""
    upload_by_twine(cluster, workstation, *dist.glob("*.whl"))
    upload_by_devpi(cluster, workstation, *dist.glob("*.tar.gz"))
    check_installed_back(cluster, workstation, name, dist)
