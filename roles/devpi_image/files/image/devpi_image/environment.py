# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the environment of a container. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from devpi_image.defaults import SOCKET
from devpi_image.errors import Refused
from devpi_image.options import nearest

Environment = Mapping[str, str]

# Kubernetes sets DEVPI_PORT=tcp://10.96.0.7:3141, DEVPI_SERVICE_HOST=10.96.0.7 and the like for a
# Service named devpi.
_SERVICE_LINKS = ("tcp://", "udp://", "sctp://")
_SERVICE_LINK_NAME = re.compile(
    r"DEVPI\w*_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)", re.ASCII
)


def _is_ours(name: str) -> bool:
    return name.startswith("DEVPI")


def cleaned(environment: Environment) -> dict[str, str]:
    """The environment without our variables that are empty or only describe a Service."""
    return {
        name: value
        for name, value in environment.items()
        if not _is_ours(name)
        or (
            value
            and not value.startswith(_SERVICE_LINKS)
            and not _SERVICE_LINK_NAME.fullmatch(name)
        )
    }


def check_names(environment: Environment, known: Collection[str]) -> None:
    """Raises `Refused` for one of our variables that is not `known`: it would have no effect."""
    for name in environment:
        if name.startswith(("DEVPI_", "DEVPISERVER_")) and name not in known:
            raise Refused(f"The variable {name} is not known.{nearest(name, known)}")


def trusting(environment: Environment) -> dict[str, str]:
    """The environment with one CA bundle for all: devpi itself reads REQUESTS_CA_BUNDLE only."""
    bundle = environment.get("SSL_CERT_FILE")
    return {**({"REQUESTS_CA_BUNDLE": bundle} if bundle else {}), **environment}


def without_passwords(environment: Environment) -> dict[str, str]:
    """The environment without each of our variables that holds a password or names its file."""
    return {
        name: value
        for name, value in environment.items()
        if not (_is_ours(name) and "PASSW" in name)
    }


def own_socket(environment: Environment) -> Path:
    """Where devpi-server listens, when it is the business of a container of its own."""
    return Path(environment.get("DEVPISERVER_UNIX_SOCKET", SOCKET))


def number(
    environment: Environment, name: str, default: int, *, least: int = 0, most: int | None = None
) -> int:
    """The whole number in variable `name`, `default` when it is not set. Raises `Refused`."""
    text = environment.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise Refused(f"{name} is '{text}'. Write a whole number of at least {least}.")
    if most is not None and int(text) > most:
        raise Refused(f"{name} is '{text}'. Write a whole number from {least} to {most}.")
    return int(text)


def json_log(environment: Environment) -> bool:
    """Whether the log is to be JSON. Raises `Refused`."""
    form = environment.get("DEVPI_LOG_FORMAT", "text")
    if form not in ("text", "json"):
        raise Refused(f"DEVPI_LOG_FORMAT is '{form}'. Write text or json.")
    return form == "json"
