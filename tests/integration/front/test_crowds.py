# SPDX-License-Identifier: GPL-3.0-or-later
"""Many who ask for the same thing at once cost devpi one answer."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest
from sites import PIP, Admin, Site, eventually, links, wheel
from upstream import Upstream, serving

FILE = "crowd-1.0-py3-none-any.whl"


def at_once(number: int, ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """The answers to as many calls that begin together."""
    barrier = Barrier(number)

    def call() -> httpx.Response:
        barrier.wait()
        return ask()

    with ThreadPoolExecutor(number) as pool:
        return [future.result() for future in [pool.submit(call) for _ in range(number)]]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with serving(Upstream("crowd", {FILE: wheel("crowd", "1.0", 8_000_000)}, 10e6)) as upstream:
        yield upstream


def test_a_cold_page_is_rendered_once(site: Site, root: Admin) -> None:
    root.index("root/crowd")
    for version in range(20):
        root.upload("root/crowd", "crowd", f"{version}.0")
    before = site.renders()

    def ask() -> httpx.Response:
        return httpx.get(
            f"{site.url}/root/crowd/+simple/crowd/", headers=PIP, trust_env=False, timeout=60
        )

    answers = at_once(64, ask)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert site.renders() - before == 1


def test_a_cold_page_of_a_large_project_is_rendered_once_for_200(site: Site, root: Admin) -> None:
    files = {f"numerous-1.{n}-py3-none-any.whl": str(n).encode() for n in range(3500)}
    page = "/root/numerous/+simple/numerous/"

    def ask() -> httpx.Response:
        # Each its own client, as a shared one mixes up the connections of so many threads; what TLS
        # needs would be read 200 times, for nothing.
        return httpx.get(
            f"{site.url}{page}", headers=PIP, trust_env=False, timeout=60, verify=False
        )

    with serving(Upstream("numerous", files)) as upstream, site.direct() as devpi:
        root.index("root/numerous", type="mirror", mirror_url=upstream.url)
        eventually(lambda: devpi.get(page, headers=PIP).status_code == 200, "the mirror", 30)
        before = site.renders()
        answers = at_once(200, ask)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert site.renders() - before == 1


def test_a_page_that_is_not_there_is_asked_for_once(site: Site, root: Admin) -> None:
    root.index("root/nobody")
    before = site.renders()
    answers = at_once(
        32, lambda: httpx.get(f"{site.url}/root/nobody/+simple/nothing/", headers=PIP)
    )
    assert {answer.status_code for answer in answers} == {404}
    assert site.renders() - before <= 2
    root.upload("root/nobody", "nothing", "1.0")
    found = httpx.get(f"{site.url}/root/nobody/+simple/nothing/", headers=PIP)
    assert found.status_code == 200


@pytest.mark.parametrize("hashes", [True, False])
def test_a_cold_file_of_a_mirror_is_downloaded_once(
    site: Site, root: Admin, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, hashes: bool
) -> None:
    upstream.asked.clear()
    monkeypatch.setattr(upstream, "hashes", hashes)
    name = f"root/mirror{hashes}".lower()
    root.index(name, type="mirror", mirror_url=upstream.url)
    with site.front() as front:
        [path] = links(front.get(f"/{name}/+simple/crowd/", headers=PIP)).values()
    answers = at_once(12, lambda: httpx.get(f"{site.url}{path}", trust_env=False, timeout=60))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.content for answer in answers} == {upstream.files[FILE]}
    assert upstream.asked[f"/files/{FILE}"] == 1
    again = httpx.get(f"{site.url}{path}", trust_env=False)
    assert again.headers["X-Cache-Status"] == "DISK"


def test_large_pages_and_lists_arrive_whole(site: Site, root: Admin) -> None:
    """More than nginx has buffers for, the list even compressed."""
    files = {f"large-1.{n}-py3-none-any.whl": str(n).encode() for n in range(5000)}
    upstream = Upstream("large", files, names=[secrets.token_hex(12) for _ in range(100_000)])
    with serving(upstream), site.front() as front, site.direct() as devpi:
        root.index("root/large", type="mirror", mirror_url=upstream.url)
        for path in ("/root/large/+simple/large/", "/root/large/+simple/"):
            eventually(
                lambda path=path: devpi.get(path, headers=PIP).status_code == 200,  # type: ignore[misc]
                "the mirror",
                60,
            )
            for encoding in ("gzip", "identity", "gzip"):
                ours = front.get(path, headers={**PIP, "Accept-Encoding": encoding})
                assert ours.json() == devpi.get(path, headers=PIP).json()
            assert ours.headers["X-Cache-Status"] == "HIT"
            assert len(ours.content) > 16 * 32768


def test_who_goes_away_from_a_cold_page_holds_up_nobody(site: Site, root: Admin) -> None:
    files = {"slow-1.0-py3-none-any.whl": b"x"}
    with serving(Upstream("slow", files)) as upstream, site.front() as front:
        root.index("root/slow", type="mirror", mirror_url=upstream.url)
        page = "/root/slow/+simple/slow/"
        with site.direct() as devpi:
            eventually(
                lambda: devpi.get("/root/slow/+simple/", headers=PIP).status_code == 200,
                "the mirror's list",
                30,
            )
        upstream.delay = 2
        with pytest.raises(httpx.ReadTimeout):
            front.get(page, headers=PIP, timeout=0.5)
        began = time.monotonic()
        assert front.get(page, headers=PIP).status_code == 200
        assert time.monotonic() - began < 10
