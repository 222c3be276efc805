# SPDX-License-Identifier: GPL-3.0-or-later
"""Which headers the front hands on: seen by a stand-in for devpi that answers with what it got."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
from containers import Container, Pod, ask

SPOOFED = {
    "X-Outside-Url": "https://evil.example.org",
    "X-Devpi-Absolute-Urls": "1",
    "X-Original-Uri": "/public",
    "X-Forwarded-Host": "evil.example.org",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-For": "203.0.113.9",
    "X-Real-Ip": "203.0.113.9",
    "X_Outside_Url": "https://evil.example.org",
}


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "headers": self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@pytest.fixture
def echo(pod: Pod) -> Iterator[Pod]:
    path = pod.folder / "run/devpi.sock"
    with Server(str(path), Echo) as server:
        path.chmod(0o666)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield pod
        server.shutdown()


def seen(port: int, headers: dict[str, str], path: str = "/+api") -> dict[str, str]:
    answer = json.loads(ask(port, path, headers=headers).body)
    names = [name.lower() for name, _ in answer["headers"]]
    assert len(names) == len(set(names))
    return {name.lower(): value for name, value in answer["headers"]}


def front(pod: Pod, **environment: str) -> Container:
    return pod.front(**environment)


def test_what_a_client_claims_is_overwritten(echo: Pod) -> None:
    with front(echo):
        got = seen(echo.port, {"Host": "devpi-api.example.org:444", **SPOOFED})
    assert "evil" not in json.dumps(got)
    assert (
        not {"x-outside-url", "x_outside_url", "x-devpi-absolute-urls", "x-original-uri"}
        & got.keys()
    )
    assert got["host"] == "devpi-api.example.org:444"
    assert got["x-forwarded-host"] == "devpi-api.example.org:444"
    assert got["x-forwarded-proto"] == "http"
    assert got["x-forwarded-for"] == got["x-real-ip"] == "127.0.0.1"


def test_the_rules_of_the_folder_win(echo: Pod) -> None:
    for name, value in {
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-Proto": "https\n",
        "X-Forwarded-Host": 'we"ird\\host',
        "X-Outside-URL": "https://devpi.example.org",
        ".hidden": "no header",
    }.items():
        (echo.folder / "headers" / name).write_text(value)
    with front(echo):
        got = seen(echo.port, SPOOFED)
    assert got["x-forwarded-proto"] == "https"
    assert got["x-forwarded-host"] == 'we"ird\\host'
    assert got["x-real-ip"] == "127.0.0.1"
    assert "x-outside-url" not in got


def test_addresses_come_from_trusted_proxies_only(echo: Pod) -> None:
    with front(echo, DEVPI_FRONT_TRUSTED_PROXIES="127.0.0.0/8 10.0.0.1"):
        got = seen(echo.port, {"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 10.0.0.1"})
    assert got["x-real-ip"] == got["x-forwarded-for"] == "198.51.100.7"


@pytest.mark.parametrize(
    ("path", "accept", "handed_on"),
    [
        ("/", "*/*", "application/json"),
        ("/", "application/xml, text/html", "application/json"),
        (
            "/root/pypi",
            "application/vnd.pypi.simple.v1+json, text/html",
            "application/vnd.pypi.simple.v1+json",
        ),
        ("/root/pypi/+simple/x/", "text/html", "text/html"),
        ("/root/pypi/+f/aaa/x.whl", "*/*", "application/octet-stream"),
        ("/root/pypi/+f/aaa/x.whl", "application/json", "application/json"),
    ],
)
def test_accept(echo: Pod, path: str, accept: str, handed_on: str) -> None:
    with front(echo):
        assert seen(echo.port, {"Accept": accept}, path)["accept"] == handed_on


def test_paths_and_queries_arrive_as_they_were_meant(echo: Pod) -> None:
    with front(echo):
        for asked, arrives in {
            "/root/pypi/+f/aaa/x-1.0%2Blocal.whl": "/root/pypi/+f/aaa/x-1.0+local.whl",
            "/root/pypi/+f/a%20b%25/c%23d": "/root/pypi/+f/a%20b%25/c%23d",
            "/root/pypi?no_projects=&a=%2B": "/root/pypi?no_projects=&a=%2B",
            "/root//pypi/%C3%BC": "/root/pypi/%C3%BC",
        }.items():
            assert json.loads(ask(echo.port, asked).body)["path"] == arrives


WEB = {"DEVPI_FRONT_DASHBOARD_URL": "https://devpi.example.org"}
LOGGED_IN = {
    "Authorization": "Basic cm9vdDpzZWNyZXQ=",
    "X-Devpi-Auth": "cm9vdDpzZWNyZXQ=",
    "Cookie": "_oauth2_proxy=secret",
    "X-Forwarded-Access-Token": "secret",
    "X-Auth-Request-Access-Token": "secret",
}


def test_the_web_host_says_who_it_is_and_nothing_of_who_asks(echo: Pod, other_port: int) -> None:
    key = "the+Key/of_the-login=proxy" * 2
    echo.secret("root", "web-key", key)
    (echo.folder / "headers/X-Forwarded-Host").write_text("devpi-api.example.org")
    (echo.folder / "headers/X-Outside-URL").write_text("https://devpi-api.example.org")
    variables = {
        **WEB,
        "DEVPI_FRONT_WEB_PORT": str(other_port),
        "DEVPI_FRONT_WEB_KEY_FILE": "/etc/devpi/root/web-key",
        "DEVPI_FRONT_TRUSTED_PROXIES": "127.0.0.0/8",
    }
    with front(echo, **variables) as container:
        got = seen(
            other_port, {"Host": "evil", **SPOOFED, **LOGGED_IN, "X-Devpi-Front-Key": key}, "/root"
        )
        log = container.log
    assert got == {
        "host": "devpi.example.org",
        "x-forwarded-host": "devpi.example.org",
        "x-forwarded-proto": "https",
        "x-outside-url": "https://devpi.example.org",
        "x-real-ip": "203.0.113.9",
        "x-forwarded-for": "203.0.113.9",
        "accept-encoding": "identity",
    }
    assert "GET /root " in log
    assert key not in log


def test_the_api_host_hands_credentials_on(echo: Pod) -> None:
    with front(echo):
        got = seen(echo.port, LOGGED_IN)
    assert {name: got[name.lower()] for name in LOGGED_IN} == LOGGED_IN


def test_paths_of_the_web_host_arrive_as_they_were_meant(echo: Pod, other_port: int) -> None:
    with front(echo, **WEB, DEVPI_FRONT_WEB_PORT=str(other_port)):
        for asked, arrives in {
            "/root/x/p/1.0%2Blocal": "/root/x/p/1.0+local",
            "/root%2Fx//p/./%2e%2e/q%20%25%23": "/root/x/q%20%25%23",
            "/%2Bsearch?query=a%2Bb&page=2": "/+search?query=a%2Bb&page=2",
            "/root/x/p/1/%2bdoc/a%3Fb.html?c": "/root/x/p/1/+doc/a%3Fb.html?c",
            "http://evil.example.org/root": "/root",
        }.items():
            assert json.loads(ask(other_port, asked).body)["path"] == arrives
