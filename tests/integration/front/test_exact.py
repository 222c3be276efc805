# SPDX-License-Identifier: GPL-3.0-or-later
"""What has been written is what is read next, at the index itself and at all that inherit from it.

After each write that devpi has acknowledged, the front's answers are compared with devpi's own,
while others read the same pages all the time. DEVPI_TEST_ROUNDS is how many writes there are.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
from sites import JSON, LUA, PIP, Admin, Site, eventually, links, running, wheel
from upstream import Upstream, serving

ROUNDS = int(os.environ.get("DEVPI_TEST_ROUNDS", "50"))
READERS = 16
INDEXES = ("root/base", "root/heir", "root/late")
PROJECTS = ("alpha", "beta")
HTML = {"Accept": "*/*", "User-Agent": "pip/9.0"}
PAGES = tuple(
    (f"/{index}/+simple/{project}", headers)
    for index in INDEXES
    for project in ("", *(f"{name}/" for name in PROJECTS))
    for headers in (PIP, HTML)
)


@dataclass
class Writer:
    """Makes random writes to a small tree of indexes; each is acknowledged when it returns."""

    root: Admin
    random: random.Random
    versions: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    heir_has_base: bool = True
    count: int = 0
    deleted: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.root.index("root/base", volatile=True)
        self.root.index("root/heir", volatile=True, bases=["root/base"])
        self.root.index("root/late", volatile=True, bases=["root/heir"])

    def write(self) -> str:
        """One of the kinds of writes; its name."""
        self.count += 1
        kinds: list[Callable[[], str]] = [self.upload, self.upload, self.settings, self.bases]
        if any(self.versions.values()):
            kinds += [self.delete_version, self.delete_file, self.replace, self.push]
        return self.random.choice(kinds)()

    def upload(self) -> str:
        index, project = self.random.choice(INDEXES), self.random.choice(PROJECTS)
        version = f"1.{self.count}"
        self.root.upload(index, project, version)
        self.versions.setdefault((index, project), []).append(version)
        return f"upload {project} {version} to {index}"

    def some(self) -> tuple[str, str, str]:
        index, project = self.random.choice([key for key, found in self.versions.items() if found])
        return index, project, self.random.choice(self.versions[index, project])

    def page(self, index: str, project: str) -> httpx.Response:
        return self.root.client.get(f"/{index}/+simple/{project}/", headers=PIP)

    def path(self, index: str, project: str, version: str) -> str:
        """Where the file is; asked with credentials, and so past the cache."""
        return next(
            path for name, path in links(self.page(index, project)).items() if version in name
        )

    def delete_version(self) -> str:
        index, project, version = self.some()
        self.deleted.append(self.path(index, project, version))
        self.root.delete(f"/{index}/{project}/{version}")
        self.versions[index, project].remove(version)
        return f"delete version {self.deleted[-1]}"

    def delete_file(self) -> str:
        index, project, version = self.some()
        self.deleted.append(self.path(index, project, version))
        self.root.delete(self.deleted[-1])
        self.versions[index, project].remove(version)
        return f"delete file {self.deleted[-1]}"

    def replace(self) -> str:
        index, project, version = self.some()
        self.deleted.append(self.path(index, project, version))
        self.root.upload(index, project, version, wheel(project, version, self.count % 1000 + 1))
        return f"replace {self.deleted[-1]}"

    def push(self) -> str:
        index, project, version = self.some()
        target = self.random.choice([other for other in INDEXES if other != index])
        self.root.push(index, project, version, target)
        known = self.versions.setdefault((target, project), [])
        if version not in known:
            known.append(version)
        return f"push {project} {version} from {index} to {target}"

    def settings(self) -> str:
        user = f"u{self.count}"
        self.root.change("root/base", f"acl_upload=root,{user}")
        return "change an ACL"

    def bases(self) -> str:
        self.heir_has_base = not self.heir_has_base
        self.root.change("root/heir", "bases=root/base" if self.heir_has_base else "bases=")
        return f"bases of root/heir: {self.heir_has_base}"


@dataclass
class Readers:
    """Clients that read all pages all the time, and note what has the wrong form."""

    site: Site
    number: int = READERS
    wrong: list[str] = field(default_factory=list)
    reads: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for number in range(self.number):
            thread = threading.Thread(target=self._read, args=(random.Random(number),))
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _read(self, chance: random.Random) -> None:
        with self.site.front() as client:
            while not self._over.is_set():
                path, headers = chance.choice(PAGES)
                encoding = chance.choice(["gzip", "identity"])
                answer = client.get(path, headers={**headers, "Accept-Encoding": encoding})
                self.reads += 1
                if answer.status_code not in (200, 404):
                    self.wrong.append(f"{path}: {answer.status_code}")
                elif answer.status_code == 200:
                    kind = JSON if headers is PIP else "text/html"
                    if not answer.headers["Content-Type"].startswith(kind):
                        self.wrong.append(f"{path}: {answer.headers['Content-Type']} for {kind}")
                    if encoding == "identity" and "Content-Encoding" in answer.headers:
                        self.wrong.append(f"{path}: compressed for identity")
                self._over.wait(0.02)


def differences(front: httpx.Client, devpi: httpx.Client, deleted: list[str]) -> Iterator[str]:
    """What the front answers and devpi does not; no write may be under way."""
    for path, headers in PAGES:
        ours, theirs = (client.get(path, headers=headers) for client in (front, devpi))
        if ours.status_code != theirs.status_code:
            yield f"{path}: {ours.status_code}, not {theirs.status_code}"
        elif ours.status_code == 200 and ours.text != theirs.text:
            yield f"{path}: {ours.text}, not {theirs.text}"
    for path in deleted[-2:]:
        ours, theirs = (client.get(path) for client in (front, devpi))
        if ours.status_code != theirs.status_code:
            yield f"{path}: {ours.status_code}, not {theirs.status_code}"


def stale_answers(site: Site, rounds: int) -> list[str]:
    """What was wrong in so many rounds of one write and then reads of everything."""
    found: list[str] = []
    with site.front() as front, site.direct() as devpi, site.front() as client:
        writer = Writer(Admin(client), random.Random(rounds))
        writer.start()
        with Readers(site) as readers:
            for _ in range(rounds):
                # Kept as it was before, at all places.
                for path in writer.deleted[-1:]:
                    front.get(path)
                said = writer.write()
                found += [
                    f"after {said}: {what}" for what in differences(front, devpi, writer.deleted)
                ]
        assert readers.reads > rounds
        assert readers.wrong == []
    return found


def test_every_read_after_a_write_shows_it(initialised: Path, tmp_path: Path) -> None:
    with running(initialised, tmp_path / "site") as site:
        assert stale_answers(site, ROUNDS) == []


def test_a_front_that_does_not_count_writes_is_found_out(initialised: Path, tmp_path: Path) -> None:
    shutil.copytree(LUA, tmp_path / "lua")
    epoch = tmp_path / "lua/front/epoch.lua"
    counts = 'counters:incr("writes", 1, 0)'
    assert counts in epoch.read_text()
    epoch.write_text(epoch.read_text().replace(counts, ""))
    with running(initialised, tmp_path / "site", lua=tmp_path / "lua") as site:
        assert len(stale_answers(site, 10)) > 5


def test_what_writes_nothing_leaves_the_cache_as_it_is(site: Site, root: Admin) -> None:
    index = "root/refuses"
    root.index(index)
    root.upload(index, "alpha", "1.0")
    page = f"/{index}/+simple/alpha/"
    with site.front() as front:
        [file] = links(front.get(page, headers=PIP)).values()
        asked: list[tuple[int, Callable[[], httpx.Response]]] = [
            (401, lambda: front.post(f"/{index}/", data={":action": "file_upload"})),
            (403, lambda: front.put(f"/{index}x", json={})),
            (404, lambda: root.client.delete(f"/{index}/alpha/9.9")),
            (409, lambda: root.client.put("/root", json={"password": "another one"})),
            (409, lambda: root.client.put(f"/{index}", json={})),
            # devpi takes these for reading, whatever the method.
            (200, lambda: front.put(page, headers=PIP)),
            (200, lambda: front.post("/+api")),
            (200, lambda: front.put(f"/{index}/+api")),
            (200, lambda: front.put(file)),
        ]
        if site.whole:
            asked += [(302, lambda: front.post("/+logout", headers={"Accept": "text/html"}))]
        for status, ask in asked:
            front.get(page, headers=PIP)
            before = site.renders()
            answer = ask()
            assert answer.status_code == status, answer.request
            kept = front.get(page, headers=PIP).headers["X-Cache-Status"]
            assert kept == "HIT", answer.request
            # The request itself may have been for a page.
            assert site.renders() <= before + ("+simple" in answer.request.url.path)


def test_who_has_a_page_refreshed_outdates_no_other(site: Site, root: Admin) -> None:
    files = {"fresh-1.0-py3-none-any.whl": wheel("fresh", "1.0")}
    with serving(Upstream("fresh", files, names=["other"])) as upstream, site.front() as front:
        # Without a refresh devpi would ask only after half an hour, and the cache after a minute.
        root.index("root/stale", type="mirror", mirror_url=upstream.url)
        root.index("root/heirs", bases=["root/stale"])
        root.upload("root/heirs", "alpha", "1.0")
        mine, other = "/root/heirs/+simple/fresh/", "/root/heirs/+simple/alpha/"
        eventually(lambda: len(links(front.get(mine, headers=PIP))) == 1, "the mirror", 20)
        for number in range(2, 6):
            front.get(other, headers=PIP)
            files[f"fresh-{number}.0-py3-none-any.whl"] = wheel("fresh", f"{number}.0")
            assert len(links(front.get(mine, headers=PIP))) == number - 1
            # Whoever it is, at whichever index, by whichever spelling.
            index, name = (("heirs", "fresh"), ("stale", "Fresh"))[number % 2]
            answer = front.post(f"/root/{index}/+simple/{name}/refresh")
            assert answer.status_code == 302
            assert {*links(front.get(mine, headers=PIP))} == {*files}
            assert front.get(other, headers=PIP).headers["X-Cache-Status"] == "HIT"


def test_a_page_of_before_a_write_that_comes_after_it_is_not_kept(site: Site, root: Admin) -> None:
    """devpi renders by what it had when it began; the mirror's upstream makes that take long."""
    files = {"late-0.1-py3-none-any.whl": wheel("late", "0.1")}
    page = "/root/straddled/+simple/late/"
    with serving(Upstream("late", files)) as upstream, site.front() as front:
        mirror = {"type": "mirror", "mirror_url": upstream.url, "mirror_cache_expiry": 0}
        root.index("root/distant", **mirror)
        root.index("root/straddled", bases=["root/distant"], mirror_whitelist=["*"])
        root.upload("root/straddled", "late", "1.0")
        eventually(lambda: len(links(front.get(page, headers=PIP))) == 2, "the mirror", 20)
        upstream.delay = 0.6
        straddled = 0
        for number, offset in enumerate((0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6)):
            # A new epoch, in which nobody has asked for the page.
            root.change("root/straddled", f"title={number}")
            with ThreadPoolExecutor(1) as early, site.front() as other:
                asked = early.submit(other.get, page, headers=PIP)
                time.sleep(offset)
                name = root.upload("root/straddled", "late", f"2.{number}")
                after = links(front.get(page, headers=PIP))
                assert name in after, offset
                straddled += name not in links(asked.result())
            assert name in links(front.get(page, headers=PIP)), offset
        assert straddled >= 3


