# SPDX-License-Identifier: GPL-3.0-or-later
"""All in one container: that part of `resolve`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from devpi_image.defaults import STANDALONE_SOCKET
from devpi_image.disk import Disk
from devpi_image.doors import OF_THE_FRONT, doors
from devpi_image.environment import Environment, check_names
from devpi_image.errors import Refused
from devpi_image.options import switched, variable
from devpi_image.plans import Standalone
from devpi_image.resolve_front import whole_front
from devpi_image.resolve_server import first_index, init_plan, server_plan
from devpi_image.settings import Settings, read_settings, server_variables
from devpi_image.variables import KNOWN


def standalone_plan(environment: Environment, arguments: Sequence[str], disk: Disk) -> Standalone:
    if arguments and arguments[0] in ("-h", "--help", "--version"):
        raise Refused(
            f"{arguments[0]} is for the program itself: run 'devpi-server {arguments[0]}'."
        )
    check_names(environment, KNOWN)
    settings = read_settings(environment, arguments, disk)
    with_front = switched("DEVPI_FRONT", environment.get("DEVPI_FRONT", "on"))
    places = doors(settings)
    server = server_plan(environment, settings, disk, STANDALONE_SOCKET)
    notes = list(server.notes)
    if "MEMORY_LIMIT" in environment:
        notes.append("MEMORY_LIMIT has no effect; let the container engine limit the memory")
    if with_front:
        ignored = {"trusted-proxy-count", "trusted-proxy-headers"} & settings.values.keys()
        notes += [f"{variable(name)} has no effect on the front" for name in sorted(ignored)]
        front = whole_front(environment, settings, places, server.serverdir)
    else:
        front = None
        server = replace(server, environment=_alone(server.environment, settings), doors=places)
    reset = environment.get("DEVPI_RESET_ROOT_PASSWORD", "false")
    return Standalone(
        init=replace(
            init_plan(environment, settings, disk),
            invents=True,
            # The server says them.
            notes=(),
            index=first_index(environment, "public"),
        ),
        server=replace(server, notes=tuple(notes)),
        front=front,
        reset_password=switched("DEVPI_RESET_ROOT_PASSWORD", reset),
    )


def _alone(environment: Environment, settings: Settings) -> dict[str, str]:
    """The environment of a devpi-server without a front: what describes that goes to itself."""
    proxy = settings.get("trusted-proxy")
    if "/" in proxy:
        raise Refused(
            f"DEVPISERVER_TRUSTED_PROXY is '{proxy}'. Without the front it is one address or *."
        )
    given = {name: text for name, text in settings.values.items() if name in OF_THE_FRONT}
    if not {"listen", "unix-socket", "host"} & given.keys():
        given["host"] = "0.0.0.0"  # noqa: S104
    own = {variable(name) for name in OF_THE_FRONT}
    kept = {name: text for name, text in environment.items() if name not in own}
    return {**kept, **server_variables(given)}
