# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from devpi_image.errors import Refused
from devpi_image.initialise import is_initialised, judged
from devpi_image.lock import is_anybody_there, only_one, presence
from devpi_image.token_key import kept_key, private_copy

FOLDER = Path("/data/server")


def test_what_a_folder_is() -> None:
    assert judged(FOLDER, {".nodeinfo", ".serverversion", ".sqlite"}, "4")
    assert not judged(FOLDER, set(), "")
    assert not judged(FOLDER, {"lost+found", ".lock"}, "")
    # One that was killed is gone on with, whatever it had moved already.
    assert not judged(FOLDER, {".initialising", ".nodeinfo", ".sqlite"}, "")


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({".nodeinfo"}, r"\.nodeinfo is there, \.serverversion is not"),
        ({".serverversion", ".sqlite"}, r"\.serverversion is there, \.nodeinfo is not"),
        ({"lost+found", "photo.jpg"}, r"no devpi data \(photo.jpg"),
    ],
)
def test_foreign_and_half_folders_are_refused(entries: set[str], says: str) -> None:
    with pytest.raises(Refused, match=says):
        judged(FOLDER, entries, "4")


@pytest.mark.parametrize("version", ["2", "3.1.0", "5", ""])
def test_another_format_is_refused(version: str) -> None:
    with pytest.raises(Refused, match=r"has the format .* Nothing was changed"):
        judged(FOLDER, {".nodeinfo", ".serverversion"}, version)


def test_the_token_key_is_made_once_or_adopted(tmp_path: Path) -> None:
    made = kept_key(tmp_path)
    assert (made.name, made.stat().st_mode & 0o777) == (".secret", 0o600)
    assert kept_key(tmp_path) == made
    adopted = tmp_path / "old"
    adopted.mkdir()
    (adopted / "secret").write_text("of another image")
    assert kept_key(adopted) == adopted / "secret"


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


def test_who_has_patience_waits_for_the_lock(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def held(patience: float) -> bool:
        with only_one(tmp_path / "lock", FOLDER, patience):
            return True

    with ThreadPoolExecutor() as elsewhere:
        with only_one(tmp_path / "lock", FOLDER):
            with pytest.raises(Refused, match="in use"):
                elsewhere.submit(held, 0.2).result()
            patient = elsewhere.submit(held, 30)
            with pytest.raises(TimeoutError):
                patient.result(timeout=0.3)
        assert patient.result(timeout=5)
    assert "waiting for its end" in capsys.readouterr().err


def test_presence_is_seen(tmp_path: Path) -> None:
    mark = tmp_path / "front"
    assert not is_anybody_there(tmp_path / "nowhere" / "front")
    assert not is_anybody_there(mark)
    with presence(mark), presence(mark):
        assert is_anybody_there(mark)
    assert not is_anybody_there(mark)


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
