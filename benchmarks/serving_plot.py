# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws what serving.py has measured, given as JSON on standard input, into a PNG."""

from __future__ import annotations

import json
import sys

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot


def main(place: str) -> None:
    """A group of bars for each row, on a logarithmic axis since the ratios are what counts."""
    data = json.load(sys.stdin)
    rows, values = data["rows"], data["values"]
    height = 0.8 / len(values)
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.75 * len(rows)), layout="constrained")
    for number, (name, medians) in enumerate(values.items()):
        places = [row + (number - len(values) / 2) * height for row in range(len(rows))]
        axes.barh(places, [median or 0 for median in medians], height, label=name, align="edge")
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel(data["unit"])
    axes.margins(y=0.01)
    figure.legend(loc="outside upper center", ncols=len(values), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(place, dpi=120)


if __name__ == "__main__":
    main(sys.argv[1])
