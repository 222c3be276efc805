# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers on this machine use of memory, by their cgroups.

Counted is what the kernel can't take back: ``anon`` and ``shmem`` of memory.stat. Page cache is not
the container's need, and goes when somebody else has one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

CGROUPS = Path("/sys/fs/cgroup")
# Version 1 calls anon rss, and has a hierarchy for memory alone.
VERSION_1 = ("rss", "shmem")
VERSION_2 = ("anon", "shmem")
SECONDS = 0.2


def memory_stat(container: str) -> Path:
    """The file of a container by its id, as the runtime gives it; LookupError if it is not here."""
    root = CGROUPS / "memory" if (CGROUPS / "memory").is_dir() else CGROUPS
    for folder in root.rglob(f"*{container}*"):
        if (folder / "memory.stat").is_file():
            return folder / "memory.stat"
    raise LookupError(f"no cgroup below {root} has container {container}: is it on this machine?")


def used(stat: str) -> int:
    """Bytes, from the text of a memory.stat of either version."""
    values = {name: int(value) for name, value in map(str.split, stat.splitlines())}
    return sum(values[name] for name in (VERSION_2 if "anon" in values else VERSION_1))


class Peaks(threading.Thread):
    """Reads the memory of containers (name -> id) again and again, and keeps the largest."""

    def __init__(self, containers: Mapping[str, str]) -> None:
        super().__init__(daemon=True)
        self._files = {name: memory_stat(number) for name, number in containers.items()}
        self._peaks = self.now()
        self._ends = threading.Event()

    def now(self) -> dict[str, int]:
        """Bytes of each container at this moment."""
        return {name: used(file.read_text()) for name, file in self._files.items()}

    @property
    def peaks(self) -> Mapping[str, int]:
        """Bytes of each container when it had the most."""
        return MappingProxyType(self._peaks)

    def run(self) -> None:
        """Until ``end``."""
        while not self._ends.wait(SECONDS):
            self._peaks = {name: max(self._peaks[name], size) for name, size in self.now().items()}

    def end(self) -> None:
        """Stop reading."""
        self._ends.set()
        self.join()


@contextmanager
def peaks(containers: Mapping[str, str]) -> Iterator[Peaks]:
    """Read them for the time of the block."""
    reading = Peaks(containers)
    reading.start()
    try:
        yield reading
    finally:
        reading.end()
