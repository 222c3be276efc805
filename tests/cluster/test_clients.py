# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients that developers use, against the API host: packages of PyPI and one of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Cluster, Workstation
from .uploads import check_installed_back, package, upload_by_devpi, upload_by_twine

__all__ = ["package"]

REAL = ("flask", "numpy", "pandas")
TEMPERATURES = ["cold", pytest.param("warm", marks=pytest.mark.long)]


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_pip_installs_real_packages(
    cluster: Cluster, workstation: Workstation, temperature: str
) -> None:
    bin_folder = workstation.venv("venv")
    output = workstation.run(
        bin_folder / "pip", "install", "--no-cache-dir", "--index-url", cluster.simple_url, *REAL
    )
    assert f"Looking in indexes: {cluster.simple_url}" in output
    workstation.run(bin_folder / "python", "-c", "import flask, numpy, pandas")


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_uv_installs_real_packages(
    cluster: Cluster, workstation: Workstation, temperature: str
) -> None:
    bin_folder = workstation.venv("venv")
    workstation.run(
        *("uv", "pip", "install", "--no-cache", "--python", bin_folder / "python"),
        *("--default-index", cluster.simple_url, *REAL),
    )
    workstation.run(bin_folder / "python", "-c", "import flask, numpy, pandas")


def test_twine_uploads(
    cluster: Cluster, workstation: Workstation, package: tuple[str, Path]
) -> None:
    name, dist = package
    upload_by_twine(cluster, workstation, *dist.iterdir())
    check_installed_back(cluster, workstation, name, dist)


def test_devpi_uploads(
    cluster: Cluster, workstation: Workstation, package: tuple[str, Path]
) -> None:
    name, dist = package
    upload_by_devpi(cluster, workstation, *dist.iterdir())
    check_installed_back(cluster, workstation, name, dist)
