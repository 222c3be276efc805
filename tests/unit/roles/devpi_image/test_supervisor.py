# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor with real processes, itself in a process of its own since it takes the signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from devpi_image.plans import RestartLimit
from devpi_image.supervisor import gives_up

PACKAGE = Path(__file__).parents[4] / "roles/devpi_image/files/image"
RUNNER = """
import os, pathlib, signal, sys
from devpi_image.plans import RestartLimit
from devpi_image.supervisor import Service, supervise

folder = pathlib.Path(sys.argv[1])
sys.exit(supervise(
    [Service("it", (sys.executable, "-c", program, str(folder)), dict(os.environ), signal.SIGINT,
             frozenset({0, 130}), 0.5, (folder / "up").exists, lambda: (folder / "served").touch(),
             is_needed=(folder / "needed").exists, rewrite=lambda line, _: f"<{line}>")
     for program in sys.argv[2].split("----")],
    RestartLimit(int(sys.argv[3]), 60),
))
"""
WORKS = "import pathlib, sys, time; (pathlib.Path(sys.argv[1]) / 'up').touch(); time.sleep(30)"
DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); " + WORKS
COUNTS = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / 'up').touch()
with (folder / 'lives').open('a') as file: file.write('x')
time.sleep(0.4)
sys.exit(3)
"""


def start(folder: Path, program: str, ends: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(folder), program, str(ends)],
        env={"PYTHONPATH": str(PACKAGE)},
        stderr=subprocess.PIPE,
        text=True,
    )


def await_file(path: Path) -> None:
    until = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < until, path
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_handed_on_as_the_service_wants_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    running = start(tmp_path, WORKS)
    await_file(tmp_path / "served")
    running.send_signal(number)
    assert running.wait(10) == 0
    assert "it is stopped" in running.communicate()[1]


def test_one_that_is_needed_goes_on(tmp_path: Path) -> None:
    running = start(tmp_path, WORKS)
    await_file(tmp_path / "served")
    (tmp_path / "needed").touch()
    running.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(1)
    (tmp_path / "needed").unlink()
    assert running.wait(2) == 0


def test_none_is_needed_for_long(tmp_path: Path) -> None:
    running = start(tmp_path, WORKS)
    await_file(tmp_path / "served")
    (tmp_path / "needed").touch()
    running.send_signal(signal.SIGTERM)
    assert running.wait(6) == 0


def test_one_that_ends_while_it_is_needed_is_not_waited_for(tmp_path: Path) -> None:
    running = start(tmp_path, "import time; time.sleep(1)" + COUNTS)
    (tmp_path / "up").touch()
    await_file(tmp_path / "served")
    (tmp_path / "needed").touch()
    running.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert running.wait(6) == 3
    assert time.monotonic() - began < 3


def test_one_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    running = start(tmp_path, DEAF)
    await_file(tmp_path / "served")
    running.send_signal(signal.SIGTERM)
    assert running.wait(10) == 0
    assert "did not stop within 0.5 s" in running.communicate()[1]


def test_one_that_ends_is_started_again_until_it_is_too_much(tmp_path: Path) -> None:
    running = start(tmp_path, COUNTS, ends=2)
    assert running.wait(30) == 3
    assert (tmp_path / "lives").read_text() == "xxx"
    assert "giving up" in running.communicate()[1]


def test_its_standard_error_is_rewritten_in_each_of_its_lives(tmp_path: Path) -> None:
    running = start(tmp_path, "import sys; print('said', file=sys.stderr)" + COUNTS, ends=1)
    assert running.wait(30) == 3
    lines = running.communicate()[1].splitlines()
    assert lines.count("<said>") == 2
    assert "giving up" in lines[-1]


def test_one_that_never_served_is_not_tried_again(tmp_path: Path) -> None:
    running = start(tmp_path, "import sys; sys.exit(7)", ends=5)
    assert running.wait(10) == 7
    assert "before it had answered once" in running.communicate()[1]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [([], False), ([100.0], False), ([90.0, 95.0, 100.0], True), ([10.0, 95.0, 100.0], False)],
)
def test_only_recent_ends_count(ends: list[float], expected: bool) -> None:
    assert gives_up(ends, 100.0, RestartLimit(ends=2, seconds=60)) is expected


def test_two_are_stopped_one_after_the_other(tmp_path: Path) -> None:
    running = start(tmp_path, f"{WORKS}----{WORKS}")
    await_file(tmp_path / "served")
    time.sleep(0.5)
    running.send_signal(signal.SIGTERM)
    assert running.wait(10) == 0
    assert running.communicate()[1].count("it is stopped") == 2


def test_one_that_ends_for_good_takes_the_other_with_it(tmp_path: Path) -> None:
    running = start(tmp_path, f"{COUNTS}----{WORKS}", ends=0)
    assert running.wait(30) == 3
    said = running.communicate()[1]
    assert "giving up" in said
    assert "it is stopped" in said


LEAVES = """
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / 'up').touch()
if os.fork() == 0:
    (folder / 'left').write_text(str(os.getpid()))
    time.sleep(30)
time.sleep(0.4)
os._exit(3)
"""


def test_what_one_leaves_behind_is_taken_away(tmp_path: Path) -> None:
    assert start(tmp_path, LEAVES).wait(30) == 3
    left = int((tmp_path / "left").read_text())
    until = time.monotonic() + 5
    while (
        Path(f"/proc/{left}/stat").exists() and " Z " not in Path(f"/proc/{left}/stat").read_text()
    ):
        assert time.monotonic() < until
        time.sleep(0.02)
