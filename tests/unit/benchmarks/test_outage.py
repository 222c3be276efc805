# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a host did not serve, from the times at which it did."""

from __future__ import annotations

import time
from types import ModuleType

import pytest

from ..conftest import CHECKOUT, program


@pytest.fixture
def outages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(CHECKOUT / "benchmarks"))
    return program("benchmarks/outage.py")


def test_an_outage_is_the_longest_time_between_two_answers(outages: ModuleType) -> None:
    now = time.monotonic()
    assert outages.outage([now - 9, now - 8, now - 3, now - 1]) == pytest.approx(5)


@pytest.mark.parametrize("served", [[], [1.0], [1.0, 2.0]], ids=["none", "one", "none since"])
def test_an_outage_without_end_is_an_error(outages: ModuleType, served: list[float]) -> None:
    with pytest.raises(outages.BenchmarkError, match="did not serve again"):
        outages.outage(served)
