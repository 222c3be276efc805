# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that talks to a devpi server: its HTTP JSON API, as devpi-server 6.20.3 has it.

A server of version 7 is told so by the header that each answer has, and is asked in its words.

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
from .vocabulary import in_words_of_7

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
class Answer:
    """What came back from the server; header names are in small letters."""

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
        if isinstance(content, dict):
            # About an upload, devpi says it in the title, beside a message of empty lines.
            said = str(content.get("message") or "").strip() or content.get("title")
            if said:
                return str(said)
        if "html" not in self.headers.get("content-type", "") and self.body.strip():
            return self.body.decode("utf-8", "replace")[:300]
        return responses.get(self.status, "no words of its own")


def path_of(name: str) -> str:
    """Return the path of a user (``ann``), an index (``ann/dev``) or what is below, quoted."""
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
        self.server_version = ""
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}

    def ping(self) -> None:
        """Return if a devpi server answers."""
        self.call("GET", "/+api")

    def login(self, user: str, password: str) -> None:
        """Act as ``user`` from now on; LoginRefusedError if the server does not accept this."""
        self._headers.pop("X-Devpi-Auth", None)
        self.use_token(user, self._proof(user, password))

    def accepts(self, user: str, password: str) -> bool:
        """Say whether this is the user's password; who this acts as stays as it is."""
        try:
            self._proof(user, password)
        except LoginRefusedError:
            return False
        return True

    def use_token(self, user: str, token: str) -> None:
        """Act as ``user`` from now on, by what a login gave or by a token of devpi-tokens."""
        credential = f"{user}:{token}".encode()
        self._headers["X-Devpi-Auth"] = base64.b64encode(credential).decode("ascii")

    def _proof(self, user: str, password: str) -> str:
        headers = {key: value for key, value in self._headers.items() if key != "X-Devpi-Auth"}
        body = json.dumps({"user": user, "password": password}).encode("utf-8")
        url = f"{self.url}/+login"
        answer = self._send("POST", url, headers, body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise LoginRefusedError("POST", url, answer.status, answer.words)
        proof = self._result("POST", url, answer)
        return str(proof["password"])

    def state(self) -> State:
        """Return all users and indexes; one request, no lists of projects in it."""
        return current_state(self.call("GET", "/"))

    def index(self, name: str) -> dict[str, t.Any]:
        """Return the configuration of an index in the server's words, ``type`` among its keys."""
        config: dict[str, t.Any] = self.call("GET", f"{path_of(name)}?no_projects=")
        return config

    def create_user(self, name: str, attributes: Settings, password: str | None = None) -> None:
        """Create a user, without a password one that can't log in. One that exists is modified."""
        try:
            self.call("PUT", path_of(name), {**attributes, "password": password})
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            self.modify_user(name, attributes)
            if password is not None:
                self.change_password(name, password)

    def modify_user(self, name: str, attributes: Settings) -> None:
        """Set attributes of a user, remove those that are None."""
        if attributes:
            self.call("PATCH", path_of(name), dict(attributes))

    def change_password(self, name: str, password: str) -> None:
        """Give a user a new password. Tokens of the old one stay valid until they expire."""
        self.call("PATCH", path_of(name), {"password": password})

    def delete_user(self, name: str) -> None:
        """Remove a user who has no indexes; one that is gone (a lost answer) is no error."""
        try:
            self.call("DELETE", path_of(name))
        except ApiError:
            if name in self.state().users:
                raise

    def create_index(self, name: str, settings: Settings) -> None:
        """Create an index; one that exists (an answer that got lost) is modified."""
        try:
            self.call("PUT", path_of(name), self._words(settings))
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            self.modify_index(name, settings)

    def modify_index(self, name: str, settings: Settings) -> None:
        """Set keys of an index, remove those that are None, leave all others.

        devpi resets a plugin's keys to their defaults if a request does not name them, so the
        whole configuration is sent. It removes keys in a request of its own form only.
        """
        given = self._words(settings)
        wanted = {key: value for key, value in given.items() if value is not None}
        removed = sorted(key for key, value in given.items() if value is None)
        if wanted:
            self.call("PATCH", path_of(name), {**self.index(name), **wanted})
        if removed:
            self.call("PATCH", path_of(name), [f"{key}-=" for key in removed])

    def has_packages(self, name: str) -> bool:
        """Say whether an index that is no mirror holds anything of its own."""
        return bool(self.call("GET", path_of(name))["projects"])

    def delete_index(self, name: str, before: Settings) -> None:
        """Remove an index and all of its packages; ``before`` are its settings.

        devpi refuses that for one that is not volatile, so it becomes volatile first. One that is
        gone (an answer that got lost) is no error.
        """
        if not before.get("volatile", True):
            self.modify_index(name, {"volatile": True})
        try:
            self.call("DELETE", path_of(name))
        except ApiError:
            # devpi answers 403 where there is no index.
            if name in self.state().indexes:
                raise

    def carry_out(self, step: plan.Action, passwords: Mapping[str, str]) -> None:
        """Do one step of a plan; passwords are no part of plans, so they come beside it."""
        name, after = step.subject, step.after or {}
        if step.action == plan.CREATE_USER:
            self.create_user(name, after, passwords.get(name))
        elif step.action == plan.MODIFY_USER:
            self.modify_user(name, after)
        elif step.action == plan.ROTATE:
            self.change_password(name, passwords[name])
        elif step.action == plan.DELETE_USER:
            self.delete_user(name)
        elif step.action == plan.CREATE_INDEX:
            self.create_index(name, after)
        elif step.action == plan.MODIFY_INDEX:
            self.modify_index(name, after)
        elif step.action == plan.DELETE_INDEX:
            self.delete_index(name, step.before or {})

    def _words(self, settings: Settings) -> dict[str, t.Any]:
        return in_words_of_7(settings) if self.speaks_7 else dict(settings)

    @property
    def speaks_7(self) -> bool:
        """Whether the server, by its last answer, is devpi 7 or later."""
        major = self.server_version.partition(".")[0]
        return major.isdecimal() and int(major) >= 7

    def delete(self, path: str) -> None:
        """Remove what is at a path; what is gone already is no error."""
        try:
            self.call("DELETE", path)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def call(self, method: str, path: str, payload: t.Any = None) -> t.Any:
        """Return the ``result`` of devpi's answer to a request, whose payload is sent as JSON."""
        body = None if payload is None else json.dumps(payload).encode("utf-8")
        url = self.url + path
        return self._result(method, url, self._send(method, url, self._headers, body))

    def post(self, path: str, body: bytes, content_type: str) -> str:
        """Send a form and return the server's words about it."""
        url = self.url + path
        headers = {**self._headers, "Content-Type": content_type}
        return self._checked("POST", url, self._send("POST", url, headers, body)).words

    @staticmethod
    def _checked(method: str, url: str, answer: Answer) -> Answer:
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise ApiError(method, url, answer.status, answer.words)
        return answer

    def _result(self, method: str, url: str, answer: Answer) -> t.Any:
        content = self._checked(method, url, answer).json()
        if not isinstance(content, dict):
            words = "this is not the JSON of a devpi server"
            raise ApiError(method, url, answer.status, words)
        return content.get("result")

    def _send(self, method: str, url: str, given: Mapping[str, str], body: bytes | None) -> Answer:
        attempt = 1
        while True:
            last = attempt >= self._patience.attempts
            try:
                status, headers, content = self._transport(method, url, given, body)
            except OSError as error:
                if last or not isinstance(error, (ConnectionError, TimeoutError)):
                    raise UnreachableError(f"{method} {url} got no answer: {error}") from error
                pause = self._patience.pause * 2 ** (attempt - 1)
            else:
                lower = {name.lower(): value for name, value in headers.items()}
                answer = Answer(status, lower, content)
                self.server_version = lower.get("x-devpi-server-version", self.server_version)
                if last or answer.retry_after is None:
                    return answer
                pause = answer.retry_after
            self._sleep(min(pause, self._patience.longest))
            attempt += 1
