# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as they come: what is read from them, and the form they are sent by."""

from __future__ import annotations

import email
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.distributions import (
    find_distributions,
    normalized,
    read_distribution,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.errors import InputError

METADATA = (
    "Metadata-Version: 2.1\nName: My.Project\nVersion: 1.0\nAuthor: Ünal\nDescription: short\n"
)


def zipped(file: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return file


def tarred(file: Path, files: dict[str, str | None]) -> Path:
    with tarfile.open(file, f"w:{file.suffix[1:].replace('tgz', 'gz')}") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE if text is None else tarfile.REGTYPE
            content = (text or "").encode()
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file


def test_a_wheel(tmp_path: Path) -> None:
    name = "my_project-1.0-py3-none-any.whl"
    wheel = read_distribution(
        zipped(tmp_path / name, {"my_project-1.0.dist-info/METADATA": METADATA})
    )
    assert (wheel.name, wheel.project, wheel.version) == (name, "my-project", "1.0")
    assert wheel.sha256 == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    fields = dict(wheel.fields)
    assert (fields["author"], fields["description"]) == ("Ünal", "short")

    body, content_type = wheel.form()
    form = email.message_from_bytes(f"Content-Type: {content_type}\n\n".encode() + body)
    parts = {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)
        for part in form.walk()
        if not part.is_multipart()
    }
    assert parts[":action"] == b"file_upload"
    assert (parts["filetype"], parts["pyversion"]) == (b"bdist_wheel", b"py3")
    assert parts["author"] == "Ünal".encode()
    assert parts["content"] == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar.bz2"])
def test_a_source_archive(tmp_path: Path, suffix: str) -> None:
    files = {"p-1.0": None, "p-1.0/a/PKG-INFO": "Name: wrong", "p-1.0/PKG-INFO": METADATA}
    source = read_distribution(tarred(tmp_path / f"p-1.0{suffix}", files))
    assert (source.project, source.version) == ("my-project", "1.0")
    assert b'name="filetype"\r\n\r\nsdist\r\n' in source.form()[0]


def test_a_source_archive_that_is_zipped(tmp_path: Path) -> None:
    source = read_distribution(zipped(tmp_path / "p-1.0.zip", {"p-1.0/PKG-INFO": METADATA}))
    assert source.version == "1.0"


def test_a_folder(tmp_path: Path) -> None:
    for name in ("b", "a"):
        zipped(tmp_path / f"{name}-1.0.zip", {"p-1.0/PKG-INFO": METADATA})
    (tmp_path / "a-1.0.zip.asc").write_text("a signature")
    assert [found.name for found in find_distributions(tmp_path)] == ["a-1.0.zip", "b-1.0.zip"]
    assert [found.name for found in find_distributions(tmp_path / "a-1.0.zip")] == ["a-1.0.zip"]


def test_what_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "text.tar.gz").write_text("x")
    zipped(tmp_path / "a.whl", {"a.py": ""})
    tarred(tmp_path / "a.tgz", {"a/setup.py": ""})
    zipped(tmp_path / "b.whl", {"b.dist-info/METADATA": "Name: b\n"})
    for name, words in {
        "nosuch.whl": "there is no such file",
        "notes.txt": "neither a wheel nor a source archive",
        "text.tar.gz": "it can't be read",
        "a.whl": "its metadata has no name or version",
        "a.tgz": "its metadata has no name or version",
        "b.whl": "its metadata has no name or version",
    }.items():
        with pytest.raises(InputError, match=words):
            find_distributions(tmp_path / name)


def test_names_of_projects() -> None:
    assert normalized("My__Project.X-y") == "my-project-x-y"
