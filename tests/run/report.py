# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the parts one after the other, and say at the end what each took and how it went."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from commands import Failed, Skipped
from environments import EnvironmentFailed


@dataclass(frozen=True)
class Part:
    """One row of the table: a name to call it by, and what it does."""

    name: str
    run: Callable[[], None]
    # Costs minutes: left out once another part has failed.
    long: bool = False
    # May run while a scenario does: leaves the cluster and what is built alone.
    beside: bool = False


@dataclass(frozen=True)
class Result:
    """``outcome`` is passed, failed, skipped, cut off or not run; ``seconds`` the wall time."""

    name: str
    seconds: float
    outcome: str
    reason: str = ""


def run_all(parts: Sequence[Part], results: list[Result]) -> None:
    """Run every part, after a failure only those that are cheap; adds to ``results`` as it goes."""
    for part in parts:
        if part.long and any(result.outcome == "failed" for result in results):
            results.append(Result(part.name, 0.0, "not run", "an earlier part failed"))
        else:
            run_one(part, results)


def run_one(part: Part, results: list[Result]) -> None:
    """Add one row; that of a part that is cut off too."""
    print(f"\n=== {part.name}", flush=True)
    began = time.monotonic()
    outcome, reason = "cut off", ""
    try:
        part.run()
        outcome = "passed"
    except Skipped as why:
        outcome, reason = "skipped", str(why)
    except (Failed, EnvironmentFailed, OSError, subprocess.SubprocessError) as why:
        outcome, reason = "failed", str(why)
        print(f"FAILED {part.name}: {reason}", flush=True)
    finally:
        results.append(Result(part.name, time.monotonic() - began, outcome, reason))


def table(results: Sequence[Result], seconds: float) -> str:
    """The rows and the closing line; ``seconds`` is the wall time of the whole."""
    width = max((len(result.name) for result in results), default=0)
    rows = [
        f"{row.name:<{width}}  {row.seconds:7.1f} s  {row.outcome:<8} {row.reason}".rstrip()
        for row in results
    ]
    counts = (
        f"{sum(result.outcome == outcome for result in results)} {outcome}"
        for outcome in ("passed", "failed", "skipped", "cut off", "not run")
    )
    return "\n".join(["", *rows, f"{', '.join(counts)} in {seconds:.0f} s"])
