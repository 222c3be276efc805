# SPDX-License-Identifier: GPL-3.0-or-later
"""The helper of image builds: with devpi where that answers, without it where it does not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import CHECKOUT, Server, free_port

SCRIPT = CHECKOUT / "roles/devpi_client/files/devpi-pip-env"
BUILD = """
set -eu
variables=$(sh "$@")
eval "$variables"
echo "${PIP_INDEX_URL:-PyPI} ${UV_DEFAULT_INDEX:-PyPI}" \\
     "${PIP_CERT:-system} ${PIP_TRUSTED_HOST:-nobody}"
"""
TESTED = ("curl", "python3", "wget")


@pytest.fixture(params=TESTED)
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder of the programs that an image has: one of those that can ask."""
    asks = shutil.which(request.param)
    assert asks, f"no {request.param} on this machine"
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, path in {"sh": "/bin/sh", "grep": shutil.which("grep"), request.param: asks}.items():
        (folder / name).symlink_to(str(path))
    return folder


def build(image: Path, *arguments: str | Path) -> tuple[int, str, str]:
    """Status, the variables, and what the build was told, as a RUN line has them."""
    ended = subprocess.run(
        [image / "sh", "-c", BUILD, "build", SCRIPT, *arguments],
        env={"PATH": str(image), "HOME": str(image)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ended.returncode, ended.stdout.strip(), ended.stderr


def test_a_build_takes_what_answers(image: Path, server: Server, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.symlink_to(server.ca)
    index = f"{server.url}/root/stable/+simple/"
    assert build(image, "--ca", ca, index) == (0, f"{index} {index} {ca} nobody", "")
    plain = f"{server.plain_url}/root/stable/+simple"
    host = server.plain_url.removeprefix("http://")
    assert build(image, plain) == (0, f"{plain}/ {plain}/ system {host}", "")


def test_a_build_goes_on_without_what_does_not_answer(image: Path, server: Server) -> None:
    dead = f"http://localhost:{free_port()}/root/stable/+simple/"
    untrusted = f"{server.url}/root/stable/+simple/"
    no_devpi = f"{server.plain_url}/root/stable/+simple/root/stable/+simple/"
    for index in (dead, untrusted, no_devpi):
        status, variables, told = build(image, index)
        assert (status, variables) == (0, "PyPI PyPI system nobody")
        assert f"{index} does not answer; going on without it" in told


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["https://host/"],
        ["ftp://host/root/stable/+simple/"],
        ["https://host/root/stable/+simple/", "more"],
        ["https://host/$(touch pwned)/stable/+simple/"],
        ["--ca", "a;b", "https://host/root/stable/+simple/"],
        ["--ca"],
    ],
)
def test_what_is_no_index_is_refused(arguments: list[str]) -> None:
    ended = subprocess.run(
        ["/bin/sh", SCRIPT, *arguments], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Usage: devpi-pip-env")
