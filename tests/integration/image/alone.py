# SPDX-License-Identifier: GPL-3.0-or-later
"""The image as people run it: one container, a volume, a few variables."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from containers import SYSTEM_CA, Answer, Container, ask, ended, eventually, free_port, podman

NUMBERS = itertools.count()
# What is tested with it needs no index besides its own.
OFFLINE = {"DEVPISERVER_OFFLINE_MODE": "true"}
# Asked from inside a container that has no network but its own loopback: a URL and a password.
PROBE = """
import json, sys, urllib.error, urllib.request
url, password = sys.argv[1:]
headers = {"Accept": "application/json", "Content-Type": "application/json"}
def status(path, body=None):
    request = urllib.request.Request(url + path, body and json.dumps(body).encode(), headers)
    try:
        return urllib.request.urlopen(request, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code
login = status("/+login", {"user": "root", "password": password})
print(login, status("/root/kept?no_projects="), status("/root/dev?no_projects="))
"""


@dataclass
class Alone:
    """An image, a folder on the host as its volume, and the port where it is to be found."""

    image: str
    volume: Path
    place: str = "/data"
    options: Sequence[str] = ()
    port: int = field(default_factory=free_port)

    def command(
        self, name: str, environment: Mapping[str, str], arguments: Sequence[str]
    ) -> list[str]:
        variables = {**OFFLINE, **environment}
        if not any("PORT" in name or "LISTEN" in name for name in variables):
            arguments = arguments or ["--port", str(self.port)]
        mounts = [f"--volume={self.volume}:{self.place}"]
        if SYSTEM_CA.exists():
            mounts.append(f"--volume={SYSTEM_CA.resolve()}:/etc/devpi/ca/ca.crt:ro")
            variables["SSL_CERT_FILE"] = "/etc/devpi/ca/ca.crt"
        given = [f"--env={name}={value}" for name, value in variables.items()]
        named = ["--name", name, "--network=host", "--no-healthcheck"]
        return ["run", *named, *mounts, *self.options, *given, self.image, *arguments]

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Exit code and output of a container that ends by itself."""
        command = self.command(f"devpi-alone-{os.getpid()}-{next(NUMBERS)}", environment, arguments)
        return ended(["podman", command[0], "--rm", *command[1:]], timeout=120)

    def start(self, *arguments: str, **environment: str) -> Container:
        """A container that may still be starting."""
        name = f"devpi-alone-{os.getpid()}-{next(NUMBERS)}"
        command = self.command(name, environment, arguments)
        podman(command[0], "--detach", *command[1:])
        return Container(name)

    def serving(self, *arguments: str, **environment: str) -> Container:
        """A container whose devpi-server answers, asked by the image's own health check."""
        container = self.start(*arguments, **environment)
        try:
            eventually(lambda: is_well(container), "devpi answers", 180)
        except AssertionError:
            print(container.log)
            raise
        return container

    def login(self, password: str, user: str = "root") -> Answer:
        """What `devpi login` gets; with another Accept it is a page with a form."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        body = json.dumps({"user": user, "password": password}).encode()
        return ask(self.port, "/+login", "POST", headers, body)

    def logs_in(self, password: str, user: str = "root") -> bool:
        return self.login(password, user).status == 200


def is_well(container: Container) -> bool:
    code, _ = ended(["podman", "exec", container.name, "devpi-entrypoint", "health"])
    return code == 0


def inside(container: Container, *command: str, user: str = "") -> str:
    """Output of a program that is executed in the container."""
    return podman("exec", *([f"--user={user}"] if user else []), container.name, *command)
