# SPDX-License-Identifier: GPL-3.0-or-later
"""A replica and its primary, each with a front: what is written at one and read at the other."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sites import PIP, PREFIX, Admin, Site, eventually, links, running, wheel

# Seconds that the replica's front may be behind, and that replication itself may take.
AGE = 2
REPLICATION = 1.5


@pytest.fixture(scope="module")
def primary(initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("primary") / "site"
    key = secrets.token_urlsafe(48)
    with running(
        initialised, folder, token_key=key, whole=True, options=["--role=primary"]
    ) as site:
        yield site


@pytest.fixture(scope="module")
def replica(primary: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("replica")
    where = f"--primary-url={primary.url}"
    subprocess.run(
        [PREFIX / "bin/devpi-init", f"--serverdir={folder / 'server'}", where, "--role=replica"],
        check=True,
        capture_output=True,
    )
    with running(
        folder / "server",
        folder / "site",
        token_key=(primary.folder / "token-key").read_text(),
        options=[where],
        variables={"DEVPI_FRONT_PAGE_AGE": str(AGE)},
    ) as site:
        yield site


def within(seconds: float, began: float, holds: Callable[[], bool]) -> None:
    while not holds():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)


def test_what_is_written_at_the_replica_is_read_there_next(replica: Site, primary: Site) -> None:
    with primary.front() as client:
        Admin(client).index("root/there")
    page = "/root/there/+simple/there/"
    with replica.front() as client, replica.front() as front:
        eventually(lambda: client.get("/root/there").status_code == 200, "the index", 20)
        root = Admin(client)
        for version in range(10):
            content = wheel("there", f"{version}.0")
            name = root.upload("root/there", "there", f"{version}.0", content)
            found = links(front.get(page, headers=PIP))
            assert len(found) == version + 1
            # devpi itself answers 500 to who asks in the moment that it replicates the file.
            within(
                REPLICATION,
                time.monotonic(),
                lambda path=found[name]: front.get(path).is_success,  # type: ignore[misc]
            )
            assert front.get(found[name]).content == content


def test_what_is_written_at_the_primary_is_seen_within_the_age(
    replica: Site, primary: Site
) -> None:
    page = "/root/here/+simple/here/"
    with primary.front() as client, replica.front() as front:
        root = Admin(client)
        root.index("root/here", volatile=True)
        root.upload("root/here", "here", "0.0")

        def found() -> dict[str, str]:
            answer = front.get(page, headers=PIP)
            return links(answer) if answer.status_code == 200 else {}

        within(20, time.monotonic(), lambda: len(found()) == 1)
        for version in range(1, 4):
            name = root.upload("root/here", "here", f"{version}.0", wheel("here", f"{version}.0"))
            began = time.monotonic()
            within(AGE + REPLICATION, began, lambda name=name: name in found())  # type: ignore[misc]
            path = found()[name]
            within(AGE + REPLICATION, began + AGE, lambda path=path: front.get(path).is_success)  # type: ignore[misc]
            root.delete(path)
            began = time.monotonic()
            # Asked for all the time, so that neither page nor file is ever out of the caches.
            within(
                AGE + REPLICATION,
                began,
                lambda name=name, path=path: (  # type: ignore[misc]
                    (name not in found()) & (front.get(path).status_code in (404, 410))
                ),
            )
