# SPDX-License-Identifier: GPL-3.0-or-later
"""One container at a time for a folder, and who may know that another is there."""

from __future__ import annotations

import fcntl
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from devpi_image.errors import Refused
from devpi_image.log import say

_STOP = {signal.SIGTERM, signal.SIGINT}
# Seconds.
_PAUSE = 0.1


@contextmanager
def only_one(path: Path, what: Path, patience: float = 0) -> Iterator[None]:
    """Hold ``what`` for this container alone, by a lock on the file ``path``.

    Two servers would ruin one database. The lock goes with the process, however that ends: who has
    ``patience`` waits so many seconds for it. Raises `Refused`.
    """
    with path.open("a") as file:
        if not (_lock(file) or (patience and _lock_within(patience, file, what))):
            raise Refused(
                f"{what} is in use by another container ({path} is locked). Stop that first."
            )
        yield


@contextmanager
def presence(path: Path) -> Iterator[None]:
    """Let others see by the file ``path`` that this process is there, see `is_anybody_there`."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def is_anybody_there(path: Path) -> bool:
    """Whether a process shows its `presence` at ``path``."""
    try:
        with path.open("a") as file:
            return not _lock(file)
    except OSError:
        return False


def _lock_within(seconds: float, file: IO[str], what: Path) -> bool:
    """Wait for the lock; whether it is ours then. Ends the process when that is to stop."""
    say(f"{what} is in use by another container, waiting for its end")
    deadline = time.monotonic() + seconds
    # Process 1 sees no signal that it does not ask for.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    while not _lock(file):
        if time.monotonic() >= deadline:
            return False
        if stopped := signal.sigtimedwait(_STOP, _PAUSE):
            raise SystemExit(128 + stopped.si_signo)
    return True


def _lock(file: IO[str]) -> bool:
    """Try to lock it; whether it is ours."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
