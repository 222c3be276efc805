# SPDX-License-Identifier: GPL-3.0-or-later
"""Running devpi-server: the token key as it wants it, then the supervisor."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

from devpi_image import health
from devpi_image.defaults import PRIVATE
from devpi_image.disk import NODE_FILE
from devpi_image.errors import Refused
from devpi_image.initialise import is_initialised, whose
from devpi_image.lock import is_anybody_there, only_one
from devpi_image.log import say, server_logging
from devpi_image.plans import Server
from devpi_image.rewrite import lines_of
from devpi_image.running import note_answer, write_running
from devpi_image.supervisor import Service, supervise
from devpi_image.token_key import private_copy

# Seconds. A pod that is deleted may still be ending when the next one has started, and has 30 for
# that; a container that gives up is tried again after a pause that grows.
_PATIENCE_WITH_THE_LAST = 35
# devpi-server is stopped by SIGINT only (SIGTERM kills it in the middle); it then says 0, 1, or
# dies by the signal, as the moment will have it.
_STOPPED = frozenset({0, 1, 128 + signal.SIGINT})


def served_mark(socket: Path) -> Path:
    """The file beside the socket that appears when the server has answered for the first time.

    The front is ready from then on, whatever becomes of the server.
    """
    return socket.parent / "served"


def front_mark(socket: Path) -> Path:
    """The file beside the socket at which a front in another container shows its presence."""
    return socket.parent / "front"


def serve(plan: Server) -> int:
    """Run devpi-server until it is stopped; the exit code."""
    if not is_initialised(plan.serverdir):
        raise Refused(
            f"{plan.serverdir} is not initialised. Run this image once with the command 'init'."
        )
    try:
        with only_one(plan.serverdir / ".lock", plan.serverdir, _PATIENCE_WITH_THE_LAST):
            service = replace(server_service(plan), is_needed=lambda: _has_front(plan))
            write_running(plan.serverdir, plan.doors)
            return supervise([service], plan.restarts)
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}. {whose(plan.serverdir)}") from None


def _has_front(plan: Server) -> bool:
    """Whether a front still runs, which may have asked for what it has not got yet."""
    return any(door.path and is_anybody_there(front_mark(door.path)) for door in plan.doors)


def server_service(plan: Server) -> Service:
    """devpi-server, with all that it reads in its place. Raises `Refused` or `OSError`."""
    for note in plan.notes:
        say(note)
    _check_role(plan)
    options: list[str] = []
    if plan.token_key:
        options += ["--secretfile", str(private_copy(plan.token_key, PRIVATE / "server"))]
    if plan.json_log and "DEVPISERVER_LOGGER_CFG" not in plan.environment:
        debug = plan.environment.get("DEVPISERVER_DEBUG") == "true"
        options += ["--logger-cfg", str(server_logging(PRIVATE / "server", debug=debug))]
    door = plan.doors[0]
    if door.path:
        door.path.parent.mkdir(parents=True, exist_ok=True)

    def note_served() -> None:
        note_answer()
        if door.path:
            served_mark(door.path).touch()

    say(f"starting devpi-server with {', '.join(_told(plan))}")
    return Service(
        name="devpi-server",
        command=(*plan.command, *options),
        environment=plan.environment,
        stop_signal=signal.SIGINT,
        clean_codes=_STOPPED,
        patience=plan.patience,
        answers=lambda: health.answers(door.near),
        served=note_served,
        rewrite=lines_of("devpi-server") if plan.json_log else None,
    )


def _told(plan: Server) -> list[str]:
    """The options that devpi-server is given; there is no secret among them."""
    prefix = "DEVPISERVER_"
    return sorted(
        f"{name.removeprefix(prefix).replace('_', '-').lower()}={value}"
        for name, value in plan.environment.items()
        if name.startswith(prefix)
    )


def _check_role(plan: Server) -> None:
    if not plan.is_replica:
        return
    try:
        role = json.loads((plan.serverdir / NODE_FILE).read_text()).get("role")
    except ValueError:
        role = None
    if role != "replica":
        raise Refused(
            f"DEVPISERVER_PRIMARY_URL is set, but {plan.serverdir} holds data of its own (role"
            f" '{role}'), which can't become a replica. Start one with an empty volume."
        )
