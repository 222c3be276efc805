# SPDX-License-Identifier: GPL-3.0-or-later
"""Behind devpi-lockdown's own nginx: who is not logged in gets nothing, whoever has read before."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from devpi_image.front import NGINX
from sites import JSON, PASSWORD, PIP, PREFIX, Admin, Site, eventually, free_port, links, listens
from sites import running as running_site

GUEST = ("guest", "a password of a guest")


@pytest.fixture(scope="module")
def site(initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("locked") / "site"
    with running_site(initialised, folder, whole=True) as site:
        yield site


@pytest.fixture(scope="module")
def locked(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an nginx before the front, with the configuration that devpi-lockdown makes."""
    folder, port = tmp_path_factory.mktemp("lockdown"), free_port()
    command: list[str | Path] = [
        PREFIX / "bin/devpi-gen-config",
        f"--serverdir={folder / 'none'}",
        f"--outside-url=http://127.0.0.1:{port}",
        f"--port={site.port}",
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    server = (folder / "gen-config/nginx-devpi-lockdown.conf").read_text()
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"daemon off; {user} pid {folder}/pid; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body;\n"
        f"{server.replace('localhost', '127.0.0.1')}\n}}\n"
    )
    with (folder / "nginx.log").open("ab") as log:
        nginx = subprocess.Popen(
            [NGINX, "-e", "stderr", "-c", folder / "nginx.conf"], stdout=log, stderr=log
        )
    try:
        eventually(lambda: listens(port), "nginx listens", 30)
        yield f"http://127.0.0.1:{port}"
    finally:
        nginx.terminate()
        nginx.wait(timeout=30)


@pytest.fixture(scope="module")
def paths(site: Site, root: Admin) -> list[str]:
    """Of a page, a file and its metadata, all of which the front itself has in its caches."""
    root.client.put("/guest", json={"password": GUEST[1]}).raise_for_status()
    root.index("root/locked")
    root.upload("root/locked", "locked", "1.0")
    page = "/root/locked/+simple/locked/"
    with site.front() as front:
        [file] = links(front.get(page, headers=PIP)).values()
        for path in (page, file, f"{file}.metadata"):
            for _ in range(2):
                kept = front.get(path, headers=PIP if path == page else {})
            assert kept.headers["X-Cache-Status"] in ("HIT", "DISK")
    return [page, file, f"{file}.metadata"]


def login_of(client: httpx.Client, user: str, password: str) -> tuple[str, str]:
    # Who takes anything gets devpi-lockdown's page.
    accept = {"Accept": "application/json"}
    answer = client.post("/+login", json={"user": user, "password": password}, headers=accept)
    return user, answer.raise_for_status().json()["result"]["password"]


def spellings(path: str) -> Iterator[str]:
    yield from (path, f"/{path}", path.replace("/+", "//+"), path.replace("+", "%2B"))
    yield from (path.replace("/+", "/./+"), path.replace("/+", "/+api/../+"), f"{path}?x=/+api")
    yield from (f"{path}#/+api", path.replace("locked", "%6cocked"), f"{path}/+api")
    yield f"/+authcheck/..{path}"


def refused(client: httpx.Client, paths: list[str], **credentials: str) -> None:
    for path in paths:
        # Who can't be logged in is nobody, for which each spelling is tried.
        for asked in [path] if credentials else spellings(path):
            for method, more in (
                ("GET", {}),
                ("GET", {"Range": "bytes=-9"}),
                ("GET", {"X-Original-URI": "/+api"}),
                ("HEAD", {}),
                ("POST", {}),
            ):
                headers = {"Accept": JSON, **more, **credentials}
                answer = client.request(
                    method, "/", headers=headers, extensions={"target": asked.encode()}
                )
                assert answer.status_code >= 301, (method, asked)
                assert b"locked-1.0" not in answer.content


def test_without_a_login_there_is_nothing(site: Site, locked: str, paths: list[str]) -> None:
    with httpx.Client(base_url=locked, trust_env=False, timeout=60) as client:
        refused(client, paths)
        with site.front() as front:
            login = login_of(front, *GUEST)
        for path in paths:
            # Decided by devpi, and kept for nobody.
            for _ in range(2):
                answer = client.get(path, auth=login, headers=PIP)
                assert answer.status_code == 200
                assert "X-Cache-Status" not in answer.headers
        refused(client, paths)
        refused(client, paths, Authorization="Basic Z3Vlc3Q6eA==")
        refused(client, paths, Cookie="auth_tkt=guest%3Ax")


def test_the_way_to_a_login_is_open(locked: str, paths: list[str]) -> None:
    with httpx.Client(base_url=locked, trust_env=False, timeout=60) as client:
        assert client.get("/+api", headers={"Accept": "application/json"}).status_code == 200
        assert "password" in client.get("/+login", headers={"Accept": "text/html"}).text
        form = {"username": GUEST[0], "password": GUEST[1], "submit": ""}
        done = client.post("/+login?goto_url=/", data=form, headers={"Accept": "text/html"})
        assert done.cookies["auth_tkt"]
        # The client keeps the cookie.
        for path in paths:
            assert client.get(path, headers=PIP).status_code == 200


def test_who_is_no_longer_known_is_refused_next(
    site: Site, locked: str, root: Admin, paths: list[str]
) -> None:
    with httpx.Client(base_url=locked, trust_env=False, timeout=60) as client:
        root.client.put("/leaver", json={"password": PASSWORD}).raise_for_status()
        with site.front() as front:
            client.auth = login_of(front, "leaver", PASSWORD)
        assert client.get(paths[1]).status_code == 200
        root.delete("/leaver")
        for path in paths:
            assert client.get(path, headers=PIP).status_code in (302, 401, 403)
