# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the front is compared with, each serving the same packages on loopback.

All of them have a project `small` (150 files), `huge` (3,500 files: numpy's page) and `wheels` (a
file of 0.5 and one of 17 MB).
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from devpi_image.front import NGINX
from sites import PIP, PREFIX, Admin, Site, eventually, free_port, links, listens, wheel
from upstream import Upstream

PROJECTS = {"small": 150, "huge": 3500}
WHEELS = {"1.0": 500_000, "2.0": 17_000_000}
COLD = "cold-1.0-py3-none-any.whl"
INDEX = "root/dev"


@dataclass(frozen=True)
class Rival:
    """A server: where each page and file is, by its name in the works. A missing one it has not."""

    name: str
    url: str
    paths: Mapping[str, str] = field(default_factory=dict)


class Mirrored(Upstream):
    """The upstream of the mirrors: links, and behind one of them, the cold one, a file."""

    def answer(self, path: str) -> tuple[str, bytes] | None:
        match path.strip("/").split("/"):
            case ["simple"]:
                names = (*PROJECTS, *(f"huge{number}" for number in range(99)), "cold")
                return "text/html", "".join(
                    f'<a href="{name}/">{name}</a>' for name in names
                ).encode()
            case ["simple", name] if name.rstrip("0123456789") in PROJECTS:
                return "text/html", "".join(_links(name)).encode()
        return super().answer(path)


def _links(project: str) -> Iterator[str]:
    for number in range(PROJECTS[project.rstrip("0123456789")]):
        name = f"{project}-1.{number}-cp312-cp312-manylinux_2_28_x86_64.whl"
        digest = hashlib.sha256(name.encode()).hexdigest()
        requires = 'data-requires-python="&gt;=3.11"'
        yield f'<a href="/files/{name}#sha256={digest}" {requires}>{name}</a>\n'


def seed(site: Site, upstream: str) -> Mapping[str, str]:
    """Indexes like a team's: its own on a shared one on a mirror; the paths."""
    with site.front() as client, site.front() as reader:
        root = Admin(client)
        root.index("root/mirror", type="mirror", mirror_url=upstream)
        root.index("root/base", bases=["root/mirror"])
        root.index(INDEX, bases=["root/base"])
        for version, size in WHEELS.items():
            root.upload("root/base", "wheels", version, wheel("wheels", version, size))

        def is_loaded() -> bool:
            return reader.get(f"/{INDEX}/+simple/huge/", headers=PIP).status_code == 200

        eventually(is_loaded, "the mirror's list", 60)
        files = links(reader.get(f"/{INDEX}/+simple/wheels/", headers=PIP))
        named = {"wheel": next(path for name, path in files.items() if "-1.0-" in name)}
        named["large"] = next(path for name, path in files.items() if "-2.0-" in name)
    return {**{name: f"/{INDEX}/+simple/{name}/" for name in PROJECTS}, **named}


@contextmanager
def program(command: list[str | Path], port: int, log: Path, **variables: str) -> Iterator[None]:
    """Run a server until the block ends."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **variables}
        )
    try:
        eventually(lambda: listens(port), f"{command[0]} listens", 60)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def alone(site: Site, paths: Mapping[str, str]) -> Iterator[Rival]:
    """devpi-server by itself, on a copy of the site's data."""
    folder, port = site.folder / "alone", free_port()
    shutil.copytree(site.serverdir, folder)
    options = [
        f"--serverdir={folder}",
        f"--port={port}",
        f"--secretfile={site.folder / 'token-key'}",
    ]
    more = ["--indexer-backend=null", "--argon2-memory-cost=65536", "--connection-limit=500"]
    command: list[str | Path] = [PREFIX / "bin/devpi-server", *options, *more]
    with program(command, port, site.folder / "alone.log"):
        yield Rival("devpi-server", f"http://127.0.0.1:{port}", paths)


@contextmanager
def static(folder: Path, ours: Rival) -> Iterator[Rival]:
    """nginx with the same answers as files: what is to be had at most."""
    root, port = folder / "static", free_port()
    root.mkdir()
    with httpx.Client(trust_env=False) as client:
        for name, path in ours.paths.items():
            content = client.get(ours.url + path, headers=PIP).content
            (root / name).write_bytes(gzip.compress(content) if name in PROJECTS else content)
    conf = root / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    conf.write_text(
        f"daemon off; {user} worker_processes 2; pid {root}/pid; events {{}}\n"
        f"http {{ access_log off; sendfile on; client_body_temp_path {root}/body;\n"
        f"  server {{ listen {port}; root {root}; location ~ ^/({'|'.join(PROJECTS)})$ {{\n"
        "    add_header Content-Encoding gzip; } } }\n"
    )
    with program([NGINX, "-e", "stderr", "-c", conf], port, folder / "static.log"):
        yield Rival(
            "static nginx", f"http://127.0.0.1:{port}", {name: f"/{name}" for name in ours.paths}
        )


@contextmanager
def proxpi(folder: Path, peers: Path, upstream: str) -> Iterator[Rival]:
    """A cache of an index; it has no packages of its own."""
    port = free_port()
    command: list[str | Path] = [
        peers / "bin/flask",
        "--app=proxpi.server",
        "run",
        f"--port={port}",
    ]
    with program(command, port, folder / "proxpi.log", PROXPI_INDEX_URL=upstream):
        yield Rival(
            "proxpi", f"http://127.0.0.1:{port}", {name: f"/index/{name}/" for name in PROJECTS}
        )


@contextmanager
def pypiserver(folder: Path, peers: Path) -> Iterator[Rival]:
    """A folder of packages, served; it has no mirror."""
    port, packages = free_port(), folder / "packages"
    packages.mkdir()
    for project, number in PROJECTS.items():
        for minor in range(number):
            (packages / f"{project}-1.{minor}-py3-none-any.whl").touch()
    for version, size in WHEELS.items():
        (packages / f"wheels-{version}-py3-none-any.whl").write_bytes(
            wheel("wheels", version, size)
        )
    command: list[str | Path] = [peers / "bin/pypi-server", "run", f"--port={port}", packages]
    names = dict(zip(("wheel", "large"), WHEELS, strict=True))
    files = {
        name: f"/packages/wheels-{version}-py3-none-any.whl" for name, version in names.items()
    }
    with program(command, port, folder / "pypiserver.log"):
        yield Rival(
            "pypiserver",
            f"http://127.0.0.1:{port}",
            {**{name: f"/simple/{name}/" for name in PROJECTS}, **files},
        )
