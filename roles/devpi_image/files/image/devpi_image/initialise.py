# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is a server directory, and having one made or mended where there is not."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from devpi_image.disk import NODE_FILE, VERSION_FILE
from devpi_image.errors import Refused
from devpi_image.lock import only_one
from devpi_image.log import say
from devpi_image.plans import Init

# The format of devpi-server 6.
FORMAT = "4"
# In a server directory that is being made, see `making`.
STAGING = ".initialising"
# May lie in an empty server directory: of file systems, of ours, and of images before.
_NO_DATA = {"lost+found", ".lock", ".lockfile", STAGING}


def is_initialised(serverdir: Path) -> bool:
    """Whether devpi's data are there. Raises `Refused` for a folder that holds anything else."""
    try:
        entries = {entry.name for entry in serverdir.iterdir()}
        version = (serverdir / VERSION_FILE).read_text() if VERSION_FILE in entries else ""
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Refused(f"{serverdir} can't be read: {error.strerror}. {whose(serverdir)}") from None
    return judged(serverdir, entries, version)


def judged(serverdir: Path, entries: Collection[str], version: str) -> bool:
    """The same, from the names in the folder and the format it says to have. Pure."""
    if STAGING in entries:
        return False
    if VERSION_FILE in entries and version.strip().split(".")[0] != FORMAT:
        raise Refused(
            f"{serverdir} has the format {version.strip() or 'of nothing'}, and this devpi-server"
            f" has {FORMAT}. Export it by the devpi-server that wrote it (devpi-export, or"
            " devpi-server --export before 6.0), and start with an empty volume and the export"
            " mounted below /devpi-init.d. Nothing was changed."
        )
    if VERSION_FILE in entries and NODE_FILE in entries:
        return True
    names = sorted(set(entries) - _NO_DATA)
    if not names:
        return False
    if NODE_FILE in names or VERSION_FILE in names:
        here, missing = (
            (NODE_FILE, VERSION_FILE) if NODE_FILE in names else (VERSION_FILE, NODE_FILE)
        )
        raise Refused(
            f"{serverdir} was only half initialised ({here} is there, {missing} is not). Restore it"
            " from a backup, or empty it if it never held packages. Nothing was changed."
        )
    raise Refused(
        f"{serverdir} holds files, but no devpi data ({', '.join(names[:3])}, ...)."
        " Let DEVPISERVER_SERVERDIR name a folder of its own below the volume."
    )


def initialise(plan: Init) -> bool:
    """Make the server directory of `plan`, or leave the one that is there; whether it was made.

    In that, root gets its password anew if a file `reset` lies beside the one that holds it.
    """
    for note in plan.notes:
        say(note)
    is_new = not is_initialised(plan.serverdir)
    if not (is_new or _reset_is_asked(plan)):
        say(f"{plan.serverdir} is initialised already")
        return False
    # What makes and mends takes 30 ms to import, and most starts have no use for it.
    from devpi_image.making import Making, reset_password  # noqa: PLC0415

    if is_new:
        return Making(plan).carry_out()
    try:
        with only_one(plan.serverdir / ".lock", plan.serverdir):
            reset_password(plan)
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}. {whose(plan.serverdir)}") from None
    return False


def _reset_is_asked(plan: Init) -> bool:
    """Whether a file `reset` lies beside one that holds root's password."""
    return any(
        isinstance(source.value, Path) and source.value.with_name("reset").exists()
        for source in plan.passwords.root
    )


def whose(path: Path) -> str:
    """How a folder gets writable for this container."""
    owner = f"{os.getuid()}:{os.getgid()}"
    return (
        f"This container runs as {owner}: the volume must be writable for it (fsGroup in"
        f" Kubernetes; else: chown -R {owner} on {path}, or start it as root, which sees to that)."
    )
