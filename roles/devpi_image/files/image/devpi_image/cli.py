# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out what was resolved: the program of the container."""

from __future__ import annotations

import os
import sys

from devpi_image import health
from devpi_image.errors import Refused
from devpi_image.front import serve_front
from devpi_image.initialise import initialise
from devpi_image.log import say
from devpi_image.plans import Execute, Front, Health, Init, Plan, Server
from devpi_image.resolve import resolve
from devpi_image.server import serve

REFUSED = 2


def main() -> int:
    """Do what environment and arguments ask for; the exit code of the container."""
    try:
        return act(resolve(os.environ, sys.argv[1:]))
    except Refused as refused:
        say(str(refused))
        return REFUSED


def act(plan: Plan) -> int:
    match plan:
        case Health():
            return 0 if health.answers(plan.socket) else 1
        case Execute():
            return _execute(plan)
        case _ if os.getuid() == 0:
            raise Refused("It does not run as root. Name another user, like --user 1000:0.")
    # Data belong to the group: a pod may come back with another uid, but the same group.
    os.umask(0o007)
    match plan:
        case Server():
            return serve(plan)
        case Front():
            return serve_front(plan)
        case Init():
            initialise(plan)
            return 0


def _execute(plan: Execute) -> int:
    try:
        os.execvpe(plan.command[0], plan.command, plan.environment)
    except OSError as error:
        raise Refused(f"{plan.command[0]}: {error.strerror}.") from None
