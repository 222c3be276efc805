# SPDX-License-Identifier: GPL-3.0-or-later
"""The realm that installers expect in Keycloak, with two people in it, by its admin API."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import web
from config import ADMIN, GROUP, REALM, Cluster, ClusterError
from record import write_file

# Every realm has it, for logging in without a browser.
_CLIENT = "admin-cli"
_SECONDS = 20.0


@dataclass(frozen=True)
class Account:
    """Somebody who can log in at Keycloak."""

    name: str
    groups: tuple[str, ...] = ()

    def email(self, domain: str) -> str:
        return f"{self.name}@{domain}"

    def profile(self, domain: str) -> dict[str, Any]:
        """With less than this Keycloak would ask for the rest at the first login."""
        return {
            "username": self.name,
            "enabled": True,
            "email": self.email(domain),
            "emailVerified": True,
            "firstName": self.name.capitalize(),
            "lastName": "Example",
        }


ACCOUNTS = (Account("developer", (GROUP,)), Account("stranger"))


class Server:
    """Keycloak's HTTP API; paths of ``read`` and ``write`` are those below ``/admin/realms``.

    Both raise ClusterError when Keycloak refuses.
    """

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._token = ""

    def log_in(self, name: str, password: str) -> bool:
        """Become an administrator for a minute; whether that name and password are right."""
        self._token = self._ask_for_token("master", name, password) or ""
        return self._token != ""

    def lets_in(self, realm: str, name: str, password: str) -> bool:
        """Whether somebody can log in to a realm."""
        return self._ask_for_token(realm, name, password) is not None

    def read(self, path: str, **query: str) -> Any:
        """The JSON there; None if there is nothing."""
        target = f"/admin/realms{path}" + (f"?{urlencode(query)}" if query else "")
        status, body = self._send("GET", target, "", self._headers())
        if status == HTTPStatus.NOT_FOUND:
            return None
        return json.loads(_accepted("GET", target, status, body))

    def write(self, method: str, path: str, content: Any = None) -> None:
        target = f"/admin/realms{path}"
        status, body = self._send(method, target, json.dumps(content), self._headers())
        _accepted(method, target, status, body)

    def close(self) -> None:
        self._connection.close()

    def _ask_for_token(self, realm: str, name: str, password: str) -> str | None:
        target = f"/realms/{realm}/protocol/openid-connect/token"
        form = {
            "grant_type": "password",
            "client_id": _CLIENT,
            "username": name,
            "password": password,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, body = self._send("POST", target, urlencode(form), headers)
        # A wrong password, or an account that is not ready for use.
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.BAD_REQUEST):
            return None
        return str(json.loads(_accepted("POST", target, status, body))["access_token"])

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}

    def _send(
        self, method: str, target: str, body: str, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        try:
            self._connection.request(method, target, body, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ClusterError(f"Keycloak did not answer {method} {target}: {error}") from error


def ensure(cluster: Cluster) -> None:
    """Bring the realm, its group and ACCOUNTS to their state; nothing else in it is touched.

    ClusterError when Keycloak refuses something.
    """
    passwords = _passwords(cluster)
    server = Server(web.connection(cluster, cluster.keycloak_host, _SECONDS))
    if not server.log_in(ADMIN, cluster.admin_password.read_text()):
        raise ClusterError(
            f"Keycloak does not let '{ADMIN}' in with the password in {cluster.admin_password}: it"
            f" was set up with another one. Make the cluster anew ('down', then 'up')."
        )
    converge(server, cluster.domain, passwords)
    server.close()


def converge(server: Server, domain: str, passwords: Mapping[str, str]) -> None:
    """The same with a server that has let us in; what is right already is only read."""
    _realm(server)
    groups = {GROUP: _group(server, GROUP)}
    for account in ACCOUNTS:
        credential = {"type": "password", "value": passwords[account.name], "temporary": False}
        number = _account(server, account.profile(domain), credential)
        _memberships(server, number, {groups[name] for name in account.groups})
        if not server.lets_in(REALM, account.name, passwords[account.name]):
            server.write("PUT", f"/{REALM}/users/{number}/reset-password", credential)


def _realm(server: Server) -> None:
    wanted = {"realm": REALM, "enabled": True}
    found = server.read(f"/{REALM}")
    if found is None:
        server.write("POST", "", wanted)
    elif not _has(found, wanted):
        server.write("PUT", f"/{REALM}", wanted)


def _group(server: Server, name: str) -> str:
    """Its number."""
    path = f"/{REALM}/groups"
    for _ in range(2):
        for group in server.read(path, search=name, exact="true"):
            if group["name"] == name:
                return str(group["id"])
        server.write("POST", path, {"name": name})
    raise ClusterError(f"Keycloak made the group '{name}' and does not show it.")


def _account(server: Server, wanted: Mapping[str, Any], credential: Mapping[str, Any]) -> str:
    """Its number. The credential is for a new one only: nobody can read an old one's."""
    path = f"/{REALM}/users"
    for _ in range(2):
        for user in server.read(path, username=wanted["username"], exact="true"):
            # What is asked of somebody at the next login would be in a test's way.
            if not _has(user, {**wanted, "requiredActions": []}):
                changed = {**user, **wanted, "requiredActions": []}
                server.write("PUT", f"{path}/{user['id']}", changed)
            return str(user["id"])
        server.write("POST", path, {**wanted, "credentials": [credential]})
    raise ClusterError(f"Keycloak made the user '{wanted['username']}' and does not show it.")


def _memberships(server: Server, user: str, wanted: set[str]) -> None:
    path = f"/{REALM}/users/{user}/groups"
    found = {group["id"] for group in server.read(path)}
    for group in wanted - found:
        server.write("PUT", f"{path}/{group}")
    for group in found - wanted:
        server.write("DELETE", f"{path}/{group}")


def _passwords(cluster: Cluster) -> dict[str, str]:
    """Made at random once, and kept beside what a test wants to know of an account."""
    try:
        known = json.loads(cluster.keycloak_users.read_text())
    except FileNotFoundError:
        known = {}
    passwords = {
        account.name: known.get(account.name, {}).get("password") or secrets.token_urlsafe(24)
        for account in ACCOUNTS
    }
    content = {
        account.name: {
            "password": passwords[account.name],
            "email": account.email(cluster.domain),
            "groups": list(account.groups),
        }
        for account in ACCOUNTS
    }
    write_file(cluster.keycloak_users, json.dumps(content, indent=2) + "\n", 0o600)
    return passwords


def _has(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(found.get(key) == value for key, value in wanted.items())


def _accepted(method: str, target: str, status: int, body: str) -> str:
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        raise ClusterError(f"Keycloak refused {method} {target}: {status} {body[:300]}")
    return body
