# SPDX-License-Identifier: GPL-3.0-or-later
"""Many clients that ask for one thing at the same moment.

They are one curl, which keeps what it reads nowhere: as many threads of Python, or clients that
unpack, would be measured by that.
"""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Iterable, Mapping


def crowd(number: int, url: str, headers: Mapping[str, str]) -> float:
    """Median seconds of as many requests (at most 300) at once; a failed one is infinity."""
    given = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    at_once = ("--parallel", "--parallel-immediate", "--parallel-max", str(number))
    told = ("--no-progress-meter", "--write-out", "%{http_code} %{time_total}\n")
    output = subprocess.run(
        ["curl", *at_once, *told, "--max-time", "300", *given, "--config", "-"],
        input=f'url = "{url}"\noutput = "/dev/null"\n' * number,
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    ).stdout
    return median_seconds(output.splitlines(), number)


def median_seconds(lines: Iterable[str], number: int) -> float:
    """Of as many answers, each a status and seconds; any but 200, or none, is infinity."""
    answers = [line.split() for line in lines]
    times = [float(seconds) for status, seconds in answers if status == "200"]
    return statistics.median([*times, *[float("inf")] * (number - len(times))])
