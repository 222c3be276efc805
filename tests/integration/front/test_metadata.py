# SPDX-License-Identifier: GPL-3.0-or-later
"""Core metadata of wheels (PEP 658): installers read these in place of the wheels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from sites import PIP, Admin, Site, eventually, links, metadata, wheel
from upstream import Upstream, serving

NAME = "described-1.0-py3-none-any.whl"
HTML = {"Accept": "*/*", "User-Agent": "pip/9.0"}


def advertised(page: httpx.Response) -> dict[str, bool]:
    """By name, whether the page says of a file that its metadata are to be had."""
    files = page.raise_for_status().json()["files"]
    return {file["filename"]: bool(file.get("core-metadata")) for file in files}


@pytest.fixture(scope="module")
def path(site: Site, root: Admin) -> str:
    """Of the metadata of a hosted wheel, which has an sdist beside it."""
    root.index("root/described")
    root.upload("root/described", "described", "1.0")
    root.upload("root/described", "described", "1.0", b"no archive", "described-1.0.tar.gz")
    with site.front() as front:
        page = front.get("/root/described/+simple/described/", headers=PIP)
        assert advertised(page) == {NAME: True, "described-1.0.tar.gz": False}
        html = front.get("/root/described/+simple/described/", headers=HTML)
        assert html.text.count('data-core-metadata="true"') == 1
        return f"{links(page)[NAME]}.metadata"


def test_they_are_what_devpi_has_and_kept(site: Site, path: str) -> None:
    # What devpi looks at for files; it answers each of these alike.
    accepted = ("*/*", "application/json", "text/html", "application/vnd.pypi.simple.v1+json")
    with site.front() as front, site.direct() as devpi:
        theirs = devpi.get(path)
        assert theirs.text == metadata("described", "1.0")
        front.get(path)
        for accept in accepted:
            assert devpi.get(path, headers={"Accept": accept}).content == theirs.content
            for method in ("GET", "HEAD"):
                ours = front.request(method, path, headers={"Accept": accept})
                assert ours.status_code == 200
                assert ours.headers["X-Cache-Status"] == "HIT"
                assert ours.headers["Content-Type"] == "application/octet-stream"
                for header in ("Content-Length", "Cache-Control"):
                    assert ours.headers[header] == theirs.headers[header], header
                assert ours.content == (theirs.content if method == "GET" else b"")
        again = front.get(path, headers={"If-None-Match": ours.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_there_are_none_of_other_files(site: Site, path: str) -> None:
    sdist = path.replace(NAME, "described-1.0.tar.gz")
    with site.front() as front, site.direct() as devpi:
        for asked in (sdist, path.replace("described-", "absent-"), f"{path}.metadata"):
            assert front.get(asked).status_code == devpi.get(asked).status_code == 404, asked


def test_they_are_gone_with_their_wheel(site: Site, root: Admin) -> None:
    root.index("root/leaving", volatile=True)
    page = "/root/leaving/+simple/leaving/"
    with site.front() as front:
        for round_ in range(4):
            root.upload("root/leaving", "leaving", "1.0", wheel("leaving", "1.0", round_ + 1))
            [file] = links(front.get(page, headers=PIP)).values()
            before = front.get(f"{file}.metadata")
            assert before.status_code == 200
            match round_:
                case 0:
                    root.upload("root/leaving", "leaving", "1.0", wheel("leaving", "1.0", 99))
                case 1:
                    root.delete(file)
                case 2:
                    root.delete("/root/leaving/leaving/1.0")
                case 3:
                    root.delete("/root/leaving")
            tag = {"If-None-Match": before.headers["ETag"]}
            for headers in ({}, tag):
                gone = front.get(f"{file}.metadata", headers=headers)
                assert gone.status_code in (404, 410)
                assert "immutable" not in gone.headers.get("Cache-Control", "")


def test_a_mirror_promises_them_only_where_it_was_told_to(site: Site, root: Admin) -> None:
    files = {f"far-{n}.0-py3-none-any.whl": wheel("far", f"{n}.0") for n in range(3)}
    kept = {name: metadata("far", name.split("-")[1]).encode() for name in files}
    with serving(Upstream("far", files, metadata=kept)) as upstream, site.front() as front:
        root.index("root/far", type="mirror", mirror_url=upstream.url)
        root.index("root/near", bases=["root/far"], mirror_whitelist=["*"])
        root.upload("root/near", "far", "9.0")
        page = "/root/near/+simple/far/"
        eventually(lambda: len(links(front.get(page, headers=PIP))) == 4, "the mirror", 20)
        hosted = {"far-9.0-py3-none-any.whl": True}
        found = front.get(page, headers=PIP)
        assert advertised(found) == {**dict.fromkeys(files, False), **hosted}
        # Of a file that devpi has, it could give them; of the others nobody has asked the upstream.
        first, second, _third = (links(found)[name] for name in files)
        front.get(first)
        assert advertised(front.get(page, headers=PIP)) == {**dict.fromkeys(files, False), **hosted}
        assert front.get(f"{second}.metadata").status_code == 404
        root.change("root/far", "mirror_provides_core_metadata=true")
        assert advertised(front.get(page, headers=PIP)) == {**dict.fromkeys(files, True), **hosted}
        upstream.asked.clear()
        for name in files:
            for _first_then_cached in range(2):
                assert front.get(f"{links(found)[name]}.metadata").content == kept[name]
        # The first one's come from its wheel, which is on the disk.
        assert upstream.asked == {f"/files/{name}.metadata": 1 for name in [*files][1:]}


@pytest.fixture(scope="module")
def backtracking(site: Site, root: Admin) -> str:
    """The URL of an index with a package whose newer versions require what is not there."""
    root.index("root/steps")
    root.upload("root/steps", "needed", "1.0", wheel("needed", "1.0", 99))
    for n in range(1, 5):
        requires = [f"needed>={n}"]
        root.upload("root/steps", "steps", f"{n}.0", wheel("steps", f"{n}.0", requires=requires))
    return f"{site.url}/root/steps/+simple/"


CLEAN = {**os.environ, "PIP_CONFIG_FILE": "/dev/null", "NO_PROXY": "*", "PIP_FIND_LINKS": ""}
# pip writes the plus sign as no other does.
FILES = r"^/root/steps/(\+|%2B)f/"
STEPS = {f"steps-{n}.0-py3-none-any.whl.metadata" for n in range(1, 5)}


def test_pip_looks_into_metadata_and_loads_what_it_installs(site: Site, backtracking: str) -> None:
    place = ["--no-cache-dir", f"--index-url={backtracking}", "steps"]
    ended = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", *place],
        env=CLEAN,
        check=False,
        capture_output=True,
        text=True,
    )
    assert "Would install needed-1.0 steps-1.0" in ended.stdout, ended.stderr
    asked = {Path(one).name for one in site.asked(FILES)}
    assert {name for name in asked if name.endswith(".metadata")} == {
        *STEPS,
        "needed-1.0-py3-none-any.whl.metadata",
    }
    assert {name for name in asked if name.endswith(".whl")} <= {
        "needed-1.0-py3-none-any.whl",
        "steps-1.0-py3-none-any.whl",
    }


def test_uv_resolves_without_a_single_wheel(site: Site, backtracking: str, tmp_path: Path) -> None:
    before = len(site.asked(FILES))
    wanted = tmp_path / "requirements.in"
    wanted.write_text("steps\n")
    place = ["--no-cache", "--no-config", f"--default-index={backtracking}", str(wanted)]
    ended = subprocess.run(
        [Path(sys.executable).with_name("uv"), "pip", "compile", *place],
        env=CLEAN,
        check=False,
        capture_output=True,
        text=True,
    )
    assert "steps==1.0" in ended.stdout, ended.stderr
    asked = {Path(one).name for one in site.asked(FILES)[before:]}
    assert asked == {*STEPS, "needed-1.0-py3-none-any.whl.metadata"}
