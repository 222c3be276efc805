# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import re
import time

import pytest
from progress import Progress, clock, duration


def test_steps_are_numbered_and_timed() -> None:
    said = io.StringIO()
    progress = Progress(said)
    with progress.step("boiling water"):
        progress.note("with the lid on")
    with progress.step("making tea"):
        pass
    lines = said.getvalue().splitlines()
    assert all(line.startswith("[00:00] ") for line in lines)
    assert [line[len("[00:00] ") :] for line in lines] == [
        " 1. boiling water",
        "    with the lid on",
        "    done: boiling water (0.0 s)",
        " 2. making tea",
        "    done: making tea (0.0 s)",
    ]


def test_a_failed_step_says_so_and_hides_nothing() -> None:
    said = io.StringIO()
    with pytest.raises(ValueError, match="cold"), Progress(said).step("boiling water"):
        raise ValueError("cold")
    assert said.getvalue().splitlines()[-1].endswith("failed: boiling water (0.0 s)")


def test_a_long_step_shows_signs_of_life_until_it_ends() -> None:
    said = io.StringIO()
    with Progress(said, heartbeat=0.05).step("boiling water"):
        time.sleep(0.3)
    time.sleep(0.1)
    lines = said.getvalue().splitlines()
    assert len(lines) >= 4
    assert all(re.fullmatch(r".* still boiling water \(0\.\d s\)", line) for line in lines[1:-1])
    assert "done:" in lines[-1]


def test_times() -> None:
    assert [clock(0), clock(75.9), clock(3600)] == ["00:00", "01:15", "60:00"]
    assert [duration(4.24), duration(60), duration(135.9)] == ["4.2 s", "1 min 0 s", "2 min 15 s"]
