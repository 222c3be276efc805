# SPDX-License-Identifier: GPL-3.0-or-later
"""Is devpi-server well? Asked where it listens, as the probes and the supervisor do."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path

Near = tuple[str, int] | Path


def answers(door: Near, timeout: float = 5.0, path: str = "/+api") -> bool:
    """Whether `GET` of `path` at `door` is answered with 200 within `timeout` seconds.

    `/+api` is the cheapest answer that devpi has (2 ms), and no page of the web UI.
    """
    return _status(door, "GET", path, None, timeout) == HTTPStatus.OK


def may_log_in(door: Near, user: str, password: str, timeout: float = 10.0) -> bool | None:
    """Whether this is the user's password; None if the server doesn't say."""
    body = json.dumps({"user": user, "password": password})
    status = _status(door, "POST", "/+login", body, timeout)
    known: dict[int | None, bool] = {HTTPStatus.OK: True, HTTPStatus.UNAUTHORIZED: False}
    return known.get(status)


def _status(door: Near, method: str, path: str, body: str | None, timeout: float) -> int | None:
    # 35 ms with all that http.client wants: the start of the server need not wait for it.
    from devpi_image.connection import status  # noqa: PLC0415

    return status(door, method, path, body, timeout)
