# SPDX-License-Identifier: GPL-3.0-or-later
"""Write container images as OCI archives, which containerd, podman and skopeo all read.

Format: the image layout of https://github.com/opencontainers/image-spec, as one tar file. An image
has a single layer, not compressed: it goes no further than this machine.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_MEDIA = "application/vnd.oci.image"
# Of all images, so that the same files make the same image.
CREATED = "1970-01-01T00:00:00Z"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Settings:
    """How a container of the image starts when its pod says nothing else."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""


class Layer:
    """The files of an image: all owned by root unless they come from a tree, none with a date."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def folder(self, name: str, mode: int = 0o755) -> None:
        """An empty folder."""
        self._tar.addfile(_member(name, mode, tarfile.DIRTYPE))

    def file(self, name: str, source: Path, mode: int = 0o755) -> None:
        """A copy of ``source``."""
        member = _member(name, mode, tarfile.REGTYPE)
        member.size = source.stat().st_size
        with source.open("rb") as content:
            self._tar.addfile(member, content)

    def link(self, name: str, target: str) -> None:
        """A symbolic link."""
        member = _member(name, 0o777, tarfile.SYMTYPE)
        member.linkname = target
        self._tar.addfile(member)

    def tree(self, root: Path) -> None:
        """All below ``root`` with its owners and modes, except for devices and sockets."""
        for entry in sorted(root.iterdir()):
            self._tar.add(entry, arcname=entry.name, filter=_plain)


def write(archive: Path, reference: str, settings: Settings, fill: Callable[[Layer], None]) -> None:
    """Write the image ``reference`` (``host/name:tag``), whose layer ``fill`` makes."""
    layer = archive.with_suffix(".layer")
    try:
        with tarfile.open(layer, "w", format=tarfile.PAX_FORMAT) as tar:
            fill(Layer(tar))
        with archive.open("wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
            _write_layout(tar, layer, reference, settings)
    finally:
        layer.unlink(missing_ok=True)


def _write_layout(tar: tarfile.TarFile, layer: Path, reference: str, settings: Settings) -> None:
    with layer.open("rb") as content:
        layer_digest = "sha256:" + hashlib.file_digest(content, "sha256").hexdigest()
        content.seek(0)
        size = layer.stat().st_size
        _add(tar, _blob(layer_digest), content, size)
    target = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
    }
    config = _add_json(
        tar,
        "config",
        {
            **target,
            "config": _image_config(settings),
            # podman builds on the image only when history and layers agree, and finds what it has
            # built on it before only when its history has a time.
            "history": [{"created": CREATED, "created_by": "local cluster of thinkube.devpi"}],
            "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        },
    )
    manifest = _add_json(
        tar,
        "manifest",
        {
            "schemaVersion": 2,
            "mediaType": f"{_MEDIA}.manifest.v1+json",
            "config": config,
            "layers": [
                {"mediaType": f"{_MEDIA}.layer.v1.tar", "digest": layer_digest, "size": size}
            ],
        },
    )
    # The first name is podman's and skopeo's, the second containerd's.
    names = {"org.opencontainers.image.ref.name": reference, "io.containerd.image.name": reference}
    entry = {**manifest, "annotations": names, "platform": target}
    _add_text(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    _add_text(tar, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}))


def _image_config(settings: Settings) -> dict[str, Any]:
    config: dict[str, Any] = {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    }
    if settings.entrypoint:
        config["Entrypoint"] = list(settings.entrypoint)
    if settings.command:
        config["Cmd"] = list(settings.command)
    if settings.user:
        config["User"] = settings.user
    return config


def _add_json(tar: tarfile.TarFile, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """Add a blob; returns the descriptor that refers to it."""
    text = json.dumps(content, sort_keys=True)
    digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    _add_text(tar, _blob(digest), text)
    return {
        "mediaType": f"{_MEDIA}.{kind}.v1+json",
        "digest": digest,
        "size": len(text.encode()),
    }


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    _add(tar, name, io.BytesIO(text.encode()), len(text.encode()))


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    member = _member(name, 0o644, tarfile.REGTYPE)
    member.size = size
    tar.addfile(member, content)


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _member(name: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name.lstrip("/"))
    member.mode = mode
    member.type = kind
    return member


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Numbers instead of this machine's names, no date; a container gets devices of its own."""
    if member.isdev():
        return None
    member.uname = member.gname = ""
    member.mtime = 0
    return member
