# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx in front of the server: its configuration, and running it."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

from devpi_image.errors import Refused
from devpi_image.plans import Front
from devpi_image.server import served_mark
from devpi_image.supervisor import Service, supervise

NGINX = "/usr/sbin/nginx"
# The only folder that is writable for sure; the container has it for itself.
_WORK = Path("/tmp/devpi-front")  # noqa: S108
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
REMOVED_HEADERS = ("X-Outside-Url", "X-Devpi-Absolute-Urls", "X-Original-Uri")
_FIXED_HEADERS = {"host", "connection", "accept", "authorization", "x-devpi-auth"}

_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_VARIABLE = re.compile(r"\$\{?(\w*)")
_ALLOWED_VARIABLES = {"remote_addr", "scheme", "host", "http_host", "request_id", "server_port"}


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


def configuration(plan: Front, rules: Mapping[str, str], work: Path, *, ipv6: bool) -> str:
    """The text of nginx.conf. Pure but for the template, which lies beside this file."""
    listen = [f"listen {plan.port};"] + ([f"listen [::]:{plan.port};"] if ipv6 else [])
    headers = {**rules, **dict.fromkeys(REMOVED_HEADERS, "")}
    return _filled(
        resources.files("devpi_image").joinpath("front.conf").read_text(),
        {
            "work": str(work),
            "socket": str(plan.socket),
            "served": str(served_mark(plan.socket)),
            "listen": _lines(listen, 8),
            "max_body_size": str(plan.max_body_size),
            "timeout": str(plan.timeout),
            "login_rate": plan.login_rate,
            "login_burst": str(plan.login_burst),
            "trusted_proxies": _lines(
                [f"set_real_ip_from {net};" for net in plan.trusted_proxies], 8
            ),
            "headers": _lines(
                [f"proxy_set_header {name} {_quoted(value)};" for name, value in headers.items()], 8
            ),
            "page": _page(plan),
            "elsewhere": plan.dashboard_url and f" Pages for people are at {plan.dashboard_url}/",
        },
    )


def _page(plan: Front) -> str:
    """The directive that answers a browser."""
    if plan.dashboard_url:
        return f"return 302 {plan.dashboard_url}$request_uri;"
    host = plan.api_host or "this host"
    return (
        f'return 404 "{host} serves Python packages to pip, uv, twine and devpi.\\n'
        f'It has no pages to look at.\\n";'
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _filled(template: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{\{ (\w+) \}\}", lambda place: values[place[1]], template)


def _lines(lines: Iterable[str], indent: int) -> str:
    return ("\n" + " " * indent).join(lines)


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


def serve_front(plan: Front) -> int:
    """Run nginx until it is stopped; the exit code."""
    rules = header_rules(read_rules(plan.headers_dir))
    try:
        _WORK.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = _WORK / "nginx.conf"
        file.write_text(configuration(plan, rules, _WORK, ipv6=_has_ipv6()))
    except OSError as error:
        raise Refused(
            f"{error.filename}: {error.strerror}. The front needs a writable /tmp."
        ) from None
    return supervise(
        Service(
            name="nginx",
            command=(NGINX, "-e", "stderr", "-c", str(file)),
            environment=plan.environment,
            stop_signal=signal.SIGQUIT,
            clean_codes=frozenset({0}),
            patience=_PATIENCE,
            answers=lambda: _listens(plan.port),
        ),
        plan.restarts,
    )


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
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
