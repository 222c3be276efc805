# SPDX-License-Identifier: GPL-3.0-or-later
"""The front's part of `resolve`. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from devpi_image.defaults import DEFAULT_BODY_SIZE, STANDALONE_SOCKET
from devpi_image.doors import Door, nothing_asked
from devpi_image.environment import Environment, json_log, number, own_socket, without_passwords
from devpi_image.errors import Refused
from devpi_image.plans import Front, Web, Whole
from devpi_image.resolve_server import restarts
from devpi_image.settings import Settings

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?")
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?")
_RATE = re.compile(r"[1-9][0-9]*r/[sm]")
_FOLDER = re.compile(r"/[A-Za-z0-9._/-]+")
_MODE = re.compile(r"0?[0-7]{3}")
# A mirror looks for what is new every 30 minutes by itself; a replica has it within a second.
_PAGE_AGE = 600
_PAGE_AGE_OF_REPLICAS = 60


def whole_front(
    environment: Environment, settings: Settings, places: tuple[Door, ...], serverdir: Path
) -> Front:
    proxy = settings.get("trusted-proxy").replace("*", "0.0.0.0/0 ::/0")
    mode = settings.get("unix-socket-perms", "600")
    if not _MODE.fullmatch(mode):
        raise Refused(f"DEVPISERVER_UNIX_SOCKET_PERMS is '{mode}'. Write it like 660.")
    size = settings.get("max-request-body-size", str(DEFAULT_BODY_SIZE))
    by_option = {
        "DEVPI_FRONT_MAX_BODY_SIZE": size,
        **({"DEVPI_FRONT_TRUSTED_PROXIES": proxy} if proxy else {}),
        **(
            {"DEVPI_FRONT_PAGE_AGE": str(_PAGE_AGE_OF_REPLICAS)}
            if settings.get("primary-url")
            else {}
        ),
    }
    return replace(
        front_plan({**by_option, **environment}),
        socket=STANDALONE_SOCKET,
        serverdir=serverdir,
        web=None,
        whole=Whole(places, int(mode, 8), also_80=nothing_asked(settings)),
    )


def front_plan(environment: Environment) -> Front:
    port = number(environment, "DEVPI_FRONT_API_PORT", 8080, least=1)
    dashboard_url = _matching(
        environment, "DEVPI_FRONT_DASHBOARD_URL", "", _URL, "a URL like https://devpi.example.org"
    ).rstrip("/")
    return Front(
        socket=own_socket(environment),
        port=port,
        api_host=_matching(environment, "DEVPI_FRONT_API_HOST", "", _HOST, "a host name"),
        dashboard_url=dashboard_url,
        web=_web(environment, port, dashboard_url),
        max_body_size=number(environment, "DEVPI_FRONT_MAX_BODY_SIZE", DEFAULT_BODY_SIZE, least=1),
        timeout=number(environment, "DEVPI_FRONT_TIMEOUT", 300, least=1),
        login_rate=_matching(
            environment, "DEVPI_FRONT_LOGIN_RATE", "5r/s", _RATE, "a rate like 5r/s or 30r/m"
        ),
        login_burst=number(environment, "DEVPI_FRONT_LOGIN_BURST", 20),
        trusted_proxies=_networks(environment, "DEVPI_FRONT_TRUSTED_PROXIES"),
        headers_dir=Path(environment.get("DEVPI_FRONT_HEADERS_DIR", "/etc/devpi/headers")),
        serverdir=_serverdir(environment),
        page_age=number(environment, "DEVPI_FRONT_PAGE_AGE", _PAGE_AGE, least=2),
        cache_size=number(environment, "DEVPI_FRONT_CACHE_SIZE", 256, least=16),
        min_free=number(environment, "DEVPI_FRONT_MIN_FREE", 0, most=100),
        metrics_port=number(environment, "DEVPI_FRONT_METRICS_PORT", 0),
        connections=number(environment, "DEVPI_FRONT_CONNECTIONS", 0),
        request_rate=number(environment, "DEVPI_FRONT_REQUEST_RATE", 0),
        environment=without_passwords(environment),
        restarts=restarts(environment),
        json_log=json_log(environment),
    )


def _web(environment: Environment, api_port: int, dashboard_url: str) -> Web | None:
    if "DEVPI_FRONT_WEB_PORT" not in environment:
        return None
    port = number(environment, "DEVPI_FRONT_WEB_PORT", 0, least=1)
    if port == api_port:
        raise Refused(
            f"DEVPI_FRONT_WEB_PORT is {port}, which is DEVPI_FRONT_API_PORT. Write another port."
        )
    if not dashboard_url or urlsplit(dashboard_url).path:
        raise Refused(
            f"DEVPI_FRONT_DASHBOARD_URL is '{dashboard_url}'. With DEVPI_FRONT_WEB_PORT, write the"
            " URL of the pages, without a path, like https://devpi.example.org."
        )
    key_file = environment.get("DEVPI_FRONT_WEB_KEY_FILE")
    return Web(port, Path(key_file) if key_file else None)


def _serverdir(environment: Environment) -> Path | None:
    given = environment.get("DEVPI_FRONT_SERVERDIR", "")
    if given and not _FOLDER.fullmatch(given):
        raise Refused(
            f"DEVPI_FRONT_SERVERDIR is '{given}'. Write the path of devpi's server directory."
        )
    return Path(given) if given else None


def _matching(
    environment: Environment, name: str, default: str, pattern: re.Pattern[str], what: str
) -> str:
    value = environment.get(name, default)
    if value != default and not pattern.fullmatch(value):
        raise Refused(f"{name} is '{value}'. Write {what}.")
    return value


def _networks(environment: Environment, name: str) -> tuple[str, ...]:
    try:
        return tuple(
            str(ip_network(word, strict=False)) for word in environment.get(name, "").split()
        )
    except ValueError as error:
        raise Refused(
            f"{name}: {error}. Write addresses or networks with spaces between."
        ) from None
