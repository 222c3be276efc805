# SPDX-License-Identifier: GPL-3.0-or-later
"""Little room on the volume: nothing more is fetched from a mirror, all else goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sites import PASSWORD, PIP, Admin, Site, eventually, free_port, links, running, wheel
from upstream import Upstream, serving

HERE, ELSEWHERE = "near-1.0-py3-none-any.whl", "near-2.0-py3-none-any.whl"
METRICS, WEB = free_port(), free_port()


@pytest.fixture(scope="module", params=["api", "whole"])
def site(
    request: pytest.FixtureRequest, initialised: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site of which no volume is empty enough, once it is asked to look."""
    folder = tmp_path_factory.mktemp("room") / "site"
    with running(initialised, folder, whole=request.param == "whole") as site:
        yield site


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with serving(Upstream("near", {HERE: wheel("near", "1.0"), ELSEWHERE: b"two"})) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def paths(site: Site, upstream: Upstream) -> dict[str, str]:
    """Files of a mirror, the first of which devpi has; little room is left from then on."""
    with site.front() as client:
        Admin(client).index("root/near", type="mirror", mirror_url=upstream.url)
    with site.front() as client:
        page = "/root/near/+simple/near/"
        eventually(lambda: client.get(page, headers=PIP).is_success, "the page", 20)
        paths = links(client.get(page, headers=PIP))
        assert client.get(paths[HERE]).status_code == 200
    site.stop_nginx()
    site.variables = {
        "DEVPI_FRONT_MIN_FREE": "100",
        "DEVPI_FRONT_METRICS_PORT": str(METRICS),
        "DEVPI_FRONT_WEB_PORT": str(WEB),
        "DEVPI_FRONT_DASHBOARD_URL": "https://devpi.example.org",
    }
    site.start_nginx()
    return paths


def test_what_is_not_here_is_refused_to_all(
    site: Site, paths: dict[str, str], upstream: Upstream
) -> None:
    path, asked = paths[ELSEWHERE], upstream.asked.total()
    with site.front() as front:
        for answer in (
            front.get(path),
            front.get(f"{path}?x=1"),
            front.get(path, headers={"Range": "bytes=0-9"}),
            front.get(path, auth=("root", PASSWORD)),
        ):
            assert answer.status_code == 507
            assert "100 % of the volume" in answer.json()["message"]
    if not site.whole:
        with httpx.Client(base_url=f"http://127.0.0.1:{WEB}", trust_env=False) as pages:
            assert pages.get(path).status_code == 507
            assert pages.get(paths[HERE]).status_code == 200
    assert upstream.asked.total() == asked


def test_what_brings_nothing_here_is_answered(site: Site, paths: dict[str, str]) -> None:
    with site.front() as front:
        assert front.head(paths[ELSEWHERE]).status_code == 200
        known = front.get(paths[ELSEWHERE], headers={"Accept": "application/json"})
        assert known.json()["type"] == "releasefilemeta"
        assert front.get(f"{paths[ELSEWHERE]}.metadata").status_code == 404
        assert links(front.get("/root/near/+simple/near/", headers=PIP)) == paths


def test_what_is_here_is_served(site: Site, paths: dict[str, str]) -> None:
    with site.front() as front:
        anybody = front.get(paths[HERE])
        assert (anybody.status_code, anybody.headers["X-Cache-Status"]) == (200, "DISK")
        assert front.get(paths[HERE], auth=("root", PASSWORD)).content == anybody.content


def test_uploads_are_taken(site: Site, root: Admin, paths: dict[str, str]) -> None:
    root.index("root/own")
    root.upload("root/own", "own", "1.0")
    with site.front() as front:
        [path] = links(front.get("/root/own/+simple/own/", headers=PIP)).values()
        assert front.get(path).status_code == 200


def test_metrics_have_the_room_that_is_left(site: Site, paths: dict[str, str]) -> None:
    text = httpx.get(f"http://127.0.0.1:{METRICS}/metrics", trust_env=False).text
    [line] = [line for line in text.splitlines() if line.startswith("devpi_front_volume_free")]
    volume = os.statvfs(site.serverdir)
    of = volume.f_blocks - volume.f_bfree + volume.f_bavail
    assert float(line.split()[1]) == pytest.approx(100 * volume.f_bavail / of, abs=1)
