# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's network namespace, joined to the host by a veth pair.

All ports, bridges and nft tables of the cluster are in there; the host gets one interface, one
masquerade table and, on a host that forwards nothing by default, two accepting rules.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path

from config import HERE, PODS, SLOTS, Cluster, render
from processes import all_pids, command_line, inside, run, succeeds
from record import clusters, write_file

_DEFAULT_MTU = 1500
_RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def up(cluster: Cluster) -> None:
    """Bring the namespace, its interfaces, addresses and rules to their state."""
    if not _is_namespace(cluster):
        cluster.netns.touch()
        # Not `ip netns add`: it mounts /run/netns onto itself, and pods can't be removed any more.
        run("unshare", f"--net={cluster.netns}", "true")
    if not _interface_exists(cluster):
        run(
            *f"ip link add {cluster.interface} type veth peer name eth0 netns".split(),
            cluster.netns,
        )
    size = _way_out_mtu()
    run("ip", "-batch", "-", text=_host_links(cluster, size))
    run(*inside(cluster, "ip", "-batch", "-"), text=_inner_links(cluster, size))
    # Services answer through the bridge, and policy holds between pods on it, only with the second.
    run(*inside(cluster, "tee", "/proc/sys/net/ipv4/ip_forward"), text="1")
    run(*inside(cluster, "tee", "/proc/sys/net/bridge/bridge-nf-call-iptables"), text="1")
    values = cluster.placeholders()
    run("nft", "-f", "-", text=render(HERE / "config/host.nft", values))
    run(*inside(cluster, "nft", "-f", "-"), text=render(HERE / "config/node.nft", values))
    if _host_drops_forwarded():
        for rule in _forward_rules(cluster):
            if not succeeds("iptables", "-C", "FORWARD", *rule):
                run("iptables", "-I", "FORWARD", *rule)


def down(cluster: Cluster) -> None:
    """Remove all of it; only what is there, so that it can be done again."""
    if _interface_exists(cluster):
        run("ip", "link", "delete", cluster.interface)
    if _is_namespace(cluster):
        run("umount", "-l", cluster.netns)
    cluster.netns.unlink(missing_ok=True)
    run("nft", "-f", "-", text=f"add table ip {cluster.label}\ndelete table ip {cluster.label}\n")
    for rule in _forward_rules(cluster):
        while succeeds("iptables", "-C", "FORWARD", *rule):
            run("iptables", "-D", "FORWARD", *rule)


def leftovers(cluster: Cluster) -> Iterator[str]:
    """What ``down`` would have to remove."""
    if _interface_exists(cluster):
        yield f"network interface {cluster.interface}"
    if _is_namespace(cluster):
        yield f"network namespace {cluster.netns}"
    if succeeds("nft", "list", "table", "ip", cluster.label):
        yield f"nft table ip {cluster.label}"
    for rule in _forward_rules(cluster):
        if succeeds("iptables", "-C", "FORWARD", *rule):
            yield f"iptables rule in FORWARD: {' '.join(rule)}"


def is_up(cluster: Cluster) -> bool:
    """Whether namespace and interface are there."""
    return _is_namespace(cluster) and _interface_exists(cluster)


def free_slots() -> dict[int, bool]:
    """Which slots collide with no network that the host has a route or a resolver in."""
    routes = host_networks(run("ip", "-json", "-4", "route", "show", "table", "all"))
    routes += [IPv4Network(address) for address in host_resolvers()]
    ours = {cluster.slot for cluster in clusters()}
    return {slot: slot in ours or not slot_problems(slot, routes) for slot in SLOTS}


def slot_problems(slot: int, routes: Iterable[IPv4Network]) -> list[IPv4Network]:
    """The host's networks that a slot's addresses would cut into.

    A wider route (a VPN for 10.0.0.0/8) is no obstacle: ours are more specific, and it loses no
    more than these addresses.
    """
    cluster = Cluster("", slot, Path())
    ours = (cluster.network, cluster.pods, cluster.services)
    return [
        route
        for route in routes
        if route.prefixlen >= PODS.prefixlen and any(route.overlaps(part) for part in ours)
    ]


def host_networks(routes: str) -> list[IPv4Network]:
    """Destinations in the output of ``ip -json -4 route``."""
    return [
        IPv4Network(route["dst"], strict=False)
        for route in json.loads(routes or "[]")
        if route["dst"] != "default" and route.get("type") not in ("broadcast", "multicast")
    ]


def address_problems(cluster: Cluster) -> Iterator[str]:
    """For a cluster that has its slot: whose networks came in between since."""
    for route in json.loads(run("ip", "-json", "-4", "route") or "[]"):
        if route.get("dev") == cluster.interface:
            continue
        for network in slot_problems(cluster.slot, host_networks(json.dumps([route]))):
            yield (
                f"The addresses of the cluster '{cluster.name}' ({cluster.network},"
                f" {cluster.pods}, {cluster.services}) are in use: the host has a route to"
                f" {network} by {route.get('dev')}. Remove that, or make the cluster anew with"
                f" other addresses ('down', then 'up')."
            )


