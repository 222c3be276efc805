# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients at work: lists, downloads, uploads through the API host, and searches at the web host."""

from __future__ import annotations

import base64
import io
import json
import secrets
import ssl
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from target import BenchmarkError, Target

PROJECTS = (
    *("boto3", "urllib3", "requests", "certifi", "idna", "packaging", "setuptools", "numpy"),
    *("six", "pyyaml", "attrs", "click", "jinja2", "flask", "pandas", "pytest", "rich", "httpx"),
)
SIMPLE = "application/vnd.pypi.simple.v1+json"
# In container front, whose key opens its own door: as many threads as clients, for so long.
SEARCH = """
import sys, threading, time, urllib.request
key = open("/etc/devpi/front-key/front-key").read()
end = time.monotonic() + float(sys.argv[1])
done = []
def work(words):
    while time.monotonic() < end:
        for word in words:
            asked = urllib.request.Request("http://127.0.0.1:8081/+search?query=" + word)
            asked.add_header("X-Devpi-Front-Key", key)
            urllib.request.urlopen(asked, timeout=120).read()
            done.append(word)
threads = [threading.Thread(target=work, args=(sys.argv[3:],)) for _ in range(int(sys.argv[2]))]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(done))
"""


@dataclass(frozen=True)
class Index:
    """An index of root's on the API host, and root's login there."""

    url: str
    trusted: ssl.SSLContext
    login: dict[str, str]

    def ask(self, path: str, *, method: str = "GET", **more: Any) -> bytes:
        """Body of the answer to a request with root's login."""
        headers = self.login | more.pop("headers", {})
        url = urljoin(self.url, path)
        asked = urllib.request.Request(url, method=method, headers=headers, **more)  # noqa: S310 - https
        with urllib.request.urlopen(asked, context=self.trusted, timeout=300) as answer:  # noqa: S310 - https
            return bytes(answer.read())

    def use(self, seconds: float, clients: int) -> int:
        """Have clients read, download and upload for so long; how often they did all three."""
        end = time.monotonic() + seconds
        return at_work(clients, lambda number: self._use(number, end))

    def _use(self, number: int, end: float) -> int:
        done = 0
        while time.monotonic() < end:
            project = PROJECTS[(number + done) % len(PROJECTS)]
            self.ask(self.files(project)[0])
            self.upload(f"load{secrets.token_hex(4)}")
            done += 1
        return done

    def files(self, project: str) -> list[str]:
        """URLs of the project's files, the smallest first."""
        page = f"{self.url}+simple/{project}/"
        files = json.loads(self.ask(page, headers={"Accept": SIMPLE}))["files"]
        files.sort(key=lambda file: file.get("size") or 10**9)
        return [urljoin(page, file["url"]) for file in files]

    def upload(self, name: str) -> None:
        """A small wheel of a project of that name."""
        boundary = secrets.token_hex(8)
        fields = {
            ":action": "file_upload",
            "name": name,
            "version": "1.0",
            "filetype": "bdist_wheel",
        }
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in fields.items()
        ]
        file = f'name="content"; filename="{name}-1.0-py3-none-any.whl"'
        parts.append(f"--{boundary}\r\nContent-Disposition: form-data; {file}\r\n\r\n")
        body = "".join(parts).encode() + wheel(name) + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        self.ask("", method="POST", data=body, headers=kind)


def wheel(name: str) -> bytes:
    """A small wheel with a description to index."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        metadata = (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n\n" + "flask requests " * 500
        )
        archive.writestr(f"{name}-1.0.dist-info/METADATA", metadata)
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return file.getvalue()


@contextmanager
def index(target: Target) -> Iterator[Index]:
    """A new volatile index on root/pypi, gone afterwards."""
    trusted = ssl.create_default_context(cafile=str(target.state / "ca-bundle.crt"))
    host = f"https://devpi-api.{target.domain}/"
    new = Index(f"{host}root/load-{secrets.token_hex(3)}/", trusted, {})
    password = {"user": "root", "password": target.password}
    kind = {"Content-Type": "application/json", "Accept": "application/json"}
    answer = new.ask("/+login", method="POST", data=json.dumps(password).encode(), headers=kind)
    token = json.loads(answer)["result"]["password"]
    new.login["X-Devpi-Auth"] = base64.b64encode(f"root:{token}".encode()).decode()
    wanted = json.dumps({"bases": ["root/pypi"], "volatile": True}).encode()
    new.ask(new.url.rstrip("/"), method="PUT", data=wanted, headers=kind)
    try:
        yield new
    finally:
        new.ask(new.url.rstrip("/"), method="DELETE")


def search(target: Target, seconds: float, clients: int) -> int:
    """Have clients search for so long; how many pages they were given."""
    where = ("exec", "-n", "devpi", "deploy/devpi", "-c", "front", "--", "python3", "-c", SEARCH)
    done = target.kubectl(*where, str(seconds), str(clients), "flask", "requests", "load*").output
    if int(done) == 0:
        raise BenchmarkError("not one search came to its end")
    return int(done)


def at_work(clients: int, work: Callable[[int], int]) -> int:
    """Run ``work`` in so many threads and add up; BenchmarkError when one got nothing done."""
    try:
        with ThreadPoolExecutor(clients) as pool:
            done = list(pool.map(work, range(clients)))
    except urllib.error.URLError as error:
        raise BenchmarkError(f"a client was refused: {error}") from error
    if not all(done):
        raise BenchmarkError(f"some clients came to nothing in their time: {done}")
    return sum(done)
