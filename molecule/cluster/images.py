# SPDX-License-Identifier: GPL-3.0-or-later
"""The container images of the cluster, as OCI archives: ``ensure()`` gives their paths.

An image of a Go program holds that program at ``/<name>`` and an empty ``/tmp``, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import binaries
import cache
import debian
import oci
import versions
from progress import Progress

HERE = Path(__file__).resolve().parent
# The number that images without a user database have agreed on for "nobody".
NOBODY = "65532:65532"


@dataclass(frozen=True)
class Image:
    """How to make an image, and what it is made of.

    ``fill`` gets the folder of the programs, an empty one to work in, and the layer.
    """

    settings: oci.Settings
    fill: Callable[[Path, Path, oci.Layer], None]
    inputs: Callable[[], Sequence[str | Path]]


def _program(name: str) -> Image:
    def fill(programs: Path, _: Path, layer: oci.Layer) -> None:
        layer.folder("tmp", 0o1777)
        layer.file(name, programs / name)

    return Image(
        oci.Settings(entrypoint=(f"/{name}",), user=NOBODY),
        fill,
        lambda: (binaries.program(name).key, HERE / "images.py"),
    )


def _debian(fill: Callable[[Path, oci.Layer], None], command: str, user: str = "") -> Image:
    chosen = (versions.DEBIAN_SUITE, versions.DEBIAN_MIRROR, versions.DEBIAN_BUILD)
    return Image(
        oci.Settings(command=(command,), user=user),
        lambda _, workspace, layer: fill(workspace, layer),
        lambda: (*chosen, HERE / "debian.py"),
    )


IMAGES = {
    "pause": _program("pause"),
    "coredns": _program("coredns"),
    "traefik": _program("traefik"),
    "local-path": _program("local-path-provisioner"),
    "oauth2-proxy": _program("oauth2-proxy"),
    "busybox": _debian(debian.fill_busybox, "sh"),
    "debian": _debian(debian.fill_slim, "bash"),
    "valkey": _debian(debian.fill_valkey, "valkey-server", NOBODY),
}


def archive(name: str) -> Path:
    """Where the archive of an image is, or will be."""
    image = IMAGES[name]
    made_of = (versions.IMAGES[name], repr(image.settings), HERE / "oci.py", *image.inputs())
    return cache.root() / "images" / cache.digest(*made_of) / f"{name}.tar"


def ensure(programs: Path, progress: Progress) -> dict[str, Path]:
    """Make the archives that are missing, from the folder that ``binaries.ensure()`` gave.

    Returns short name -> archive; the reference inside it is ``versions.IMAGES[name]``. Raises
    ClusterError when Debian's packages cannot be had. Needs root and DEBIAN_PACKAGES_IMAGES.
    """
    archives = {name: archive(name) for name in IMAGES}
    if all(path.is_file() for path in archives.values()):
        return archives
    with cache.builder(cache.root() / "images", progress):
        for name, path in archives.items():
            if not path.is_file():
                with progress.step(f"making the image {name}"):
                    _make(name, programs, path)
    return archives


def _make(name: str, programs: Path, path: Path) -> None:
    image = IMAGES[name]
    with (
        cache.workspace(path.parent.parent) as workspace,
        cache.new_folder(path.parent) as new,
    ):
        oci.write(
            new / path.name,
            versions.IMAGES[name],
            image.settings,
            partial(image.fill, programs, workspace),
        )
