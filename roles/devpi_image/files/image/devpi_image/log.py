# SPDX-License-Identifier: GPL-3.0-or-later
"""What the container says by itself, besides its service."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """One line for the container's log."""
    print(f"devpi-entrypoint: {text}", file=sys.stderr, flush=True)