def test_a_write_whose_client_has_left_is_seen_when_it_is_there(site: Site, root: Admin) -> None:
    root.index("root/left")
    root.upload("root/left", "left", "1.0")
    page = "/root/left/+simple/left/"
    slow = Upstream("slow", {"slow-1.0-py3-none-any.whl": wheel("slow", "1.0")})
    with serving(slow) as upstream, site.front() as front, site.direct() as devpi:
        root.index("root/blocks", type="mirror", mirror_url=upstream.url)
        blocks = "/root/blocks/+simple/slow/"
        eventually(lambda: front.get(blocks, headers=PIP).is_success, "the mirror", 20)
        for version in ("2.0", "3.0"):
            # One writes at a time: the upload has to wait until devpi has the other page.
            upstream.goes_on.clear()
            asked = upstream.asked.total()
            with ThreadPoolExecutor(1) as other:
                refresh = other.submit(front.post, f"{blocks}refresh")
                eventually(lambda before=asked: upstream.asked.total() > before, "the refresh", 10)
                send_and_leave(site, upload_request(root, "root/left", "left", version))
                time.sleep(0.3)
                # What is kept now is what was before the commit.
                assert version not in root.client.get(page, headers=PIP).text
                with site.front() as client:
                    assert version not in client.get(page, headers=PIP).text
                upstream.goes_on.set()
                assert refresh.result().status_code == 302

            def is_there(version: str = version) -> bool:
                return f"left-{version}-" in devpi.get(page, headers=PIP).text

            eventually(is_there, "the upload", 10)
            # As long as devpi may need from its commit to its answer.
            time.sleep(0.3)
            assert f"left-{version}-" in front.get(page, headers=PIP).text


def upload_request(root: Admin, index: str, name: str, version: str) -> httpx.Request:
    """An upload of a wheel that has yet to be sent."""
    fields = {":action": "file_upload", "name": name, "version": version}
    file = (f"{name}-{version}-py3-none-any.whl", wheel(name, version))
    request = root.client.build_request("POST", f"/{index}/", data=fields, files={"content": file})
    return next(httpx.BasicAuth(*root.login).sync_auth_flow(request))


def send_and_leave(site: Site, request: httpx.Request) -> None:
    """Send the whole request and wait for no answer."""
    lines = [f"{request.method} {request.url.raw_path.decode()} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    with socket.create_connection(("127.0.0.1", site.port)) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + request.read())
