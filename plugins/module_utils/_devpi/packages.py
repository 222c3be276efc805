# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases on an index: what is there, what is to be uploaded, pushed or removed, and doing it.

PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from .api import path_of
from .distributions import normalized
from .errors import ApiError, InputError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .api import Api
    from .distributions import Distribution


@dataclass(frozen=True)
class File:
    """A file of a release; ``sha256`` is empty where a mirrored index tells another hash."""

    name: str
    version: str
    sha256: str
    url: str


def files_of(api: Api, index: str, project: str, *, bases: bool = False) -> dict[str, File]:
    """Return the files of a project on an index by name, or on its bases too; {} if none.

    :raises ApiError: also for an index that does not exist
    """
    query = "" if bases else "?ignore_bases="
    path = path_of(f"{index}/{normalized(project)}")
    try:
        versions = api.call("GET", path + query)
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        # A project that is not there, or an index: asking for the index raises for the latter.
        api.index(index)
        return {}
    files = {}
    for version, data in versions.items():
        for link in data.get("+links", []):
            if link["rel"] == "releasefile":
                name = unquote(urlsplit(link["href"]).path.rpartition("/")[2])
                files[name] = File(name, version, _sha256(link), link["href"])
    return files


def _sha256(link: Mapping[str, t.Any]) -> str:
    hashes = link.get("hashes") or {}
    kind, _sign, value = (link.get("hash_spec") or "").partition("=")
    return str(hashes.get("sha256", value if kind == "sha256" else ""))


@dataclass(frozen=True)
class Index:
    """The index that is written to, as the server has it."""

    name: str
    volatile: bool


def writable(api: Api, name: str) -> Index:
    """Return the index of this name.

    :raises ApiError: if there is none
    :raises InputError: if its type takes no releases
    """
    config = api.index(name)
    if config["type"] not in ("stage", "local"):
        wrong = f"it is of type {config['type']!r}, which takes no releases"
        raise InputError(f"index is {name!r}", wrong, "Write an index of type 'stage'")
    return Index(name, bool(config["volatile"]))


def to_upload(api: Api, index: Index, found: Iterable[Distribution]) -> list[Distribution]:
    """Return those of the distributions that the index does not have with the same content.

    :raises InputError: if it has one with other content, and may not lose it
    """
    found = list(found)
    there: dict[str, File] = {}
    for project in {distribution.project for distribution in found}:
        there.update(files_of(api, index.name, project))
    return [
        distribution
        for distribution in found
        if differs(index, there.get(distribution.name), distribution.name, distribution.sha256)
    ]


def to_push(api: Api, index: Index, source: str, project: str, version: str) -> list[File]:
    """Return those files of a release on another index that this index does not have.

    :raises InputError: if the release has no files, or if one is here with other content
    """
    release = [file for file in files_of(api, source, project).values() if file.version == version]
    if not release:
        wrong = f"no release/files found for {project} {version}"
        raise InputError(f"source is {source!r}", wrong, "Write an index that has this release")
    there = files_of(api, index.name, project)
    return [
        file for file in release if differs(index, there.get(file.name), file.name, file.sha256)
    ]


def differs(index: Index, there: File | None, name: str, sha256: str) -> bool:
    """Say whether a file has to be brought to an index; an unknown hash counts as the same.

    :raises InputError: if the index may not lose the one that it has
    """
    if there is None:
        return True
    if not sha256 or there.sha256 in ("", sha256):
        return False
    if not index.volatile:
        wrong = (
            f"{name} already exists in non-volatile index {index.name} with other content"
            f" (sha256 {there.sha256[:12]}... there, {sha256[:12]}... here)"
        )
        raise InputError(f"{name} for {index.name!r}", wrong, "Give what is new a new version")
    return True


def upload(api: Api, index: Index, distribution: Distribution) -> None:
    """Send one file; ApiError with the server's words if it refuses that."""
    body, content_type = distribution.form()
    api.post(f"{path_of(index.name)}/", body, content_type)


def push(api: Api, index: Index, source: str, project: str, version: str) -> None:
    """Let the server copy a release from another index."""
    order = {"name": project, "version": version, "targetindex": index.name}
    api.call("POST", path_of(source), order)


def check_removal(index: Index, *, force: bool) -> None:
    """Raise InputError if the index keeps what it has and this is not ``force``."""
    if not index.volatile and not force:
        raise InputError(
            f"index is {index.name!r}",
            "cannot delete version on non-volatile index",
            "Keep it, or write 'force: true'",
        )


def remove(api: Api, index: Index, project: str, version: str) -> None:
    """Remove a version with all of its files; one that is gone is no error."""
    query = "" if index.volatile else "?force="
    api.delete(path_of(f"{index.name}/{normalized(project)}/{version}") + query)
