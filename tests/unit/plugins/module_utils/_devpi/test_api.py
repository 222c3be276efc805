# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API does where a real server does not do it on demand: no answer, limits, odd answers.

Everything else is tested against a real server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.api import Api, Patience
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.errors import (
    ApiError,
    LoginRefusedError,
    UnreachableError,
)

Answer = tuple[int, dict[str, str], bytes]


class Wire:
    """A transport that gives prepared answers, and the pauses that were made meanwhile."""

    def __init__(self, *answers: Answer | OSError) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.pauses: list[float] = []

    def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        self.requests.append((method, url))
        self.headers.append(dict(headers))
        self.bodies.append(body or b"")
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    @property
    def methods(self) -> list[str]:
        return [request[0] for request in self.requests]

    def api(self, patience: Patience | None = None) -> Api:
        return Api("http://devpi/", self, patience=patience, sleep=self.pauses.append)


def done(result: object = None) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps({"result": result}).encode()


def refused(status: int, message: str) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps({"message": message}).encode()


REFUSED = ConnectionRefusedError("Connection refused")


@pytest.mark.parametrize(
    ("answers", "pauses"),
    [
        ([done()], []),
        ([REFUSED, done()], [0.5]),
        ([REFUSED, TimeoutError(), REFUSED, REFUSED, done()], [0.5, 1, 2, 4]),
        ([(429, {"Retry-After": "3"}, b""), done()], [3]),
        ([(429, {}, b""), done()], [1]),
        ([(503, {"retry-after": "2"}, b""), REFUSED, done()], [2, 1]),
        ([(503, {"Retry-After": "3600"}, b""), done()], [30]),
    ],
)
def test_what_is_tried_again(answers: list[Answer | OSError], pauses: list[float]) -> None:
    wire = Wire(*answers)
    wire.api().ping()
    assert wire.pauses == pauses
    assert wire.requests == [("GET", "http://devpi/+api")] * len(answers)


@pytest.mark.parametrize(
    "answer",
    [(503, {}, b""), (503, {"Retry-After": "tomorrow"}, b""), (500, {}, b""), (502, {}, b"")],
)
def test_other_answers_are_final(answer: Answer) -> None:
    wire = Wire(answer)
    with pytest.raises(ApiError) as error:
        wire.api().ping()
    assert error.value.status == answer[0]
    assert wire.pauses == []


def test_patience_ends() -> None:
    wire = Wire(*[REFUSED] * 3)
    with pytest.raises(UnreachableError, match=r"GET http://devpi/\+api got no answer: Connection"):
        wire.api(Patience(attempts=3, pause=1)).ping()
    assert wire.pauses == [1, 2]


def test_the_last_answer_counts_when_patience_ends() -> None:
    wire = Wire(*[(429, {"Retry-After": "1"}, b"Too many logins")] * 2)
    with pytest.raises(ApiError, match="429: Too many logins"):
        wire.api(Patience(attempts=2)).login("root", "x")


def test_an_error_that_stays_is_not_tried_again() -> None:
    wire = Wire(OSError("certificate is not trusted"))
    with pytest.raises(UnreachableError, match="certificate is not trusted"):
        wire.api().ping()
    assert wire.pauses == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refused(400, "base index 'root/x' does not exist"), "base index 'root/x' does not exist"),
        (refused(403, "Access denied.\n\n\nNo permission\n"), "Access denied. No permission"),
        ((413, {"Content-Type": "text/html"}, b"<html>" * 100), "Request Entity Too Large"),
        ((500, {}, b"Internal Server Error\n\nwaitress"), "Internal Server Error waitress"),
        ((404, {}, b""), "Not Found"),
        ((599, {}, b""), "no words of its own"),
        ((200, {"Content-Type": "text/html"}, b"<html>"), "this is not the JSON of a devpi server"),
        ((200, {}, b"[]"), "this is not the JSON of a devpi server"),
        ((302, {"Location": "/login"}, b""), "Found"),
        (refused(400, "bad https://me:hunter2@mirror/x"), "bad https://***@mirror/x"),
    ],
)
def test_errors_carry_the_server_s_words(answer: Answer, words: str) -> None:
    with pytest.raises(ApiError) as error:
        Wire(answer).api().index("root/a")
    where = "GET http://devpi/root/a?no_projects="
    # A status of its own reads "Content Too Large" from Python 3.13 on.
    text = str(error.value).replace("Content Too Large", "Request Entity Too Large")
    assert text == f"{where} was answered with {answer[0]}: {words}"


def test_a_login_that_is_refused_is_told_from_one_that_failed() -> None:
    with pytest.raises(LoginRefusedError, match="could not be authenticated"):
        Wire(refused(401, "user 'root' could not be authenticated")).api().login("root", "x")
    with pytest.raises(ApiError) as error:
        Wire(refused(500, "broken")).api().login("root", "x")
    assert not isinstance(error.value, LoginRefusedError)


