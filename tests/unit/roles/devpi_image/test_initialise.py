# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from devpi_image.errors import Refused
from devpi_image.initialise import is_initialised, judged
from devpi_image.lock import only_one
from devpi_image.server import private_copy

FOLDER = Path("/data/server")


def test_what_a_folder_is() -> None:
    assert judged(FOLDER, {".nodeinfo", ".serverversion", ".sqlite"})
    assert not judged(FOLDER, set())


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({".nodeinfo"}, r"\.nodeinfo is there, \.serverversion is not"),
        ({".serverversion", ".sqlite"}, r"\.serverversion is there, \.nodeinfo is not"),
        ({"lost+found"}, "no devpi data"),
    ],
)
def test_foreign_and_half_folders_are_refused(entries: set[str], says: str) -> None:
    with pytest.raises(Refused, match=says):
        judged(FOLDER, entries)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert not is_initialised(tmp_path / "server")
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="can't be read"):
        is_initialised(tmp_path / "file")


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    first, second = only_one(tmp_path / "lock", FOLDER), only_one(tmp_path / "lock", FOLDER)
    with first, pytest.raises(Refused, match="in use"), second:
        pass
    with only_one(tmp_path / "lock", FOLDER):
        pass


def test_the_token_key_is_copied_for_us_alone(tmp_path: Path) -> None:
    source = tmp_path / "mounted"
    source.write_bytes(b"key\n")
    source.chmod(0o440)
    for _ in range(2):
        copy = private_copy(source, tmp_path / "private")
        assert copy.read_bytes() == b"key\n"
        assert copy.stat().st_mode & 0o777 == 0o600
        assert copy.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("make", "says"), [(False, "No such file"), (True, "which is empty")])
def test_a_token_key_that_is_missing_or_empty(tmp_path: Path, make: bool, says: str) -> None:
    if make:
        (tmp_path / "key").touch()
    with pytest.raises(Refused, match=says):
        private_copy(tmp_path / "key", tmp_path / "private")
