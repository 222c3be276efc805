# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are uploaded: what is in them, and the form that carries one to an index.

PRIVATE to the collection. The names of the form's fields are those of PyPI's upload API, as far as
devpi 6 keeps them (``PrivateStage.metadata_keys``).
"""

from __future__ import annotations

import hashlib
import re
import tarfile
import typing as t
import uuid
import zipfile
from dataclasses import dataclass, field
from email import message_from_string
from pathlib import Path

from .errors import InputError

if t.TYPE_CHECKING:
    from email.message import Message

SUFFIXES = (".whl", ".tar.gz", ".tgz", ".tar.bz2", ".zip")
_SEVERAL = {
    "Classifier": "classifiers",
    "Dynamic": "dynamic",
    "License-File": "license_file",
    "Obsoletes": "obsoletes",
    "Obsoletes-Dist": "obsoletes_dist",
    "Platform": "platform",
    "Project-URL": "project_urls",
    "Provides": "provides",
    "Provides-Dist": "provides_dist",
    "Provides-Extra": "provides_extras",
    "Requires": "requires",
    "Requires-Dist": "requires_dist",
    "Requires-External": "requires_external",
    "Supported-Platform": "supported_platform",
}
_SINGLE = {
    name: name.lower().replace("-", "_")
    for name in (
        "Metadata-Version",
        "Name",
        "Version",
        "Author",
        "Author-email",
        "Description-Content-Type",
        "Download-URL",
        "Home-page",
        "Keywords",
        "License",
        "License-Expression",
        "Maintainer",
        "Maintainer-email",
        "Requires-Python",
        "Summary",
    )
}


def normalized(project: str) -> str:
    """Return a project's name as indexes spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", project).lower()


@dataclass(frozen=True)
class Distribution:
    """A wheel or source archive; ``fields`` are its metadata as fields of the upload form."""

    path: Path
    sha256: str
    fields: list[tuple[str, str]] = field(repr=False)

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name

    @property
    def project(self) -> str:
        return normalized(dict(self.fields)["name"])

    @property
    def version(self) -> str:
        return dict(self.fields)["version"]

    def form(self) -> tuple[bytes, str]:
        """Return the body of the upload and its content type; the file is held in memory."""
        is_wheel = self.name.endswith(".whl")
        fields = [
            (":action", "file_upload"),
            ("protocol_version", "1"),
            ("filetype", "bdist_wheel" if is_wheel else "sdist"),
            ("pyversion", self.name.split("-")[-3] if is_wheel else "source"),
            ("sha256_digest", self.sha256),
            *self.fields,
        ]
        boundary = uuid.uuid4().hex
        parts = [_part(boundary, f'name="{name}"') + value.encode() for name, value in fields]
        file = f'name="content"; filename="{self.name}"\r\nContent-Type: application/octet-stream'
        parts.append(_part(boundary, file) + self.path.read_bytes())
        parts.append(f"--{boundary}--\r\n".encode())
        return b"\r\n".join(parts), f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, disposition: str) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode()


def find_distributions(path: Path) -> list[Distribution]:
    """Return the distribution that a file is, or all that lie in a folder, by name.

    :raises InputError: if there is none, or one can't be read
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.name.endswith(SUFFIXES))
        if not files:
            wrong = "there is no wheel and no source archive in this folder"
            raise InputError(f"path is '{path}'", wrong, "Build one, or write another folder")
    elif path.is_file():
        files = [path]
    else:
        raise InputError(f"path is '{path}'", "there is no such file", "Write the path of one")
    return [read_distribution(file) for file in files]


def read_distribution(path: Path) -> Distribution:
    """Return what is in a wheel or source archive.

    :raises InputError: if it is none
    """
    if not path.name.endswith(SUFFIXES):
        wrong = "it is neither a wheel nor a source archive"
        raise InputError(f"path is '{path}'", wrong, f"Write a file with {', '.join(SUFFIXES)}")
    try:
        content = _metadata(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise InputError(
            f"path is '{path}'", f"it can't be read: {error}", "Build it anew"
        ) from error
    message = message_from_string(content.decode("utf-8", "replace"))
    if not message["Name"] or not message["Version"]:
        raise InputError(
            f"path is '{path}'", "its metadata has no name or version", "Build it anew"
        )
    return Distribution(path, digest, _fields(message))


def _metadata(path: Path) -> bytes:
    """Return METADATA of a wheel, PKG-INFO of a source archive; empty if there is none."""
    wanted = r"[^/]+\.dist-info/METADATA" if path.name.endswith(".whl") else r"[^/]+/PKG-INFO"
    if path.name.endswith((".whl", ".zip")):
        with zipfile.ZipFile(path) as zipped:
            for name in zipped.namelist():
                if re.fullmatch(wanted, name):
                    return zipped.read(name)
        return b""
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member) if re.fullmatch(wanted, member.name) else None
            if file:
                return file.read()
    return b""


def _fields(message: Message) -> list[tuple[str, str]]:
    fields = [(key, str(message[name])) for name, key in _SINGLE.items() if name in message]
    for name, key in _SEVERAL.items():
        fields += [(key, str(value)) for value in message.get_all(name, [])]
    body = str(message.get_payload())
    return [*fields, ("description", body if body.strip() else message.get("Description", ""))]
