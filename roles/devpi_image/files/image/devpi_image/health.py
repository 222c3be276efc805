# SPDX-License-Identifier: GPL-3.0-or-later
"""Is devpi-server well? Asked where it listens, as the probes and the supervisor do."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path

Near = tuple[str, int] | Path


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


def answers(door: Near, timeout: float = 5.0, path: str = "/+api") -> bool:
    """Whether `GET` of `path` at `door` is answered with 200 within `timeout` seconds.

    `/+api` is the cheapest answer that devpi has (2 ms), and no page of the web UI.
    """
    return _status(door, "GET", path, None, timeout) == http.client.OK


def may_log_in(door: Near, user: str, password: str, timeout: float = 10.0) -> bool | None:
    """Whether this is the user's password; None if the server doesn't say."""
    body = json.dumps({"user": user, "password": password})
    status = _status(door, "POST", "/+login", body, timeout)
    return {http.client.OK: True, http.client.UNAUTHORIZED: False}.get(status or 0)


def _status(door: Near, method: str, path: str, body: str | None, timeout: float) -> int | None:
    connection = _Connection(door, timeout)
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
