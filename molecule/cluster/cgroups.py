# SPDX-License-Identifier: GPL-3.0-or-later
"""The cgroups below which a cluster's pods run: one in every hierarchy, or in the unified one."""

from __future__ import annotations

import time
from pathlib import Path

from config import Cluster, ClusterError
from processes import POLL

CGROUPS = Path("/sys/fs/cgroup")
_CONTROLLERS_V2 = ("cpuset", "cpu", "io", "memory", "pids")


def problem() -> str | None:
    """What is missing in the machine's cgroups, if anything."""
    unified = CGROUPS / "cgroup.controllers"
    if unified.exists():
        given = set(unified.read_text().split())
        wanted = {"cpu", "memory", "pids"}
    else:
        given = {folder.name for folder in CGROUPS.iterdir()} if CGROUPS.exists() else set()
        wanted = {"cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer", "blkio"}
    if missing := wanted - given:
        return (
            f"The kernel's cgroup controllers {', '.join(sorted(missing))} are not to be had below"
            f" {CGROUPS}. Boot a kernel that has them, or give this container its host's cgroups."
        )
    return None


def make(cluster: Cluster) -> None:
    """Have the cluster's own cgroup everywhere; the kubelet does not make its root itself."""
    for root in _roots():
        _make(root, cluster.label)


def remove(cluster: Cluster) -> None:
    """Remove them and all that containerd and the kubelet made below; no process may be left."""
    for folder in sorted(_all(cluster), key=lambda path: len(path.parts), reverse=True):
        _remove(folder)


def tops(cluster: Cluster) -> list[Path]:
    """The cluster's own cgroups that are there."""
    return [root / cluster.label for root in _roots() if (root / cluster.label).is_dir()]


def processes(cluster: Cluster) -> list[int]:
    """Everything that runs in the cluster's containers."""
    found: set[int] = set()
    for folder in _all(cluster):
        try:
            found.update(map(int, (folder / "cgroup.procs").read_text().split()))
        except OSError:
            continue
    return sorted(found)


def _roots() -> list[Path]:
    """Every hierarchy of version 1, or the one of version 2."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [folder for folder in sorted(CGROUPS.iterdir()) if folder.is_dir()]


def _make(root: Path, name: str) -> None:
    if (root / "cgroup.controllers").exists():
        given = (root / "cgroup.controllers").read_text().split()
        for controller in set(given).intersection(_CONTROLLERS_V2):
            (root / "cgroup.subtree_control").write_text(f"+{controller}")
    folder = root / name
    folder.mkdir(exist_ok=True)
    # In version 1 a new cpuset is empty, and no process can enter it.
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (folder / file).exists() and not (folder / "cgroup.controllers").exists():
            (folder / file).write_text((root / file).read_text())


def _all(cluster: Cluster) -> list[Path]:
    below = (path for top in tops(cluster) for path in top.rglob("*") if path.is_dir())
    return [*tops(cluster), *below]


def _remove(folder: Path) -> None:
    """A killed process leaves its cgroup a moment later."""
    deadline = time.monotonic() + 5
    while folder.exists():
        try:
            folder.rmdir()
        except OSError as error:
            if time.monotonic() > deadline:
                raise ClusterError(f"{folder} can't be removed: {error.strerror}") from error
            time.sleep(POLL / 2)
