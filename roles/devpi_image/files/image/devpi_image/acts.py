# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out what was resolved."""

from __future__ import annotations

import os

from devpi_image import health
from devpi_image.errors import Refused
from devpi_image.front import serve_front
from devpi_image.initialise import initialise
from devpi_image.plans import Execute, Front, Health, Init, Plan, Server, Standalone
from devpi_image.running import is_starting
from devpi_image.server import serve
from devpi_image.standalone import run_standalone


def act(plan: Plan) -> int:
    """Do it; the exit code of the container. Raises `Refused`."""
    # Data belong to the group: a pod may come back with another uid, but the same group.
    os.umask(0o007)
    match plan:
        case Health(doors, start_period):
            is_well = all(map(health.answers, doors)) or is_starting(start_period)
            return 0 if is_well else 1
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


def _execute(plan: Execute) -> int:
    try:
        os.execvpe(plan.command[0], plan.command, plan.environment)
    except OSError as error:
        raise Refused(f"{plan.command[0]}: {error.strerror}.") from None
