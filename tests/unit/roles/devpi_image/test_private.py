# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

from devpi_image.private import write_private


def test_a_file_is_ours_alone_whatever_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o755)
    (folder / "file").write_text("older and longer")
    (folder / "file").chmod(0o644)
    file = write_private(folder / "file", b"new")
    assert file == folder / "file"
    assert file.read_bytes() == b"new"
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
