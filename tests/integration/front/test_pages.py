# SPDX-License-Identifier: GPL-3.0-or-later
"""A page through the front is the page that devpi has, for whoever asks in whatever way."""

from __future__ import annotations

import itertools

import httpx
import pytest
from sites import JSON, PIP, Admin, Site

ACCEPTED = (
    None,
    "*/*",
    "text/html",
    JSON,
    PIP["Accept"],
    f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01",
    "text/html, application/vnd.pypi.simple.v1+json;q=0.5",
    "application/json",
    "application/xhtml+xml,text/html;q=0.9",
    f"{JSON};q=0",
    f"text/html;q=0.1,{JSON}",
    "image/png",
)
AGENTS = (
    "pip/26.0",
    "uv/0.13 (linux)",
    "Mozilla/5.0",
    "python-requests/2 setuptools/80",
    "",
    "xpip",
)
PATHS = (
    "/root/heir/+simple/paged/",
    "/root/heir/+simple/paged",
    "/root/own/+simple/paged/",
    "/root/heir/+simple/",
    "/root/heir/%2Bsimple/paged/",
    "/root/heir/+simple/Paged/",
    "/root/heir/+simple/paged/?x=1",
    "/root/heir/+simple/absent/",
    "/root/absent/+simple/paged/",
)
# Written in ways that the API host straightens before devpi sees them.
ODD = ("/root/heir//+simple/paged/", "/root/heir/+simple/../+simple/paged/")


@pytest.fixture(scope="module")
def paged(root: Admin) -> None:
    root.index("root/own")
    root.index("root/heir", bases=["root/own"])
    root.upload("root/own", "paged", "1.0")
    root.upload("root/heir", "paged", "2.0")


def headers(accept: str | None, agent: str, **more: str) -> dict[str, str]:
    return {"User-Agent": agent, **({"Accept": accept} if accept else {}), **more}


def ask(
    client: httpx.Client, path: str, given: dict[str, str], method: str = "GET"
) -> httpx.Response:
    """The answer to a request with just these headers."""
    request = httpx.Request(method, client.base_url, extensions={"target": path.encode()})
    # httpx would add an Accept of its own.
    request.headers = httpx.Headers({"Host": request.headers["Host"], **given})
    return client.send(request)


@pytest.mark.parametrize("path", PATHS)
def test_front_and_devpi_answer_alike(site: Site, paged: None, path: str) -> None:
    assert_alike(site, path, path)


@pytest.mark.parametrize("path", ODD)
def test_an_odd_path_is_no_other_page(site: Site, paged: None, path: str) -> None:
    assert_alike(site, path, path if site.whole else PATHS[0])


def assert_alike(site: Site, path: str, direct: str) -> None:
    with site.front() as front, site.direct() as devpi:
        for accept, agent in itertools.product(ACCEPTED, AGENTS):
            theirs = ask(devpi, direct, headers(accept, agent))
            for _first_then_cached in range(2):
                ours = ask(front, path, headers(accept, agent))
                if ours.status_code == theirs.status_code == 404:
                    continue
                assert described(ours) == described(theirs), (accept, agent)


def described(answer: httpx.Response) -> tuple[object, ...]:
    names = ("Content-Type", "Location", "X-PyPI-Last-Serial")
    return answer.status_code, answer.text, *(answer.headers.get(name) for name in names)


@pytest.mark.parametrize("encoding", ["gzip", "identity", "br", "gzip;q=0", "deflate, gzip;q=0.5"])
def test_each_encoding_is_the_same_page(site: Site, paged: None, encoding: str) -> None:
    with site.front() as front:
        page = ask(front, PATHS[0], {**PIP, "Accept-Encoding": encoding})
        compressed = "gzip" in encoding and "gzip;q=0" not in encoding.split(", ")
        assert page.headers.get("Content-Encoding") == ("gzip" if compressed else None)
        assert page.json()["name"] == "paged"
        assert "Accept-Encoding" in page.headers["Vary"]
        assert {"Accept", "User-Agent"} <= {*page.headers["Vary"].split(", ")}


def test_a_page_that_has_not_changed_is_not_sent_again(
    site: Site, root: Admin, paged: None
) -> None:
    root.index("root/tagged")
    root.upload("root/tagged", "paged", "1.0")
    path = "/root/tagged/+simple/paged/"
    with site.front() as front:
        etag = front.get(path, headers=PIP).headers["ETag"]
        again = front.get(path, headers={**PIP, "If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
        # Another write, which changes the epoch and not the page.
        root.index("root/elsewhere")
        assert front.get(path, headers={**PIP, "If-None-Match": etag}).status_code == 304
        root.upload("root/tagged", "paged", "2.0")
        changed = front.get(path, headers={**PIP, "If-None-Match": etag})
        assert changed.status_code == 200
        assert "paged-2.0" in changed.text


def test_head_has_the_headers_of_get(site: Site, paged: None) -> None:
    with site.front() as front:
        head, get = (front.request(method, PATHS[0], headers=PIP) for method in ("HEAD", "GET"))
        assert head.content == b""
        differ = {"date", "transfer-encoding"}
        assert {*head.headers.items()} ^ {*get.headers.items()} <= {
            item for item in (*head.headers.items(), *get.headers.items()) if item[0] in differ
        }


def test_pages_are_rendered_once(site: Site, paged: None) -> None:
    with site.front() as front:
        front.get(PATHS[0], headers=PIP)
        before = site.renders()
        for _ in range(5):
            assert front.get(PATHS[0], headers=PIP).headers["X-Cache-Status"] == "HIT"
        assert site.renders() == before


def test_what_decides_has_no_door(site: Site) -> None:
    with site.front() as front:
        for name in ("page", "verdict", "render", "file"):
            for path in (f"/+front/{name}", f"/%2Bfront/{name}", f"//+front/{name}"):
                assert front.get(path).status_code == 404
