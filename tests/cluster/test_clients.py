# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients that developers use, against the API host: packages of PyPI and one of our own."""

from __future__ import annotations

import hashlib
import secrets
import sys
from pathlib import Path

import pytest

from .conftest import Cluster, Workstation

REAL = ("flask", "numpy", "pandas")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def package(workstation: Workstation, request: pytest.FixtureRequest) -> tuple[str, Path]:
    """Name, new in each run, and dist folder of a package made for this test: sdist and wheel."""
    made_for = request.node.name.removeprefix("test_").replace("_", "-")
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


@pytest.mark.parametrize("temperature", ["cold", "warm"])
def test_pip_installs_real_packages(
    cluster: Cluster, workstation: Workstation, temperature: str
) -> None:
    bin_folder = workstation.venv("venv")
    output = workstation.run(
        bin_folder / "pip", "install", "--no-cache-dir", "--index-url", cluster.simple_url, *REAL
    )
    assert f"Looking in indexes: {cluster.simple_url}" in output
    workstation.run(bin_folder / "python", "-c", "import flask, numpy, pandas")


@pytest.mark.parametrize("temperature", ["cold", "warm"])
def test_uv_installs_real_packages(
    cluster: Cluster, workstation: Workstation, temperature: str
) -> None:
    bin_folder = workstation.venv("venv")
    workstation.run(
        *("uv", "pip", "install", "--no-cache", "--python", bin_folder / "python"),
        *("--default-index", cluster.simple_url, *REAL),
    )
    workstation.run(bin_folder / "python", "-c", "import flask, numpy, pandas")


def installed_back(cluster: Cluster, workstation: Workstation, name: str, dist: Path) -> None:
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


def test_twine_uploads(
    cluster: Cluster, workstation: Workstation, package: tuple[str, Path]
) -> None:
    name, dist = package
    workstation.run(
        *("twine", "upload", "--non-interactive", "--repository-url"),
        *(f"{cluster.api_url}/root/stable/", *dist.iterdir()),
        TWINE_USERNAME="root",
        TWINE_PASSWORD=cluster.password,
    )
    installed_back(cluster, workstation, name, dist)


def test_devpi_uploads(
    cluster: Cluster, workstation: Workstation, package: tuple[str, Path]
) -> None:
    name, dist = package
    workstation.run(cluster.devpi, "use", f"{cluster.api_url}/root/stable")
    # Without a terminal the client reads the password from standard input.
    workstation.run(cluster.devpi, "login", "root", given=cluster.password + "\n")
    workstation.run(cluster.devpi, "upload", "--from-dir", dist)
    installed_back(cluster, workstation, name, dist)
