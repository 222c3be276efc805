# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that an nginx has to itself: anonymous and shared, not page cache."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def occupied(master: int) -> float:
    """MiB of a process and its children; what they share counts once."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    kilobytes = 0
    for pid in (str(master), *children):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        kilobytes += sum(map(int, re.findall(r"^Pss_(?:Anon|Shmem): +(\d+)", rollup, re.MULTILINE)))
    return kilobytes / 1024


@contextmanager
def peak(master: int) -> Iterator[list[float]]:
    """What is found four times a second while the block runs."""
    over, seen = threading.Event(), [occupied(master)]

    def look() -> None:
        while not over.wait(0.25):
            seen.append(occupied(master))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
