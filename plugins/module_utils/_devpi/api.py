# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that talks to a devpi server: its HTTP JSON API, as devpi-server 6.20.3 has it.

PRIVATE to the collection. How bytes travel is the caller's: a *transport* is a function
``(method, url, headers, body or None) -> (status, headers, body)`` that returns every answer,
also an error's. It raises ConnectionError or TimeoutError where there is no answer and trying
again may help, another OSError where it will not (a certificate that is not trusted).
"""

from __future__ import annotations

import base64
import json
import time
import typing as t
from dataclasses import dataclass
from http import HTTPStatus
from http.client import responses
from urllib.parse import quote

from . import plan
from .errors import ApiError, LoginRefusedError, UnreachableError
from .model import current_state

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .model import Settings, State

    Transport = Callable[
        [str, str, Mapping[str, str], "bytes | None"], "tuple[int, Mapping[str, str], bytes]"
    ]


@dataclass(frozen=True)
class Patience:
    """How often a request is sent at most, and the pauses between in seconds.

    The pause doubles from ``pause`` on. It is the server's own where that asks for one.
    """

    attempts: int = 5
    pause: float = 0.5
    longest: float = 30.0


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the server wants the request again, None if it does not.

        429 is the limit on logins; a front answers 503 with Retry-After while it has no
        connection to devpi. No other answer is worth a second request.
        """
        asked = self.headers.get("retry-after", "")
        if self.status not in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            return None
        if asked.isdecimal():
            return float(asked)
        return 1.0 if self.status == HTTPStatus.TOO_MANY_REQUESTS else None

    def json(self) -> t.Any:
        """Return the decoded body, None if it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def words(self) -> str:
        """What the server says about its answer."""
        content = self.json()
        if isinstance(content, dict) and content.get("message"):
            return str(content["message"])
        if "html" not in self.headers.get("content-type", "") and self.body.strip():
            return self.body.decode("utf-8", "replace")[:300]
        return responses.get(self.status, "no words of its own")


def _path(name: str) -> str:
    return "/" + "/".join(quote(part, safe="@") for part in name.split("/"))


class Api:
    """A devpi server at ``url``; all methods raise ApiError or UnreachableError."""

    def __init__(
        self,
        url: str,
        transport: Transport,
        *,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self._transport = transport
        self._patience = patience or Patience()
        self._sleep = sleep
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}

    def ping(self) -> None:
        """Return if a devpi server answers."""
        self._call("GET", "/+api")

    def login(self, user: str, password: str) -> None:
        """Act as ``user`` from now on; LoginRefusedError if the server does not accept this."""
        self._headers.pop("X-Devpi-Auth", None)
        try:
            proof = self._call("POST", "/+login", {"user": user, "password": password})
        except ApiError as error:
            if error.status != HTTPStatus.UNAUTHORIZED:
                raise
            raise LoginRefusedError(
                "POST", f"{self.url}/+login", error.status, error.words
            ) from None
        self._act_as(user, proof)

    def _act_as(self, user: str, proof: t.Any) -> None:
        credential = f"{user}:{proof['password']}".encode()
        self._headers["X-Devpi-Auth"] = base64.b64encode(credential).decode("ascii")

    def state(self) -> State:
        """Return all users and indexes; one request, no lists of projects in it."""
        return current_state(self._call("GET", "/"))

    def index(self, name: str) -> dict[str, t.Any]:
        """Return the configuration of an index, ``type`` among its keys."""
        config: dict[str, t.Any] = self._call("GET", f"{_path(name)}?no_projects=")
        return config

    def create_user(self, name: str, attributes: Settings, password: str | None = None) -> None:
        """Create a user, without a password one that can't log in. One that exists is modified."""
        try:
            self._call("PUT", _path(name), {**attributes, "password": password})
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            self.modify_user(name, attributes)
            if password is not None:
                self.change_password(name, password)

    def modify_user(self, name: str, attributes: Settings) -> None:
        """Set attributes of a user, remove those that are None."""
        if attributes:
            self._call("PATCH", _path(name), dict(attributes))

    def change_password(self, name: str, password: str) -> None:
        """Give a user a new password. Tokens of the old one stay valid until they expire."""
        self._call("PATCH", _path(name), {"password": password})

    def create_index(self, name: str, settings: Settings) -> None:
        """Create an index; one that exists (an answer that got lost) is modified."""
        try:
            self._call("PUT", _path(name), dict(settings))
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            self.modify_index(name, settings)

    def modify_index(self, name: str, settings: Settings) -> None:
        """Set keys of an index, remove those that are None, leave all others.

        devpi resets a plugin's keys to their defaults if a request does not name them, so the
        whole configuration is sent. It removes keys in a request of its own form only.
        """
        wanted = {key: value for key, value in settings.items() if value is not None}
        removed = sorted(key for key, value in settings.items() if value is None)
        if wanted:
            self._call("PATCH", _path(name), {**self.index(name), **wanted})
        if removed:
            self._call("PATCH", _path(name), [f"{key}-=" for key in removed])

    def carry_out(self, step: plan.Action) -> None:
        """Do one step of a plan (passwords are no part of plans)."""
        methods = {
            plan.CREATE_USER: self.create_user,
            plan.MODIFY_USER: self.modify_user,
            plan.CREATE_INDEX: self.create_index,
            plan.MODIFY_INDEX: self.modify_index,
        }
        methods[step.action](step.subject, step.after or {})

    def _call(self, method: str, path: str, payload: t.Any = None) -> t.Any:
        """Return the ``result`` of devpi's answer."""
        body = None if payload is None else json.dumps(payload).encode("utf-8")
        answer = self._send(method, self.url + path, body)
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise ApiError(method, self.url + path, answer.status, answer.words)
        content = answer.json()
        if not isinstance(content, dict):
            words = "this is not the JSON of a devpi server"
            raise ApiError(method, self.url + path, answer.status, words)
        return content.get("result")

    def _send(self, method: str, url: str, body: bytes | None) -> _Answer:
        attempt = 1
        while True:
            last = attempt >= self._patience.attempts
            try:
                status, headers, content = self._transport(method, url, self._headers, body)
            except OSError as error:
                if last or not isinstance(error, (ConnectionError, TimeoutError)):
                    raise UnreachableError(f"{method} {url} got no answer: {error}") from error
                pause = self._patience.pause * 2 ** (attempt - 1)
            else:
                lower = {name.lower(): value for name, value in headers.items()}
                answer = _Answer(status, lower, content)
                if last or answer.retry_after is None:
                    return answer
                pause = answer.retry_after
            self._sleep(min(pause, self._patience.longest))
            attempt += 1
