# SPDX-License-Identifier: GPL-3.0-or-later
"""The things this image can do, as data: what `resolve` answers and `cli` carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devpi_image.doors import Door
from devpi_image.passwords import Passwords


@dataclass(frozen=True)
class RestartLimit:
    """How often a service may end by itself: `ends` times within `seconds`."""

    ends: int
    seconds: int


@dataclass(frozen=True)
class Server:
    """Run devpi-server and keep it running; `patience` (s) when it is to stop.

    It listens at `doors`, which for all but `DEVPI_FRONT=off` is one unix socket. `notes` are said
    when it starts.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    serverdir: Path
    doors: tuple[Door, ...]
    token_key: Path | None
    is_replica: bool
    json_log: bool
    patience: int
    restarts: RestartLimit
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Web:
    """Pages for people at a `port` of their own; for all who reach it if there is no `key_file`."""

    port: int
    key_file: Path | None


@dataclass(frozen=True)
class Whole:
    """Packages, pages and administration on one host, as who just runs the image has it.

    With `also_80`, port 80 is served too if it is free: there are images that had it there.
    """

    doors: tuple[Door, ...]
    socket_mode: int
    also_80: bool


@dataclass(frozen=True)
class Front:
    """Run nginx, the only way to the server. A `whole` takes the place of `port` and `web`.

    With a `serverdir`, files come from the disk. A page is at most `page_age` seconds behind what
    changes without a write (a mirror, a replica); `cache_size` is in MiB. With less than `min_free`
    percent of the volume free, nothing more is fetched from a mirror.
    `connections` and `request_rate` (a second) are what one address may have; 0 is no limit, and no
    port of metrics.
    """

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
    serverdir: Path | None
    page_age: int
    cache_size: int
    min_free: int
    metrics_port: int
    connections: int
    request_rate: int
    environment: Mapping[str, str]
    restarts: RestartLimit
    json_log: bool = False
    whole: Whole | None = None


@dataclass(frozen=True)
class Init:
    """Make a server directory, unless there is one.

    `invents` a password for root if none is given. The first `user` (root if empty) gets the first
    `index`, if that is named. `skipped` are index types that an import leaves out.
    """

    serverdir: Path
    passwords: Passwords
    invents: bool
    is_replica: bool
    user: str
    index: str
    skipped: tuple[str, ...]
    environment: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Standalone:
    """All in one container: initialise if need be, then run the server and its front."""

    init: Init
    server: Server
    front: Front | None
    reset_password: bool


@dataclass(frozen=True)
class Health:
    """Ask at all of the `doors` whether the server is well.

    For `start_period` seconds, one that has not answered for the first time is as well.
    """

    doors: tuple[tuple[str, int] | Path, ...]
    start_period: int = 0


@dataclass(frozen=True)
class Execute:
    """Become another program; one of devpi's for the data in `serverdir`."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    serverdir: Path | None = None


Plan = Server | Front | Init | Standalone | Health | Execute
