# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import threading
from pathlib import Path

import cache
import pytest
from progress import Progress


def test_digest_sees_texts_files_and_names(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/file").write_text("content")
    (tmp_path / "two").mkdir()
    (tmp_path / "two/file").write_text("content")
    first = cache.digest("text", tmp_path / "one")
    assert first == cache.digest("text", tmp_path / "two")
    assert first != cache.digest("texT", tmp_path / "one")
    (tmp_path / "two/file").write_text("other")
    assert first != cache.digest("text", tmp_path / "two")
    (tmp_path / "one/file").rename(tmp_path / "one/renamed")
    assert first != cache.digest("text", tmp_path / "one")


def test_digest_keeps_its_inputs_apart() -> None:
    assert cache.digest("ab", "c") != cache.digest("a", "bc")


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "parts/finished"

    def interrupted() -> None:
        with cache.new_folder(target) as new:
            (new / "half").write_text("")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(target.parent.iterdir()) == []
    with cache.new_folder(target) as new:
        (new / "file").write_text("")
        assert not target.exists()
    assert [entry.name for entry in target.iterdir()] == ["file"]
    assert target.stat().st_mode & 0o777 == 0o755
    assert list(target.parent.iterdir()) == [target]


def test_only_one_builds_and_clears_what_a_killed_one_left(tmp_path: Path) -> None:
    said = io.StringIO()
    entered = threading.Event()

    def second() -> None:
        with cache.builder(tmp_path, Progress(said)):
            entered.set()

    with cache.builder(tmp_path, Progress(io.StringIO())):
        leftover = tmp_path / ".unfinished-of-a-killed-build"
        leftover.mkdir()
        other = threading.Thread(target=second)
        other.start()
        assert not entered.wait(0.3)
        assert leftover.exists()
    other.join()
    assert entered.is_set()
    assert not leftover.exists()
    assert "waiting for another process" in said.getvalue()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"THINKUBE_DEVPI_CACHE": "/chosen", "XDG_CACHE_HOME": "/xdg"}, "/chosen"),
        ({"XDG_CACHE_HOME": "/xdg", "HOME": "/home/me"}, "/xdg/thinkube-devpi"),
        ({"HOME": "/home/me"}, "/home/me/.cache/thinkube-devpi"),
        ({"THINKUBE_DEVPI_CACHE": "", "HOME": "/home/me"}, "/home/me/.cache/thinkube-devpi"),
    ],
)
def test_root(environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("THINKUBE_DEVPI_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache.root() == Path(expected)
