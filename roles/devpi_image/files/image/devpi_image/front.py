# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx in front of the server: its configuration, and running it."""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from textwrap import indent
from urllib.parse import urlsplit

from devpi_image.defaults import PRIVATE
from devpi_image.doors import Door
from devpi_image.errors import Refused
from devpi_image.lock import presence
from devpi_image.plans import Front, Web, Whole
from devpi_image.private import write_private
from devpi_image.rewrite import nginx_line
from devpi_image.server import front_mark, served_mark
from devpi_image.supervisor import Service, supervise

NGINX = "/usr/sbin/nginx"
_WORK = PRIVATE / "front"
# Where the cache asks for pages, in the folder of nginx' work.
PAGES_SOCKET = "pages.sock"
# Seconds: a little more than nginx gives its workers (worker_shutdown_timeout).
_PATIENCE = 8

DEFAULT_HEADERS = {
    "X-Real-IP": "$remote_addr",
    "X-Forwarded-For": "$remote_addr",
    "X-Forwarded-Proto": "$scheme",
    "X-Forwarded-Host": "$http_host",
}
# Taken away, whatever a client or the rules say: devpi believes the first over its own
# configuration, and the second makes pages that are right for one host only.
OUTSIDE_URL = "X-Outside-Url"
ORIGINAL_URI = "X-Original-Uri"
REMOVED_HEADERS = (OUTSIDE_URL, "X-Devpi-Absolute-Urls", ORIGINAL_URI)
KEY_HEADER = "X-Devpi-Front-Key"
# Taken away from who comes to the web host: all read as anonymous, and what the login proxy knows
# of them (its cookie, their tokens, its own credential) is nothing for devpi.
LOGIN_HEADERS = (
    "Authorization",
    "Cookie",
    "X-Devpi-Auth",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-Access-Token",
    KEY_HEADER,
)
_FIXED_HEADERS = {"host", "connection", "accept", *(name.lower() for name in LOGIN_HEADERS)}

_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_VARIABLE = re.compile(r"\$\{?(\w*)")
_ALLOWED_VARIABLES = {"remote_addr", "scheme", "host", "http_host", "request_id", "server_port"}
_KEY = re.compile(r"[A-Za-z0-9_=+/-]{32,}")


def header_rules(files: Mapping[str, str]) -> dict[str, str]:
    """The headers that are set on each request, from files named like the header they hold.

    Values may use nginx' variables for the client's address and the host that was asked for.
    Raises `Refused`.
    """
    rules = dict(DEFAULT_HEADERS)
    ours = {name.lower(): name for name in rules}
    removed = {name.lower() for name in REMOVED_HEADERS}
    for name, text in sorted(files.items()):
        value = text.strip()
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _FIXED_HEADERS:
            raise Refused(f"The header rules have '{name}', which is no header that can be set.")
        if not _HEADER_VALUE.fullmatch(value):
            raise Refused(f"The header rule {name} holds characters that no header has.")
        if unknown := set(_VARIABLE.findall(value)) - _ALLOWED_VARIABLES:
            raise Refused(
                f"The header rule {name} is '{value}', with a variable that is not offered here:"
                f" {_listed(unknown)}. Use one of {_listed(_ALLOWED_VARIABLES)}."
            )
        if name.lower() not in removed:
            rules[ours.get(name.lower(), name)] = value
    return rules


def configuration(
    plan: Front, rules: Mapping[str, str], work: Path, *, ipv6: bool, web_key: str | None = None
) -> str:
    """The text of nginx.conf. Pure but for the templates, which lie beside this file.

    `web_key` is what the web host, if the plan has one, asks for in the header `KEY_HEADER`.
    """
    if plan.whole:
        servers = [_whole_server(plan, plan.whole, rules, ipv6=ipv6)]
    else:
        servers = [_api_server(plan, rules, ipv6=ipv6)]
    if plan.web:
        servers.append(_web_server(plan, plan.web, rules, ipv6=ipv6, key=web_key))
    return _filled(
        "front.conf",
        {
            "work": str(work),
            "access_log": _access_log(plan),
            "socket": str(plan.socket),
            "max_body_size": str(plan.max_body_size),
            "timeout": str(plan.timeout),
            "trusted_proxies": _lines(f"set_real_ip_from {net};" for net in plan.trusted_proxies),
            "limit_zones": _limit_zones(plan),
            "cache": _cache(plan, work),
            "servers": _lines(servers),
        },
    )


def _cache(plan: Front, work: Path) -> str:
    # Half of its age a page is what it was, and half of it renewed behind its readers.
    fresh = (plan.page_age + 1) // 2
    return _filled(
        "front_cache.conf",
        {
            "work": str(work),
            "pages": str(work / PAGES_SOCKET),
            "served": str(served_mark(plan.socket)),
            "lua": str(Path(__file__).with_name("lua")),
            "files": _files(plan),
            "volume": str(plan.serverdir or ""),
            "min_free": str(plan.min_free),
            "timeout": str(plan.timeout),
            "age": str(plan.page_age),
            "fresh": str(fresh),
            "stale": str(plan.page_age - fresh),
            "size": f"{plan.cache_size}m",
            "metrics": _metrics(plan),
        },
    )


