# SPDX-License-Identifier: GPL-3.0-or-later
"""What clusters change for the whole machine, and how it was before the first one came."""

from __future__ import annotations

import json
from pathlib import Path

from config import RUN_ROOT
from record import clusters, machine_lock, write_file

_SYSCTLS = Path("/proc/sys")
_BEFORE = RUN_ROOT / "before.json"
_FORWARDING = "net/ipv4/ip_forward"
# The last ones are what the kubelet sets when it starts.
_CHANGED = (
    _FORWARDING,
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
)
_DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
# Where containerd and the kubelet write whatever they are told; deepest first.
_FOLDERS = (
    "/var/lib/cni/results",
    "/var/lib/cni",
    "/var/log/containers",
    str(_DEVICE_PLUGINS),
    "/var/lib/kubelet",
    "/run/containerd/s",
    "/run/containerd",
    "/etc/containers/certs.d",
)


def prepare() -> None:
    """Note how things are, once, and let the host forward packets."""
    with machine_lock():
        if not _BEFORE.exists():
            values = {name: _read(name) for name in _CHANGED if (_SYSCTLS / name).exists()}
            absent = [folder for folder in _FOLDERS if not Path(folder).exists()]
            content = {"sysctls": values, "absent": absent}
            write_file(_BEFORE, json.dumps(content, indent=2) + "\n")
        if _read(_FORWARDING) != "1":
            _write(_FORWARDING, "1")


def restore(leaving: str) -> None:
    """Put things back if no cluster but the one named ``leaving`` is recorded."""
    with machine_lock():
        if not _BEFORE.exists() or any(cluster.name != leaving for cluster in clusters()):
            return
        before = json.loads(_BEFORE.read_text())
        for name, value in before["sysctls"].items():
            if _read(name) != value:
                _write(name, value)
        for folder in map(Path, before["absent"]):
            _remove_if_unused(folder)
        _BEFORE.unlink()


def is_changed() -> bool:
    """Whether something has not been put back that no cluster needs any more."""
    return _BEFORE.exists() and not clusters()


def _remove_if_unused(folder: Path) -> None:
    if folder == _DEVICE_PLUGINS and folder.is_dir():
        for name in ("kubelet.sock", "kubelet_internal_checkpoint", "DEPRECATION"):
            (folder / name).unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:
        pass


def _read(sysctl: str) -> str:
    return (_SYSCTLS / sysctl).read_text().strip()


def _write(sysctl: str, value: str) -> None:
    (_SYSCTLS / sysctl).write_text(value)
