# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of one home: read, planned, written, and a record of how they were.

All paths are relative to the home. The record is written before the first file, and taken away
after the last one, so that an interrupted run can be repeated or undone. PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import stat
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.thinkube.devpi.plugins.module_utils._files import (
    KEYED,
    Found,
    Kept,
    Wanted,
    digest,
    is_edited,
    planned,
    restored,
    without_credentials,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._syntax import check

LONGEST_DIFF = 32768
# Where people install programs that are not on the PATH of a task.
PROGRAM_FOLDERS = (".local/bin", ".cargo/bin", "/usr/local/bin", "/opt/homebrew/bin")


@dataclasses.dataclass(frozen=True)
class Change:
    """One file before and after; ``lost`` tells that an edit of the user's would be gone."""

    path: str
    form: str
    before: Found
    after: Found
    lost: bool = False

    def diff(self) -> dict[str, str]:
        """Return what Ansible shows with ``--diff``."""
        return {
            "before_header": self._header(self.before),
            "after_header": self._header(self.after),
            "before": _shown(self.before),
            "after": _shown(self.after),
        }

    def _header(self, found: Found) -> str:
        if found.mode is None or self.before.mode == self.after.mode:
            return self.path
        return f"{self.path} (mode {found.mode:04o})"


def _shown(found: Found) -> str:
    text = found.text or ""
    if found.link is not None:
        return f"link to {found.link}\n"
    return f"sha256 {digest(text)}\n" if len(text) > LONGEST_DIFF else without_credentials(text)


@dataclasses.dataclass(frozen=True)
class Record:
    """What has to be undone one day; ``directories`` are those that we made, outermost first."""

    files: dict[str, Kept]
    directories: list[str]

    @classmethod
    def parse(cls, text: str | None) -> Record:
        """Read a record; no text is an empty one."""
        data = json.loads(text) if text else {"files": {}, "directories": []}
        files = {path: Kept.load(kept) for path, kept in data["files"].items()}
        return cls(files, data["directories"])

    def dump(self) -> Found:
        """Return the record as a file; it may hold what only the user may read."""
        if not self.files and not self.directories:
            return Found()
        return Found(json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True) + "\n", 0o600)


