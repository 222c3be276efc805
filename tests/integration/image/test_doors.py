# SPDX-License-Identifier: GPL-3.0-or-later
"""The API host: what it serves, what it keeps closed, and that no spelling opens a door."""

from __future__ import annotations

import json

import pytest
from containers import PASSWORD, Pod, ask, login

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SIMPLE = "application/vnd.pypi.simple.v1"
PIP = f"{SIMPLE}+json, {SIMPLE}+html; q=0.1, text/html; q=0.01"
DASHBOARD = "https://devpi.example.org"


@pytest.mark.parametrize(
    "path",
    [
        "/+status",
        "/+authcheck",
        "/+changelog/0",
        "/+changelog/0-",
        "/+search?query=x",
        "/+searchhelp",
        "/+logout",
        "/+static/x.css",
        "/+login",
        "/root/pypi/flask/3.0.0/+d/index.html",
        "/root/pypi/flask/3.0.0/+doc/",
        "/root/pypi/flask/3.0.0/+toxresults/flask.whl",
        "/root/pypi/+status",
        "/root/py+pi",
        "/root/pypi/flask/3.0.0/deeper",
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_administration_and_documentation_are_closed(served: Pod, path: str, accept: str) -> None:
    answer = ask(served.port, path, headers={"Accept": accept})
    assert answer.status == 404
    assert answer.content_type == "application/json"
    assert "message" in json.loads(answer.body)


@pytest.mark.parametrize(
    "path",
    [
        "/%2bstatus",
        "/%2Bstatus",
        "/+%73tatus",
        "//+status",
        "///+status",
        "/./+status",
        "/x/../+status",
        "/x/%2e%2e/+status",
        "/root%2f..%2f+status",
        "/root/pypi/+simple/../../../+status",
        "/root/pypi/+f/..%2f..%2f..%2f+status",
        "http://other.example.org/+status",
        "/+api/../+status",
    ],
)
def test_no_spelling_reaches_the_status(served: Pod, path: str) -> None:
    answer = ask(served.port, path, headers={"Accept": "application/json"})
    assert answer.status == 404
    assert b"serverdir" not in answer.body


def test_an_encoded_path_reaches_devpi_as_the_same_path(served: Pod) -> None:
    answer = ask(served.port, "/%252bstatus", headers={"Accept": "application/json"})
    assert "no user '%2bstatus'" in json.loads(answer.body)["message"]
    answer = ask(served.port, "/root/what%3Fever%20", headers={"Accept": "application/json"})
    assert "root/what?ever " in json.loads(answer.body)["message"]


@pytest.mark.parametrize(
    "path", ["/", "/root", "/root/pypi?no_projects=", "/nosuch", "/root/pypi/+f/a/b"]
)
@pytest.mark.parametrize("accept", ["*/*", "", "application/json;q=0.1, text/html", "image/png"])
def test_programs_never_get_a_page(served: Pod, path: str, accept: str) -> None:
    answer = ask(served.port, path, headers={"Accept": accept})
    assert answer.status in (200, 404)
    assert "text/html" not in answer.content_type
    assert b"<html" not in answer.body.lower()


@pytest.mark.parametrize("path", ["/", "/root/pypi", "/+status", "/+search?query=x"])
def test_a_browser_is_told_what_this_is(served: Pod, path: str) -> None:
    answer = ask(served.port, path, headers={"Accept": BROWSER})
    assert (answer.status, answer.content_type) == (404, "text/plain")
    assert b"devpi-api.example.org serves Python packages" in answer.body


@pytest.mark.parametrize("path", ["/", "/root/pypi", "/+search?query=x", "//evil.example.org/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_browser_is_sent_to_the_dashboard(
    served: Pod, path: str, method: str, other_port: int
) -> None:
    with served.front(DEVPI_FRONT_API_PORT=str(other_port), DEVPI_FRONT_DASHBOARD_URL=DASHBOARD):
        answer = ask(other_port, path, method, {"Accept": BROWSER})
    assert answer.status == 302
    assert answer.headers["Location"] == DASHBOARD + path


def test_a_write_is_never_sent_elsewhere(served: Pod) -> None:
    answer = ask(served.port, "/someone", "PUT", {"Accept": BROWSER}, b"{}")
    assert answer.status == 403


@pytest.mark.parametrize("path", ["/+api", "/root/pypi/+api"])
def test_the_api_answers_browsers_too(served: Pod, path: str) -> None:
    answer = ask(served.port, path, headers={"Accept": BROWSER})
    assert json.loads(answer.body)["type"] == "apiconfig"


def test_pip_is_led_from_an_index_to_its_list(served: Pod) -> None:
    headers = {"Accept": PIP, "User-Agent": "pip/25.0"}
    answer = ask(served.port, "/root/pypi/flask/", headers=headers)
    while answer.status in (301, 302):
        path = "/" + answer.headers["Location"].split("/", 3)[3]
        answer = ask(served.port, path, headers=headers)
    assert answer.content_type == "application/vnd.pypi.simple.v1+json"
    assert json.loads(answer.body)["name"] == "flask"


def test_an_unknown_project_is_no_page_either(served: Pod) -> None:
    answer = ask(served.port, "/root/pypi/+simple/no-such-project-here/", headers={"Accept": PIP})
    assert answer.status == 404
    assert b"<html" not in answer.body.lower()


def test_logins_are_limited(served: Pod, other_port: int) -> None:
    limit = {"DEVPI_FRONT_LOGIN_RATE": "1r/m", "DEVPI_FRONT_LOGIN_BURST": "2"}
    with served.front(DEVPI_FRONT_API_PORT=str(other_port), **limit):
        answers = [login(other_port, password="wrong") for _ in range(5)]
        assert [answer.status for answer in answers] == [401, 401, 401, 429, 429]
        assert int(answers[-1].headers["Retry-After"]) > 0
        assert ask(other_port, "/+api").status == 200


def test_the_right_password_logs_in(served: Pod) -> None:
    assert login(served.port, password="").status == 401
    assert login(served.port, password=PASSWORD).status == 200


def test_an_upload_has_a_limit(served: Pod, other_port: int) -> None:
    with served.front(DEVPI_FRONT_API_PORT=str(other_port), DEVPI_FRONT_MAX_BODY_SIZE="1000"):
        answer = ask(other_port, "/root/pypi/", "POST", {}, b"x" * 1001)
    assert answer.status == 413
    assert "1000 bytes" in json.loads(answer.body)["message"]
