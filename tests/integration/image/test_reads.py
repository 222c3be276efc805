# SPDX-License-Identifier: GPL-3.0-or-later
"""In the image, too, pages come from the cache and files from the disk.

What that may never get wrong is tried in tests/integration/front, with the same configuration.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from alone import Alone
from containers import PASSWORD, ask

ACCEPT = {"Accept": "application/vnd.pypi.simple.v1+json"}
BOUNDARY = "boundary"


@pytest.fixture(params=["pod", "alone"])
def port(request: pytest.FixtureRequest, image: str, tmp_path: Path) -> Iterator[int]:
    """Of a front of either kind."""
    if request.param == "pod":
        yield request.getfixturevalue("served").port
        return
    volume = tmp_path / "volume"
    volume.mkdir()
    alone = Alone(image, volume)
    with alone.serving(DEVPI_PASSWORD=PASSWORD):
        yield alone.port


def form(version: str) -> bytes:
    """An upload as twine sends it."""
    fields = {":action": "file_upload", "name": "read", "version": version}
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    file = f'name="content"; filename="read-{version}.tar.gz"'
    parts.append(f"--{BOUNDARY}\r\nContent-Disposition: form-data; {file}\r\n\r\n{version}\r\n")
    return "".join([*parts, f"--{BOUNDARY}--\r\n"]).encode()


def test_pages_and_files_are_served_without_devpi(port: int) -> None:
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    body = json.dumps({"user": "root", "password": PASSWORD}).encode()
    login = json.loads(ask(port, "/+login", "POST", headers, body).body)["result"]["password"]
    allowed = {"X-Devpi-Auth": b64encode(f"root:{login}".encode()).decode()}
    assert ask(port, "/root/read", "PUT", {**headers, **allowed}, b"{}").status == 200
    sent = {**allowed, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    for number in (1, 2):
        assert ask(port, "/root/read/", "POST", sent, form(f"{number}.0")).status == 200
        for _ in range(2):
            page = ask(port, "/root/read/+simple/read/", headers=ACCEPT)
            assert page.headers["X-Cache-Status"] == "HIT"
            assert len(json.loads(page.body)["files"]) == number
    url = next(file["url"] for file in json.loads(page.body)["files"] if "1.0" in file["filename"])
    path = "/root/read/" + url.removeprefix("../../")
    file = ask(port, path, headers={"Range": "bytes=1-"})
    assert (file.status, file.body, file.headers["X-Cache-Status"]) == (206, b".0", "DISK")
    assert ask(port, path, "DELETE", {**headers, **allowed}).status == 200
    assert ask(port, path).status in (404, 410)
