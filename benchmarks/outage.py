# SPDX-License-Identifier: GPL-3.0-or-later
"""How long nobody is served while devpi's pod is replaced: ``outage.py [--state FOLDER]``.

A page and a wheel of a hosted project are asked for at the API host all the time, each request by
a connection of its own. The outage is the longest time from one answer with status 200 to the
next. The pod is replaced twice a round: deleted, as by a node that is drained, and by a rollout,
as by a change of its manifest.

This is for a cluster that nobody else is using. Exit code 0, 1 when an outage is longer than the
goal, or when something can't be measured. Standard library only.
"""

from __future__ import annotations

import argparse
import http.client
import os
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median

import load
from idle import await_idle
from memory import start_anew
from target import CHECKOUT, BenchmarkError, Target

GOAL = 7.0
# Seconds between two requests, which are to be no burden.
PAUSE = 0.1
PATIENCE = 3
# As installers ask, to whom known pages are answered from the front's cache.
ACCEPT = {"Accept": "application/vnd.pypi.simple.v1+json"}


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--state", type=Path, default=CHECKOUT / ".local-cluster")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    try:
        found = measure(Target(asked.state.resolve()), asked.rounds)
    except (BenchmarkError, LookupError, OSError) as error:
        print(f"outage.py: {error}", file=sys.stderr)
        return 1
    print("| seconds without an answer | median | smallest - largest |\n| --- | --- | --- |")
    for row, values in found.items():
        print(f"| {row} | {median(values):.2f} | {min(values):.2f} - {max(values):.2f} |")
    return int(any(median(values) > GOAL for values in found.values()))


def measure(target: Target, rounds: int) -> dict[str, list[float]]:
    """Row -> seconds, one for each round."""
    found: dict[str, list[float]] = {}
    with load.index(target) as index:
        urls = hosted(index)
        for number in range(1, rounds + 1):
            for way, replace in WAYS.items():
                # The cluster still clears away the pod before.
                await_idle()
                with watched(index, urls) as served:
                    replace(target)
                for kind, times in served.items():
                    found.setdefault(f"{kind}, {way}", []).append(outage(times))
            last = ", ".join(f"{values[-1]:.1f}" for values in found.values())
            progress = f"round {number} of {rounds}: {last} s (load {os.getloadavg()[0]:.1f})"
            print(progress, file=sys.stderr, flush=True)
    return found


def hosted(index: load.Index) -> dict[str, str]:
    """What is asked for -> its URL."""
    index.upload("outage")
    page = f"{index.url}+simple/outage/"
    return {"page": page, "wheel": index.files("outage")[0]}


def roll_out(target: Target) -> None:
    target.kubectl("rollout", "restart", "deployment/devpi", "-n", "devpi")
    target.kubectl("rollout", "status", "deployment/devpi", "-n", "devpi", "--timeout=300s")


WAYS: dict[str, Callable[[Target], None]] = {"pod deleted": start_anew, "rollout": roll_out}


@contextmanager
def watched(index: load.Index, urls: dict[str, str]) -> Iterator[dict[str, list[float]]]:
    """When each of the URLs was served, from a second before the block to a second after."""
    over = threading.Event()
    served: dict[str, list[float]] = {kind: [] for kind in urls}
    threads = [
        threading.Thread(target=ask, args=(index, url, served[kind], over))
        for kind, url in urls.items()
    ]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        yield served
        time.sleep(1)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def ask(index: load.Index, url: str, served: list[float], over: threading.Event) -> None:
    """Note the time of each answer with status 200."""
    request = urllib.request.Request(url, headers=ACCEPT)  # noqa: S310 - https
    while not over.wait(PAUSE):
        try:
            with urllib.request.urlopen(request, context=index.trusted, timeout=PATIENCE) as answer:  # noqa: S310 - https
                answer.read()
        except (OSError, http.client.HTTPException):
            continue
        served.append(time.monotonic())


def outage(served: list[float]) -> float:
    """The longest time between two answers; BenchmarkError where it had no end."""
    if len(served) < 2 or time.monotonic() - served[-1] > PATIENCE:
        raise BenchmarkError("the host did not serve again after the pod was replaced")
    return max(later - earlier for earlier, later in pairwise(served))


if __name__ == "__main__":
    sys.exit(main())
