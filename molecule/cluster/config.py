# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses and paths of a cluster. Everything follows from its name, slot and state folder.

Nothing here touches the machine.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from string import Template

import versions

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
RUN_ROOT = Path("/run/thinkube-devpi")
DEFAULT_NAME = "demo"
TEST_DOMAIN = "thinkube.test"
PROJECT = "thinkube-devpi"

NODES = IPv4Network("10.213.0.0/16")
PODS = IPv4Network("10.214.0.0/16")
SERVICES = IPv4Network("10.215.0.0/16")
# Slot 0 is nobody's: it stands for "not known" when a cluster is removed by its name alone.
SLOTS = range(1, 255)

# Of the registry and of Keycloak; the password is the same, too.
ADMIN = "admin"
REALM = "thinkube"
# Who is in it should get at the dashboard, and nobody else.
GROUP = "devpi-users"
# Image of images.ensure() -> its name in the registry, as in a Harbor that mirrors a public one.
REGISTRY_IMAGES = {
    "debian": f"library/debian:{versions.DEBIAN_SUITE}-slim",
    "oauth2-proxy": f"library/oauth2-proxy:v{versions.OAUTH2_PROXY}",
    "valkey": f"library/valkey:{versions.DEBIAN_SUITE}",
}
# What is imported into containerd; the add-ons run from these.
NODE_IMAGES = ("pause", "coredns", "local-path", "busybox", "traefik")

NAME_RULE = "a lower case letter, then at most 29 lower case letters, digits and hyphens"
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?")
# IFNAMSIZ of the kernel, without the final zero.
_INTERFACE_LENGTH = 15


class ClusterError(Exception):
    """Something the user can act on; the text says what was given, what is wrong, what to do."""


def is_name(text: str) -> bool:
    """Whether ``text`` can name a cluster: it becomes a DNS label and part of file names."""
    return _NAME.fullmatch(text) is not None


def state_folder(name: str, checkout: Path = CHECKOUT) -> Path:
    """Where a cluster of this checkout keeps everything that it writes."""
    root = checkout / ".local-cluster"
    return root if name == DEFAULT_NAME else root / "clusters" / name


@dataclass(frozen=True)
class Cluster:
    """One cluster. ``slot`` is the third byte of all of its addresses."""

    name: str
    slot: int
    state: Path

    # --- names
    @property
    def domain(self) -> str:
        return TEST_DOMAIN if self.name == DEFAULT_NAME else f"{self.name}.{TEST_DOMAIN}"

    @property
    def registry(self) -> str:
        return f"harbor.{self.domain}"

    @property
    def keycloak_host(self) -> str:
        return f"keycloak.{self.domain}"

    @property
    def keycloak_url(self) -> str:
        return f"https://{self.keycloak_host}"

    @property
    def tls_secret(self) -> str:
        return f"{self.domain.replace('.', '-')}-tls"

    @property
    def label(self) -> str:
        """Names what the whole machine shares: cgroup, CNI network, nft table, hosts lines."""
        return f"{PROJECT}-{self.name}"

    @property
    def interface(self) -> str:
        """The host's end of the veth pair."""
        plain = f"tkd-{self.name}"
        if len(plain) <= _INTERFACE_LENGTH:
            return plain
        return f"tkd-{hashlib.sha256(self.name.encode()).hexdigest()[: _INTERFACE_LENGTH - 4]}"

    # --- addresses
    @property
    def network(self) -> IPv4Network:
        return _part(NODES, self.slot)

    @property
    def pods(self) -> IPv4Network:
        return _part(PODS, self.slot)

    @property
    def services(self) -> IPv4Network:
        return _part(SERVICES, self.slot)

    @property
    def host_address(self) -> IPv4Address:
        return self.network[1]

    @property
    def node_address(self) -> IPv4Address:
        return self.network[2]

    @property
    def registry_address(self) -> IPv4Address:
        return self.network[3]

    @property
    def keycloak_address(self) -> IPv4Address:
        """Where Traefik finds Keycloak; people and pods use its name."""
        return self.network[4]

    @property
    def api_service_address(self) -> IPv4Address:
        return self.services[1]

    @property
    def dns_address(self) -> IPv4Address:
        return self.services[10]

    @property
    def server(self) -> str:
        return f"https://{self.node_address}:6443"

    # --- paths
    @property
    def run(self) -> Path:
        """Sockets, process records and the network namespace: short paths, gone with a reboot."""
        return RUN_ROOT / self.name

    @property
    def record(self) -> Path:
        return self.run / "cluster.json"

    @property
    def netns(self) -> Path:
        return self.run / "netns"

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def kubelet_root(self) -> Path:
        """A bind mount of ``state/kubelet``: its sockets would not fit a deep checkout's path."""
        return self.run / "kubelet"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def config(self) -> Path:
        return self.state / "config"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def pod_logs(self) -> Path:
        return self.state / "pod-logs"

    @property
    def volumes(self) -> Path:
        return self.state / "volumes"

    @property
    def home(self) -> Path:
        """The home folder of the workstation in the inventory."""
        return self.state / "home"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def ca(self) -> Path:
        return self.state / "ca.crt"

    @property
    def ca_bundle(self) -> Path:
        return self.state / "ca-bundle.crt"

    @property
    def admin_password(self) -> Path:
        return self.state / "admin-password"

    @property
    def keycloak(self) -> Path:
        """Keycloak's home folder: its configuration and data."""
        return self.state / "keycloak"

    @property
    def keycloak_users(self) -> Path:
        """Passwords of the realm's accounts, JSON, for root only."""
        return self.state / "keycloak-users.json"

    @property
    def inventory(self) -> Path:
        return self.state / "inventory"

    def owns(self, path: Path) -> bool:
        """Whether ``path`` lies in this cluster's folders (the demo's hold other clusters' too)."""
        if path.is_relative_to(self.run):
            return True
        others = self.state / "clusters"
        return path.is_relative_to(self.state) and not path.is_relative_to(others)

    def placeholders(self) -> dict[str, str]:
        """What ``${...}`` in the files below ``config/`` and ``manifests/`` can stand for."""
        names = (
            "name domain registry tls_secret label network pods services host_address node_address"
            " registry_address keycloak_address keycloak_host keycloak_url api_service_address"
            " dns_address server run state containerd_socket kubelet_root pki config pod_logs"
            " volumes home kubeconfig ca ca_bundle"
        )
        images = {
            f"registry_image_{name.replace('-', '_')}": f"{self.registry}/{path}"
            for name, path in REGISTRY_IMAGES.items()
        }
        return (
            images
            | {"realm": REALM, "group": GROUP}
            | {name: str(getattr(self, name)) for name in names.split()}
        )


def render(template: Path, values: dict[str, str]) -> str:
    """Fill in a template; an unknown placeholder is a KeyError."""
    return Template(template.read_text()).substitute(values)


def _part(network: IPv4Network, slot: int) -> IPv4Network:
    return IPv4Network((int(network.network_address) + slot * 256, 24))
