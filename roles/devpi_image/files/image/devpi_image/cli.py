# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the container: what is asked for, as whom, and then `acts`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from devpi_image.defaults import RUNNING
from devpi_image.disk import Machine
from devpi_image.errors import Refused
from devpi_image.log import say
from devpi_image.plans import Execute, Health, Init, Plan, Server, Standalone
from devpi_image.resolve import resolve

REFUSED = 2
_NAME = "devpi-entrypoint"


def main() -> int:
    """Do what environment and arguments ask for; the exit code of the container."""
    try:
        plan = resolve(os.environ, called(sys.argv), Machine(RUNNING))
        # Imported after the decision: root goes on as somebody else by a second start of this
        # program, which alone carries out.
        if os.getuid() == 0 and not _is_harmless(plan):
            from devpi_image.drop import become_user  # noqa: PLC0415

            become_user(data_of(plan))
        from devpi_image.acts import act  # noqa: PLC0415

        return act(plan)
    except Refused as refused:
        say(str(refused))
        return REFUSED


def called(arguments: list[str]) -> list[str]:
    """The arguments; by the name of a program of devpi, this is that, for the container's data."""
    name = Path(arguments[0]).name
    return arguments[1:] if name == _NAME else [name, *arguments[1:]]


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
