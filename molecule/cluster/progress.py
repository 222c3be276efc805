# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what is going on, one line at a time, so that a log reads like the terminal did."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Progress:
    """Numbered steps with the time since the start; a long step shows a sign of life.

    ``heartbeat`` is in seconds. Every line goes to ``stream`` (default: standard output) at once.
    """

    def __init__(self, stream: TextIO | None = None, *, heartbeat: float = 20.0) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._heartbeat = heartbeat
        self._started = time.monotonic()
        self._number = 0
        self._lock = threading.Lock()

    @property
    def elapsed(self) -> float:
        """Seconds since this object was made."""
        return time.monotonic() - self._started

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce ``title``, then how long the block took, or that it failed."""
        with self._lock:
            self._number += 1
            number = self._number
        self._line(f"{number:2}. {title}")
        began = time.monotonic()
        over = threading.Event()
        pulse = threading.Thread(target=self._pulse, args=(title, began, over), daemon=True)
        pulse.start()
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            over.set()
            pulse.join()
            self._line(f"    {outcome}: {title} ({duration(time.monotonic() - began)})")

    def note(self, text: str) -> None:
        """A line that belongs to the step under way."""
        self._line(f"    {text}")

    def _pulse(self, title: str, began: float, over: threading.Event) -> None:
        while not over.wait(self._heartbeat):
            self._line(f"    still {title} ({duration(time.monotonic() - began)})")

    def _line(self, text: str) -> None:
        with self._lock:
            print(f"[{clock(self.elapsed)}] {text}", file=self._stream, flush=True)


def clock(seconds: float) -> str:
    """``75.3`` -> ``01:15``."""
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"


def duration(seconds: float) -> str:
    """``4.24`` -> ``4.2 s``, ``75.3`` -> ``1 min 15 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"
