# SPDX-License-Identifier: GPL-3.0-or-later
"""Things that are made once and kept outside the checkout, under a name made of their inputs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from progress import Progress

_UNFINISHED = ".unfinished-"


def root() -> Path:
    """``$THINKUBE_DEVPI_CACHE``, by default ``thinkube-devpi`` in the user's cache folder."""
    if chosen := os.environ.get("THINKUBE_DEVPI_CACHE"):
        return Path(chosen).absolute()
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches).absolute() / "thinkube-devpi"


def digest(*inputs: str | Path) -> str:
    """16 hex digits over texts and the contents of files, folders with all that is in them.

    The machine's architecture always counts, the place of a file does not.
    """
    state = hashlib.sha256()
    for text in (platform.machine(), *inputs):
        if isinstance(text, Path):
            for file in sorted(text.rglob("*")) if text.is_dir() else [text]:
                if file.is_file():
                    name = str(file.relative_to(text)) if text.is_dir() else file.name
                    _add(state, name.encode())
                    _add(state, file.read_bytes())
        else:
            _add(state, text.encode())
    return state.hexdigest()[:16]


def _add(state: hashlib._Hash, data: bytes) -> None:
    state.update(len(data).to_bytes(8, "big"))
    state.update(data)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """An empty folder that becomes ``target`` when the block succeeds, and else goes away."""
    with workspace(target.parent) as folder:
        yield folder
        folder.chmod(0o755)
        folder.rename(target)


@contextmanager
def workspace(parent: Path) -> Iterator[Path]:
    """An empty folder in ``parent`` for the time of the block."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def builder(folder: Path, progress: Progress) -> Iterator[None]:
    """Be the only process that builds in ``folder``; removes what a killed one has left there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress.step(f"waiting for another process that builds in {folder}"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield
