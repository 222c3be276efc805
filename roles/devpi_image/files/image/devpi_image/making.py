# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a server directory, so that a kill at any moment leaves either none or a whole one.

All is made in a folder within it, which is then emptied into it. A kill before that leaves a folder
to throw away, one after it leaves the rest to be moved.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

from devpi_image.defaults import BIN
from devpi_image.disk import VERSION_FILE
from devpi_image.errors import Refused
from devpi_image.initialise import STAGING, is_initialised, whose
from devpi_image.lock import only_one
from devpi_image.log import say
from devpi_image.passwords import read
from devpi_image.plans import Init
from devpi_image.rewrite import output_for
from devpi_image.token_key import kept_key
from devpi_image.unpack import find_export, unpacked

ROOT_PASSWORD_FILE = ".root-password"  # noqa: S105
_COMPLETE = "complete"
_STANDARD_OUTPUT = 1


class Making:
    """One way from nothing to a server directory; what is wrong with it is found before a write."""

    def __init__(self, plan: Init) -> None:
        self.plan = plan
        self.serverdir = plan.serverdir
        self.staging = plan.serverdir / STAGING
        self.made = self.staging / "server"
        self.export = find_export()
        self.password = read(plan.passwords.root)
        self.hash = read(plan.passwords.root_hash)
        self.user_password = read(plan.passwords.user)
        if self.hash and not self.hash.startswith("$"):
            raise Refused(
                f"{plan.passwords.root_hash[0].name} is no hash of a password, as devpi-export"
                " writes it: they begin with $argon2. In a compose file, write each $ twice."
            )
        if self.export and plan.is_replica:
            raise Refused(
                f"{self.export} is to be imported, but DEVPISERVER_PRIMARY_URL is set: a replica"
                " gets its data from its primary. Leave one of them out."
            )
        # An export brings its own, which may be empty in old ones.
        invents = (plan.invents or self.export) and not plan.is_replica and self._without()
        self.invented = secrets.token_urlsafe(24) if invents else ""
        if self._without() and not (self.invented or plan.is_replica):
            raise Refused(
                f"{self.serverdir} is to be initialised, but no root password was given. Let"
                " DEVPISERVER_ROOT_PASSWD_FILE name a file that holds it."
            )

    def _without(self) -> bool:
        return not (self.password or self.hash)

    def carry_out(self) -> bool:
        try:
            self.serverdir.mkdir(parents=True, exist_ok=True)
            with only_one(self.serverdir / ".lock", self.serverdir):
                if is_initialised(self.serverdir):
                    return False
                if not (self.staging / _COMPLETE).exists():
                    self._make()
                _move_all(self.made, self.serverdir)
                shutil.rmtree(self.staging)
        except OSError as error:
            raise Refused(
                f"{error.filename or self.serverdir}: {error.strerror}. {whose(self.serverdir)}"
            ) from None
        say(f"{self.serverdir} is initialised")
        self._announce()
        return True

    def _make(self) -> None:
        if self.staging.exists():
            say(f"an initialisation that did not finish is begun anew in {self.serverdir}")
            shutil.rmtree(self.staging)
        self.staging.mkdir(mode=0o770)
        try:
            if self.export:
                self._import(self.export)
            self._fill()
        except Refused:
            shutil.rmtree(self.staging)
            raise
        kept_key(self.made)
        # SQLite gives its files no right for the group, which is what a later uid has in common.
        for path in self.made.rglob("*"):
            if path.name not in (ROOT_PASSWORD_FILE, ".secret"):
                path.chmod(path.stat().st_mode | 0o060)
        os.sync()
        (self.staging / _COMPLETE).touch()

    def _import(self, export: Path) -> None:
        folder = unpacked(export, self.staging / "export")
        say(f"importing {export}, which may take long")
        skipped = [f"--skip-import-type={kind}" for kind in self.plan.skipped]
        command = [str(BIN / "devpi-import"), "--serverdir", str(self.made), *skipped, str(folder)]
        with output_for("devpi-import") as output:
            done = subprocess.run(
                command, stdout=output, stderr=output, env=self.plan.environment, check=False
            )
        if done.returncode:
            raise Refused(
                f"devpi-import ended with {done.returncode}; its message stands above. Nothing of"
                f" {export} was kept."
            )

    def _fill(self) -> None:
        """Passwords, first user and first index, and the directory itself if none was imported."""
        new = self.export is None
        # An export has its own indexes, and a replica those of its primary.
        makes_indexes = new and not self.plan.is_replica
        wish: dict[str, Any] = {
            "serverdir": str(self.made),
            "new": new,
            "password": self.password or (self.invented if new else ""),
            "hash": self.hash,
            "fallback": self.invented,
            "user": self.plan.user,
            "user_password": self.user_password,
            "index": self.plan.index if makes_indexes else "",
            "direct": makes_indexes,
        }
        output = run_first_data(wish, self.plan)
        if self.invented and (new or "fallback used" in output):
            file = self.made / ROOT_PASSWORD_FILE
            file.touch(mode=0o600)
            file.write_text(f"{self.invented}\n")

    def _announce(self) -> None:
        file = self.serverdir / ROOT_PASSWORD_FILE
        if file.exists():
            say(f"no password was given: that of root is in {file}")


def reset_password(plan: Init) -> None:
    """Write root's password into the data, under which no server may run. Raises `Refused`."""
    password, hashed = read(plan.passwords.root), read(plan.passwords.root_hash)
    if not (password or hashed):
        raise Refused("The password of root is to be set anew, but none is given.")
    wish: dict[str, Any] = {
        "serverdir": str(plan.serverdir),
        "new": False,
        "password": password,
        "hash": hashed,
        "fallback": "",
        "user": "",
        "user_password": "",
        "index": "",
        "direct": False,
    }
    run_first_data(wish, plan)
    say("root has been given its password anew")


def run_first_data(wish: dict[str, Any], plan: Init) -> str:
    """What the program said. Raises `Refused`."""
    with output_for("devpi-init") as output:
        done = subprocess.run(
            [BIN / "python", "-m", "devpi_image.first_data"],
            input=json.dumps(wish),
            stdout=subprocess.PIPE,
            stderr=output,
            env=plan.environment,
            text=True,
            check=False,
        )
        os.write(output or _STANDARD_OUTPUT, done.stdout.encode())
    if done.returncode:
        raise Refused(f"devpi-init ended with {done.returncode}; its message stands above.")
    return done.stdout


def _move_all(source: Path, target: Path) -> None:
    """Empty one folder into another, devpi's mark last; after a kill, for what is left."""
    for path in sorted(source.iterdir(), key=lambda path: path.name == VERSION_FILE):
        path.rename(target / path.name)
