# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a container is reached: from devpi's options to addresses, and whether they are free."""

from __future__ import annotations

import errno
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from devpi_image.errors import Refused
from devpi_image.settings import Settings

DEFAULT_PORT = 3141
# Options that say where the front listens and whom it believes; devpi-server has its socket only.
OF_THE_FRONT = frozenset(
    {
        "host",
        "port",
        "listen",
        "unix-socket",
        "unix-socket-perms",
        "trusted-proxy",
        "trusted-proxy-count",
        "trusted-proxy-headers",
    }
)
# Names for all addresses, as devpi-server (waitress) takes them.
_ALL = ("", "*")
_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+|\*)?:(?P<port>[0-9]+)")


@dataclass(frozen=True)
class Door:
    """An address: a `host` (empty for all of them) and its `port`, or the `path` of a socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host or '*'}:{self.port}"

    @property
    def near(self) -> tuple[str, int] | Path:
        """How it is reached from inside the container."""
        if self.path:
            return self.path
        local = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
        return local.get(self.host, self.host), self.port


def doors(settings: Settings) -> tuple[Door, ...]:
    """The addresses that are asked for; all addresses with port 3141 if none is.

    Raises `Refused`.
    """
    found = [_parsed(word) for word in settings.get("listen").split()]
    path = settings.get("unix-socket")
    if path:
        if not Path(path).is_absolute():
            raise Refused(f"DEVPISERVER_UNIX_SOCKET is '{path}'. Write an absolute path.")
        found.append(Door(path=Path(path)))
    if "host" in settings.values or "port" in settings.values or not found:
        host = settings.get("host").strip("[]")
        port = int(settings.get("port", str(DEFAULT_PORT)))
        _check_port("DEVPISERVER_PORT", port)
        found.append(Door("" if host in _ALL else host, port))
    return tuple(dict.fromkeys(found))


def nothing_asked(settings: Settings) -> bool:
    """Whether the addresses are the default ones."""
    return not {"listen", "unix-socket", "host", "port"} & settings.values.keys()


def _parsed(word: str) -> Door:
    match = _ADDRESS.fullmatch(word)
    if not match:
        raise Refused(
            f"DEVPISERVER_LISTEN holds '{word}'. Write addresses like 0.0.0.0:3141, *:3141 or"
            " [::1]:3141, with spaces between."
        )
    host, port = (match["host"] or "").strip("[]"), int(match["port"])
    _check_port("DEVPISERVER_LISTEN", port)
    return Door("" if host in _ALL else host, port)


def _check_port(name: str, port: int) -> None:
    if not 0 < port < 65536:
        raise Refused(f"{name} is {port}. Write a port from 1 to 65535.")


def check_free(door: Door) -> None:
    """Raises `Refused` when nobody could listen there."""
    if door.path:
        if not door.path.parent.is_dir():
            raise Refused(f"{door}: there is no folder {door.path.parent}.")
        return
    try:
        bind(door).close()
    except OSError as error:
        raise Refused(_why_not(door, error)) from None


def bind(door: Door) -> socket.socket:
    """A socket bound there. Raises `OSError`."""
    host = door.host or "0.0.0.0"  # noqa: S104
    family, kind, protocol, _name, address = socket.getaddrinfo(
        host, door.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen()
    except OSError:
        bound.close()
        raise
    return bound


def _why_not(door: Door, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {door.port} is taken by something else here. Stop that, or let DEVPISERVER_PORT"
            " name another port."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"Port {door.port} is not for this user. Take one from 1024 on (DEVPISERVER_PORT), or"
            " start the container as root: it keeps only the right to that port."
        )
    return f"{door} can't be listened at: {error.strerror or error}."
