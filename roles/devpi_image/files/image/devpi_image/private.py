# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for this container's user alone."""

from __future__ import annotations

from pathlib import Path


def write_private(file: Path, content: bytes) -> Path:
    """Write `file` anew, 0600 in a folder that is made 0700; its path. Raises `OSError`."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.parent.chmod(0o700)
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(content)
    return file
