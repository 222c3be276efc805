# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirrored index is gone: what was fetched before, and one's own packages, still install."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.api import Api
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.distributions import (
    find_distributions,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.packages import upload, writable
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi_module import transport

from tests.integration.devpi_server.distributions import wheel

if TYPE_CHECKING:
    from tests.integration.devpi_server.conftest import DevpiServer


@dataclass(frozen=True)
class Upstream:
    """An index as static files (PEP 503), served by HTTP until it is ended."""

    folder: Path
    server: ThreadingHTTPServer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/"

    def offer(self, name: str) -> None:
        project = self.folder / name
        project.mkdir()
        file = wheel(project, name.replace("-", "_"), "1.0")
        (project / "index.html").write_text(f'<a href="{file.name}">{file.name}</a>')

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    folder = tmp_path / "upstream"
    folder.mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    upstream = Upstream(folder, ThreadingHTTPServer(("127.0.0.1", 0), handler))
    threading.Thread(target=upstream.server.serve_forever).start()
    yield upstream
    upstream.end()


def installs(index: str, name: str, target: Path) -> bool:
    """Whether pip installs a package without its dependencies, with nothing cached of its own."""
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--retries=0"]
    install = ["install", "--no-cache-dir", "--no-deps", "--target", str(target)]
    command = [*pip, *install, "--index-url", index, name]
    return subprocess.run(command, check=False).returncode == 0


def test_what_was_fetched_installs_without_the_index_it_came_from(
    fresh_devpi: DevpiServer, upstream: Upstream, tmp_path: Path
) -> None:
    for name in ("fetched", "never-fetched"):
        upstream.offer(name)
    api = Api(fresh_devpi.url, transport(timeout=30, ca_path=None))
    api.login("root", fresh_devpi.root_password)
    # Nothing is taken for fresh: each request would ask the mirrored index.
    settings = {
        "mirror_url": upstream.url,
        "mirror_cache_expiry": 0,
        "mirror_no_project_list": True,
    }
    api.create_index("root/upstream", {"type": "mirror", **settings})
    api.create_index("root/stable", {"type": "stage", "bases": ["root/upstream"]})
    (own,) = find_distributions(wheel(tmp_path, "own_package", "1.0"))
    upload(api, writable(api, "root/stable"), own)

    index = f"{fresh_devpi.url}/root/stable/+simple/"
    # A new server reads PyPI's list of projects first; meanwhile it asks other indexes in vain.
    end = time.monotonic() + 180
    while not installs(index, "fetched", tmp_path / "before"):
        assert time.monotonic() < end
        time.sleep(1)
    upstream.end()
    assert not installs(index, "never-fetched", tmp_path / "never")
    for name in ("fetched", "own-package"):
        assert installs(index, name, tmp_path / name), name

    # And so after a restart, when nothing is remembered but what lies on the disk.
    fresh_devpi.stop()
    fresh_devpi.start()
    for name in ("fetched", "own-package"):
        assert installs(index, name, tmp_path / f"{name}-again"), name
