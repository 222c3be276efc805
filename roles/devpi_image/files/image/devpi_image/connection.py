# SPDX-License-Identifier: GPL-3.0-or-later
"""One request to devpi-server where it listens."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

from devpi_image.health import Near


class _Connection(http.client.HTTPConnection):
    def __init__(self, door: Near, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._door = door

    def connect(self) -> None:
        if isinstance(self._door, Path):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(str(self._door))
        else:
            self.sock = socket.create_connection(self._door, self.timeout)


def status(door: Near, method: str, path: str, body: str | None, timeout: float) -> int | None:
    """The status of the answer; None without an answer within `timeout` seconds."""
    connection = _Connection(door, timeout)
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
