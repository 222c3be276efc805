# SPDX-License-Identifier: GPL-3.0-or-later
"""The things this image can do, as data: what `resolve` answers and `cli` carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RestartLimit:
    """How often a service may end by itself: `ends` times within `seconds`."""

    ends: int
    seconds: int


@dataclass(frozen=True)
class Server:
    """Run devpi-server on a unix socket and keep it running; `patience` (s) when it is to stop."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    serverdir: Path
    socket: Path
    token_key: Path | None
    patience: int
    restarts: RestartLimit


@dataclass(frozen=True)
class Web:
    """Pages for people at a `port` of their own; for all who reach it if there is no `key_file`."""

    port: int
    key_file: Path | None


@dataclass(frozen=True)
class Front:
    """Run nginx, the only way to the server."""

    socket: Path
    port: int
    api_host: str
    dashboard_url: str
    web: Web | None
    max_body_size: int
    timeout: int
    login_rate: str
    login_burst: int
    trusted_proxies: tuple[str, ...]
    headers_dir: Path
    environment: Mapping[str, str]
    restarts: RestartLimit


@dataclass(frozen=True)
class Init:
    """Make a server directory, unless there is one."""

    serverdir: Path
    password: str | Path | None
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Health:
    """Ask the server whether it is well."""

    socket: Path


@dataclass(frozen=True)
class Execute:
    """Become another program."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


Plan = Server | Front | Init | Health | Execute
