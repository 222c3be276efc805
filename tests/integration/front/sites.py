# SPDX-License-Identifier: GPL-3.0-or-later
"""devpi-server and its front as processes on loopback: the image's configuration without it.

The programs of devpi come from the virtual environment that DEVPI_SERVER_PREFIX names, nginx and
its Lua from Debian. As in the image, devpi listens on a unix socket; here it can be asked there
too, past the front.
"""

from __future__ import annotations

import io
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import devpi_image
import httpx
from devpi_image.front import DEFAULT_HEADERS, NGINX, PAGES_SOCKET, configuration
from devpi_image.plans import Front, Standalone
from devpi_image.resolve import resolve
from fake_disk import EMPTY

PREFIX = Path(os.environ.get("DEVPI_SERVER_PREFIX", sys.prefix))
LUA = Path(devpi_image.__file__).parent / "lua"
PASSWORD = "a password for root"
JSON = "application/vnd.pypi.simple.v1+json"
PIP = {
    "Accept": f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01",
    "User-Agent": "pip/26.0",
}
START = 60.0


def initialise(folder: Path) -> Path:
    """Make a server directory without any mirror, to be copied; the folder."""
    subprocess.run(
        [PREFIX / "bin/devpi-init", f"--serverdir={folder}", "--no-root-pypi"],
        env={**os.environ, "DEVPISERVER_ROOT_PASSWD": PASSWORD},
        check=True,
        capture_output=True,
    )
    return folder


@dataclass
class Site:
    """A devpi-server in `folder` and a front of it at `port`.

    `lua` takes the place of the image's, for a front that is to be wrong.
    """

    folder: Path
    port: int
    variables: Mapping[str, str] = field(default_factory=dict)
    plugins: Path | None = None
    whole: bool = False
    options: Sequence[str] = ()
    lua: Path | None = None
    devpi: subprocess.Popen[bytes] | None = None
    nginx: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket(self) -> Path:
        return self.folder / "run/devpi.sock"

    @property
    def serverdir(self) -> Path:
        return self.folder / "server"

    @property
    def plan(self) -> Front:
        if self.whole:
            given = {**self.variables, "DEVPISERVER_SERVERDIR": str(self.serverdir)}
            plan = resolve({**given, "DEVPISERVER_PORT": str(self.port)}, [], EMPTY)
            assert isinstance(plan, Standalone)
            assert plan.front is not None
            # The image's own place would be the same for all sites of this machine.
            return replace(plan.front, socket=self.socket)
        given = {
            "DEVPI_FRONT_API_PORT": str(self.port),
            "DEVPI_FRONT_SERVERDIR": str(self.serverdir),
            "DEVPISERVER_UNIX_SOCKET": str(self.socket),
            **self.variables,
        }
        front = resolve(given, ["front"], EMPTY)
        assert isinstance(front, Front)
        return front

    def front(self) -> httpx.Client:
        """A client of the front; pages in whatever encoding, files as they are."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=60)

    def direct(self) -> httpx.Client:
        """A client of devpi itself, with the front's address as the host that it asks."""
        transport = httpx.HTTPTransport(uds=str(self.socket))
        return httpx.Client(base_url=self.url, transport=transport, trust_env=False, timeout=60)

    def start_devpi(self, *, wait: bool = True) -> None:
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [
            PREFIX / "bin/devpi-server",
            f"--serverdir={self.serverdir}",
            f"--unix-socket={self.socket}",
            f"--secretfile={self.folder / 'token-key'}",
            "--indexer-backend=null",
            "--argon2-memory-cost=65536",
            "--argon2-time-cost=1",
            "--connection-limit=500",
            "--enable-core-metadata",
            *self.options,
        ]
        more = {"PYTHONPATH": str(self.plugins)} if self.plugins else {}
        with (self.folder / "devpi.log").open("ab") as log:
            self.devpi = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **more}
            )
        if wait:
            self.await_devpi()

    def await_devpi(self) -> None:
        def answers() -> bool:
            assert self.devpi is not None
            assert self.devpi.poll() is None, (self.folder / "devpi.log").read_text()
            with self.direct() as client:
                return client.get("/+api").status_code == 200

        eventually(answers, "devpi answers", START)
        (self.socket.parent / "served").touch()

    def start_nginx(self) -> None:
        work = self.folder / "front"
        work.mkdir(exist_ok=True)
        (work / PAGES_SOCKET).unlink(missing_ok=True)
        conf = work / "nginx.conf"
        text = configuration(self.plan, DEFAULT_HEADERS, work, ipv6=False)
        if self.lua:
            text = text.replace(str(LUA), str(self.lua))
        conf.write_text(text)
        # nginx takes workers of another user where it is started as root.
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        with (self.folder / "nginx.log").open("ab") as log:
            self.nginx = subprocess.Popen(
                [NGINX, "-e", "stderr", "-c", conf, *user], stdout=log, stderr=subprocess.STDOUT
            )
        eventually(lambda: listens(self.port), "nginx listens", START)

    def kill_devpi(self) -> None:
        assert self.devpi is not None
        self.devpi.kill()
        self.devpi.wait()

    def stop_devpi(self) -> None:
        assert self.devpi is not None
        self.devpi.send_signal(signal.SIGINT)
        self.devpi.wait(timeout=30)

    def stop_nginx(self) -> None:
        assert self.nginx is not None
        self.nginx.terminate()
        self.nginx.wait(timeout=30)

    def stop(self) -> None:
        for process in (self.nginx, self.devpi):
            if process and process.poll() is None:
                process.kill() if process is self.devpi else process.terminate()
                process.wait(timeout=30)

    def asked(self, pattern: str) -> list[str]:
        """The paths that clients of the front have asked for by GET so far, of those that match."""
        log = (self.folder / "nginx.log").read_text()
        return [path for path in re.findall(r'"GET (\S+) HTTP', log) if re.search(pattern, path)]

    def renders(self) -> int:
        """How often devpi has been asked for a page so far."""
        return len(re.findall(r"\] GET /\S+/\+simple/", (self.folder / "devpi.log").read_text()))


