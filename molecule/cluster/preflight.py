# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be right before anything is touched; all that is wrong is said at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import binaries
import cgroups
import keycloak
import keycloak_program
import names
import network
import node
import record
import registry
import versions
from config import NAME_RULE, ClusterError, is_name, state_folder
from processes import pid, recorded_names, succeeds
from progress import Progress

GIB = 1024**3
# Images, their unpacked layers, the registry's copy, and room for what is installed.
DISK_GIB = 5.0
# Program or file -> the Debian package it comes from.
PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "nft": "nftables",
    "ip": "iproute2",
    "iptables": "iptables",
    "docker-registry": "docker-registry",
    "htpasswd": "apache2-utils",
    "openssl": "openssl",
    "podman": "podman",
    "skopeo": "skopeo",
    "nsenter": "util-linux",
    "umount": "mount",
    "java": "default-jre-headless",
}
# Their packages bring a service that Debian starts at once and at every boot.
_SERVICES = ("containerd", "docker-registry", "podman", "podman-auto-update", "podman-restart")
_POLICY = Path("/usr/sbin/policy-rc.d")


def check_inputs(name: str) -> None:
    """What has to be right before even a lock can be taken."""
    if found := list(_input_problems(name)):
        raise ClusterError(_listing(found))


def check(name: str, progress: Progress) -> None:
    """Raise ClusterError with all problems; install Debian packages that are missing."""
    with progress.step("looking at this machine"):
        if found := list(_machine_problems(name)):
            raise ClusterError(_listing(found))
    if missing := missing_packages():
        with (
            progress.step(f"installing Debian packages: {' '.join(missing)}"),
            record.machine_lock(),
        ):
            # Another cluster's `up` may have installed them meanwhile.
            install(missing_packages())
    # These need the programs that may just have come.
    if found := [*_kernel_problems(state_folder(name)), *_running_problems(name)]:
        raise ClusterError(_listing(found))


def missing_packages() -> list[str]:
    """Debian packages whose programs are not there."""
    packages = [package for program, package in PROGRAMS.items() if not _is_there(program)]
    if not shutil.which("debootstrap"):
        packages += versions.DEBIAN_PACKAGES_IMAGES
    if not keycloak_program.is_there() and not shutil.which("mvn"):
        packages.append("maven")
    return sorted(set(packages))


def install(packages: list[str]) -> None:
    """Install packages by apt-get, without starting the services that come with them."""
    if not packages:
        return
    had = {service for service in _SERVICES if _has_service(service)}
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "--assume-yes"]
    with _no_services_started():
        _apt([*apt, "update"], packages)
        _apt([*apt, "install", "--no-install-recommends", *packages], packages)
    for service in _SERVICES:
        if service not in had and _has_service(service):
            succeeds("systemctl", "disable", service)


def _input_problems(name: str) -> Iterator[str]:
    if not is_name(name):
        yield f"'{name}' can't name a cluster. Give {NAME_RULE}."
    if os.geteuid() != 0:
        yield (
            "You are not root. The cluster needs network namespaces, mounts and cgroups: run this"
            " as root (with sudo)."
        )


def _machine_problems(name: str) -> Iterator[str]:
    if problem := record.ownership_problem(name):
        yield problem
    yield from binaries.problems()
    yield from _disk_problems(state_folder(name))
    if problem := cgroups.problem():
        yield problem
    if missing_packages() and not shutil.which("apt-get"):
        yield (
            f"These Debian packages are missing: {' '.join(missing_packages())}, and apt-get is"
            f" not there to install them. Install what corresponds to them on this system."
        )
    yield from _resolver_problems(Path("/etc/resolv.conf").read_text())


def _resolver_problems(resolv_conf: str) -> Iterator[str]:
    if "nameserver" in resolv_conf and not network.host_resolvers():
        yield (
            "All name servers in /etc/resolv.conf are on this machine's loopback interface, where"
            " pods can't reach them. Name one there that can be reached by its address."
        )


def _disk_problems(state: Path) -> Iterator[str]:
    place = _existing(state)
    free = shutil.disk_usage(place).free / GIB
    if free < DISK_GIB and not (state / "etcd").exists():
        yield (
            f"Too little disk: the cluster needs {DISK_GIB:.0f} GiB on the file system of {place},"
            f" {free:.1f} GiB are free. Free some, or clone the project to a larger one."
        )


