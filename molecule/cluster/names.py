# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's host names (/etc/hosts, DNS in the cluster), and its inventory for Ansible."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

from config import HERE, Cluster, render
from record import machine_lock, write_file

HOSTS = Path("/etc/hosts")


def addresses(cluster: Cluster) -> dict[IPv4Address, list[str]]:
    """Which names lead where; the node's are served by the ingress."""
    served = ("devpi", "devpi-api", "keycloak")
    return {
        cluster.node_address: [
            cluster.domain,
            *(f"{name}.{cluster.domain}" for name in served),
        ],
        cluster.registry_address: [cluster.registry],
    }


def lines(cluster: Cluster) -> list[str]:
    """The same as lines of a hosts file, without a mark."""
    return [f"{address} {' '.join(names)}" for address, names in addresses(cluster).items()]


def with_lines(text: str, cluster: Cluster) -> str:
    """A hosts file with this cluster's lines at its end, marked, and no older ones."""
    kept = without_lines(text, cluster)
    if kept and not kept.endswith("\n"):
        kept += "\n"
    return kept + "".join(f"{line} {_mark(cluster)}\n" for line in lines(cluster))


def without_lines(text: str, cluster: Cluster) -> str:
    """A hosts file without this cluster's lines; all others stay byte by byte."""
    kept = [
        line
        for line in text.splitlines(keepends=True)
        if not line.rstrip().endswith(f" {_mark(cluster)}")
    ]
    return "".join(kept)


def enter(cluster: Cluster) -> None:
    """Have the names in /etc/hosts."""
    with machine_lock():
        text = HOSTS.read_text()
        if any(f"{line} {_mark(cluster)}" not in text.splitlines() for line in lines(cluster)):
            _rewrite(with_lines(text, cluster))


def are_entered(cluster: Cluster) -> bool:
    """Whether /etc/hosts has the names as they are now."""
    found = HOSTS.read_text().splitlines()
    return all(f"{line} {_mark(cluster)}" in found for line in lines(cluster))


def remove(cluster: Cluster) -> None:
    """Take the cluster's lines out of /etc/hosts."""
    with machine_lock():
        text = HOSTS.read_text()
        kept = without_lines(text, cluster)
        if kept != text:
            _rewrite(kept)


def leftovers(cluster: Cluster) -> Iterator[str]:
    """What ``down`` would have to remove."""
    text = HOSTS.read_text()
    if without_lines(text, cluster) != text:
        yield f"lines in {HOSTS} marked '{_mark(cluster)}'"


def taken_elsewhere(cluster: Cluster) -> list[str]:
    """Lines of /etc/hosts that are not ours and give one of the names another address."""
    wanted = {name: str(address) for address, names in addresses(cluster).items() for name in names}
    found = []
    for line in without_lines(HOSTS.read_text(), cluster).splitlines():
        words = line.partition("#")[0].split()
        if any(wanted.get(name, words[0]) != words[0] for name in words[1:]):
            found.append(line.strip())
    return found


def write_inventory(cluster: Cluster) -> None:
    """An inventory as any user would write it; the password stays in the environment."""
    (cluster.inventory / "group_vars").mkdir(parents=True, exist_ok=True)
    values = cluster.placeholders()
    for template, target in (
        ("inventory-hosts.yaml", cluster.inventory / "hosts.yaml"),
        ("inventory-all.yaml", cluster.inventory / "group_vars/all.yaml"),
    ):
        write_file(target, render(HERE / "config" / template, values))


def _mark(cluster: Cluster) -> str:
    return f"# {cluster.label}"


def _rewrite(text: str) -> None:
    try:
        write_file(HOSTS, text, HOSTS.stat().st_mode & 0o777)
    except OSError:
        # In a container the file is a mount of its own and can't be replaced.
        HOSTS.with_name(f".{HOSTS.name}.new").unlink(missing_ok=True)
        HOSTS.write_text(text)
