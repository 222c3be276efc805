# SPDX-License-Identifier: GPL-3.0-or-later
"""One container at a time for a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devpi_image.errors import Refused


@contextmanager
def only_one(path: Path, what: Path) -> Iterator[None]:
    """Hold ``what`` for this container alone, by a lock on the file ``path``.

    Two servers would ruin one database. The lock goes with the process, however that ends.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"{what} is in use by another container ({path} is locked). Stop that first."
            ) from None
        yield
