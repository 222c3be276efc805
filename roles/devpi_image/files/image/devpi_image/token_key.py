# SPDX-License-Identifier: GPL-3.0-or-later
"""The key that login tokens are signed with: kept, so that logins outlive a restart."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from devpi_image.errors import Refused
from devpi_image.private import write_private

# In the server directory; the second is of images before.
_NAMES = (".secret", "secret")


def kept_key(serverdir: Path) -> Path:
    """The key in the server directory, made if there is none. Raises `OSError`."""
    for name in _NAMES:
        if (serverdir / name).exists():
            return serverdir / name
    file = serverdir / _NAMES[0]
    file.touch(mode=0o600)
    file.write_bytes(base64.b64encode(os.urandom(32)))
    return file


def private_copy(source: Path, folder: Path) -> Path:
    """A copy of the token key as devpi wants it: 0600 in a folder that nobody else can write.

    A mounted Secret is readable for its group in a folder that all can write. Raises `Refused`.
    """
    try:
        key = source.read_bytes()
    except OSError as error:
        raise Refused(f"The token key is to be in {source}: {error.strerror}.") from None
    if not key:
        raise Refused(f"The token key is to be in {source}, which is empty.")
    return write_private(folder / "token-key", key)
