# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror's upstream fails or is slow: what is known is served, the rest is to be tried again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sites import PIP, Admin, Site, eventually, links, running, wheel
from upstream import Upstream, serving

AGE, TIMEOUT = 2, 3
NAME = "moody-1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def site(initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """devpi waits for its upstream longer than the front for devpi."""
    folder = tmp_path_factory.mktemp("moody") / "site"
    variables = {"DEVPI_FRONT_PAGE_AGE": str(AGE), "DEVPI_FRONT_TIMEOUT": str(TIMEOUT)}
    with running(
        initialised, folder, variables=variables, options=["--request-timeout=10"]
    ) as site:
        yield site


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    files = {NAME: wheel("moody", "1.0"), "moody-2.0.tar.gz": b"another"}
    with serving(Upstream("moody", files)) as upstream:
        yield upstream


@pytest.fixture
def index(site: Site, root: Admin, upstream: Upstream, request: pytest.FixtureRequest) -> str:
    """A mirror that has the list of its projects, and no page of any."""
    name = f"root/{request.node.originalname.replace('_', '-')}"
    root.index(name, type="mirror", mirror_url=upstream.url)
    with site.direct() as devpi:
        path = f"/{name}/+simple/"
        eventually(lambda: "moody" in devpi.get(path, headers=PIP).text, "the list", 20)
    return name


def assert_to_be_tried_again(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


def test_errors_of_the_upstream_are_not_kept(
    site: Site, root: Admin, index: str, upstream: Upstream
) -> None:
    page = f"/{index}/+simple/moody/"
    with site.front() as front:
        upstream.status = 504
        for _ in range(3):
            assert_to_be_tried_again(front.get(page, headers=PIP))
        upstream.status = 200
        # A second, in which all who asked at the same time get the same.
        time.sleep(1)
        known = links(front.get(page, headers=PIP))
        assert len(known) == 2
        upstream.status = 504
        assert_to_be_tried_again(front.get(known[NAME]))
        # From now on devpi asks for each page anew.
        root.change(index, "mirror_cache_expiry=0")
        # The page goes on, from the cache and then by what devpi has.
        end = time.monotonic() + 2 * AGE
        while time.monotonic() < end:
            assert links(front.get(page, headers=PIP)) == known
            time.sleep(0.2)
        upstream.status = 200
        eventually(lambda: front.get(known[NAME]).is_success, "the file", 3)


def test_who_waits_too_long_may_try_again(
    site: Site, root: Admin, index: str, upstream: Upstream
) -> None:
    page = f"/{index}/+simple/moody/"
    root.index("root/beside")
    root.upload("root/beside", "moody", "9.0")
    beside = "/root/beside/+simple/moody/"
    with site.front() as front:
        front.get(beside, headers=PIP)
        upstream.delay = TIMEOUT + 2
        began = time.monotonic()
        assert_to_be_tried_again(front.get(page, headers=PIP))
        assert TIMEOUT <= time.monotonic() - began < TIMEOUT + 2
        # That a read was lost casts no doubt on what is kept.
        assert front.get(beside, headers=PIP).headers["X-Cache-Status"] != "MISS"
        upstream.delay = 0
        eventually(lambda: len(links(front.get(page, headers=PIP))) == 2, "the page", 8)
