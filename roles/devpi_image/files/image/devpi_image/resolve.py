# SPDX-License-Identifier: GPL-3.0-or-later
"""From environment and arguments to a plan. Pure: reads no file and starts nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from devpi_image.environment import Environment, cleaned, number, trusting, without_passwords
from devpi_image.errors import Refused
from devpi_image.plans import Execute, Front, Health, Init, Plan, RestartLimit, Server, Web

BIN = Path("/opt/devpi/bin")
DEFAULT_BODY_SIZE = 2 * 1024**3

SERVER_DEFAULTS = {
    # Nobody but root makes users: the API host is open for reading.
    "DEVPISERVER_RESTRICT_MODIFY": "root",
    "DEVPISERVER_UNIX_SOCKET": "/run/devpi/devpi.sock",
    "DEVPISERVER_UNIX_SOCKET_PERMS": "660",
    # KiB. devpi's own 512 MiB for deriving the token key set the peak memory of the whole server
    # and take 11 s; the key is random, so a costly derivation protects nothing.
    "DEVPISERVER_ARGON2_MEMORY_COST": "65536",
    # The whoosh index of all names of PyPI costs gigabytes and hours of one CPU.
    "DEVPISERVER_INDEXER_BACKEND": "null",
    # Seconds. devpi's own 5 are short for a large project that PyPI's CDN doesn't hold.
    "DEVPISERVER_REQUEST_TIMEOUT": "30",
    # Twice what pip clients use at once on a busy day; waitress hangs when it runs out.
    "DEVPISERVER_CONNECTION_LIMIT": "500",
    "DEVPISERVER_MAX_REQUEST_BODY_SIZE": str(DEFAULT_BODY_SIZE),
}
# They say where the front listens; devpi-server itself has its socket only.
_FRONT_ONLY = ("DEVPISERVER_HOST", "DEVPISERVER_PORT", "DEVPISERVER_LISTEN")

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?")
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?")
_RATE = re.compile(r"[1-9][0-9]*r/[sm]")


def resolve(environment: Environment, arguments: Sequence[str]) -> Plan:
    """What this container is to do. Raises `Refused` for an input that can't be meant."""
    known = trusting(cleaned(environment))
    command, *rest = arguments or ("server",)
    if command == "server" or command.startswith("-"):
        return _server(known, rest if command == "server" else arguments)
    if command in ("front", "init", "health") and rest:
        raise Refused(f"'{command}' takes no arguments, but was given: {' '.join(rest)}")
    if command == "front":
        return _front(known)
    if command == "init":
        return _init(known)
    if command == "health":
        return Health(_socket(known))
    return Execute(tuple(arguments), known)


def _socket(environment: Environment) -> Path:
    name = "DEVPISERVER_UNIX_SOCKET"
    return Path(environment.get(name, SERVER_DEFAULTS[name]))


def _serverdir(environment: Environment) -> Path:
    path = Path(environment.get("DEVPISERVER_SERVERDIR", "/data/server"))
    if not path.is_absolute():
        raise Refused(f"DEVPISERVER_SERVERDIR is '{path}'. Write an absolute path.")
    return path


def _restarts(environment: Environment) -> RestartLimit:
    return RestartLimit(
        ends=number(environment, "DEVPI_RESTART_LIMIT", 5),
        seconds=number(environment, "DEVPI_RESTART_WINDOW", 300, least=1),
    )


def _server(environment: Environment, options: Sequence[str]) -> Server:
    serverdir = _serverdir(environment)
    passed = {
        name: value
        for name, value in without_passwords(environment).items()
        if name not in _FRONT_ONLY
    }
    token_key = passed.pop("DEVPI_TOKEN_KEY_FILE", None)
    return Server(
        command=(str(BIN / "devpi-server"), *options),
        environment={**SERVER_DEFAULTS, **passed, "DEVPISERVER_SERVERDIR": str(serverdir)},
        serverdir=serverdir,
        socket=_socket(environment),
        token_key=Path(token_key) if token_key else None,
        patience=number(environment, "DEVPI_STOP_PATIENCE", 5, least=1),
        restarts=_restarts(environment),
    )


def _init(environment: Environment) -> Init:
    value = environment.get("DEVPISERVER_ROOT_PASSWD")
    file = environment.get("DEVPISERVER_ROOT_PASSWD_FILE")
    if value and file:
        raise Refused(
            "DEVPISERVER_ROOT_PASSWD and DEVPISERVER_ROOT_PASSWD_FILE are both set. Keep one."
        )
    return Init(
        serverdir=_serverdir(environment),
        password=Path(file) if file else value,
        environment=without_passwords(environment),
    )


def _front(environment: Environment) -> Front:
    port = number(environment, "DEVPI_FRONT_API_PORT", 8080, least=1)
    dashboard_url = _matching(
        environment, "DEVPI_FRONT_DASHBOARD_URL", "", _URL, "a URL like https://devpi.example.org"
    ).rstrip("/")
    return Front(
        socket=_socket(environment),
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
        environment=without_passwords(environment),
        restarts=_restarts(environment),
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
