# SPDX-License-Identifier: GPL-3.0-or-later
"""Started as root: give the data away, and go on as somebody else."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

from devpi_image.defaults import PRIVATE
from devpi_image.errors import Refused
from devpi_image.log import say
from devpi_image.private import write_private

USER = 1000
_GROUP = 0
_SETPRIV = "/usr/bin/setpriv"
_RUN = Path("/run/devpi")


def become_user(serverdir: Path | None) -> None:
    """Start this program anew as the user that owns the data, or as 1000:0; does not return.

    Data of root are given to 1000:0 first. Only the right to ports below 1024 is kept.
    """
    user = USER
    try:
        _RUN.mkdir(parents=True, exist_ok=True)
        _give(_RUN, user)
        if serverdir:
            serverdir.mkdir(parents=True, exist_ok=True)
            user = serverdir.stat().st_uid or USER
            if serverdir.stat().st_uid == 0:
                _give(serverdir, user)
            _let_through(serverdir.parent, user)
        _hand_over_secrets(user)
    except OSError as error:
        raise Refused(
            f"{error.filename}: {error.strerror}. Started as root, this container gives its data"
            f" to {USER}:{_GROUP}, for which it needs the capabilities CHOWN and DAC_OVERRIDE. Or"
            f" name the user: --user {USER}:{_GROUP}."
        ) from None
    _go_on_as(user)


def _give(folder: Path, user: int) -> None:
    """All in the folder, then itself: so a kill in between is made good by the next start."""
    if folder.stat().st_uid == 0:
        for path in folder.rglob("*"):
            os.chown(path, user, _GROUP, follow_symlinks=False)
        os.chown(folder, user, _GROUP)
        folder.chmod(0o2770)
        say(f"{folder} was root's and belongs to {user}:{_GROUP} now")


def _let_through(volume: Path, user: int) -> None:
    """Give the volume around the server directory away, if it is a folder that only root enters."""
    found = volume.stat()
    if volume.is_mount() and found.st_uid == 0 and not found.st_mode & stat.S_IXOTH:
        os.chown(volume, user, _GROUP)
        say(f"{volume} was root's alone and belongs to {user}:{_GROUP} now")


def _hand_over_secrets(user: int) -> None:
    """Copies for the user of files that variables name: on a host they may be root's alone."""
    for name, value in list(os.environ.items()):
        source = Path(value)
        if name.startswith("DEVPI") and name.endswith("_FILE") and source.is_file():
            copy = write_private(PRIVATE / "secrets" / name, source.read_bytes())
            os.environ[name] = str(copy)
            for path in (copy, copy.parent, PRIVATE):
                os.chown(path, user, _GROUP)


def _go_on_as(user: int) -> None:
    for stream in (1, 2):
        # nginx opens its log anew, by a name that is the pipe of root.
        with contextlib.suppress(OSError):
            os.fchown(stream, user, _GROUP)
    keeps = "+net_bind_service" if _may_bind() else "-all"
    sets = [f"--{name}-caps={keeps}" for name in ("inh", "ambient")]
    bounding = f"--bounding-set=-all{',+net_bind_service' if _may_bind() else ''}"
    ids = [f"--reuid={user}", f"--regid={_GROUP}", "--clear-groups"]
    try:
        os.execv(_SETPRIV, [_SETPRIV, *ids, *sets, bounding, "--no-new-privs", *sys.argv])
    except OSError as error:
        raise Refused(f"{_SETPRIV}: {error.strerror}.") from None


def _may_bind() -> bool:
    """Whether ports below 1024 are in what this container may do (capability 10)."""
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff"))
    return bool(int(effective.split()[1], 16) & 1 << 10)
