# SPDX-License-Identifier: GPL-3.0-or-later
"""How an input is refused."""

from __future__ import annotations


class Refused(Exception):
    """An input that the container can't work with; the text says what to write instead."""
