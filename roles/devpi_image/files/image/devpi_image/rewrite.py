# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs write by themselves, in the form of the container's log."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from threading import Thread

from devpi_image.log import is_json, json_line

# A line, and when it came, into the line to be written.
Rewrite = Callable[[str, datetime], str]
# Seconds for the last lines of a service that has ended.
_LAST_LINES = 2.0

# 2026/01/31 12:00:00 [error] 7#7: *1 ...; what nginx says before it has a log: nginx: [emerg] ...
_NGINX = re.compile(r"(?:nginx:|[\d/]+ [\d:]+) \[(\w+)\] (?:\d+#\d+: )?(.*)", re.DOTALL)
_LEVELS = {
    "debug": "DEBUG",
    "info": "INFO",
    "notice": "INFO",
    "warn": "WARNING",
    "error": "ERROR",
    "crit": "CRITICAL",
    "alert": "CRITICAL",
    "emerg": "CRITICAL",
}


def nginx_line(line: str, time: datetime) -> str:
    """A line of nginx' error log as JSON, with the levels of Python's logging."""
    found = _NGINX.fullmatch(line)
    level, message = found.groups() if found else ("", line)
    return json_line(time, _LEVELS.get(level, "INFO"), "nginx", message)


def lines_of(service: str) -> Rewrite:
    """For a program of devpi: its log is JSON already, what else it writes becomes it."""

    def line_of(line: str, time: datetime) -> str:
        with suppress(ValueError):
            if isinstance(json.loads(line), dict):
                return line
        return json_line(time, "INFO", service, line)

    return line_of


class Rewriter:
    """A pipe whose lines go to this process' standard error, rewritten.

    `target` is for the service, and to be closed here by `handed_over` then.
    """

    def __init__(self, rewrite: Rewrite) -> None:
        source, self.target = os.pipe()
        self._rewrite = rewrite
        # It waits in the kernel; a process that has to end does not wait for it.
        self._thread = Thread(target=self._pass_on, args=(source,), daemon=True)
        self._thread.start()

    def handed_over(self) -> None:
        """Leave the pipe to the service, with whose end it ends."""
        os.close(self.target)

    def finish(self) -> None:
        """Wait for what a service that has ended has left in the pipe."""
        self._thread.join(_LAST_LINES)

    def _pass_on(self, source: int) -> None:
        with closing(os.fdopen(source, errors="replace")) as lines:
            for line in lines:
                text = self._rewrite(line.rstrip("\n"), datetime.now(UTC))
                # One write, so that lines of others do not get into it.
                sys.stderr.write(f"{text}\n")
                sys.stderr.flush()


@contextmanager
def output_for(service: str) -> Iterator[int | None]:
    """Where a program that ends by itself is to write: a pipe if the log is JSON, else None."""
    if not is_json():
        yield None
        return
    rewriter = Rewriter(lines_of(service))
    try:
        yield rewriter.target
    finally:
        rewriter.handed_over()
        rewriter.finish()
