# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports of a devpi-server that are laid into /devpi-init.d: finding the one, unpacking it."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from devpi_image.errors import Refused

IMPORTS = Path("/devpi-init.d")
# By the end of their names. Those of old images were called .bz2 only.
_ARCHIVES = (
    ".tar",
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz2",
    ".bz2",
    ".tar.xz",
    ".txz",
    ".tar.zst",
    ".tzst",
)
# devpi-export writes it last.
_INDEX = "dataindex.json"


def find_export(folder: Path = IMPORTS) -> Path | None:
    """The archive or folder in `folder`, or itself, that is to be imported; None without one.

    Raises `Refused` for more than one: devpi imports into an empty server only.
    """
    try:
        if (folder / _INDEX).is_file():
            return folder
        names = sorted(folder.iterdir())
        found = [path for path in names if _is_archive(path) or (path / _INDEX).is_file()]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"{folder} can't be read: {error.strerror}.") from None
    if len(found) > 1:
        raise Refused(
            f"{folder} holds more than one export: {', '.join(path.name for path in found)}. devpi"
            " imports one, into an empty server. Keep that."
        )
    if not found and any(not path.name.startswith(".") for path in names):
        raise Refused(
            f"{folder} holds no export of devpi. Lay a folder that devpi-export made there, or one"
            f" archive of it ({', '.join(_ARCHIVES)})."
        )
    return found[0] if found else None


def _is_archive(path: Path) -> bool:
    return path.name.endswith(_ARCHIVES) and path.is_file()


def unpacked(export: Path, folder: Path) -> Path:
    """The folder of the export, unpacked into `folder` if it is an archive. Raises `Refused`."""
    if export.is_dir():
        return export
    size, free = export.stat().st_size, shutil.disk_usage(folder.parent).free
    if free < 2 * size:
        raise Refused(
            f"{export} has {size} bytes, and only {free} are free at {folder.parent}. It needs at"
            " least twice its size: once unpacked, once imported."
        )
    folder.mkdir()
    try:
        with _stream(export) as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
            # Python's filter for data lets nothing out of the folder, and no devices in.
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Refused(f"{export} can't be unpacked: {error}") from None
    for found in (folder, *(path for path in sorted(folder.iterdir()) if path.is_dir())):
        if (found / _INDEX).is_file():
            return found
    raise Refused(f"{export} is no export of devpi: it holds no {_INDEX}.")


@contextmanager
def _stream(export: Path) -> Iterator[IO[bytes]]:
    """The bytes of an archive that Python's tarfile can read."""
    if not export.name.endswith("zst"):
        with export.open("rb") as file:
            yield file
        return
    # Python has no Zstandard before 3.14.
    with subprocess.Popen(
        ["/usr/bin/zstd", "--decompress", "--stdout", "--quiet", export], stdout=subprocess.PIPE
    ) as zstd:
        assert zstd.stdout
        yield zstd.stdout
        if zstd.wait():
            raise OSError(f"zstd ended with {zstd.returncode}")
