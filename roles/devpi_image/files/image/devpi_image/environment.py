# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the environment of a container. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from devpi_image.errors import Refused

Environment = Mapping[str, str]

# Kubernetes sets DEVPI_PORT=tcp://10.96.0.7:3141 and the like for a Service named devpi.
_SERVICE_LINKS = ("tcp://", "udp://", "sctp://")


def _is_ours(name: str) -> bool:
    return name.startswith("DEVPI")


def cleaned(environment: Environment) -> dict[str, str]:
    """The environment without our variables that are empty or only describe a Service."""
    return {
        name: value
        for name, value in environment.items()
        if not _is_ours(name) or (value and not value.startswith(_SERVICE_LINKS))
    }


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


def number(environment: Environment, name: str, default: int, *, least: int = 0) -> int:
    """The whole number in variable `name`, `default` when it is not set."""
    text = environment.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise Refused(f"{name} is '{text}'. Write a whole number of at least {least}.")
    return int(text)