def test_a_creation_whose_answer_was_lost() -> None:
    wire = Wire(TimeoutError(), refused(409, "index exists"), done({"type": "stage"}), done())
    wire.api().create_index("root/a", {"type": "stage", "volatile": False})
    assert wire.methods == ["PUT", "PUT", "GET", "PATCH"]

    wire = Wire(TimeoutError(), refused(409, "user already exists"), done(), done())
    wire.api().create_user("ann", {"email": "a@example.com"}, "secret")
    assert wire.methods == ["PUT", "PUT", "PATCH", "PATCH"]


def test_names_are_quoted() -> None:
    wire = Wire(done({}))
    wire.api().index("ann@example.com/ü")
    assert wire.requests == [("GET", "http://devpi/ann@example.com/%C3%BC?no_projects=")]


@pytest.mark.parametrize("method", ["create_index", "create_user"])
def test_other_refusals_of_a_creation_are_errors(method: str) -> None:
    with pytest.raises(ApiError, match="400: no"):
        getattr(Wire(refused(400, "no")).api(), method)("a/b", {})


def seven(answer: Answer) -> Answer:
    """The same answer from a devpi 7."""
    status, headers, body = answer
    return status, {**headers, "X-Devpi-Server-Version": "7.0.0b4"}, body


def test_a_server_of_version_7_is_asked_in_its_words() -> None:
    there = {"root": {"indexes": {"pypi": {"type": "remote", "remote_url": "https://a.example/"}}}}
    wire = Wire(seven(done(there)), seven(done()), seven(done({"type": "remote"})), seven(done()))
    api = wire.api()
    assert not api.speaks_7
    state = api.state()
    assert state.indexes["root/pypi"].settings == {"mirror_url": "https://a.example/"}
    assert (api.speaks_7, api.server_version) == (True, "7.0.0b4")
    api.create_index("root/a", {"type": "stage", "mirror_whitelist": ["*"]})
    rules = {"type": "local", "project_inheritance_rules": ["allow all"]}
    assert json.loads(wire.bodies[1]) == rules
    api.modify_index("root/pypi", {"mirror_cache_expiry": 60})
    assert json.loads(wire.bodies[3]) == {"type": "remote", "remote_refresh_delay": 60}


def state(**indexes: object) -> Answer:
    return done({"root": {"indexes": indexes}})


def test_a_removal_whose_answer_was_lost() -> None:
    # devpi answers 403 where there is no index.
    wire = Wire(TimeoutError(), refused(403, "Access was denied"), state())
    wire.api().delete_index("root/a", {"volatile": True})
    assert wire.methods == ["DELETE", "DELETE", "GET"]
    wire = Wire(TimeoutError(), refused(404, "no such user"), state())
    wire.api().delete_user("ann")
    wire = Wire(refused(404, "No token with id x"))
    wire.api().delete("/ann/+tokens/x")


def test_a_removal_that_is_refused() -> None:
    denied = refused(403, "Access was denied")
    for removal in (
        lambda api: api.delete_index("root/a", {}),
        lambda api: api.delete_user("root"),
        lambda api: api.delete("/root/+tokens/x"),
    ):
        with pytest.raises(ApiError, match="403: Access was denied"):
            removal(Wire(denied, state(a={"type": "stage"})).api())


def test_an_index_that_is_not_volatile_becomes_so_before_it_goes() -> None:
    wire = Wire(done({"volatile": False}), done(), done())
    wire.api().delete_index("root/a", {"volatile": False})
    assert wire.methods == ["GET", "PATCH", "DELETE"]
    assert json.loads(wire.bodies[1]) == {"volatile": True}


def test_a_password_is_tried_without_changing_who_asks() -> None:
    wire = Wire(done({"password": "proof"}), refused(401, "could not be"), done())
    api = wire.api()
    api.use_token("root", "token")
    assert api.accepts("ann", "right")
    assert not api.accepts("ann", "wrong")
    api.ping()
    assert [("X-Devpi-Auth" in headers) for headers in wire.headers] == [False, False, True]
    with pytest.raises(ApiError, match="500: broken"):
        Wire(refused(500, "broken")).api().accepts("ann", "right")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "\n\n\n", "title": "no permission to submit"}, "no permission to submit"),
        ({"message": "said", "title": "title"}, "said"),
        ({}, "{}"),
    ],
)
def test_what_devpi_says_about_an_upload(body: object, words: str) -> None:
    answer = (403, {"Content-Type": "application/json"}, json.dumps(body).encode())
    with pytest.raises(ApiError) as error:
        Wire(answer).api().post("/root/a/", b"form", "multipart/form-data; boundary=x")
    assert error.value.words == words
