# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import config
import processes
import pytest
from config import Cluster, ClusterError
from processes import Component

FOREVER = Component("sleeper", ("sleep", "1000"))


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Without a namespace, so that it works for every user."""
    monkeypatch.setattr(config, "RUN_ROOT", tmp_path / "run")
    monkeypatch.setattr(processes, "inside", lambda _, *command: command)
    cluster = Cluster("unit", 1, tmp_path / "state")
    yield cluster
    processes.stop(cluster, processes.recorded_names(cluster), patience=0)


def test_a_component_is_started_once_and_anew_when_it_died(cluster: Cluster) -> None:
    assert processes.start(cluster, FOREVER)
    processes.wait(cluster, "record", lambda: bool(processes.pid(cluster, "sleeper")), seconds=5)
    first = processes.pid(cluster, "sleeper")
    assert not processes.start(cluster, FOREVER)
    assert first is not None
    os.kill(first, 9)
    processes.wait(cluster, "death", lambda: not processes.pid(cluster, "sleeper"), seconds=5)
    assert processes.start(cluster, FOREVER)
    assert processes.pid(cluster, "sleeper") not in (None, first)


def test_a_component_whose_file_changed_is_started_anew(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("one")
    component = Component("sleeper", ("sleep", "1000"), (file,))
    processes.start(cluster, component)
    first = processes.pid(cluster, "sleeper")
    assert not processes.start(cluster, component)
    file.write_text("two")
    assert processes.start(cluster, component)
    assert processes.pid(cluster, "sleeper") != first


def test_a_process_that_only_has_the_same_pid_is_left_alone(cluster: Cluster) -> None:
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        processes.start(cluster, FOREVER)
        processes.stop(cluster, ["sleeper"])
        record = cluster.run / "processes/sleeper.json"
        content = {"pid": stranger.pid, "start": "1", "boot": processes._boot()}
        record.write_text(json.dumps({**content, "fingerprint": ""}))
        assert processes.pid(cluster, "sleeper") is None
        processes.stop(cluster, ["sleeper"], patience=0)
        assert stranger.poll() is None
        assert not record.exists()
        stranger.kill()


def test_one_that_ignores_sigterm_is_killed(cluster: Cluster) -> None:
    code = "import signal,time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
    stubborn = Component("stubborn", (sys.executable, "-c", f"{code}; time.sleep(1000)"))
    processes.start(cluster, stubborn)
    log = cluster.logs / "stubborn.log"
    processes.wait(cluster, "output", lambda: log.read_text() == "1\n", seconds=10)
    processes.stop(cluster, ["stubborn"], patience=0.3)
    assert processes.pid(cluster, "stubborn") is None


def test_waiting_ends_when_a_component_died_and_shows_its_last_words(cluster: Cluster) -> None:
    processes.start(cluster, Component("brief", ("sh", "-c", "echo no such luck; exit 3")))
    with pytest.raises(ClusterError, match="brief ended while waiting for x") as caught:
        processes.wait(cluster, "x", lambda: False, seconds=30, needs=["brief"])
    assert "no such luck" in str(caught.value)


def test_waiting_says_after_the_time_what_is_missing(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match=r"No x within 0 s\. Because"):
        processes.wait(cluster, "x", lambda: False, seconds=0.2, explain=lambda: " Because")


def test_a_failed_command_says_what_it_said() -> None:
    with pytest.raises(ClusterError, match="'sh -c echo wrong >&2; exit 2' failed: wrong"):
        processes.run("sh", "-c", "echo wrong >&2; exit 2")
    with pytest.raises(ClusterError, match="'no-such-program' could not be run"):
        processes.run("no-such-program")


def test_a_background_command_does_not_outlive_its_block() -> None:
    with processes.Background("sleep", "1000") as command:
        number = command._process.pid
    assert processes.command_line(number) == []


def test_memory_is_counted() -> None:
    assert processes.memory([os.getpid()]) > 1024**2
