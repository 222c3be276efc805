# SPDX-License-Identifier: GPL-3.0-or-later
"""What the images take from Debian: a small root file system, a static busybox, and Valkey.

All want root. The small system is like the public ``debian:*-slim`` images: ``minbase`` without
manuals, translations and package lists.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import oci
import versions
from config import ClusterError

# Left out now, and by dpkg when a package is installed on top. Licences stay.
_UNWANTED = ("doc", "groff", "info", "linda", "lintian", "locale", "man")
_KEPT = ("copyright", "locale.alias")
_DPKG = "".join(
    [f"path-exclude /usr/share/{name}/*\n" for name in _UNWANTED]
    + [f"path-include /usr/share/*/{name}\n" for name in _KEPT]
)
# An image layer should not keep what apt can download again.
_APT = """\
Acquire::Languages "none";
Acquire::GzipIndexes "true";
APT::AutoRemove::SuggestsImportant "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };
"""
_SOURCES = """\
Types: deb
URIs: {mirror}
Suites: {suite} {suite}-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: {mirror}-security
Suites: {suite}-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
# This machine's names, and logs and lists of the installation.
_EMPTIED = (
    "dev",
    "var/cache/apt",
    "var/cache/debconf",
    "var/cache/ldconfig",
    "var/lib/apt/lists",
    "var/log",
)
_REMOVED = ("etc/hostname", "etc/resolv.conf", "etc/apt/sources.list")


def fill_slim(workspace: Path, layer: oci.Layer) -> None:
    """The small system. Takes about a minute."""
    root = workspace / "root"
    # In a mount namespace of its own a killed debootstrap leaves no mounts of proc and sys.
    debootstrap = ["unshare", "--mount", "debootstrap", "--variant=minbase"]
    _run([*debootstrap, versions.DEBIAN_SUITE, str(root), versions.DEBIAN_MIRROR], workspace)
    slim(root)
    layer.tree(root)


def fill_busybox(workspace: Path, layer: oci.Layer) -> None:
    """``/bin/busybox`` with a link for each of its commands, and ``/tmp``."""
    program = download_busybox(workspace)
    layer.folder("tmp", 0o1777)
    layer.folder("bin")
    layer.file("bin/busybox", program)
    for name in _run([str(program), "--list"], workspace).split():
        if name != "busybox":
            layer.link(f"bin/{name}", "busybox")


def fill_valkey(workspace: Path, layer: oci.Layer) -> None:
    """Valkey's server and client with the libraries that they load, and a busybox for a shell."""
    root = workspace / "root"
    for package in _download_with_dependencies(workspace / "apt", ["valkey-server"]):
        _run(["dpkg-deb", "--extract", str(package), str(root)], workspace)
    fill_busybox(workspace, layer)
    names = ("usr/bin/valkey-server", "usr/bin/valkey-cli")
    for name in (*names, *_libraries(root, names)):
        layer.file(name, (root / name).resolve())


def slim(root: Path) -> None:
    """Take away what a container does not need, and see that it does not come back."""
    for name in _UNWANTED:
        _clear(root / "usr/share" / name, keep=_KEPT)
    for name in _EMPTIED:
        _clear(root / name)
    for name in _REMOVED:
        (root / name).unlink(missing_ok=True)
    # apt's own user downloads into these.
    for name in ("var/cache/apt/archives/partial", "var/lib/apt/lists/partial"):
        (root / name).mkdir(parents=True)
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(_DPKG)
    (root / "etc/apt/apt.conf.d/slim").write_text(_APT)
    (root / "etc/apt/sources.list.d/debian.sources").write_text(
        _SOURCES.format(mirror=versions.DEBIAN_MIRROR, suite=versions.DEBIAN_SUITE)
    )


def _clear(folder: Path, keep: Sequence[str] = ()) -> None:
    """Remove all files below ``folder`` but those named in ``keep``, and folders left empty."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_symlink() or not path.is_dir():
            if path.name not in keep:
                path.unlink()
        elif not any(path.iterdir()):
            path.rmdir()


def download_busybox(folder: Path) -> Path:
    """Download Debian's static busybox into ``folder``; returns the path of the program."""
    download = ["apt-get", "download", "--quiet", "busybox-static"]
    try:
        _run(download, folder)
    except ClusterError:
        _run(["apt-get", "update", "--quiet"], folder)
        _run(download, folder)
    (package,) = folder.glob("busybox-static_*.deb")
    _run(["dpkg-deb", "--extract", str(package), str(folder / "busybox")], folder)
    return next(path for path in (folder / "busybox").glob("**/bin/busybox"))


def _download_with_dependencies(folder: Path, names: Sequence[str]) -> list[Path]:
    """Packages of DEBIAN_SUITE and all that they depend on; the machine may have another suite."""
    for part in ("sources", "lists/partial", "archives/partial"):
        (folder / part).mkdir(parents=True)
    # To apt nothing is installed.
    (folder / "status").touch()
    (folder / "sources/debian.sources").write_text(
        _SOURCES.format(mirror=versions.DEBIAN_MIRROR, suite=versions.DEBIAN_SUITE)
    )
    settings = {
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Dir::Cache": folder,
        "Dir::Cache::archives": folder / "archives",
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": folder / "sources",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "status",
    }
    apt = ["apt-get", "--quiet", *(f"--option={name}={value}" for name, value in settings.items())]
    _run([*apt, "update"], folder)
    _run([*apt, "install", "--yes", "--no-install-recommends", "--download-only", *names], folder)
    return sorted((folder / "archives").glob("*.deb"))


def _libraries(root: Path, programs: Sequence[str]) -> list[str]:
    """The shared libraries of programs below ``root`` and the loader, as its own loader says."""
    # base-files would bring the links from which programs expect their loader.
    for name in ("lib", "lib64"):
        if not (root / name).exists() and (root / "usr" / name).is_dir():
            (root / name).symlink_to(f"usr/{name}")
    (loader,) = root.glob("lib*/ld-linux-*.so.*")
    said = [
        _run(["chroot", str(root), f"/{loader.relative_to(root)}", "--list", f"/{name}"], root)
        for name in programs
    ]
    return sorted(loaded("".join(said)))


def loaded(said: str) -> set[str]:
    """Paths, without the first slash, in what a program's loader lists."""
    return set(re.findall(r"^\s*(?:\S+ => )?/(\S+) \(0x", said, re.MULTILINE))


def _run(command: Sequence[str], cwd: Path) -> str:
    # The date goes into /etc/shadow, among others.
    environment = {**os.environ, "LC_ALL": "C", "SOURCE_DATE_EPOCH": "0"}
    reply = subprocess.run(
        command, cwd=cwd, env=environment, text=True, capture_output=True, check=False
    )
    if reply.returncode != 0:
        said = (reply.stdout + reply.stderr).splitlines()[-15:]
        raise ClusterError(
            f"'{' '.join(command)}' failed ({reply.returncode}):\n" + "\n".join(said)
        )
    return reply.stdout
