# SPDX-License-Identifier: GPL-3.0-or-later
"""A real devpi-server on loopback, for everything that talks to one.

The programs come from the environment that runs the tests, or from the virtual environment that
DEVPI_SERVER_PREFIX names; the versions are those of the image's requirements. The server runs as
in a pod: initialised with a root password, ``--restrict-modify root``, tokens outlive a restart.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi_module import (
    transport as open_url_transport,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.api import Transport

COLLECTION = Path(__file__).parents[3]
PREFIX = Path(os.environ.get("DEVPI_SERVER_PREFIX", sys.prefix))
ROOT_PASSWORD = "first root password"
START_TIMEOUT = 60.0


@dataclass
class DevpiServer:
    """A devpi-server in ``folder``, root's password being ``root_password`` at first."""

    folder: Path
    port: int
    root_password: str = ROOT_PASSWORD
    python: Path = PREFIX / "bin/python"
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def start(self, *, wait: bool = True, plugins: Path | None = None) -> None:
        """Start it, with what is installed in ``plugins`` besides its environment."""
        command: list[str | Path] = [
            PREFIX / "bin/devpi-server",
            f"--serverdir={self.folder / 'server'}",
            f"--port={self.port}",
            f"--secretfile={self.folder / 'secret/token-key'}",
            "--restrict-modify=root",
            "--indexer-backend=null",
            "--argon2-memory-cost=65536",
            "--argon2-time-cost=1",
        ]
        with self.log.open("ab") as log:
            more = {"PYTHONPATH": str(plugins)} if plugins else {}
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **more}
            )
        if wait:
            self.wait()

    def wait(self) -> None:
        end = time.monotonic() + START_TIMEOUT
        while time.monotonic() < end:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/+api", timeout=5):
                    return
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        pytest.fail(f"devpi-server did not come up:\n{self.log.read_text()}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server directory as the init container leaves it, to be copied."""
    program = PREFIX / "bin/devpi-init"
    if not program.exists():
        pytest.fail(f"{program} is missing: install devpi-server, or set DEVPI_SERVER_PREFIX")
    folder = tmp_path_factory.mktemp("devpi") / "server"
    subprocess.run(
        [program, f"--serverdir={folder}"],
        env={**os.environ, "DEVPISERVER_ROOT_PASSWD": ROOT_PASSWORD},
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="session")
def run_devpi(
    initialised: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], AbstractContextManager[DevpiServer]]:
    """Return a context manager for a new server, not yet started."""

    @contextmanager
    def run() -> Iterator[DevpiServer]:
        folder = tmp_path_factory.mktemp("devpi")
        shutil.copytree(initialised, folder / "server")
        (folder / "secret").mkdir(mode=0o700)
        key = folder / "secret/token-key"
        key.touch(mode=0o600)
        key.write_text(secrets.token_urlsafe(48))
        server = DevpiServer(folder, free_port())
        try:
            yield server
        finally:
            server.stop()

    return run


@pytest.fixture(scope="session")
def devpi(run_devpi: Callable[[], AbstractContextManager[DevpiServer]]) -> Iterator[DevpiServer]:
    """A running server that the tests of a session share: use names of your own."""
    with run_devpi() as server:
        server.start()
        yield server


@pytest.fixture(params=["httpx", "open_url"])
def transport(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Transport]:
    """The transports of the init program and of the modules."""
    if request.param == "open_url":
        yield open_url_transport(timeout=30, ca_path=None)
        return
    monkeypatch.syspath_prepend(COLLECTION / "plugins/module_utils")
    path = COLLECTION / "roles/devpi_init/files/converge.py"
    spec = importlib.util.spec_from_file_location("converge", path)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "converge", program)
    spec.loader.exec_module(program)
    with program.httpx.Client(trust_env=False) as client:
        yield program.transport(client)


@pytest.fixture
def stopped_devpi(
    run_devpi: Callable[[], AbstractContextManager[DevpiServer]],
) -> Iterator[DevpiServer]:
    """A new server of the test's own that is to be started by it."""
    with run_devpi() as server:
        yield server


@pytest.fixture
def fresh_devpi(stopped_devpi: DevpiServer) -> DevpiServer:
    """A new, running server of the test's own."""
    stopped_devpi.start()
    return stopped_devpi
