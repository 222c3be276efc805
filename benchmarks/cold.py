# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds on what is not in the front's caches: for a crowd, and for the first to ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from crowd import crowd
from figures import DEVPI, OURS, Figures, Goal
from idle import await_idle
from rivals import INDEX, Rival
from sites import PIP, Admin, eventually, links

# As pip asks for it; what a crowd is measured by unpacks nothing.
PAGE = {**PIP, "Accept-Encoding": "gzip"}
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


def cold(rivals: list[Rival], upstream: str, rounds: int, number: int) -> Figures:
    """Median seconds of crowds, and seconds of who is the first ever to ask for something."""
    figures = Figures("s")

    def measure(row: str, rival: Rival, clients: int, url: str) -> None:
        await_idle()
        figures.add(row, rival.name, crowd(clients, url, PAGE if "+simple" in url else {}))

    for round_ in range(rounds):
        for rival in (one for one in rivals if one.name in (OURS, DEVPI)):
            page = f"{rival.url}/{INDEX}/+simple/huge{round_}/"
            # Known to devpi, and not to the cache.
            httpx.get(
                page, headers={**PIP, "Authorization": "Basic eDp5"}, trust_env=False, timeout=120
            )
            measure(crowd_page(number), rival, number, page)
            with mirror(rival, f"root/cold{round_}", upstream) as file:
                measure(CROWD_FILE, rival, 20, file)
            with mirror(rival, f"root/first{round_}", upstream) as file:
                page = f"{rival.url}/root/first{round_}/+simple/huge{round_}/"
                measure(FIRST_PAGE, rival, 1, page)
                measure(FIRST_FILE, rival, 1, file)
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
