# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from devpi_image.errors import Refused
from devpi_image.unpack import find_export, unpacked


def archive(file: Path, *names: str, mode: str = "w:bz2") -> Path:
    with tarfile.open(file, mode) as tar:  # type: ignore[call-overload]
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 2
            tar.addfile(entry, io.BytesIO(b"{}"))
    return file


def test_nothing_to_import(tmp_path: Path) -> None:
    assert find_export(tmp_path / "nosuch") is None
    assert find_export(tmp_path) is None
    (tmp_path / ".gitkeep").touch()
    assert find_export(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "mode"),
    [("old.bz2", "w:bz2"), ("x.tar.bz2", "w:bz2"), ("x.tar.gz", "w:gz"), ("x.tgz", "w:gz"),
     ("x.tar.xz", "w:xz"), ("x.tar", "w:")],
)  # fmt: skip
@pytest.mark.parametrize("inside", ["", "export/", "./"])
def test_archives(tmp_path: Path, name: str, mode: str, inside: str) -> None:
    names = (f"{inside}dataindex.json", f"{inside}root/dev/x.whl")
    export = archive(tmp_path / name, *names, mode=mode)
    assert find_export(tmp_path) == export
    folder = unpacked(export, tmp_path / "unpacked")
    assert (folder / "dataindex.json").read_bytes() == b"{}"
    assert (folder / "root/dev/x.whl").exists()


def test_folders(tmp_path: Path) -> None:
    inside = tmp_path / "init.d/export"
    inside.mkdir(parents=True)
    (inside / "dataindex.json").touch()
    assert find_export(tmp_path / "init.d") == inside
    assert find_export(inside) == inside
    assert unpacked(inside, tmp_path / "unpacked") == inside


def test_two_are_one_too_many(tmp_path: Path) -> None:
    archive(tmp_path / "a.tar.gz", mode="w:gz")
    archive(tmp_path / "b.bz2")
    with pytest.raises(Refused, match=r"more than one export: a\.tar\.gz, b\.bz2"):
        find_export(tmp_path)


def test_what_is_no_export(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(Refused, match="holds no export"):
        find_export(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"BZh9 not really", "can't be unpacked"), (b"", "can't be unpacked")],
)
def test_a_broken_archive(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "x.tar.bz2").write_bytes(content)
    with pytest.raises(Refused, match=says):
        unpacked(tmp_path / "x.tar.bz2", tmp_path / "unpacked")


@pytest.mark.parametrize("name", ["../outside", "a/../../outside"])
def test_nothing_gets_out_of_the_folder(tmp_path: Path, name: str) -> None:
    export = archive(tmp_path / "x.tar.bz2", name)
    with pytest.raises(Refused, match="can't be unpacked"):
        unpacked(export, tmp_path / "unpacked")
    assert not list(tmp_path.rglob("outside"))


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    export = archive(tmp_path / "x.tar.bz2", "photo.jpg")
    with pytest.raises(Refused, match=r"holds no dataindex\.json"):
        unpacked(export, tmp_path / "unpacked")
