# SPDX-License-Identifier: GPL-3.0-or-later
"""Running devpi-server: the token key as it wants it, then the supervisor."""

from __future__ import annotations

import signal
from pathlib import Path

from devpi_image import health
from devpi_image.errors import Refused
from devpi_image.initialise import is_initialised, whose
from devpi_image.lock import only_one
from devpi_image.plans import Server
from devpi_image.private import write_private
from devpi_image.supervisor import Service, supervise

# devpi-server is stopped by SIGINT only (SIGTERM kills it in the middle); it then says 0, 1, or
# dies by the signal, as the moment will have it.
_STOPPED = frozenset({0, 1, 128 + signal.SIGINT})
# The container's own /tmp; no other container of the pod sees the key.
_PRIVATE = Path("/tmp/devpi-server")  # noqa: S108


def served_mark(socket: Path) -> Path:
    """The file beside the socket that appears when the server has answered for the first time.

    The front is ready from then on, whatever becomes of the server.
    """
    return socket.parent / "served"


def serve(plan: Server) -> int:
    """Run devpi-server until it is stopped; the exit code."""
    if not is_initialised(plan.serverdir):
        raise Refused(
            f"{plan.serverdir} is not initialised. Run this image once with the command 'init'."
        )
    command = plan.command
    if plan.token_key:
        command += ("--secretfile", str(private_copy(plan.token_key, _PRIVATE)))
    try:
        plan.socket.parent.mkdir(parents=True, exist_ok=True)
        with only_one(plan.serverdir / ".lock", plan.serverdir):
            return supervise(_service(plan, command), plan.restarts)
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}. {whose(plan.serverdir)}") from None


def _service(plan: Server, command: tuple[str, ...]) -> Service:
    return Service(
        name="devpi-server",
        command=command,
        environment=plan.environment,
        stop_signal=signal.SIGINT,
        clean_codes=_STOPPED,
        patience=plan.patience,
        answers=lambda: health.answers(plan.socket),
        served=lambda: served_mark(plan.socket).touch(),
    )


def private_copy(source: Path, folder: Path) -> Path:
    """A copy of the token key as devpi wants it: 0600 in a folder that nobody else can write.

    A mounted Secret is readable for its group in a folder that all can write. Raises `Refused`.
    """
    try:
        key = source.read_bytes()
    except OSError as error:
        raise Refused(f"DEVPI_TOKEN_KEY_FILE names {source}: {error.strerror}.") from None
    if not key:
        raise Refused(f"DEVPI_TOKEN_KEY_FILE names {source}, which is empty.")
    return write_private(folder / "token-key", key)
