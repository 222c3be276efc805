# SPDX-License-Identifier: GPL-3.0-or-later
"""What process 1 tells the programs that are executed beside it: where data and doors are.

They see the variables of the container, but not the arguments that it was started with.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from devpi_image.defaults import RUNNING
from devpi_image.doors import Door


def write_running(serverdir: Path, doors: Iterable[Door]) -> None:
    """Leave the file for `disk.Machine`. Raises `OSError`."""
    near = [[str(door.near)] if door.path else list(_pair(door)) for door in doors]
    RUNNING.parent.mkdir(parents=True, exist_ok=True)
    RUNNING.write_text(json.dumps({"serverdir": str(serverdir), "doors": near}))


def _pair(door: Door) -> tuple[str, int]:
    return door.near if isinstance(door.near, tuple) else ("", 0)
