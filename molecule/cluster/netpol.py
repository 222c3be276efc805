# SPDX-License-Identifier: GPL-3.0-or-later
"""Make NetworkPolicies hold: policies, pods and namespaces become one nft table.

Runs in the cluster's network namespace and compares every half second. As with other enforcers the
node reaches its pods always (probes), answers to an allowed connection pass, and what a policy
names is the pod itself: a Service's address has been translated before. Pods with ``hostNetwork``
are not covered.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kube import Api, Json, Unavailable

TABLE = "thinkube-policy"
SECONDS = 0.5
# Direction -> key of its rules, key of its peers, whose address a peer is, whose address selects.
_INGRESS = ("ingress", "from", "saddr", "daddr")
_EGRESS = ("egress", "to", "daddr", "saddr")


@dataclass(frozen=True)
class Pod:
    """What policies look at in a pod."""

    namespace: str
    address: str
    labels: Mapping[str, str]
    ports: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(name, protocol) -> number."""

    @classmethod
    def read(cls, pod: Json) -> Pod:
        ports = {
            (port["name"], port.get("protocol", "TCP")): int(port["containerPort"])
            for container in pod["spec"]["containers"]
            for port in container.get("ports", [])
            if "name" in port
        }
        metadata = pod["metadata"]
        return cls(metadata["namespace"], pod["status"]["podIP"], metadata.get("labels", {}), ports)


def ruleset(policies: Iterable[Json], pods: Iterable[Json], namespaces: Iterable[Json]) -> str:
    """The table for ``nft -f``, from objects as the API gives them; it replaces an older one."""
    known = [Pod.read(pod) for pod in pods if _counts(pod)]
    labels = {one["metadata"]["name"]: one["metadata"].get("labels", {}) for one in namespaces}
    world = World(known, labels)
    chains: list[str] = []
    maps: dict[str, list[str]] = {"ingress": [], "egress": []}
    for pod in sorted(known, key=lambda one: one.address):
        for direction in (_INGRESS, _EGRESS):
            kind = direction[0]
            applying = [one for one in policies if _applies(one, pod, kind)]
            if applying:
                name = f"{kind}-{pod.address}"
                maps[kind].append(f"{pod.address} : jump {name}")
                chains.append(_chain(name, world.rules(applying, pod, direction)))
    return _table(maps, chains)


@dataclass(frozen=True)
class World:
    """All pods, and the labels of their namespaces."""

    pods: Sequence[Pod]
    namespaces: Mapping[str, Mapping[str, str]]

    def rules(
        self, policies: Iterable[Json], pod: Pod, direction: tuple[str, str, str, str]
    ) -> Iterator[str]:
        """What may pass, as nft matches; empty for a policy that allows nothing."""
        kind, peers_key, peer_side, _ = direction
        for policy in policies:
            own = policy["metadata"]["namespace"]
            for rule in policy["spec"].get(kind) or []:
                peers = rule.get(peers_key)
                ports = rule.get("ports") or [None]
                for port in ports:
                    if kind == "ingress":
                        yield from self._ingress(peers, port, pod, own, peer_side)
                    else:
                        yield from self._egress(peers, port, own, peer_side)

    def _ingress(
        self, peers: Sequence[Json] | None, port: Json | None, pod: Pod, own: str, side: str
    ) -> Iterator[str]:
        to = _port(port, pod)
        if to is not None:
            for source in self._sources(peers, own, side):
                yield f"{source} {to}".strip()

    def _egress(
        self, peers: Sequence[Json] | None, port: Json | None, own: str, side: str
    ) -> Iterator[str]:
        if not _is_named(port):
            to = _port(port, None)
            for target in self._sources(peers, own, side):
                yield f"{target} {to}".strip()
            return
        # A port's name means something only at the pod that it leads to.
        for pod in self._peers(peers, own):
            to = _port(port, pod)
            if to is not None:
                yield f"ip {side} {pod.address} {to}"

    def _sources(self, peers: Sequence[Json] | None, own: str, side: str) -> Iterator[str]:
        if not peers:
            yield ""
            return
        for peer in peers:
            if "ipBlock" in peer:
                yield _block(peer["ipBlock"], side)
        selected = sorted({pod.address for pod in self._peers(peers, own)})
        if selected:
            yield f"ip {side} {{ {', '.join(selected)} }}"

    def _peers(self, peers: Sequence[Json] | None, own: str) -> list[Pod]:
        return [
            pod
            for pod in self.pods
            if not peers or any(self._is_peer(peer, pod, own) for peer in peers)
        ]

    def _is_peer(self, peer: Json, pod: Pod, own: str) -> bool:
        if "ipBlock" in peer:
            return False
        if "namespaceSelector" in peer:
            at_home = selects(peer["namespaceSelector"], self.namespaces.get(pod.namespace, {}))
        else:
            at_home = pod.namespace == own
        return at_home and selects(peer.get("podSelector", {}), pod.labels)


def selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes these labels; an empty one takes all."""
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(one, labels) for one in selector.get("matchExpressions") or [])


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(f"unknown operator of a selector: {expression['operator']}")


def _counts(pod: Json) -> bool:
    """Whether a pod has an address of its own that is in use."""
    status = pod.get("status", {})
    return (
        "podIP" in status
        and not pod["spec"].get("hostNetwork")
        and status.get("phase") not in ("Succeeded", "Failed")
    )


def _applies(policy: Json, pod: Pod, kind: str) -> bool:
    spec = policy["spec"]
    default = ["Ingress", "Egress"] if "egress" in spec else ["Ingress"]
    return (
        policy["metadata"]["namespace"] == pod.namespace
        and kind.capitalize() in (spec.get("policyTypes") or default)
        and selects(spec.get("podSelector") or {}, pod.labels)
    )


def _is_named(port: Json | None) -> bool:
    return port is not None and isinstance(port.get("port"), str)


def _port(port: Json | None, pod: Pod | None) -> str | None:
    """The match for a port; '' for every port, None for a name that the pod does not have."""
    if port is None:
        return ""
    protocol = port.get("protocol", "TCP")
    number = port.get("port")
    if number is None:
        return f"meta l4proto {protocol.lower()}"
    if isinstance(number, str):
        number = pod.ports.get((number, protocol)) if pod is not None else None
        if number is None:
            return None
    last = port.get("endPort")
    return f"{protocol.lower()} dport {number}" + (f"-{last}" if last else "")


def _block(block: Json, side: str) -> str:
    match = f"ip {side} {block['cidr']}"
    if block.get("except"):
        match += f" ip {side} != {{ {', '.join(block['except'])} }}"
    return match


def _chain(name: str, rules: Iterable[str]) -> str:
    passing = [f"    {rule} return".replace("     return", "    return") for rule in rules]
    return "\n".join([f"  chain {name} {{", *passing, "    drop", "  }"])


def _table(maps: Mapping[str, Sequence[str]], chains: Iterable[str]) -> str:
    declared = [
        f"  map {kind} {{\n    type ipv4_addr : verdict\n"
        + (f"    elements = {{ {', '.join(entries)} }}\n" if entries else "")
        + "  }"
        for kind, entries in maps.items()
    ]
    return "\n".join(
        [
            f"add table ip {TABLE}",
            f"delete table ip {TABLE}",
            f"table ip {TABLE} {{",
            *chains,
            *declared,
            "  chain forward {",
            "    type filter hook forward priority filter; policy accept;",
            "    ct state established,related accept",
            "    ip saddr vmap @egress",
            "    ip daddr vmap @ingress",
            "  }",
            # To the node itself: the API server and the registry are no exception.
            "  chain input {",
            "    type filter hook input priority filter; policy accept;",
            "    ct state established,related accept",
            "    ip saddr vmap @egress",
            "  }",
            "}",
            "",
        ]
    )


def current(api: Api) -> str:
    """The table as it should be now."""
    # From the API server's cache: this is asked twice a second.
    return ruleset(
        api.items("/apis/networking.k8s.io/v1/networkpolicies?resourceVersion=0"),
        api.items("/api/v1/pods?resourceVersion=0"),
        api.items("/api/v1/namespaces?resourceVersion=0"),
    )


def enforce(api: Api) -> None:
    """Keep the table as it should be; while the API is away, as it was."""
    applied = ""
    while True:
        try:
            wanted = current(api)
        except Unavailable:
            wanted = applied
        if wanted != applied:
            done = subprocess.run(
                ["nft", "-f", "-"], input=wanted, text=True, capture_output=True, check=False
            )
            if done.returncode == 0:
                applied = wanted
            else:
                print(f"{done.stderr}\n{wanted}", file=sys.stderr, flush=True)
        time.sleep(SECONDS)


if __name__ == "__main__":
    enforce(Api(sys.argv[1], *map(Path, sys.argv[2:5])))
