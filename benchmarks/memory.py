# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pods need of memory: ``memory.py [--state FOLDER] [--seconds N] [--clients N]``.

Four figures for each container, each the largest of readings five times a second: after a start
with one client, at rest, under load, and while it searches. The pod of devpi is replaced for the
first, so this is for a cluster that nobody else is using.

Load are clients that read the lists of much-used packages, download the smallest file of each and
upload packages of their own, to an index that goes at the end. Searching are as many clients at
the web host's door, past the login, while devpi-web works off what is left to index.

See used.py for what is counted. The cluster has to be on this machine. Exit code 0, 1 when
something can't be measured. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import load
from target import CHECKOUT, BenchmarkError, Target
from used import peaks

MIB = 1024**2


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--state", type=Path, default=CHECKOUT / ".local-cluster")
    parser.add_argument("--seconds", type=int, default=60, help="of each row (%(default)s)")
    parser.add_argument("--clients", type=int, default=16, help="at once (%(default)s)")
    asked = parser.parse_args()
    target = Target(asked.state.resolve())
    try:
        print(table(measure(target, asked.seconds, asked.clients), resources(target)))
    except (BenchmarkError, LookupError, OSError) as error:
        print(f"memory.py: {error}", file=sys.stderr)
        return 1
    return 0


def measure(target: Target, seconds: int, clients: int) -> dict[str, dict[str, int]]:
    """Row -> container -> bytes."""
    start_anew(target)
    running = containers(target)
    rows = {}

    def row(name: str, work: Callable[[], int | None]) -> None:
        with peaks(running) as reading:
            done = work()
        rows[name] = dict(reading.peaks)
        print(f"{name}: {done or 'nothing'} done in {seconds} s", file=sys.stderr)

    with load.index(target) as index:
        row("after a start", lambda: index.use(seconds, 1))
        row("at rest", lambda: time.sleep(seconds))
        row("under load", lambda: index.use(seconds, clients))
        row("searching", lambda: load.search(target, seconds, clients))
    return rows


def start_anew(target: Target) -> None:
    """Another pod in the place of devpi's, that serves."""
    in_namespace = ("-n", "devpi", "--timeout=300s")
    target.kubectl("delete", "pod", "-l", "app=devpi", "--wait", *in_namespace)
    target.kubectl("rollout", "status", "deployment/devpi", *in_namespace)


def running_pods(target: Target) -> list[dict[str, Any]]:
    """The running pods of devpi, as the cluster has them."""
    asked = ("get", "pods", "-n", "devpi", "--field-selector=status.phase=Running", "-o", "json")
    return list(json.loads(target.kubectl(*asked).output)["items"])


def containers(target: Target) -> dict[str, str]:
    """Name of each running container -> its id."""
    return {
        status["name"]: status["containerID"].rpartition("/")[2]
        for pod in running_pods(target)
        for status in pod["status"]["containerStatuses"]
        if "running" in status["state"]
    }


def resources(target: Target) -> dict[str, tuple[str, str]]:
    """Name of each container -> memory that it requests, and its limit."""
    return {
        container["name"]: tuple(
            container["resources"].get(kind, {}).get("memory", "none")
            for kind in ("requests", "limits")
        )
        for pod in running_pods(target)
        for container in pod["spec"]["containers"]
    }


def table(rows: dict[str, dict[str, int]], given: dict[str, tuple[str, str]]) -> str:
    """Markdown: a row for each container, in MiB."""
    names = list(next(iter(rows.values())))
    lines = [f"| container | {' | '.join(rows)} | request | limit |", "| --- " * 7 + "|"]
    lines += [
        f"| {name} | "
        + " | ".join(f"{measured[name] / MIB:.0f}" for measured in rows.values())
        + f" | {given[name][0]} | {given[name][1]} |"
        for name in sorted(names)
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