def _kernel_problems(state: Path) -> Iterator[str]:
    for what, command in _kernel_trials():
        if not succeeds("unshare", "--net", *command):
            yield (
                f"The kernel has no {what} ('{' '.join(command)}' fails in a network namespace of"
                f" its own). Load the module, or boot a kernel that has it."
            )
    if not Path("/proc/sys/net/bridge").exists() and not succeeds("modprobe", "br_netfilter"):
        yield (
            "The kernel has no filter for bridges: /proc/sys/net/bridge is missing and 'modprobe"
            " br_netfilter' fails. Boot a kernel that has it."
        )
    if not _overlay_works(_existing(state)):
        yield (
            f"An overlay can't be mounted below {_existing(state)}: the kernel has none, or that"
            f" file system can't carry one. Clone the project to an ext4 or xfs file system."
        )


def _kernel_trials() -> Iterator[tuple[str, list[str]]]:
    """Each works in a namespace that is gone with it, so nothing is touched."""
    yield "veth pairs", ["ip", "link", "add", "name", "a", "type", "veth", "peer", "name", "b"]
    yield "bridges", ["ip", "link", "add", "name", "a", "type", "bridge"]
    yield "nftables", ["nft", "add table ip a; add map ip a m { type ipv4_addr : verdict; }"]
    yield (
        "connection tracking and translation of addresses",
        [
            "nft",
            "add table ip a; add chain ip a c { type nat hook postrouting priority 100; };"
            " add rule ip a c ct state new masquerade",
        ],
    )
    yield (
        "iptables, as the port mapping of pods uses it,",
        ["iptables", "-t", "nat", "-A", "PREROUTING", "-m", "addrtype", "--dst-type", "LOCAL"],
    )


def _running_problems(name: str) -> Iterator[str]:
    cluster = record.find(name)
    if cluster is None:
        return
    yield from network.address_problems(cluster)
    known = {name: pid(cluster, name) for name in recorded_names(cluster)}
    own = {number for number in known.values() if number is not None}
    yield from network.port_problems(
        cluster, {**node.PORTS, **registry.PORTS, **keycloak.PORTS}, own
    )
    for line in names.taken_elsewhere(cluster):
        yield (
            f"/etc/hosts gives a name of the cluster '{name}' another address ('{line}')."
            f" Remove that line."
        )


def _overlay_works(place: Path) -> bool:
    with tempfile.TemporaryDirectory(prefix=".overlay-", dir=place) as folder:
        paths = [Path(folder) / part for part in ("lower", "upper", "work", "merged")]
        for path in paths:
            path.mkdir()
        lower, upper, work, merged = paths
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        # In a mount namespace of its own, which takes the mount away with it.
        return succeeds(
            "unshare", "--mount", "mount", "-t", "overlay", "-o", options, "overlay", merged
        )


@contextmanager
def _no_services_started() -> Iterator[None]:
    """policy-rc.d is what Debian's maintainer scripts ask; an administrator's own one stays."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\n# thinkube-devpi: for the time of an installation\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


def _apt(command: list[str], packages: list[str]) -> None:
    """In a session of its own: a Ctrl-C must not hit dpkg halfway through a package."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate()
    except KeyboardInterrupt:
        process.wait()
        raise
    if process.returncode != 0:
        lines = "\n".join(f"    {line}" for line in said.strip().splitlines()[-8:])
        raise ClusterError(
            f"The Debian packages {' '.join(packages)} are missing and could not be installed:\n"
            f"{lines}\n  Install them by hand, then start again."
        )


def _has_service(name: str) -> bool:
    return any(
        (Path(folder) / f"{name}.service").exists()
        for folder in ("/lib/systemd/system", "/usr/lib/systemd/system", "/etc/systemd/system")
    )


def _is_there(program: str) -> bool:
    if program.startswith("/"):
        return Path(program).exists()
    return shutil.which(program, path=_search_path(os.environ)) is not None


def _search_path(environment: Mapping[str, str]) -> str:
    return f"{environment.get('PATH', '')}:/usr/sbin:/sbin"


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


def _listing(problems: list[str]) -> str:
    return "\n".join(problems) if len(problems) == 1 else "\n".join(f"- {one}" for one in problems)
