# SPDX-License-Identifier: GPL-3.0-or-later
"""An index for mirrors on loopback, which counts what is asked of it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Upstream:
    """Files by name, all of one project, which arrive at `rate` bytes a second.

    Each answer begins after a `delay` in seconds and not while `goes_on` is cleared, and is an
    error of `status` unless that is 200. `names` are those of other projects, which have no files.
    `metadata` are what there is of wheels' core metadata, by the name of the wheel.
    """

    project: str
    files: dict[str, bytes]
    rate: float = 100e6
    delay: float = 0
    status: int = 200
    hashes: bool = True
    names: Sequence[str] = ()
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    url: str = ""
    goes_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.goes_on.set()

    def link(self, name: str) -> str:
        digest = hashlib.sha256(self.files[name]).hexdigest()
        return f'<a href="/files/{name}{f"#sha256={digest}" if self.hashes else ""}">{name}</a>'

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Type and content of what is at the path."""
        match path.strip("/").split("/"):
            case ["simple"]:
                names = (self.project, *self.names)
                return "text/html", "".join(
                    f'<a href="{name}/">{name}</a>' for name in names
                ).encode()
            case ["simple", self.project]:
                return "text/html", "".join(map(self.link, self.files)).encode()
            case ["files", name] if name in self.files:
                return "application/octet-stream", self.files[name]
            case ["files", name] if name.removesuffix(".metadata") in self.metadata:
                return "application/octet-stream", self.metadata[name.removesuffix(".metadata")]
        return None


@contextmanager
def serving(upstream: Upstream) -> Iterator[Upstream]:
    """Serve it at its `url`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            upstream.asked[self.path] += 1
            time.sleep(upstream.delay)
            upstream.goes_on.wait()
            found = upstream.answer(self.path)
            if found is None or upstream.status != 200:
                self.send_error(404 if found is None else upstream.status)
                return
            kind, content = found
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            for start in range(0, len(content), 65536):
                self.wfile.write(content[start : start + 65536])
                time.sleep(65536 / upstream.rate)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    upstream.url = f"http://127.0.0.1:{server.server_port}/simple/"
    try:
        yield upstream
    finally:
        upstream.goes_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
