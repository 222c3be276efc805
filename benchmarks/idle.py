# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for the machine to be at rest."""

from __future__ import annotations

import time
from pathlib import Path


def await_idle(seconds: float = 90) -> None:
    """Until the machine is at rest: devpi goes on with requests whose clients have left."""
    end = time.monotonic() + seconds
    before = _idle_and_all()
    while time.monotonic() < end:
        time.sleep(0.3)
        now = _idle_and_all()
        if now[0] - before[0] > 0.8 * (now[1] - before[1]):
            return
        before = now


def _idle_and_all() -> tuple[int, int]:
    """Ticks of all cores so far (proc_stat(5)): with nothing to do, and altogether."""
    ticks = [int(tick) for tick in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    return ticks[3], sum(ticks)
