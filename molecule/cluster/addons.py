# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in the cluster: DNS, storage, ingress; and the Secrets that installers look for."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import names
import network
import registry
import versions
from binaries import CRDS, NOT_APPLIED
from config import HERE, Cluster, render
from kube import Api, Json, Unavailable, apply, apply_command
from pki import CLUSTER_CA, certificate_file, key_file
from processes import Background, Component, wait
from record import write_file

# Namespace and name of each Deployment below manifests/.
DEPLOYMENTS = (
    ("kube-system", "coredns"),
    ("local-path-storage", "local-path-provisioner"),
    ("traefik", "traefik"),
)
GATEWAY_NAMESPACE = "gateway-system"
KEYCLOAK_NAMESPACE = "keycloak"
# Namespaces that get a copy of the wildcard certificate.
WITH_CERTIFICATE = ("default", GATEWAY_NAMESPACE, KEYCLOAK_NAMESPACE)


def policy_enforcer(cluster: Cluster) -> Component:
    """The process that makes NetworkPolicies hold; nothing else here would."""
    code = [HERE / name for name in ("netpol.py", "kube.py")]
    return Component(
        "netpol",
        (
            sys.executable,
            "-s",
            str(HERE / "netpol.py"),
            cluster.server,
            str(certificate_file(cluster, CLUSTER_CA)),
            str(certificate_file(cluster, "admin")),
            str(key_file(cluster, "admin")),
        ),
        tuple(code),
    )