class Home:
    """Reads and writes files below a folder."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def check(self) -> None:
        """See that this is a home.

        :raises ValueError: when nothing can be written here
        """
        if not self.root.is_dir():
            raise ValueError(f"The home '{self.root}' is not there: make it, or name another one.")
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise ValueError(f"The home '{self.root}' can't be written by the user of this task.")

    def path(self, name: str, form: str = "file") -> Path:
        """Return where a file is; a link to a file that is the user's too is followed."""
        path = self.root / name
        return path.resolve() if form in ("block", *KEYED) else path

    def has(self, pattern: str) -> bool:
        """Tell whether something matches a pattern."""
        return any(self.root.glob(pattern))

    def program(self, name: str) -> str | None:
        """Return the path of a program; a path is given back when it can be run."""
        folders = [os.environ.get("PATH", os.defpath)]
        folders += [str(self.root / folder) for folder in PROGRAM_FOLDERS]
        return shutil.which(name, path=os.pathsep.join(folders))

    def find_programs(self, names: t.Iterable[str]) -> dict[str, str]:
        """Return the paths of programs.

        :raises ValueError: when one of them is not there
        """
        found = {name: self.program(name) for name in names}
        missing = [name for name, path in found.items() if path is None]
        if missing:
            raise ValueError(
                f"There is no program {' and no program '.join(missing)} on this machine: "
                "install it first, or choose another one."
            )
        return {name: path for name, path in found.items() if path is not None}

    def is_used(self, signs: t.Sequence[str]) -> bool:
        """Tell whether one of these is there, each a path or a program; no sign is no condition."""
        return not signs or any(self.has(sign) or self.program(sign) for sign in signs)

    def check_place(self, name: str, form: str) -> None:
        """See that a file can be written or removed.

        :raises ValueError: when its folder belongs to somebody else, or is none
        """
        path = self.path(name, form)
        folder = next(parent for parent in path.parents if parent.exists())
        if path.is_dir() and not path.is_symlink():
            raise ValueError(f"{path} has to be a file, and is a folder: move it away.")
        if not folder.is_dir():
            raise ValueError(f"{folder} has to be a folder, and is a file: move it away.")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ValueError(
                f"{path} can't be written by the user of this task: let that user write {folder}."
            )

    def read(self, name: str, form: str) -> Found:
        """Return a file as it is.

        :raises ValueError: when the user of this task may not read it
        """
        path = self.path(name, form)
        try:
            if path.is_symlink():
                return Found("", None, os.readlink(path))  # noqa: PTH115 (not in Python 3.8's Path)
            with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
                return Found(file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return Found()
        except PermissionError as error:
            raise ValueError(
                f"{path} can't be read by the user of this task: let that user read it."
            ) from error

    def write(self, name: str, form: str, found: Found) -> None:
        """Bring a file to a new state in one step: an interruption leaves the old or the new."""
        path = self.path(name, form)
        if found.text is None:
            if path.is_symlink() or path.exists():
                path.unlink()
            return
        with tempfile.TemporaryDirectory(prefix=".devpi-", dir=path.parent) as folder:
            new = Path(folder) / "new"
            if found.link is not None:
                new.symlink_to(found.link)
            else:
                new.touch(0o600)
                new.chmod(0o644 if found.mode is None else found.mode)
                with new.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                    file.write(found.text)
            new.replace(path)

    def missing(self, folders: t.Iterable[str]) -> list[str]:
        """Return the folders, outermost first, that have to be made for these to be there."""
        wanted = {parent for name in folders for parent in (Path(name), *Path(name).parents)}
        return sorted(str(folder) for folder in wanted if not (self.root / folder).is_dir())


def _plan_file(wanted: Wanted, kept: Kept | None, found: Found) -> tuple[Change, Kept | None]:
    """Plan one file that has to be there, and what the record has to say of it."""
    if wanted.form == "once" and found.text is not None:
        return Change(wanted.path, wanted.form, found, found), kept
    base = restored(kept, found) if kept else found
    edited = kept is not None and is_edited(kept, found)
    # An edited file keeps the order of its lines, unless a key of ours has to go.
    source = found if kept and edited and _keys(kept) <= _keys(wanted) else base
    text = planned(wanted, source.text)
    check(wanted, found, text)
    mode = wanted.mode if wanted.form == "file" or found.mode is None else found.mode
    lost = edited and wanted.form == "file" and found.link is None and found.text != text
    change = Change(wanted.path, wanted.form, found, Found(text, mode), lost)
    return change, Kept(wanted.form, base, digest(text), wanted.values)


def _keys(file: Wanted | Kept) -> set[tuple[str, str]]:
    return {(section, key) for section, values in file.values.items() for key in values}


def _plan_undo(path: str, kept: Kept, found: Found) -> Change:
    """Plan one file that is no longer wanted."""
    lost = kept.form == "file" and is_edited(kept, found) and found.link is None
    return Change(path, kept.form, found, restored(kept, found), lost)


def plan(
    home: Home, record: Record, wanted: list[Wanted], directories: list[str], record_path: str
) -> tuple[list[Change], Record]:
    """Plan all files, and the record as it has to be when they are written.

    :raises ValueError: when a file of the user's can't be understood, or a place can't be written
    """
    changes = []
    files = {}
    for file in wanted:
        change, kept = _plan_file(
            file, record.files.get(file.path), home.read(file.path, file.form)
        )
        changes.append(change)
        if kept:
            files[file.path] = kept
    for path in sorted(record.files.keys() - {file.path for file in wanted}):
        old = record.files[path]
        changes.append(_plan_undo(path, old, home.read(path, old.form)))
    for change in changes:
        if change.before != change.after:
            home.check_place(change.path, change.form)
    if not wanted and not directories:
        return changes, Record({}, [])
    folders = [*directories, *(str(Path(path).parent) for path in [record_path, *files])]
    return changes, Record(files, sorted({*record.directories, *home.missing(folders)}))


def find_rivals(home: Home, changes: list[Change], names: list[str], pattern: str) -> list[str]:
    """Return the files that, after these changes, have a line with the pattern."""
    texts = {name: home.read(name, "ini").text for name in names}
    texts.update({change.path: change.after.text for change in changes})
    lines = re.compile(pattern, re.MULTILINE)
    return [name for name in names if lines.search(texts[name] or "")]


def carry_out(
    home: Home,
    record_path: str,
    changes: list[Change],
    before: Record,
    after: Record,
    *,
    backup: t.Callable[[str], str],
) -> list[str]:
    """Write what was planned; return the copies that ``backup`` made of the user's edits."""
    backups = []
    for folder in after.directories:
        home.path(folder).mkdir(parents=True, exist_ok=True)
    # Until everything is written the record knows of all that could have to be undone.
    pending = Record({**before.files, **after.files}, after.directories or before.directories)
    if pending != before:
        home.write(record_path, "file", pending.dump())
    for change in changes:
        if change.lost:
            backups.append(backup(str(home.path(change.path))))
        if change.before != change.after:
            home.write(change.path, change.form, change.after)
    if pending != after:
        home.write(record_path, "file", after.dump())
    for folder in reversed(before.directories):
        path = home.path(folder)
        if folder not in after.directories and path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return backups
