# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts that leave the cluster alone, run beside those that wait for its pods most of the time.

They are a second ``tests/run``, which waits until this process has seen the cluster up. What it
prints is kept and shown at the end.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Self

from commands import ARTIFACTS, Failed, interrupt
from environments import CHECKOUT
from report import Result

LOG = ARTIFACTS / "beside.log"
ROWS = ARTIFACTS / "beside.json"


class Beside:
    """Use as a context: entering starts ``parts``, leaving ends what still runs."""

    def __init__(self, parts: Sequence[str]) -> None:
        self._parts = parts
        self._run: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if self._parts:
            print(f"Beside, into {LOG.relative_to(CHECKOUT)}: {', '.join(self._parts)}", flush=True)
            LOG.parent.mkdir(exist_ok=True)
            ROWS.unlink(missing_ok=True)
            with LOG.open("wb") as log:
                # In a session of its own: an interrupt at the keyboard is ours to pass on.
                self._run = subprocess.Popen(
                    [sys.executable, "tests/run", "--beside", *self._parts],
                    cwd=CHECKOUT,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                )
        return self

    def cluster_is_up(self) -> None:
        """Let them go on."""
        self._tell("")

    def finish(self) -> None:
        """Return when all have ended; what they printed is shown."""
        if self._run is not None:
            self._tell("the cluster did not come up")
            self._run.wait()
            print(LOG.read_text(errors="replace"), flush=True)

    def rows(self) -> list[Result]:
        """How they went; after the context."""
        if not self._parts:
            return []
        if not ROWS.exists():
            return [Result("beside", 0.0, "failed", f"see {LOG.relative_to(CHECKOUT)}")]
        return [Result(**row) for row in json.loads(ROWS.read_text()) if row["name"] in self._parts]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        interrupt(self._run)

    def _tell(self, reason: str) -> None:
        """Say once, and by the end of the text, that the wait for the cluster is over."""
        if self._run is not None and self._run.stdin is not None and not self._run.stdin.closed:
            try:
                self._run.stdin.write(reason)
                self._run.stdin.close()
            except BrokenPipeError:
                pass  # It has ended already.


def wait_to_be_told() -> None:
    """In the second process: return when the cluster is up, Failed with a reason if it isn't."""
    if reason := sys.stdin.read():
        raise Failed(reason)


def report(results: Sequence[Result]) -> None:
    """In the second process: leave the rows for the first one."""
    ROWS.write_text(json.dumps([asdict(result) for result in results]))