def _metrics(plan: Front) -> str:
    return (
        _filled("front_metrics.conf", {"port": str(plan.metrics_port)}) if plan.metrics_port else ""
    )


def _limits(plan: Front) -> str:
    """What a client may have; zones are of the whole nginx, so they have their names from here."""
    lines = []
    if plan.connections:
        lines += [f"limit_conn clients {plan.connections};", "limit_conn_status 429;"]
    if plan.request_rate:
        lines += [f"limit_req zone=requests burst={2 * plan.request_rate} nodelay;"]
        lines += ["limit_req_status 429;"]
    return _lines(lines)


def _limit_zones(plan: Front) -> str:
    zones = []
    if plan.connections:
        zones.append("limit_conn_zone $binary_remote_addr zone=clients:4m;")
    if plan.request_rate:
        rate = f"{plan.request_rate}r/s"
        zones.append(f"limit_req_zone $binary_remote_addr zone=requests:4m rate={rate};")
    return _lines(zones)


def _reads(plan: Front, headers: str, more: Iterable[str] = ()) -> str:
    """Where a host sends what it has decided; `more` are directives of its own for files."""
    return _filled(
        "front_reads.conf",
        {"headers": headers, "files": _files(plan), "file_headers": _lines(more)},
    )


def _files(plan: Front) -> str:
    """The folder where devpi has its files, by their paths; empty if they are not to be had."""
    return str(plan.serverdir / "+files") if plan.serverdir else ""


def _access_log(plan: Front) -> str:
    if not plan.json_log:
        return "access_log /dev/stdout combined;"
    fields = {
        "time": "$time_iso8601",
        "level": "INFO",
        "service": "nginx",
        "message": "$request_method $request_uri $status",
        "client": "$remote_addr",
        "bytes": "$body_bytes_sent",
        "seconds": "$request_time",
        "agent": "$http_user_agent",
    }
    return f"log_format lines escape=json '{json.dumps(fields)}';\naccess_log /dev/stdout lines;"


def _whole_server(plan: Front, whole: Whole, rules: Mapping[str, str], *, ipv6: bool) -> str:
    removed = dict.fromkeys(REMOVED_HEADERS, "")
    headers = _headers({**rules, **removed, ORIGINAL_URI: "$front_original_uri"})
    of_files = (
        "add_header Content-Security-Policy $uploaded_policy;",
        "add_header X-Content-Type-Options nosniff;",
    )
    return _filled(
        "front_whole.conf",
        {
            "listen": _lines(_listen_at(door, ipv6=ipv6) for door in whole.doors),
            "headers": headers,
            "limits": _limits(plan),
            "reads": _reads(plan, headers, of_files),
            "served": str(served_mark(plan.socket)),
            "login_rate": plan.login_rate,
            "login_burst": str(plan.login_burst),
            "max_body_size": str(plan.max_body_size),
            "min_free": str(plan.min_free),
        },
    )


def _listen_at(door: Door, *, ipv6: bool) -> str:
    if door.path:
        return f"listen {door};"
    return _listen(door.port, ipv6=ipv6) if not door.host else f"listen {door};"


def _api_server(plan: Front, rules: Mapping[str, str], *, ipv6: bool) -> str:
    headers = _headers({**rules, **dict.fromkeys(REMOVED_HEADERS, "")})
    return _filled(
        "front_api.conf",
        {
            "listen": _listen(plan.port, ipv6=ipv6),
            "headers": headers,
            "limits": _limits(plan),
            "reads": _reads(plan, headers),
            "login_rate": plan.login_rate,
            "login_burst": str(plan.login_burst),
            "max_body_size": str(plan.max_body_size),
            "min_free": str(plan.min_free),
            "page": _page(plan),
            "elsewhere": plan.dashboard_url and f" Pages for people are at {plan.dashboard_url}/",
        },
    )


def _web_server(
    plan: Front, web: Web, rules: Mapping[str, str], *, ipv6: bool, key: str | None
) -> str:
    dashboard = urlsplit(plan.dashboard_url)
    headers = {
        **rules,
        **dict.fromkeys((*REMOVED_HEADERS, *LOGIN_HEADERS), ""),
        "Host": dashboard.netloc,
        "X-Forwarded-Host": dashboard.netloc,
        "X-Forwarded-Proto": dashboard.scheme,
        OUTSIDE_URL: plan.dashboard_url,
    }
    return _filled(
        "front_web.conf",
        {
            "listen": _listen(web.port, ipv6=ipv6),
            "headers": _headers(headers),
            "guard": _guard(plan.dashboard_url, key) if key else "",
            "elsewhere": f"Log in and upload at {plan.api_host or 'the host of the packages'}.",
        },
    )


