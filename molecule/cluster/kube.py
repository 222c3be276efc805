# SPDX-License-Identifier: GPL-3.0-or-later
"""Read from the cluster's API, and apply manifests to it."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config import Cluster
from pki import CLUSTER_CA, certificate_file, key_file
from processes import run

Json = Mapping[str, Any]
_SECONDS = 10.0


class Unavailable(Exception):
    """The API does not answer, or not with what was asked for."""


class Api:
    """A connection that is kept open and made anew when it broke; not for use by two threads."""

    def __init__(self, server: str, authority: Path, certificate: Path, key: Path) -> None:
        context = ssl.create_default_context(cafile=str(authority))
        context.load_cert_chain(str(certificate), str(key))
        parts = urlsplit(server)
        self._connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=_SECONDS, context=context
        )

    @classmethod
    def of(cls, cluster: Cluster) -> Api:
        """As the administrator."""
        return cls(
            cluster.server,
            certificate_file(cluster, CLUSTER_CA),
            certificate_file(cluster, "admin"),
            key_file(cluster, "admin"),
        )

    def text(self, path: str) -> str:
        """Body of the answer to a GET; Unavailable unless its status is 200."""
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            body = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Unavailable(f"{path}: {error}") from error
        if answer.status != http.client.OK:
            raise Unavailable(f"{path}: {answer.status} {body[:200]}")
        return body

    def get(self, path: str) -> Json:
        """An object or a list, as JSON."""
        found: Json = json.loads(self.text(path))
        return found

    def items(self, path: str) -> list[Json]:
        """The objects of a list."""
        return list(self.get(path)["items"])

    def is_ready(self) -> bool:
        """Whether the API server says that it is ready."""
        try:
            return self.text("/readyz") == "ok"
        except Unavailable:
            return False

    def close(self) -> None:
        self._connection.close()


def apply(cluster: Cluster, kubectl: Path, manifests: Iterable[str]) -> None:
    """Bring objects to the state in the manifests (YAML or JSON texts), by standard input."""
    run(*apply_command(cluster, kubectl, ["-"]), text="\n---\n".join(manifests))


def apply_command(
    cluster: Cluster, kubectl: Path, files: Iterable[str | Path]
) -> tuple[str | Path, ...]:
    """On the server's side: a client-side apply would write Secrets into an annotation."""
    return (
        kubectl, "--kubeconfig", cluster.kubeconfig, "apply", "--server-side", "--force-conflicts",
        "--field-manager=local-cluster", *(f"--filename={file}" for file in files),
    )  # fmt: skip
