# SPDX-License-Identifier: GPL-3.0-or-later
"""What devpi would refuse is refused, however it is asked for and whoever has read it before."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import closed_plugin
import httpx
import pytest
from sites import PIP, Admin, Site, links, running, wheel

SECRET = wheel("secret", "1.0", 5000)


@pytest.fixture(scope="module", params=["api", "whole"])
def site(
    request: pytest.FixtureRequest, initialised: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("private")
    plugins = closed_plugin.install(folder / "plugins")
    whole = request.param == "whole"
    with running(initialised, folder / "site", plugins=plugins, whole=whole) as site:
        yield site


@pytest.fixture(scope="module")
def private(site: Site, root: Admin) -> str:
    """The path of a file of an index that root alone may read."""
    root.client.put("/guest", json={"password": "a password of a guest"}).raise_for_status()
    root.index("root/private", acl_pkg_read=["root"])
    root.upload("root/private", "secret", "1.0", SECRET)
    page = root.client.get("/root/private/+simple/secret/", headers=PIP)
    [path] = links(page).values()
    return path


def spellings(path: str) -> Iterator[str]:
    """The path in ways that one of nginx and devpi might take for the same."""
    plus = path.replace("+f", "%2bf"), path.replace("+f", "%2Bf"), path.replace("+f", "%252bf")
    yield from (path, *plus, f"/{path}", path.replace("/+f", "//+f"), path.replace("+f", "+F"))
    yield from (
        path.replace("/+f", "/./+f"),
        path.replace("/+f", "/x/../+f"),
        f"{path}/",
        f"{path}?x",
    )
    yield from (
        f"{path}%23x",
        f"{path}%00",
        path.replace("private", "Private"),
        path.replace("r", "%72"),
    )
    yield from (path.replace("secret", "%73ecret"), path.replace("/+f/", "%2F+f/"))
    yield from (path.replace("/+f", "/;x/+f"), path.replace("/+f", "\\+f"), f"{path}.metadata")
    yield path.upper()


def send(client: httpx.Client, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    """A request whose path goes out just as it is written here."""
    return client.request(method, "/", headers=headers, extensions={"target": path.encode()})


def leaks(client: httpx.Client, private: str, credentials: dict[str, str]) -> list[str]:
    """Each request that got something of the file."""
    conditions: list[dict[str, str]] = [
        {},
        {"Range": "bytes=-100"},
        {"If-None-Match": "*"},
        {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
        {"Accept-Encoding": "gzip", "X-Forwarded-User": "root", "Cookie": "auth_tkt=root:x"},
    ]
    found = []
    conditional = itertools.product(spellings(private), conditions, ("GET", "HEAD"))
    others = itertools.product(spellings(private), conditions[:1], ("OPTIONS", "POST", "PROPFIND"))
    for path, condition, method in itertools.chain(conditional, others):
        answer = send(client, method, path, {**condition, **credentials})
        if answer.status_code in (200, 206, 304, 416) and (
            answer.status_code != 200
            or SECRET[:30] in answer.content
            or b"Name: secret" in answer.content
            or method == "HEAD"
        ):
            found.append(f"{method} {path} {condition}: {answer.status_code}")
    return found


def test_nobody_has_what_root_alone_may_have(site: Site, root: Admin, private: str) -> None:
    login = root.client.post("/+login", json={"user": "guest", "password": "a password of a guest"})
    token = login.json()["result"]["password"]
    given = httpx.BasicAuth("guest", token)
    guest = next(given.auth_flow(httpx.Request("GET", site.url))).headers["Authorization"]
    with site.front() as client:
        for _before_and_after in range(2):
            for credentials in ({}, {"Authorization": guest}):
                assert leaks(client, private, credentials) == []
            # Root reads it, whole, in part, and again.
            for part in ({}, {"Range": "bytes=-9"}):
                own = root.client.get(private, headers={"Accept": "*/*", **part})
                assert own.content == SECRET
                assert "X-Cache-Status" not in own.headers
            described = root.client.get(f"{private}.metadata")
            assert "Name: secret" in described.text
            assert "X-Cache-Status" not in described.headers


def test_a_change_of_who_may_read_is_a_change_at_once(site: Site, root: Admin) -> None:
    root.index("root/flips")
    root.upload("root/flips", "flips", "1.0")
    with site.front() as client:
        [path] = links(client.get("/root/flips/+simple/flips/", headers=PIP)).values()
        for _ in range(10):
            assert client.get(path).headers["X-Cache-Status"] == "DISK"
            assert client.get(f"{path}.metadata").is_success
            assert client.get(f"{path}.metadata").headers["X-Cache-Status"] == "HIT"
            root.change("root/flips", "acl_pkg_read=root")
            assert client.get(path).status_code == 403
            assert client.get(f"{path}.metadata").status_code == 403
            assert client.get(path, headers={"Range": "bytes=0-9"}).status_code == 403
            root.change("root/flips", "acl_pkg_read=:ANONYMOUS:")
