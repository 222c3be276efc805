# SPDX-License-Identifier: GPL-3.0-or-later
"""The real image, built here on the Debian that the local cluster's driver has made.

DEVPI_TEST_BASE names another base, DEVPI_TEST_IMAGE an image that is built already.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from containers import SYSTEM_CA, Pod, free_port, podman
from registry import Registry, serving

CONTEXT = Path(__file__).parents[3] / "roles/devpi_image/files/image"


@pytest.fixture(scope="session", autouse=True)
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """podman set so that it runs without systemd and without the right to raise limits."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    conf = tmp_path_factory.mktemp("podman") / "containers.conf"
    conf.write_text(
        f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc=4096:4096"]\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        if "CONTAINERS_CONF" not in os.environ:
            patch.setenv("CONTAINERS_CONF", str(conf))
        yield


@pytest.fixture(scope="session")
def image(engine: None) -> str:
    """Reference of the image under test."""
    if given := os.environ.get("DEVPI_TEST_IMAGE"):
        return given
    name = "localhost/thinkube-devpi-test:latest"
    secret = [f"--secret=id=ca,src={SYSTEM_CA}"] if SYSTEM_CA.exists() else []
    base = f"--build-arg=BASE={base_image()}"
    podman(
        "build",
        "--quiet",
        "--format=docker",
        # As the role does.
        "--timestamp=1767225600",
        "--network=host",
        "--pull=false",
        base,
        *secret,
        "--tag",
        name,
        CONTEXT,
    )
    return name


def base_image() -> str:
    if given := os.environ.get("DEVPI_TEST_BASE"):
        return given
    cache = Path(
        os.environ.get("THINKUBE_DEVPI_CACHE")
        or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "thinkube-devpi"
    )
    archives = sorted(cache.glob("images/*/debian.tar"), key=lambda path: path.stat().st_mtime)
    assert archives, (
        f"There is no debian.tar below {cache}/images: bring a local cluster up once, or let"
        " DEVPI_TEST_BASE name a Debian 13 image."
    )
    return podman("load", "--quiet", "--input", archives[-1]).split()[-1]


def stage(name: str) -> str:
    """The image of a stage of the Containerfile; made before, as part of the image."""
    secret = [f"--secret=id=ca,src={SYSTEM_CA}"] if SYSTEM_CA.exists() else []
    options = ["--format=docker", "--network=host", "--pull=false", *secret]
    base = f"--build-arg=BASE={base_image()}"
    named = f"localhost/thinkube-devpi-test-{name}:latest"
    podman("build", "--quiet", *options, base, f"--target={name}", "--tag", named, CONTEXT)
    return named


@pytest.fixture
def pod(tmp_path: Path, image: str) -> Pod:
    """A pod of its own, nothing started in it."""
    return Pod(tmp_path / "pod", image)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, image: str) -> Iterator[Pod]:
    """A pod with server and front, shared by the tests of a file."""
    pod = Pod(tmp_path_factory.mktemp("served") / "pod", image)
    pod.init()
    with pod.server(), pod.front():
        yield pod


@pytest.fixture
def other_port() -> int:
    """For a second front."""
    return free_port()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, engine: None) -> Iterator[Registry]:
    """A registry for role devpi_image, shared by the tests of a file."""
    with serving(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def good(registry: Registry) -> dict[str, Any]:
    """The variables with which the role builds and pushes."""
    return {
        "harbor_registry": registry.host,
        "devpi_ca_bundle": str(registry.ca),
        "devpi_image_base": base_image(),
    }