def port_problems(cluster: Cluster, ports: Mapping[int, str], own: Iterable[int]) -> Iterator[str]:
    """Who listens in the namespace where a component (``ports``: port -> name) has to.

    ``own``: pids of the components that are running.
    """
    if not _is_namespace(cluster):
        return
    known = set(own)
    for port, number in listeners(run(*inside(cluster, "ss", "-Hltnp"))):
        if port in ports and number not in known:
            words = " ".join(command_line(number)[:3])
            yield (
                f"Port {port}, which {ports[port]} needs in the namespace of the cluster"
                f" '{cluster.name}', is taken by process {number} ({words}). End that process."
            )


def listeners(sockets: str) -> list[tuple[int, int]]:
    """Port and pid of each listener in the output of ``ss -Hltnp``."""
    found = []
    for line in sockets.splitlines():
        fields = line.split()
        if len(fields) > 5 and "pid=" in fields[5]:
            number = fields[5].partition("pid=")[2].partition(",")[0]
            found.append((int(fields[3].rpartition(":")[2]), int(number)))
    return found


def host_resolvers() -> list[str]:
    """Name servers of the host that a pod can reach, so none on its loopback interface."""
    for path in _RESOLVERS:
        if path.exists() and (found := nameservers(path.read_text())):
            return found
    return []


def nameservers(resolv_conf: str) -> list[str]:
    """IPv4 name servers of a resolv.conf, without the loopback ones."""
    lines = (line.split() for line in resolv_conf.splitlines())
    given = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
    found = []
    for text in given:
        address = ip_address(text.partition("%")[0])
        if isinstance(address, IPv4Address) and not address.is_loopback:
            found.append(str(address))
    return found


def write_resolv_conf(cluster: Cluster) -> list[str]:
    """What the cluster's DNS forwards to: the host's name servers, as pods can reach them."""
    servers = host_resolvers()
    write_file(
        cluster.config / "resolv.conf", "".join(f"nameserver {server}\n" for server in servers)
    )
    return servers


def silent_resolvers(cluster: Cluster, servers: Iterable[str]) -> list[str]:
    """The name servers that do not answer from inside the namespace."""
    probe = HERE / "dns_probe.py"
    return [
        server
        for server in servers
        if not succeeds(*inside(cluster, sys.executable, probe, server))
    ]


def processes_inside(cluster: Cluster) -> list[int]:
    """All processes in the namespace; pods have namespaces of their own."""
    if not _is_namespace(cluster):
        return []
    wanted = cluster.netns.stat().st_ino
    found = []
    for number in all_pids():
        try:
            if Path(f"/proc/{number}/ns/net").stat().st_ino == wanted:
                found.append(number)
        except OSError:
            continue
    return found


def _host_links(cluster: Cluster, mtu: int) -> str:
    return (
        f"address replace {cluster.host_address}/24 dev {cluster.interface}\n"
        f"link set {cluster.interface} mtu {mtu} up\n"
    )


def _inner_links(cluster: Cluster, mtu: int) -> str:
    return (
        "link set lo up\n"
        f"address replace {cluster.node_address}/24 dev eth0\n"
        f"address replace {cluster.registry_address}/24 dev eth0\n"
        f"address replace {cluster.keycloak_address}/24 dev eth0\n"
        f"link set eth0 mtu {mtu} up\n"
        f"route replace default via {cluster.host_address}\n"
    )


def _way_out_mtu() -> int:
    """That of the way out, so that no pod has to find out by lost packets."""
    for route in json.loads(run("ip", "-json", "route", "show", "default") or "[]"):
        links = json.loads(run("ip", "-json", "link", "show", "dev", route["dev"]))
        return int(links[0]["mtu"])
    return _DEFAULT_MTU


def mtu(cluster: Cluster) -> int:
    """MTU of the cluster's interface."""
    links = json.loads(run("ip", "-json", "link", "show", "dev", cluster.interface))
    return int(links[0]["mtu"])


def _is_namespace(cluster: Cluster) -> bool:
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return any(f" {cluster.netns} " in line and " - nsfs " in line for line in mounts)


def _interface_exists(cluster: Cluster) -> bool:
    return any(name == cluster.interface for _, name in socket.if_nameindex())


def _host_drops_forwarded() -> bool:
    """As Docker and some firewalls set it; an accepting table of our own would not help."""
    return bool(shutil.which("iptables")) and "-P FORWARD DROP" in run("iptables", "-S", "FORWARD")


def _forward_rules(cluster: Cluster) -> Iterator[tuple[str, ...]]:
    for direction in ("-i", "-o"):
        yield (direction, cluster.interface, "-j", "ACCEPT")
