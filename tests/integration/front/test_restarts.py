# SPDX-License-Identifier: GPL-3.0-or-later
"""devpi or its front stops, is killed, or comes back: what is read then.

KILLS is how often devpi is killed in the middle of uploads.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest
from sites import PIP, Admin, Site, eventually, links, running, wheel
from upstream import Upstream, serving

KILLS = int(os.environ.get("KILLS", "5"))
AGE = 2


@pytest.fixture
def site(initialised: Path, tmp_path: Path) -> Iterator[Site]:
    """A site of the test's own, whose pages are 2 s behind a mirror at most."""
    variables = {"DEVPI_FRONT_PAGE_AGE": str(AGE), "DEVPI_FRONT_TIMEOUT": "5"}
    with running(initialised, tmp_path / "site", variables=variables) as site:
        yield site


@pytest.fixture
def root(site: Site) -> Iterator[Admin]:
    with site.front() as client:
        yield Admin(client)


def test_reads_go_on_while_devpi_is_away(site: Site, root: Admin) -> None:
    root.index("root/known")
    root.upload("root/known", "known", "1.0")
    page = "/root/known/+simple/known/"
    with site.front() as front:
        [path] = links(front.get(page, headers=PIP)).values()
        front.get(path)
        site.kill_devpi()
        # Longer than a page is young.
        time.sleep(AGE + 0.5)
        for _ in range(3):
            assert links(front.get(page, headers=PIP)) == {"known-1.0-py3-none-any.whl": path}
            assert front.get(path).status_code == 200
        unknown = (
            front.get("/root/known/+simple/other/", headers=PIP),
            front.get("/root/known/+simple/other/"),
            front.get(f"{path}x"),
            front.get(page, headers={**PIP, "Authorization": "Basic eDp5"}),
            front.get("/+api"),
        )
        assert [answer.status_code for answer in unknown] == [503] * 5
        assert all(answer.headers["Retry-After"] for answer in unknown)
        # A write that did not reach devpi has changed nothing.
        assert front.post("/root/known/", data={":action": "submit"}).status_code == 503
        assert front.get(page, headers=PIP).status_code == 200
        site.start_devpi()
        root.upload("root/known", "known", "2.0")
        assert len(links(front.get(page, headers=PIP))) == 2
        root.delete(path)
        site.kill_devpi()
        # What a write has made stale is not brought back by that.
        assert front.get(path).status_code == 503


def test_what_a_lost_answer_may_have_changed_is_not_served_from_what_was_before(
    site: Site, root: Admin
) -> None:
    root.index("root/doubt", volatile=True)
    root.upload("root/doubt", "doubt", "1.0")
    page = "/root/doubt/+simple/doubt/"
    with site.front() as front:
        before = front.get(page, headers=PIP)
        assert before.status_code == 200
        with uploading(site, root, "root/doubt", "doubt", "2.0"):
            time.sleep(0.3)
            site.kill_devpi()
        assert front.get(page, headers=PIP).status_code == 503
        site.start_devpi()
        with site.direct() as devpi:
            assert front.get(page, headers=PIP).text == devpi.get(page, headers=PIP).text


class uploading:  # noqa: N801
    """An upload under way while the block runs: large enough to be cut in the middle."""

    def __init__(self, site: Site, root: Admin, index: str, name: str, version: str) -> None:
        self.acknowledged = False
        self.content = wheel(name, version, 6_000_000)
        self._arguments = (site, root.client.auth, index, name, version)
        self._thread = threading.Thread(target=self._upload)

    def _upload(self) -> None:
        site, auth, index, name, version = self._arguments
        with site.front() as client:
            client.auth = auth
            try:
                Admin.upload(_Known(client), index, name, version, self.content)
                self.acknowledged = True
            except httpx.HTTPError:
                pass

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.join()


class _Known(Admin):
    """Root with a client that is logged in already."""

    def __post_init__(self) -> None:
        self.client.headers["Accept"] = "application/json"


def test_no_acknowledged_file_is_lost_and_no_half_one_served(site: Site, root: Admin) -> None:
    root.index("root/kills")
    page = "/root/kills/+simple/killed/"
    chance = random.Random(KILLS)
    sent: dict[str, bytes] = {}
    acknowledged: set[str] = set()
    with site.front() as front:
        for number in range(KILLS):
            name = f"killed-{number}.0-py3-none-any.whl"
            with uploading(site, root, "root/kills", "killed", f"{number}.0") as upload:
                time.sleep(chance.uniform(0.02, 0.25))
                site.kill_devpi()
            sent[name] = upload.content
            if upload.acknowledged:
                acknowledged.add(name)
            site.start_devpi()
            answer = front.get(page, headers=PIP)
            found = links(answer) if answer.status_code == 200 else {}
            assert acknowledged <= {*found}
            for file, path in found.items():
                got = front.get(path)
                # devpi may have the upload's entry without its file: then it says so.
                assert got.status_code == 200 or file not in acknowledged
                assert got.status_code != 200 or got.content == sent[file]


def test_a_front_that_starts_again_knows_nothing_of_before(site: Site, root: Admin) -> None:
    root.index("root/again")
    root.upload("root/again", "again", "1.0")
    page = "/root/again/+simple/again/"
    with site.front() as front:
        before = front.get(page, headers=PIP).text
    site.stop_nginx()
    with site.direct() as devpi:
        Admin(devpi).upload("root/again", "again", "2.0")
    site.start_nginx()
    with site.front() as front:
        after = front.get(page, headers=PIP)
        assert after.text != before
        assert len(links(after)) == 2


def test_a_mirror_is_behind_its_upstream_by_its_age_at_most(site: Site, root: Admin) -> None:
    files = {"moved-1.0-py3-none-any.whl": wheel("moved", "1.0")}
    page = "/root/moved/+simple/moved/"
    with serving(Upstream("moved", files)) as upstream, site.front() as front:
        root.index("root/moved", type="mirror", mirror_url=upstream.url, mirror_cache_expiry=0)
        eventually(lambda: len(links(front.get(page, headers=PIP))) == 1, "the mirror", 20)
        for version in range(2, 5):
            name = f"moved-{version}.0-py3-none-any.whl"
            files[name] = wheel("moved", f"{version}.0")
            changed = time.monotonic()
            while name not in links(front.get(page, headers=PIP)):
                # Beyond its age, what one request to the upstream takes.
                assert time.monotonic() - changed < AGE + 1
                time.sleep(0.05)


def test_pip_does_not_notice_that_devpi_is_killed(site: Site, root: Admin, tmp_path: Path) -> None:
    root.index("root/pips")
    root.upload("root/pips", "pips", "1.0")

    def download(number: int) -> subprocess.CompletedProcess[str]:
        place = [f"--index-url={site.url}/root/pips/+simple/", f"--dest={tmp_path / str(number)}"]
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--no-cache-dir",
                "--no-deps",
                *place,
                "pips",
            ],
            env={**os.environ, "PIP_CONFIG_FILE": "/dev/null", "NO_PROXY": "*"},
            check=False,
            capture_output=True,
            text=True,
        )

    first = download(0)
    assert first.returncode == 0, first.stderr
    site.kill_devpi()
    away = download(1)
    site.start_devpi(wait=False)
    starting = download(2)
    site.await_devpi()
    again = download(3)
    assert [done.returncode for done in (away, starting, again)] == [0, 0, 0], away.stderr
