# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured, as a table, and whether it is what we want."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

OURS, DEVPI, STATIC, PYPI = "ours", "devpi-server", "static nginx", "PyPI directly"


@dataclass
class Figures:
    """What was measured, by row and rival, a value for each round."""

    unit: str
    rounds: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, row: str, rival: str, value: float) -> None:
        self.rounds.setdefault((row, rival), []).append(value)

    def median(self, row: str, rival: str) -> float | None:
        values = self.rounds.get((row, rival))
        return statistics.median(values) if values else None


@dataclass(frozen=True)
class Goal:
    """How our median of a row compares to that of a rival; without one, to 1 of the unit."""

    row: str
    rival: str | None = None
    at_least: float = 0
    at_most: float = float("inf")


def missed(figures: Figures, goals: Iterable[Goal]) -> Iterator[str]:
    """The goals that were not reached, of the rows that were measured."""
    for goal in goals:
        ours = figures.median(goal.row, OURS)
        theirs = figures.median(goal.row, goal.rival) if goal.rival else 1.0
        if ours is None or theirs is None:
            continue
        # A rival may not answer once in the time that it has.
        ratio = ours / theirs if theirs else float("inf")
        if goal.at_least <= ratio <= goal.at_most:
            continue
        wanted = f"at least {goal.at_least:g}" if goal.at_least else f"at most {goal.at_most:.2g}"
        whose = f"x {goal.rival}" if goal.rival else figures.unit
        yield f"{goal.row}: {ratio:.2g} {whose}, the goal is {wanted}"


def table(figures: Figures, names: Sequence[str]) -> str:
    """Markdown: medians with their smallest and largest value, and our ratio to devpi alone."""
    names = [name for name in names if name in {rival for _row, rival in figures.rounds}]
    lines = [
        f"| {figures.unit} | {' | '.join(names)} | ours / devpi-server |",
        "| --- " * (len(names) + 2) + "|",
    ]
    for row in dict.fromkeys(row for row, _rival in figures.rounds):
        cells = [_cell(figures.rounds.get((row, name), [])) for name in names]
        ours, devpi = figures.median(row, OURS), figures.median(row, DEVPI)
        ratio = f"{ours / devpi:.3g}" if ours and devpi else ""
        lines.append(f"| {row} | {' | '.join(cells)} | {ratio} |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"