def links(page: httpx.Response) -> dict[str, str]:
    """The files of a page in JSON, by their names: paths from the host's root."""
    return {
        file["filename"]: page.url.join(file["url"]).path
        for file in page.raise_for_status().json()["files"]
    }


def eventually(holds: Callable[[], bool], what: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if holds():
                return
        except (OSError, httpx.HTTPError):
            pass
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(initialised: Path, folder: Path, *, token_key: str = "", **more: Any) -> Iterator[Site]:
    """A site of its own from a copy of the server directory, both processes started."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(initialised, folder / "server")
    key = folder / "token-key"
    key.touch(mode=0o600)
    key.write_text(token_key or secrets.token_urlsafe(48))
    site = Site(folder, free_port(), **more)
    try:
        site.start_devpi()
        site.start_nginx()
        yield site
    finally:
        site.stop()


@dataclass
class Admin:
    """Root, who writes through a client; whatever is refused raises."""

    client: httpx.Client
    login: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.client.headers["Accept"] = "application/json"
        login = self.client.post("/+login", json={"user": "root", "password": PASSWORD})
        token = login.raise_for_status().json()["result"]["password"]
        self.login = ("root", token)
        self.client.auth = self.login

    def index(self, name: str, **settings: object) -> None:
        self.client.put(f"/{name}", json=settings).raise_for_status()

    def change(self, name: str, *operations: str) -> None:
        """Change an index by operations like `bases=root/other`, as devpi-client sends them."""
        self.client.patch(f"/{name}", json=list(operations)).raise_for_status()

    def upload(
        self, index: str, name: str, version: str, content: bytes | None = None, file: str = ""
    ) -> str:
        """Upload a file, a wheel if not said otherwise; its name."""
        file = file or f"{name}-{version}-py3-none-any.whl"
        answer = self.client.post(
            f"/{index}/",
            data={":action": "file_upload", "name": name, "version": version},
            files={"content": (file, content or wheel(name, version))},
        )
        answer.raise_for_status()
        return file

    def push(self, source: str, name: str, version: str, target: str) -> None:
        order = {"name": name, "version": version, "targetindex": target}
        self.client.post(f"/{source}", json=order).raise_for_status()

    def delete(self, path: str) -> None:
        self.client.delete(path).raise_for_status()


def metadata(name: str, version: str, *requires: str) -> str:
    """The core metadata of a wheel."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    return "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires), ""])


def wheel(name: str, version: str, filler: int = 0, requires: Sequence[str] = ()) -> bytes:
    """A wheel without any code; with `filler` bytes that can't be compressed."""
    made = io.BytesIO()
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(made, "w") as zipped:
        zipped.writestr(f"{info}/METADATA", metadata(name, version, *requires))
        zipped.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        zipped.writestr(f"{info}/RECORD", "")
        zipped.writestr("filler", os.urandom(filler))
    return made.getvalue()
