# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is written and read in whatever order, the front answers as devpi does.

DEVPI_TEST_ROUNDS says how many sequences are tried: a fifth of it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sites import JSON, PIP, Admin, Site, links, wheel

SEQUENCES = max(2, int(os.environ.get("DEVPI_TEST_ROUNDS", "50")) // 5)
NUMBERS = itertools.count()
ACCEPTED = st.sampled_from(
    [PIP["Accept"], JSON, "*/*", "text/html", "application/json", "image/png"]
)
AGENTS = st.sampled_from(["pip/26.0", "uv/0.13", "Mozilla/5.0"])
METHODS = st.sampled_from(["GET", "GET", "HEAD"])


class Sequences(RuleBasedStateMachine):
    """Writes by root through the front, and reads of both, on three indexes of their own."""

    files = Bundle("files")

    def __init__(self, root: Admin, front: httpx.Client, devpi: httpx.Client) -> None:
        super().__init__()
        self.root, self.front, self.devpi = root, front, devpi
        number = next(NUMBERS)
        self.names = [f"root/i{number}-{letter}" for letter in "abc"]
        self.count = 0

    @initialize()
    def make_indexes(self) -> None:
        for name, base in zip(self.names, [None, *self.names], strict=False):
            self.root.index(name, volatile=True, bases=[base] if base else [])

    @rule(target=files, index=st.integers(0, 2), project=st.sampled_from(["one", "two"]))
    def upload(self, index: int, project: str) -> str:
        self.count += 1
        name = self.root.upload(self.names[index], project, f"1.{self.count}")
        return self.path_of(index, project, name)

    @rule(target=files, file=consumes(files), size=st.integers(1, 9999))
    def replace(self, file: str, size: int) -> str:
        index, name = self.of(file)
        project, version, *_ = name.split("-")
        self.root.upload(self.names[index], project, version, wheel(project, version, size))
        return self.path_of(index, project, name)

    @rule(target=files, file=files, to=st.integers(0, 2))
    def push(self, file: str, to: int) -> object:
        index, name = self.of(file)
        if index == to or name not in self.own(index, name.split("-")[0]):
            return multiple()
        project, version, *_ = name.split("-")
        self.root.push(self.names[index], project, version, self.names[to])
        return self.path_of(to, project, name)

    @rule(file=files)
    def delete_file(self, file: str) -> None:
        # A second time devpi says that it is gone, which is no write.
        self.root.client.delete(file)

    @rule(file=files)
    def delete_version(self, file: str) -> None:
        index, name = self.of(file)
        project, version, *_ = name.split("-")
        self.root.client.delete(f"/{self.names[index]}/{project}/{version}")

    @rule(index=st.integers(0, 2))
    def make_index_anew(self, index: int) -> None:
        self.root.delete(f"/{self.names[index]}")
        self.root.index(self.names[index], volatile=True, bases=self.names[:index][-1:])

    @rule(index=st.integers(1, 2), inherits=st.booleans())
    def change_bases(self, index: int, inherits: bool) -> None:
        bases = self.names[index - 1] if inherits else ""
        # What changes nothing is refused.
        self.root.client.patch(f"/{self.names[index]}", json=[f"bases={bases}"])

    @rule(
        index=st.integers(0, 2),
        project=st.sampled_from(["", "one/", "two/", "two", "none/"]),
        accept=ACCEPTED,
        agent=AGENTS,
        method=METHODS,
    )
    def read_page(self, index: int, project: str, accept: str, agent: str, method: str) -> None:
        path = f"/{self.names[index]}/+simple/{project}"
        self.compare(method, path, {"Accept": accept, "User-Agent": agent})

    @rule(file=files, method=METHODS, part=st.sampled_from([{}, {"Range": "bytes=0-9"}]))
    def read_file(self, file: str, method: str, part: dict[str, str]) -> None:
        self.compare(method, file, {"Accept": "*/*", **part})

    def compare(self, method: str, path: str, headers: dict[str, str]) -> None:
        ours, theirs = (
            client.request(method, path, headers=headers) for client in (self.front, self.devpi)
        )
        if ours.status_code == 206:
            # devpi knows no parts.
            assert theirs.status_code == 200
            assert ours.content == (theirs.content[:10] if method == "GET" else b"")
            return
        assert ours.status_code == theirs.status_code
        if ours.status_code == 200:
            assert ours.headers.get("Content-Type") == theirs.headers.get("Content-Type")
            assert ours.content == theirs.content

    def of(self, file: str) -> tuple[int, str]:
        """Number of the index and name of a file at a path."""
        return next(i for i, name in enumerate(self.names) if f"/{name}/" in file), file.rsplit(
            "/", maxsplit=1
        )[-1]

    def own(self, index: int, project: str) -> dict[str, str]:
        page = self.devpi.get(f"/{self.names[index]}/+simple/{project}/", headers=PIP)
        found = links(page) if page.status_code == 200 else {}
        return {name: path for name, path in found.items() if f"/{self.names[index]}/" in path}

    def path_of(self, index: int, project: str, name: str) -> str:
        return self.own(index, project)[name]


@pytest.fixture(scope="module")
def devpi(site: Site) -> Iterator[httpx.Client]:
    with site.direct() as client:
        yield client


def test_front_and_devpi_agree(site: Site, root: Admin, devpi: httpx.Client) -> None:
    with site.front() as front:
        run_state_machine_as_test(
            lambda: Sequences(root, front, devpi),
            settings=settings(
                max_examples=SEQUENCES,
                stateful_step_count=25,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
