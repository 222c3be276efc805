# SPDX-License-Identifier: GPL-3.0-or-later
"""A file through the front is what devpi has, and gone or refused as soon as devpi says so."""

from __future__ import annotations

import gzip
import hashlib

import pytest
from sites import PIP, Admin, Site, links, wheel

KINDS = {
    "filed-1.0-py3-none-any.whl": wheel("filed", "1.0", 300_000),
    "filed-1.0.tar.gz": gzip.compress(b"not a real one, which devpi does not mind"),
    "filed-1.0.zip": wheel("filed", "1.0"),
    "filed-1.0+local.1-py3-none-any.whl": wheel("filed", "1.0+local.1"),
}


@pytest.fixture(scope="module")
def paths(site: Site, root: Admin) -> dict[str, str]:
    """By name, the paths of a file of each kind."""
    root.index("root/files")
    for name, content in KINDS.items():
        version = "1.0+local.1" if "local" in name else "1.0"
        root.upload("root/files", "filed", version, content, name)
    with site.front() as front:
        found = links(front.get("/root/files/+simple/filed/", headers=PIP))
    assert {*found} == {*KINDS}
    return found


@pytest.mark.parametrize("name", KINDS)
def test_headers_and_content_are_those_of_devpi(
    site: Site, paths: dict[str, str], name: str
) -> None:
    with site.front() as front, site.direct() as devpi:
        theirs = devpi.get(paths[name])
        for path in (paths[name], paths[name].replace("+local", "%2Blocal")):
            for method in ("GET", "HEAD", "GET"):
                ours = front.request(method, path)
                assert ours.status_code == 200
                assert ours.headers["X-Cache-Status"] == "DISK"
                for header in ("Content-Type", "Content-Length", "Cache-Control"):
                    assert ours.headers[header] == theirs.headers[header], header
                assert ours.content == (b"" if method == "HEAD" else KINDS[name])


def test_parts_and_repeated_requests(site: Site, paths: dict[str, str]) -> None:
    name = next(iter(KINDS))
    path, content = paths[name], KINDS[name]
    with site.front() as front:
        tail = front.get(path, headers={"Range": "bytes=-1000"})
        assert (tail.status_code, tail.content) == (206, content[-1000:])
        assert tail.headers["Content-Range"].endswith(f"/{len(content)}")
        middle = front.get(path, headers={"Range": "bytes=5-9", "If-Range": tail.headers["ETag"]})
        assert (middle.status_code, middle.content) == (206, content[5:10])
        beyond = front.get(path, headers={"Range": f"bytes={len(content)}-"})
        assert beyond.status_code == 416
        again = front.get(path, headers={"If-None-Match": tail.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_metadata_and_queries_are_for_devpi(site: Site, paths: dict[str, str]) -> None:
    path = next(iter(paths.values()))
    with site.front() as front:
        metadata = front.get(path, headers={"Accept": "application/json"})
        assert metadata.json()["type"] == "releasefilemeta"
        queried = front.get(f"{path}?x=1")
        assert queried.status_code == 200
        assert "X-Cache-Status" not in queried.headers


def test_what_devpi_does_not_know_is_not_served_from_the_disk(site: Site, root: Admin) -> None:
    root.index("root/orphans")
    root.upload("root/orphans", "orphan", "1.0")
    with site.front() as front:
        [path] = links(front.get("/root/orphans/+simple/orphan/", headers=PIP)).values()
        orphan = site.serverdir / f"+files{path}"
        for name in ("orphan-2.0-py3-none-any.whl", f"{orphan.name}-tmp", f"{orphan.name}-3-tmp"):
            orphan.with_name(name).write_bytes(b"left by a crash")
            answer = front.get(path.replace(orphan.name, name))
            assert answer.status_code == 404, name
        climbing = front.get("/root/orphans/+f/abc/def/..%2f..%2f..%2f..%2f..%2f.sqlite")
        assert climbing.status_code in (400, 404)


def test_what_is_deleted_or_replaced_is_gone_at_once(site: Site, root: Admin) -> None:
    root.index("root/volatile", volatile=True)
    with site.front() as front:
        for round_ in range(5):
            root.upload("root/volatile", "gone", "1.0", wheel("gone", "1.0", 100 + round_))
            [path] = links(front.get("/root/volatile/+simple/gone/", headers=PIP)).values()
            before = front.get(path)
            assert before.headers["X-Cache-Status"] == "DISK"
            root.upload("root/volatile", "gone", "1.0", wheel("gone", "1.0", 200 + round_))
            assert front.get(path).status_code in (404, 410)
            [path] = links(front.get("/root/volatile/+simple/gone/", headers=PIP)).values()
            assert (
                hashlib.sha256(front.get(path).content)
                .hexdigest()
                .startswith(path.split("/+f/")[1][:3])
            )
            root.delete(path if round_ % 2 else "/root/volatile/gone/1.0")
            assert front.get(path).status_code in (404, 410)
            assert front.get(path, headers={"Range": "bytes=-10"}).status_code in (404, 410)
            assert front.get(
                path, headers={"If-None-Match": before.headers["ETag"]}
            ).status_code in (404, 410)
