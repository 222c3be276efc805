# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out what was resolved: the program of the container."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from devpi_image import health
from devpi_image.defaults import RUNNING
from devpi_image.disk import Machine
from devpi_image.drop import become_user
from devpi_image.errors import Refused
from devpi_image.front import serve_front
from devpi_image.initialise import initialise
from devpi_image.log import say
from devpi_image.plans import Execute, Front, Health, Init, Plan, Server, Standalone
from devpi_image.resolve import resolve
from devpi_image.server import serve
from devpi_image.standalone import run_standalone

REFUSED = 2
_NAME = "devpi-entrypoint"


def main() -> int:
    """Do what environment and arguments ask for; the exit code of the container."""
    try:
        return act(resolve(os.environ, called(sys.argv), Machine(RUNNING)))
    except Refused as refused:
        say(str(refused))
        return REFUSED


def called(arguments: list[str]) -> list[str]:
    """The arguments; by the name of a program of devpi, this is that, for the container's data."""
    name = Path(arguments[0]).name
    return arguments[1:] if name == _NAME else [name, *arguments[1:]]


def act(plan: Plan) -> int:
    if os.getuid() == 0 and not _is_harmless(plan):
        become_user(data_of(plan))
    # Data belong to the group: a pod may come back with another uid, but the same group.
    os.umask(0o007)
    match plan:
        case Health(doors):
            return 0 if all(map(health.answers, doors)) else 1
        case Execute():
            return _execute(plan)
        case Server():
            return serve(plan)
        case Front():
            return serve_front(plan)
        case Standalone():
            return run_standalone(plan)
        case Init():
            initialise(plan)
    return 0


def _is_harmless(plan: Plan) -> bool:
    """Whether it may stay root: it asks, or it is somebody's own program."""
    return isinstance(plan, Health) or (isinstance(plan, Execute) and plan.serverdir is None)


def data_of(plan: Plan) -> Path | None:
    """The server directory that the plan writes to."""
    match plan:
        case Server(serverdir=place) | Init(serverdir=place) | Execute(serverdir=place):
            return place
        case Standalone():
            return plan.server.serverdir
    return None


def _execute(plan: Execute) -> int:
    try:
        os.execvpe(plan.command[0], plan.command, plan.environment)
    except OSError as error:
        raise Refused(f"{plan.command[0]}: {error.strerror}.") from None
