# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

import figures

ROW = "small page"


@pytest.mark.parametrize(
    ("ours", "theirs", "goal", "says"),
    [
        (200.0, 2.0, {"at_least": 100}, []),
        (199.0, 2.0, {"at_least": 100}, [f"{ROW}: 1e+02 x them, the goal is at least 100"]),
        (5.0, 4.0, {"at_most": 1.1}, [f"{ROW}: 1.2 x them, the goal is at most 1.1"]),
        (5.0, 0.0, {"at_least": 100}, []),
        (None, 2.0, {"at_least": 100}, []),
    ],
    ids=["reached", "too slow", "too long", "they never answered", "not measured"],
)
def test_a_goal_is_a_ratio(
    ours: float | None, theirs: float, goal: dict[str, float], says: list[str]
) -> None:
    found = figures.Figures("requests/s", {(ROW, "them"): [theirs]})
    if ours is not None:
        found.add(ROW, figures.OURS, ours)
    assert list(figures.missed(found, [figures.Goal(ROW, "them", **goal)])) == says
