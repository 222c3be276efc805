# SPDX-License-Identifier: GPL-3.0-or-later
"""Small wheels and source archives, whose content is said by a word."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

METADATA = """\
Metadata-Version: 2.1
Name: {name}
Version: {version}
Summary: Über {name}
Requires-Dist: flask>=3
Requires-Dist: click
Classifier: Private :: Do Not Upload
Requires-Python: >=3.9

# A description
"""


def wheel(folder: Path, name: str, version: str, word: str = "one") -> Path:
    """A wheel with one module."""
    file = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr(f"{name}.py", f"word = {word!r}\n")
        zipped.writestr(f"{info}/METADATA", METADATA.format(name=name, version=version))
        zipped.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        zipped.writestr(f"{info}/RECORD", "")
    return file


def sdist(folder: Path, name: str, version: str, word: str = "one") -> Path:
    """A source archive; the metadata of a test in its folder is not the package's."""
    top = f"{name}-{version}"
    file = folder / f"{top}.tar.gz"
    wrong = METADATA.format(name="wrong", version="9")
    files = {
        f"{top}/tests/data/PKG-INFO": wrong,
        f"{top}/PKG-INFO": METADATA.format(name=name, version=version),
        f"{top}/{name}.py": f"word = {word!r}\n",
    }
    with tarfile.open(file, "w:gz") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return file