def _guard(dashboard_url: str, key: str) -> str:
    """The directive that asks for the key. Not a map: that would not tell small from capital."""
    variable = "$http_" + KEY_HEADER.lower().replace("-", "_")
    return (
        f"if ({variable} != {_quoted(key)}) {{\n"
        f'    return 403 "Only the login proxy of {dashboard_url} comes in here.\\n";\n'
        f"}}"
    )


def _page(plan: Front) -> str:
    """The directive that answers a browser at the API host."""
    if plan.dashboard_url:
        return f"return 302 {plan.dashboard_url}$request_uri;"
    host = plan.api_host or "this host"
    return (
        f'return 404 "{host} serves Python packages to pip, uv, twine and devpi.\\n'
        f'It has no pages to look at.\\n";'
    )


def _listen(port: int, *, ipv6: bool) -> str:
    return _lines([f"listen {port};", *([f"listen [::]:{port};"] if ipv6 else [])])


def _headers(headers: Mapping[str, str]) -> str:
    return _lines(f"proxy_set_header {name} {_quoted(value)};" for name, value in headers.items())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The template of that name with its places filled, what is put in indented like its line."""
    lines = Path(__file__).with_name(template).read_text().splitlines()
    return _lines(_filled_line(line, values) for line in lines)


def _filled_line(line: str, values: Mapping[str, str]) -> str:
    text = line.lstrip()
    filled = re.sub(r"\{\{ (\w+) \}\}", lambda place: values[place[1]], text)
    return indent(filled, line[: len(line) - len(text)])


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_rules(folder: Path) -> dict[str, str]:
    """The files of the rules' folder; a mounted ConfigMap has hidden ones besides its keys."""
    if not folder.is_dir():
        return {}
    return {
        file.name: file.read_text()
        for file in folder.iterdir()
        if file.is_file() and not file.name.startswith(".")
    }


def read_key(file: Path) -> str:
    """What the web host is to ask for, from a mounted Secret. Raises `Refused`."""
    name = "DEVPI_FRONT_WEB_KEY_FILE"
    try:
        key = file.read_bytes().decode(errors="replace").removesuffix("\n")
    except OSError as error:
        raise Refused(f"{name} names {file}: {error.strerror}.") from None
    if not key:
        raise Refused(f"{name} names {file}, which is empty.")
    if not _KEY.fullmatch(key):
        raise Refused(
            f"{name} names {file}, which holds no key. Write at least 32 letters, digits or any of"
            " _=+/- into it, as 'openssl rand -base64 32' prints them."
        )
    return key


def serve_front(plan: Front) -> int:
    """Run nginx until it is stopped; the exit code."""
    try:
        with ExitStack() as shown:
            # Where the server's folder is not to be written to, that does not wait for this end.
            with suppress(OSError):
                shown.enter_context(presence(front_mark(plan.socket)))
            return supervise([front_service(plan)], plan.restarts)
    except OSError as error:
        raise Refused(
            f"{error.filename}: {error.strerror}. The front needs a writable /tmp."
        ) from None


def front_service(plan: Front) -> Service:
    """nginx, its configuration written. Raises `Refused` or `OSError`."""
    rules = header_rules(read_rules(plan.headers_dir))
    key = read_key(plan.web.key_file) if plan.web and plan.web.key_file else None
    text = configuration(plan, rules, _WORK, ipv6=_has_ipv6(), web_key=key)
    # It holds the key.
    file = write_private(_WORK / "nginx.conf", text.encode())
    whole = plan.whole or Whole((Door(port=plan.port),), socket_mode=0, also_80=False)
    sockets = [door.path for door in whole.doors if door.path]

    def remove_sockets() -> None:
        # nginx stumbles over those of one that was killed.
        for path in (*sockets, _WORK / PAGES_SOCKET):
            path.unlink(missing_ok=True)

    def close_sockets() -> None:
        # nginx makes them for everybody.
        for path in sockets:
            path.chmod(whole.socket_mode)

    return Service(
        name="nginx",
        command=(NGINX, "-e", "stderr", "-c", str(file)),
        environment=plan.environment,
        stop_signal=signal.SIGQUIT,
        clean_codes=frozenset({0}),
        patience=_PATIENCE,
        answers=lambda: all(map(_listens, whole.doors)),
        served=close_sockets,
        prepare=remove_sockets,
        rewrite=nginx_line if plan.json_log else None,
    )


def _listens(door: Door) -> bool:
    try:
        if isinstance(door.near, Path):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(door.near))
        else:
            socket.create_connection(door.near, timeout=1).close()
        return True
    except OSError:
        return False


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False
