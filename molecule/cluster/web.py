# SPDX-License-Identifier: GPL-3.0-or-later
"""Talk to the cluster's own web servers, by their names and with their certificates verified."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping

from config import Cluster


def connection(cluster: Cluster, host: str, seconds: float) -> http.client.HTTPSConnection:
    """Trusts the cluster's authority and nobody else; no proxy, which would not know the name."""
    context = ssl.create_default_context(cafile=str(cluster.ca))
    return http.client.HTTPSConnection(host, timeout=seconds, context=context)


def status(
    cluster: Cluster, host: str, path: str, headers: Mapping[str, str] | None = None
) -> int | None:
    """Status of the answer to a HEAD request; None without an answer within 5 s."""
    connected = connection(cluster, host, seconds=5)
    try:
        connected.request("HEAD", path, headers=headers or {})
        return connected.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connected.close()
