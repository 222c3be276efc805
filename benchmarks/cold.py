# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds on what is not in the front's caches: for a crowd, and for the first to ask."""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import httpx
from figures import DEVPI, OURS, Figures, Goal
from rivals import INDEX, Rival
from sites import PIP, Admin, eventually, links

FIRST_PAGE = "first page of a numpy-sized project"
FIRST_FILE = "first 17 MB file of a project"
CROWD_FILE = "20 clients, cold 17 MB file of a mirror"


def crowd_page(number: int) -> str:
    """The row of a crowd of so many."""
    return f"{number} clients, cold numpy-sized page"


def goals(number: int) -> tuple[Goal, ...]:
    """Of these rows, with a crowd of so many."""
    return (
        Goal(crowd_page(number), DEVPI, at_most=1 / 50),
        Goal(CROWD_FILE, DEVPI, at_most=1 / 8),
        Goal(FIRST_PAGE, DEVPI, at_most=1.1),
        Goal(FIRST_FILE, DEVPI, at_most=1.1),
    )


def crowd(number: int, url: str) -> float:
    """Median seconds of as many requests at once; one that fails counts for infinity.

    Not by httpx: a hundred clients that decompress what they get would be measured by that.
    """
    ready = threading.Barrier(number)

    def timed(_number: int) -> float:
        ready.wait()
        began = time.monotonic()
        try:
            fetch(url)
        except (OSError, http.client.HTTPException):
            return float("inf")
        return time.monotonic() - began

    with ThreadPoolExecutor(number) as pool:
        return statistics.median(pool.map(timed, range(number)))


def fetch(url: str) -> None:
    """Read what is there as pip asks for it, as it comes; OSError for another status than 200."""
    parts = urlsplit(url)
    headers = {**PIP, "Accept-Encoding": "gzip"} if "+simple" in url else {}
    connection = http.client.HTTPConnection(parts.netloc, timeout=300)
    with closing(connection):
        connection.request("GET", parts.path, headers=headers)
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise OSError(answer.status)
        room = bytearray(1 << 20)
        while answer.readinto(room):
            pass


def cold(rivals: list[Rival], upstream: str, rounds: int, number: int) -> Figures:
    """Median seconds of crowds, and seconds of who is the first ever to ask for something."""
    figures = Figures("s")
    for round_ in range(rounds):
        for rival in (one for one in rivals if one.name in (OURS, DEVPI)):
            page = f"{rival.url}/{INDEX}/+simple/huge{round_}/"
            # Known to devpi, and not to the cache.
            httpx.get(
                page, headers={**PIP, "Authorization": "Basic eDp5"}, trust_env=False, timeout=120
            )
            figures.add(crowd_page(number), rival.name, crowd(number, page))
            with mirror(rival, f"root/cold{round_}", upstream) as file:
                figures.add(CROWD_FILE, rival.name, crowd(20, file))
            with mirror(rival, f"root/first{round_}", upstream) as file:
                page = f"{rival.url}/root/first{round_}/+simple/huge{round_}/"
                figures.add(FIRST_PAGE, rival.name, crowd(1, page))
                figures.add(FIRST_FILE, rival.name, crowd(1, file))
    return figures


@contextmanager
def mirror(rival: Rival, name: str, upstream: str) -> Iterator[str]:
    """A new mirror, gone afterwards; the URL of a file that nobody has asked for."""
    with httpx.Client(base_url=rival.url, trust_env=False, timeout=60) as client:
        root = Admin(client)
        root.index(name, type="mirror", mirror_url=upstream)
        page = f"/{name}/+simple/cold/"
        eventually(lambda: client.get(page, headers=PIP).is_success, "the mirror's list", 60)
        [path] = links(client.get(page, headers=PIP)).values()
        yield rival.url + path
        root.delete(f"/{name}")
