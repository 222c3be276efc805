# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a server directory, so that a kill at any moment leaves either none or a whole one."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

from devpi_image.errors import Refused
from devpi_image.lock import only_one
from devpi_image.log import say
from devpi_image.plans import Init
from devpi_image.resolve import BIN

_COMPLETE = ".serverversion"
_STARTED = ".nodeinfo"


def is_initialised(serverdir: Path) -> bool:
    """Whether devpi's data are there. Raises `Refused` for a folder that holds anything else."""
    try:
        entries = {entry.name for entry in serverdir.iterdir()}
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Refused(f"{serverdir} can't be read: {error.strerror}. {whose(serverdir)}") from None
    return judged(serverdir, entries)


def judged(serverdir: Path, entries: Collection[str]) -> bool:
    """The same, from the names in the folder. Pure."""
    if _COMPLETE in entries and _STARTED in entries:
        return True
    if not entries:
        return False
    if _STARTED in entries or _COMPLETE in entries:
        here, missing = (_STARTED, _COMPLETE) if _STARTED in entries else (_COMPLETE, _STARTED)
        raise Refused(
            f"{serverdir} was only half initialised ({here} is there, {missing} is not). Restore it"
            " from a backup, or empty it if it never held packages. Nothing was changed."
        )
    raise Refused(
        f"{serverdir} holds files, but no devpi data ({', '.join(sorted(entries)[:3])}, ...)."
        " Let DEVPISERVER_SERVERDIR name a folder of its own below the volume."
    )


def initialise(plan: Init) -> None:
    """Make the server directory of `plan`, or leave the one that is there."""
    serverdir = plan.serverdir
    if is_initialised(serverdir):
        say(f"{serverdir} is initialised already")
        return
    if os.path.ismount(serverdir):
        raise Refused(
            f"{serverdir} is a volume by itself. Mount the volume at {serverdir.parent}, or let"
            f" DEVPISERVER_SERVERDIR name a folder in it, like {serverdir / 'server'}."
        )
    try:
        serverdir.parent.mkdir(parents=True, exist_ok=True)
        with only_one(serverdir.parent / f".{serverdir.name}.lock", serverdir):
            _initialise_alone(plan)
    except OSError as error:
        raise Refused(
            f"{error.filename or serverdir}: {error.strerror}. {whose(serverdir.parent)}"
        ) from None


def _initialise_alone(plan: Init) -> None:
    serverdir = plan.serverdir
    for leftover in serverdir.parent.glob(f".{serverdir.name}.init-*"):
        shutil.rmtree(leftover)
    password = _password(plan)
    staging = serverdir.parent / f".{serverdir.name}.init-{secrets.token_hex(4)}"
    staging.mkdir(mode=0o770)
    done = subprocess.run(
        [BIN / "devpi-init", "--serverdir", staging],
        env={**plan.environment, "DEVPISERVER_ROOT_PASSWD": password},
        check=False,
    )
    if done.returncode:
        shutil.rmtree(staging)
        raise Refused(f"devpi-init ended with {done.returncode}; its message stands above.")
    # SQLite gives its files no right for the group, which is what a later uid has in common.
    for path in staging.rglob("*"):
        path.chmod(path.stat().st_mode | 0o060)
    os.sync()
    staging.rename(serverdir)
    say(f"{serverdir} is initialised")


def _password(plan: Init) -> str:
    if plan.password is None:
        raise Refused(
            f"{plan.serverdir} is to be initialised, but no root password was given. Let"
            " DEVPISERVER_ROOT_PASSWD_FILE name a file that holds it."
        )
    if isinstance(plan.password, str):
        return plan.password
    try:
        password = plan.password.read_text().removesuffix("\n")
    except OSError as error:
        raise Refused(
            f"DEVPISERVER_ROOT_PASSWD_FILE names {plan.password}: {error.strerror}."
        ) from None
    if not password:
        raise Refused(f"DEVPISERVER_ROOT_PASSWD_FILE names {plan.password}, which is empty.")
    return password


def whose(path: Path) -> str:
    return (
        f"This container runs as {os.getuid()}:{os.getgid()}: the volume must be writable for it"
        f" (fsGroup in Kubernetes; else: chown -R {os.getuid()}:{os.getgid()} on {path})."
    )
