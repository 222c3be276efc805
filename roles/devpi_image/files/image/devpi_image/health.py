# SPDX-License-Identifier: GPL-3.0-or-later
"""Is devpi-server well? Asked over its unix socket, as the probes and the supervisor do."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def answers(path: Path, timeout: float = 5.0) -> bool:
    """Whether the server at the socket `path` answers `GET /+api` within `timeout` seconds.

    `/+api` is the cheapest answer that devpi has (2 ms), and no page of the web UI.
    """
    connection = _Connection(path, timeout)
    try:
        connection.request("GET", "/+api", headers={"Accept": "application/json"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
