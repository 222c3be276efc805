# SPDX-License-Identifier: GPL-3.0-or-later
"""What one client may have, and what the front tells of itself."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from sites import PIP, Admin, Site, eventually, free_port, links, running

METRICS = free_port()


@pytest.fixture(scope="module", params=["api", "whole"])
def site(
    request: pytest.FixtureRequest, initialised: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    variables = {
        "DEVPI_FRONT_CONNECTIONS": "8",
        "DEVPI_FRONT_REQUEST_RATE": "40",
        "DEVPI_FRONT_METRICS_PORT": str(METRICS),
    }
    folder = tmp_path_factory.mktemp("limits") / "site"
    with running(initialised, folder, variables=variables, whole=request.param == "whole") as site:
        yield site


def figures() -> dict[str, float]:
    text = httpx.get(f"http://127.0.0.1:{METRICS}/metrics", trust_env=False).text
    lines = re.findall(r"^(devpi_front_\S+) (\S+)$", text, re.MULTILINE)
    assert len(lines) > 3
    return {name: float(value) for name, value in lines}


def test_metrics_count_what_was_answered_and_by_whom(site: Site, root: Admin) -> None:
    root.index("root/counted")
    root.upload("root/counted", "counted", "1.0")
    before = figures()
    with site.front() as front:
        for _ in range(4):
            page = front.get("/root/counted/+simple/counted/", headers=PIP)
        [path] = links(page).values()
        front.get(path)
    root.upload("root/counted", "counted", "2.0")
    after = figures()

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grown('devpi_front_answers_total{source="hit"}') == 4
    assert grown('devpi_front_answers_total{source="disk"}') == 1
    assert grown('devpi_front_answers_total{source="devpi"}') == 1
    assert grown("devpi_front_renders_total") == 1
    assert grown("devpi_front_writes_total") == 1
    assert grown("devpi_front_devpi_seconds_count") == 1
    assert grown('devpi_front_devpi_seconds_bucket{le="+Inf"}') == 1


def test_metrics_are_on_no_host_for_clients(site: Site) -> None:
    with site.front() as front:
        for path in ("/metrics", "/+front/metrics"):
            assert "devpi_front_" not in front.get(path).text


def test_an_address_that_asks_too_often_is_told_to_wait(site: Site) -> None:
    with site.front() as front:
        answers = [front.get("/+api") for _ in range(200)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert all(answer.headers["Retry-After"] == "1" for answer in refused)


def test_an_address_has_so_many_connections(site: Site) -> None:
    time.sleep(3)  # Until the requests of before are forgotten.
    with ExitStack() as held:
        for _ in range(8):
            # A request whose body does not come keeps its connection busy.
            connection = socket.create_connection(("127.0.0.1", site.port))
            held.enter_context(connection)
            connection.sendall(
                b"PUT /root/connected HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"
            )
        with site.front() as front:
            eventually(lambda: front.get("/+api").status_code == 429, "a connection too many", 5)
    with site.front() as front:
        eventually(lambda: front.get("/+api").status_code == 200, "room again", 5)
