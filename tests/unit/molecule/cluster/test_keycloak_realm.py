# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import http.client
import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import keycloak_realm
import pytest
from config import GROUP, Cluster, ClusterError
from keycloak_realm import Server

DOMAIN = "unit.test"
PASSWORDS = {"developer": "one", "stranger": "two"}
USERS = "/admin/realms/thinkube/users"


class Keycloak:
    """As much of it as the driver needs, in memory; ``writes`` has what was asked of it."""

    def __init__(self) -> None:
        self.realm: dict[str, Any] | None = None
        self.groups: list[dict[str, Any]] = []
        self.users: dict[str, dict[str, Any]] = {}
        self.passwords = {"admin": "root"}
        self.members: dict[str, set[str]] = {}
        self.writes: list[str] = []

    def token(self, form: dict[str, list[str]]) -> tuple[int, Any]:
        right = self.passwords.get(form["username"][0]) == form["password"][0]
        return (200, {"access_token": "t"}) if right else (401, {"error": "invalid_grant"})

    def read(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        match path.removeprefix("/admin/realms/thinkube").split("/")[1:]:
            case []:
                return (200, self.realm) if self.realm else (404, {})
            case ["groups"]:
                # Keycloak looks for groups of which this is a part of the name.
                return 200, [one for one in self.groups if query["search"][0] in one["name"]]
            case ["users"]:
                found = (user for user in self.users.values())
                return 200, [one for one in found if one["username"] == query["username"][0]]
            case ["users", number, "groups"]:
                return 200, [{"id": one} for one in sorted(self.members[number])]
        return 500, {}

    def write(self, method: str, path: str, content: Any) -> tuple[int, Any]:
        self.writes.append(f"{method} {path}")
        match [method, *path.removeprefix("/admin/realms").split("/")[1:]]:
            case ["POST"] | ["PUT", "thinkube"]:
                self.realm = content
            case ["POST", _, "groups"]:
                self.groups.append({"id": f"g-{content['name']}", **content})
            case ["POST", _, "users"]:
                (credential,) = content.pop("credentials")
                name = content["username"]
                self.passwords[name] = credential["value"]
                self.users[name] = {"id": name, "requiredActions": [], **content}
                self.members[name] = set()
            case ["PUT", _, "users", number]:
                self.users[number] = content
            case ["PUT", _, "users", number, "groups", group]:
                self.members[number].add(group)
            case ["DELETE", _, "users", number, "groups", group]:
                self.members[number].discard(group)
            case ["PUT", _, "users", number, "reset-password"]:
                self.passwords[number] = content["value"]
            case _:
                return 403, {"error": "no"}
        return 204, None


@pytest.fixture
def keycloak() -> Keycloak:
    return Keycloak()


@pytest.fixture
def server(keycloak: Keycloak) -> Iterator[Server]:
    """Logged in as the administrator."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self.reply(*keycloak.read(parts.path, parse_qs(parts.query)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path.endswith("/token"):
                self.reply(*keycloak.token(parse_qs(body)))
            else:
                assert self.headers["Authorization"] == "Bearer t"
                self.reply(*keycloak.write(self.command, self.path, json.loads(body)))

        do_PUT = do_DELETE = do_POST  # noqa: N815

        def reply(self, status: int, content: Any) -> None:
            body = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        threading.Thread(target=http_server.serve_forever, daemon=True).start()
        client = Server(http.client.HTTPConnection("127.0.0.1", http_server.server_port))
        assert client.log_in("admin", "root")
        yield client
        client.close()
        http_server.shutdown()


def test_from_nothing_to_two_people_and_then_nothing_more(
    server: Server, keycloak: Keycloak
) -> None:
    keycloak_realm.converge(server, DOMAIN, PASSWORDS)
    assert keycloak.realm == {"realm": "thinkube", "enabled": True}
    assert keycloak.members == {"developer": {f"g-{GROUP}"}, "stranger": set()}
    assert keycloak.users["developer"]["email"] == "developer@unit.test"
    assert keycloak.users["developer"]["emailVerified"] is True
    assert PASSWORDS.items() <= keycloak.passwords.items()
    keycloak.writes.clear()
    keycloak_realm.converge(server, DOMAIN, PASSWORDS)
    assert keycloak.writes == []


def test_what_somebody_changed_is_put_back_and_what_he_added_stays(
    server: Server, keycloak: Keycloak
) -> None:
    keycloak_realm.converge(server, DOMAIN, PASSWORDS)
    assert keycloak.realm is not None
    keycloak.realm.update(enabled=False, displayName="Ours")
    keycloak.users["developer"].update(enabled=False, attributes={"team": ["a"]})
    keycloak.members["stranger"].add(f"g-{GROUP}")
    keycloak.passwords["stranger"] = "forgotten"
    keycloak.writes.clear()
    keycloak_realm.converge(server, DOMAIN, PASSWORDS)
    assert keycloak.writes == [
        "PUT /admin/realms/thinkube",
        f"PUT {USERS}/developer",
        f"DELETE {USERS}/stranger/groups/g-{GROUP}",
        f"PUT {USERS}/stranger/reset-password",
    ]
    assert keycloak.users["developer"]["enabled"] is True
    assert keycloak.users["developer"]["attributes"] == {"team": ["a"]}
    assert keycloak.members["stranger"] == set()
    assert keycloak.passwords["stranger"] == "two"


def test_a_group_whose_name_only_contains_ours_is_another(
    server: Server, keycloak: Keycloak
) -> None:
    keycloak.groups.append({"id": "other", "name": f"no-{GROUP}"})
    keycloak_realm.converge(server, DOMAIN, PASSWORDS)
    assert keycloak.members["developer"] == {f"g-{GROUP}"}


def test_a_refusal_says_what_was_asked_and_answered(server: Server) -> None:
    with pytest.raises(ClusterError, match=r'refused PUT /admin/realms/x/y: 403 \{"error": "no"\}'):
        server.write("PUT", "/x/y")


def test_a_wrong_password_is_no_error_but_an_answer(server: Server) -> None:
    assert not server.lets_in("thinkube", "admin", "wrong")
    assert not server.log_in("admin", "wrong")


def test_no_answer_is_an_error() -> None:
    with pytest.raises(ClusterError, match="did not answer POST /realms/master"):
        Server(http.client.HTTPConnection("127.0.0.1", 1)).log_in("admin", "root")


def test_passwords_are_made_once_and_for_root_only(tmp_path: Path) -> None:
    cluster = Cluster("unit", 1, tmp_path)
    passwords = keycloak_realm._passwords(cluster)
    assert len(set(passwords.values())) == 2
    assert keycloak_realm._passwords(cluster) == passwords
    assert stat.S_IMODE(cluster.keycloak_users.stat().st_mode) == 0o600
    content = json.loads(cluster.keycloak_users.read_text())
    assert content["developer"] == {
        "password": passwords["developer"],
        "email": "developer@unit.thinkube.test",
        "groups": [GROUP],
    }
    assert content["stranger"]["groups"] == []
