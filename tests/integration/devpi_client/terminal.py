# SPDX-License-Identifier: GPL-3.0-or-later
"""A shell in a terminal, since nothing else completes what one types."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from collections.abc import Mapping
from pathlib import Path

PROMPT = "READY> "


def type_into(
    shell: str, keys: str, expected: str, *, environment: Mapping[str, str], home: Path
) -> str:
    """What an interactive shell shows after these keys, up to the expected text."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(home)
        os.execvpe(shell, [shell, "-i"], {**environment, "TERM": "dumb"})
    try:
        read_until(terminal, PROMPT)
        os.write(terminal, keys.encode())
        return read_until(terminal, expected)
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)


def read_until(terminal: int, mark: str, seconds: float = 20.0) -> str:
    """What the terminal shows up to this text, or until the time is over."""
    shown = b""
    end = time.monotonic() + seconds
    while mark.encode() not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65536)
    return shown.decode(errors="replace")
