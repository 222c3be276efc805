# SPDX-License-Identifier: GPL-3.0-or-later
"""From environment and arguments to a plan. Pure: reads no file and starts nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from devpi_image.defaults import BIN
from devpi_image.disk import Disk
from devpi_image.environment import Environment, check_names, cleaned, own_socket, trusting
from devpi_image.errors import Refused
from devpi_image.places import serverdir
from devpi_image.plans import Execute, Health, Plan
from devpi_image.resolve_front import front_plan
from devpi_image.resolve_server import init_plan, server_plan
from devpi_image.resolve_standalone import standalone_plan
from devpi_image.settings import read_settings
from devpi_image.variables import KNOWN

_START_PERIOD = re.compile(r"--start-period[= ]([0-9]{1,6})")


def resolve(environment: Environment, arguments: Sequence[str], disk: Disk) -> Plan:
    """What this container is to do. Raises `Refused` for an input that can't be meant."""
    known = trusting(cleaned(environment))
    command, *rest = arguments or ("devpi",)
    if command.startswith("-") or (command == "devpi" and not rest):
        return standalone_plan(known, rest if command == "devpi" else arguments, disk)
    if command in ("front", "init") and rest:
        raise Refused(f"'{command}' takes no arguments, but was given: {' '.join(rest)}")
    match command:
        case "server":
            check_names(known, KNOWN)
            return server_plan(known, read_settings(known, rest, disk), disk, own_socket(known))
        case "front":
            check_names(known, KNOWN)
            return front_plan(known)
        case "init":
            check_names(known, KNOWN)
            return init_plan(known, read_settings(known, (), disk), disk)
        case "health":
            return Health(_running_doors(known, disk), _start_period(rest))
        case _:
            return _execute(known, arguments, disk)


def _start_period(arguments: Sequence[str]) -> int:
    """Seconds, of `health`; the name is that of container engines."""
    given = " ".join(arguments)
    if not given:
        return 0
    match = _START_PERIOD.fullmatch(given)
    if not match:
        raise Refused(
            f"'health' takes --start-period=SECONDS and nothing else, but was given: {given}"
        )
    return int(match[1])


def _running_doors(environment: Environment, disk: Disk) -> tuple[tuple[str, int] | Path, ...]:
    """Where the container's process 1 has said that it can be reached, else where it would be."""
    said = disk.running().get("doors", [])
    return tuple(
        Path(door[0]) if len(door) == 1 else (str(door[0]), int(door[1])) for door in said
    ) or (own_socket(environment),)


def _execute(environment: Environment, arguments: Sequence[str], disk: Disk) -> Execute:
    """Another program. devpi's own are given the server directory that the container has."""
    command, *rest = arguments
    if not command.startswith("devpi-"):
        return Execute((command, *rest), environment)
    # devpi would take the old name over the new one.
    given = {name: value for name, value in environment.items() if name != "DEVPI_SERVERDIR"}
    named = given.get("DEVPISERVER_SERVERDIR") or environment.get("DEVPI_SERVERDIR", "")
    place = Path(disk.running().get("serverdir") or serverdir(named, disk))
    given["DEVPISERVER_SERVERDIR"] = str(place)
    return Execute((str(BIN / command), *rest), given, place)
