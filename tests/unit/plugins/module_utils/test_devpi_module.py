# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules reach a server, where a real one does not fail on demand."""

from __future__ import annotations

import io
import ssl
from email.message import Message
from http.client import BadStatusLine
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
from ansible_collections.thinkube.devpi.plugins.module_utils import _devpi_module
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.errors import InputError
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.model import declared_state
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi_module import (
    connect,
    hide_logins,
    transport,
)

URL = "https://devpi.example/+api"


def answered_with(monkeypatch: pytest.MonkeyPatch, answer: Any) -> dict[str, Any]:
    """Have open_url raise an error or return an answer; the options that it is called with."""
    asked: dict[str, Any] = {}

    def open_url(url: str, **options: Any) -> Any:
        asked.update(options, url=url)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(_devpi_module, "open_url", open_url)
    return asked


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (URLError(ConnectionRefusedError("refused")), ConnectionRefusedError),
        (URLError(TimeoutError("timed out")), TimeoutError),
        (TimeoutError("timed out"), TimeoutError),
        (BadStatusLine("?"), ConnectionError),
        (BadStatusLine(""), ConnectionError),
        (URLError(ssl.SSLCertVerificationError("not trusted")), ssl.SSLCertVerificationError),
        (URLError("no host given"), URLError),
    ],
)
def test_errors_that_may_pass_are_told_from_those_that_stay(
    monkeypatch: pytest.MonkeyPatch, error: Exception, raised: type[Exception]
) -> None:
    answered_with(monkeypatch, error)
    with pytest.raises(raised) as caught:
        transport(5, None)("GET", URL, {}, None)
    passes = issubclass(raised, (ConnectionError, TimeoutError))
    assert isinstance(caught.value, (ConnectionError, TimeoutError)) is passes


def test_every_answer_is_returned_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = Message()
    headers["Retry-After"] = "2"
    refused = HTTPError(URL, 429, "Too Many Requests", headers, io.BytesIO(b"later"))
    asked = answered_with(monkeypatch, refused)
    send = transport(5, "/etc/ca.crt")
    assert send("PUT", URL, {"A": "b"}, b"{}") == (429, {"Retry-After": "2"}, b"later")
    assert asked == {
        "url": URL,
        "method": "PUT",
        "headers": {"A": "b"},
        "data": b"{}",
        "timeout": 5,
        "ca_path": "/etc/ca.crt",
        # A login that is sent must not follow to another host.
        "follow_redirects": "no",
        "http_agent": "thinkube.devpi",
    }


def module(**options: Any) -> Any:
    given = {"login_user": "root", "login_password": None, "login_token": None, "retries": 4}
    params = {"url": "https://devpi.example", "timeout": 5, "ca_path": None, **given, **options}
    return SimpleNamespace(params=params, no_log_values=set())


@pytest.mark.parametrize("url", ["devpi.example", "ftp://a", "https://me:hunter2@devpi.example"])
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(InputError, match="Write one such as 'https://devpi-api") as refused:
        connect(module(url=url))
    assert "hunter2" not in str(refused.value)


def test_nobody_is_logged_in_without_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answered_with(monkeypatch, AssertionError("nothing to ask yet"))
    connect(module())
    connect(module(login_token="devpi-x"))
    assert asked == {}


def test_logins_in_urls_of_mirrors_are_hidden() -> None:
    url = "https://me:hunter2@mirror.example/simple/"
    indexes = {"root/m": {"type": "mirror", "mirror_url": url}, "root/a": {}}
    asked = module()
    hide_logins(asked, declared_state({"indexes": indexes}))
    assert asked.no_log_values == {"hunter2"}
