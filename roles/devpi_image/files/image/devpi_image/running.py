# SPDX-License-Identifier: GPL-3.0-or-later
"""What process 1 tells the programs that are executed beside it: where data and doors are.

They see the variables of the container, but not the arguments that it was started with.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path

from devpi_image.defaults import RUNNING
from devpi_image.doors import Door

_ANSWERED = RUNNING.with_name("answered")


def write_running(serverdir: Path, doors: Iterable[Door]) -> None:
    """Leave the file for `disk.Machine`. Raises `OSError`."""
    near = [[str(door.near)] if door.path else list(_pair(door)) for door in doors]
    RUNNING.parent.mkdir(parents=True, exist_ok=True)
    # The folder may be older than this container.
    _ANSWERED.unlink(missing_ok=True)
    RUNNING.write_text(json.dumps({"serverdir": str(serverdir), "doors": near}))


def note_answer() -> None:
    """Leave word that the server has answered for the first time."""
    _ANSWERED.touch()


def is_starting(seconds: int) -> bool:
    """Whether process 1 began so short a time ago, and its server has not answered yet."""
    try:
        began = RUNNING.stat().st_mtime
    except FileNotFoundError:
        return False
    return not _ANSWERED.exists() and time.time() - began < seconds


def _pair(door: Door) -> tuple[str, int]:
    return door.near if isinstance(door.near, tuple) else ("", 0)
