# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from crowd import median_seconds

FOR_EVER = float("inf")


def test_the_middle_of_all_who_asked() -> None:
    assert median_seconds(["200 3.0", "200 1.0", "200 2.0"], 3) == 2.0


def test_who_is_refused_waits_for_ever() -> None:
    assert median_seconds(["200 3.0", "200 1.0", "503 0.1"], 3) == 3.0
    assert median_seconds(["200 3.0", "503 0.1", "000 0.0"], 3) == FOR_EVER


def test_so_does_who_gets_no_answer() -> None:
    assert median_seconds(["200 3.0"], 3) == FOR_EVER
    assert median_seconds([], 1) == FOR_EVER
