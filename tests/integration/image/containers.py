# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of the image as a pod would run them, on shared folders and the host's network.

Ports are free ones of the host: a bridge would disturb the pods of a local cluster.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

SYSTEM_CA = Path("/etc/ssl/certs/ca-certificates.crt")
PASSWORD = "correct horse/battery+staple"
NUMBERS = itertools.count()
NAMED_PORTS: set[int] = set()


def ended(command: Sequence[str | Path], timeout: float = 300, **options: Any) -> tuple[int, str]:
    """Exit code and output of a program that ends by itself."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
        **options,
    )
    return done.returncode, str(done.stdout)


def run(command: Sequence[str | Path], timeout: float = 300, **options: Any) -> str:
    """Output of a program that has to succeed."""
    code, output = ended(command, timeout, **options)
    assert code == 0, output
    return output


def podman(*arguments: str | Path, check: bool = True, timeout: float = 600) -> str:
    code, output = ended(["podman", *arguments], timeout)
    assert code == 0 or not check, output
    return output


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "")


def ask(
    port: int,
    path: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """One request, its path exactly as it is written here."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def free_port() -> int:
    """A port that is free and that no earlier call has named."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in NAMED_PORTS:
            NAMED_PORTS.add(port)
            return port


def eventually(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.1)


@dataclass
class Container:
    """A container of the image that runs until the end of the ``with``."""

    name: str

    @property
    def log(self) -> str:
        return podman("logs", self.name)

    @property
    def pid(self) -> int:
        """Of its process 1, as the host counts."""
        return int(podman("inspect", "--format={{.State.Pid}}", self.name))

    def child(self, name: str) -> int:
        """The process of that name that process 1 has started, as the host counts."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return next(int(pid) for pid in children if name in command_line(int(pid)))

    def stop(self, signal: str = "INT") -> int:
        """Exit code after that signal."""
        podman("kill", f"--signal={signal}", self.name)
        return self.wait()

    def wait(self) -> int:
        return int(podman("wait", self.name, timeout=60).split()[-1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        podman("rm", "--force", "--volumes", "--time=0", self.name, check=False)


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


@dataclass
class Pod:
    """The folders that the containers of a pod share, and starting these."""

    folder: Path
    image: str
    uid: int = 1000
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        for name in ("data", "run"):
            path = self.folder / name
            path.mkdir(parents=True)
            os.chown(path, self.uid, 0)
            path.chmod(0o2770)
        self.secret("root", "password", PASSWORD)
        self.secret("token-key", "token-key", secrets.token_urlsafe(48))
        (self.folder / "headers").mkdir()
        self.folder.chmod(0o755)

    def secret(self, folder: str, name: str, text: str) -> None:
        """A file as a Secret with fsGroup is mounted: readable for the group."""
        file = self.folder / folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o440)

    def options(self, environment: Mapping[str, str]) -> list[str]:
        mounts = {
            "data": "/data",
            "run": "/run/devpi",
            "root": "/etc/devpi/root:ro",
            "token-key": "/etc/devpi/token-key:ro",
            "headers": "/etc/devpi/headers:ro",
        }
        variables = {
            "DEVPISERVER_ROOT_PASSWD_FILE": "/etc/devpi/root/password",
            "DEVPI_TOKEN_KEY_FILE": "/etc/devpi/token-key/token-key",
            "DEVPI_FRONT_API_PORT": str(self.port),
            "DEVPI_FRONT_API_HOST": "devpi-api.example.org",
            "DEVPI_FRONT_SERVERDIR": "/data/server",
        }
        given = [f"--volume={self.folder / name}:{place}" for name, place in mounts.items()]
        if SYSTEM_CA.exists():
            given.append(f"--volume={SYSTEM_CA.resolve()}:/etc/devpi/ca/ca.crt:ro")
            variables["REQUESTS_CA_BUNDLE"] = "/etc/devpi/ca/ca.crt"
        given += [f"--env={name}={value}" for name, value in {**variables, **environment}.items()]
        return [
            "--network=host",
            f"--user={self.uid}:0",
            "--read-only",
            "--no-healthcheck",
            "--cap-drop=all",
            "--security-opt=no-new-privileges",
            *given,
        ]

    def run(self, *command: str, **environment: str) -> tuple[int, str]:
        """Exit code and output of a container that ends by itself."""
        options = self.options(environment)
        return ended(["podman", "run", "--rm", *options, self.image, *command], timeout=120)

    def start(self, *command: str, **environment: str) -> Container:
        name = f"devpi-test-{os.getpid()}-{next(NUMBERS)}"
        podman("run", "--detach", "--name", name, *self.options(environment), self.image, *command)
        return Container(name)

    def init(self) -> None:
        code, output = self.run("init")
        assert code == 0, output

    def server(self, **environment: str) -> Container:
        """A server that answers."""
        (self.folder / "run/served").unlink(missing_ok=True)
        container = self.start("server", **environment)
        self.await_served(container)
        return container

    def await_served(self, container: Container) -> None:
        served = self.folder / "run/served"
        try:
            eventually(served.exists, "devpi-server answers")
        except AssertionError:
            print(container.log)
            raise

    def front(self, **environment: str) -> Container:
        """A front that listens."""
        container = self.start("front", **environment)
        ports = [int(environment.get("DEVPI_FRONT_API_PORT", self.port))]
        if web := environment.get("DEVPI_FRONT_WEB_PORT"):
            ports.append(int(web))
        eventually(lambda: all(map(listens, ports)), f"the front listens at {ports}")
        return container


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def login(port: int, user: str = "root", password: str = PASSWORD) -> Answer:
    body = json.dumps({"user": user, "password": password}).encode()
    return ask(port, "/+login", "POST", {"Content-Type": "application/json"}, body)
