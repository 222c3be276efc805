# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns which cluster: a record per name, for the whole machine, and the locks around it.

A copy lies in the state folder, so that a reboot (which empties /run) loses neither the slot nor
the name.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config import RUN_ROOT, SLOTS, Cluster, ClusterError, state_folder


def clusters() -> list[Cluster]:
    """All clusters of this machine, other checkouts' too."""
    found = (_read(path) for path in sorted(RUN_ROOT.glob("*/cluster.json")))
    return [cluster for cluster in found if cluster is not None]


def find(name: str) -> Cluster | None:
    """The cluster of this name as it is recorded for the machine, or else in this checkout."""
    here = state_folder(name)
    return _read(RUN_ROOT / name / "cluster.json") or _read(here / "cluster.json", state=here)


def ownership_problem(name: str) -> str | None:
    """Why this checkout must not touch the cluster of this name, if so."""
    owner = _read(RUN_ROOT / name / "cluster.json")
    here = state_folder(name)
    # Not the folder: a kubelet that runs on brings it back after it was removed.
    if owner is None or owner.state == here or not (owner.state / "cluster.json").exists():
        return None
    return (
        f"The cluster '{name}' belongs to another checkout ({owner.state}). Take another name"
        f" (--name), or end that one there first."
    )


def claim(name: str, is_free: dict[int, bool] | None = None) -> Cluster:
    """Take the name for this checkout and a free slot for the name; the same again next time."""
    state = state_folder(name)
    with machine_lock():
        problem = ownership_problem(name)
        if problem:
            raise ClusterError(problem)
        owner = _read(RUN_ROOT / name / "cluster.json")
        if owner is not None and owner.state != state:
            raise ClusterError(
                f"The cluster '{name}' was made by a checkout that is gone ({owner.state})."
                f" Remove what it left: python3 molecule/cluster down --name {name}"
            )
        taken = {other.slot for other in clusters() if other.name != name}
        cluster = owner or _read(state / "cluster.json", state=state)
        if cluster is None:
            cluster = Cluster(name, free_slot(taken, is_free or {}), state)
        elif cluster.slot in taken:
            raise ClusterError(
                f"The addresses of the stopped cluster '{name}' ({cluster.network}) were given to"
                f" another one. Make it anew: python3 molecule/cluster down --name {name}"
            )
        for folder in (state, cluster.run):
            folder.mkdir(parents=True, exist_ok=True)
            write_file(folder / "cluster.json", _content(cluster))
    return cluster


def free_slot(taken: set[int], is_free: dict[int, bool]) -> int:
    """The lowest slot that neither a cluster nor (``is_free``) one of the host's networks uses."""
    for slot in SLOTS:
        if slot not in taken and is_free.get(slot, True):
            return slot
    raise ClusterError("No addresses are left in 10.213.0.0/16. End a cluster that is not needed.")


@contextmanager
def machine_lock() -> Iterator[None]:
    """Held for moments, around what all clusters share: slots, /etc/hosts, sysctls."""
    with _locked(RUN_ROOT):
        yield


@contextmanager
def cluster_lock(name: str) -> Iterator[None]:
    """Held by ``up`` and ``down`` of a name from beginning to end; a second one waits."""
    with _locked(RUN_ROOT / name):
        yield


def remove_run_folders(name: str) -> None:
    """Remove the machine-wide folders, if they are empty."""
    for folder in (RUN_ROOT / name, RUN_ROOT):
        try:
            folder.rmdir()
        except OSError:
            return


def write_file(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file in one go: it has its old content or the new one, and never a wider mode."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as stream:
        os.fchmod(descriptor, mode)
        stream.write(text)
    fresh.rename(path)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # The one before us may have removed the folder, and a third one made a new one.
            if folder.exists() and os.path.samestat(os.fstat(descriptor), folder.stat()):
                yield
                return
        finally:
            os.close(descriptor)


def _content(cluster: Cluster) -> str:
    content = {"name": cluster.name, "slot": cluster.slot, "state": str(cluster.state)}
    return json.dumps(content, indent=2) + "\n"


def _read(path: Path, state: Path | None = None) -> Cluster | None:
    """``state`` overrides the recorded folder: a checkout can have been moved."""
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return Cluster(content["name"], int(content["slot"]), state or Path(content["state"]))