class Definitions:
    """The kinds that Traefik understands beyond Kubernetes' own (Gateway API, its middlewares).

    The API server computes on them for seconds: begin early, finish when they are needed.
    """

    def __init__(self, cluster: Cluster, programs: Path, api: Api) -> None:
        self._cluster = cluster
        self._kubectl = programs / "kubectl"
        self._api = api
        folders = [programs / "crds" / name for name in CRDS if name not in NOT_APPLIED]
        self._files = sorted(file for folder in folders for file in folder.glob("*.yaml"))
        self._texts = [file.read_text() for file in self._files]
        self._digest = hashlib.sha256("".join(self._texts).encode()).hexdigest()
        self._under_way: Background | None = None

    def begin(self, stack: ExitStack) -> None:
        """Apply them, unless just these were applied and are there; ends with ``stack``."""
        note = self._note()
        known = note.exists() and note.read_text() == self._digest
        if not (known and self._are_established()):
            command = apply_command(self._cluster, self._kubectl, self._files)
            self._under_way = stack.enter_context(Background(*command))

    def finish(self) -> None:
        """Wait until the API serves these kinds."""
        if self._under_way is None:
            return
        self._under_way.finish()
        wait(
            self._cluster,
            "definitions of custom resources",
            self._are_established,
            seconds=30,
            needs=["kube-apiserver"],
        )
        write_file(self._note(), self._digest)

    def _note(self) -> Path:
        return self._cluster.state / "definitions"

    def _are_established(self) -> bool:
        try:
            found = self._api.items("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
        except Unavailable:
            return False
        wanted = set().union(*map(definition_names, self._texts))
        return wanted <= {one["metadata"]["name"] for one in found if _is_established(one)}


def definition_names(manifests: str) -> set[str]:
    """Names of the CustomResourceDefinitions in a YAML text with several documents."""
    documents = re.split(r"^---$", manifests, flags=re.MULTILINE)
    return {
        match[1]
        for document in documents
        if re.search(r"^kind: CustomResourceDefinition$", document, re.MULTILINE)
        for match in [re.search(r"^  name: (\S+)$", document, re.MULTILINE)]
        if match
    }


def apply_addons(cluster: Cluster, programs: Path, resolvers: Sequence[str]) -> None:
    """Everything below manifests/, and the Secrets, in one call."""
    values = {**cluster.placeholders(), **manifest_values(cluster, resolvers)}
    manifests = [render(file, values) for file in sorted((HERE / "manifests").glob("*.yaml"))]
    apply(cluster, programs / "kubectl", [*manifests, *map(json.dumps, secrets(cluster))])


def manifest_values(cluster: Cluster, resolvers: Sequence[str]) -> dict[str, str]:
    """What ``${...}`` in a manifest can stand for, beside the cluster's own values."""
    images = {f"image_{name.replace('-', '_')}": ref for name, ref in versions.IMAGES.items()}
    return {
        **images,
        # Indented as deep as the Corefile is in its manifest.
        "dns_hosts": "\n            ".join(names.lines(cluster)),
        "dns_forward": _forward(resolvers),
        "gateway_namespace": GATEWAY_NAMESPACE,
        "keycloak_namespace": KEYCLOAK_NAMESPACE,
    }


def secrets(cluster: Cluster) -> Iterator[dict[str, object]]:
    """The wildcard certificate and the registry's login, under the names installers expect."""
    certificate = {
        "tls.crt": _base64(certificate_file(cluster, "wildcard").read_bytes()),
        "tls.key": _base64(key_file(cluster, "wildcard").read_bytes()),
    }
    login = {".dockerconfigjson": _base64(registry.pull_config(cluster).encode())}
    for namespace in WITH_CERTIFICATE:
        yield _secret(namespace, cluster.tls_secret, "kubernetes.io/tls", certificate)
    yield _secret("default", "harbor-pull-secret", "kubernetes.io/dockerconfigjson", login)


def unavailable(api: Api) -> list[str]:
    """Names of the Deployments that are not rolled out and ready."""
    try:
        found = {
            (one["metadata"]["namespace"], one["metadata"]["name"]): one
            for one in api.items("/apis/apps/v1/deployments")
        }
    except Unavailable:
        return [name for _, name in DEPLOYMENTS]
    return [key[1] for key in DEPLOYMENTS if key not in found or not _is_rolled_out(found[key])]


def wait_for_addons(cluster: Cluster, api: Api) -> None:
    wait(
        cluster,
        "add-ons that are all ready",
        lambda: not unavailable(api) and ingress_answers(cluster) and dns_answers(cluster),
        seconds=120,
        needs=["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"],
        explain=lambda: _unready_pods(api),
    )


def ingress_answers(cluster: Cluster) -> bool:
    """Whether Traefik replies on the node's port 80; without a host name it is a 404."""
    connection = http.client.HTTPConnection(str(cluster.node_address), 80, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.client.NOT_FOUND
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def dns_answers(cluster: Cluster) -> bool:
    """Whether the cluster's DNS replies at its Service."""
    return not network.silent_resolvers(cluster, [str(cluster.dns_address)])


def _forward(resolvers: Sequence[str]) -> str:
    # Without a resolver only the cluster's own names exist, as on a machine that is offline.
    return f"forward . {' '.join(resolvers)}" if resolvers else "# this machine has no resolver"


def _is_established(definition: Json) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def _unready_pods(api: Api) -> str:
    """Why the add-ons' pods are not ready, in the kubelet's words."""
    lines = []
    for pod in api.items("/api/v1/pods"):
        metadata, status = pod["metadata"], pod["status"]
        place = f"{metadata['namespace']}/{metadata['name']}"
        containers = status.get("containerStatuses") or []
        if metadata["namespace"] in dict(DEPLOYMENTS) and not (
            containers and all(container["ready"] for container in containers)
        ):
            waiting = [one["state"].get("waiting", {}) for one in containers]
            why = [f"{one.get('reason')}: {one.get('message', '')}" for one in waiting if one]
            lines.append(f"\n  {place} is {status['phase']} {' '.join(why)}".rstrip())
    return "".join(lines)


def _is_rolled_out(deployment: Json) -> bool:
    status, wanted = deployment["status"], deployment["spec"]["replicas"]
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
    )


def _secret(namespace: str, name: str, kind: str, data: dict[str, str]) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": name},
        "type": kind,
        "data": data,
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
