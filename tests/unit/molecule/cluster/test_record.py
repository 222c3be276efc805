# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import config
import machine
import pytest
import record
from config import ClusterError


@pytest.fixture
def run_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without clusters; ``checkout()`` says whose driver runs."""
    folder = tmp_path / "run"
    monkeypatch.setattr(config, "RUN_ROOT", folder)
    monkeypatch.setattr(record, "RUN_ROOT", folder)
    use(monkeypatch, tmp_path / "one")
    return folder


def use(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> None:
    monkeypatch.setattr(record, "state_folder", lambda name: config.state_folder(name, checkout))


def test_a_name_keeps_its_slot_and_others_get_others(run_root: Path) -> None:
    first = record.claim("a")
    assert record.claim("a") == first
    assert record.claim("b").slot != first.slot
    assert [cluster.name for cluster in record.clusters()] == ["a", "b"]


def test_a_slot_survives_a_reboot(run_root: Path) -> None:
    record.claim("a")
    second = record.claim("b")
    for path in sorted(run_root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert record.find("b") == second
    assert record.claim("b") == second


def test_a_slot_that_another_took_after_a_reboot_is_an_error(run_root: Path) -> None:
    first = record.claim("a")
    first.record.unlink()
    content = {"name": "b", "slot": first.slot, "state": "/elsewhere"}
    (run_root / "b").mkdir()
    (run_root / "b/cluster.json").write_text(json.dumps(content))
    with pytest.raises(ClusterError, match="down --name a"):
        record.claim("a")


def test_another_living_checkout_keeps_its_name(
    run_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = record.claim("a")
    use(monkeypatch, tmp_path / "two")
    assert str(mine.state) in str(record.ownership_problem("a"))
    with pytest.raises(ClusterError, match="belongs to another checkout"):
        record.claim("a")


def test_a_checkout_that_is_gone_gives_way_to_down_only(
    run_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = record.claim("a")
    (mine.state / "cluster.json").unlink()
    use(monkeypatch, tmp_path / "two")
    assert record.ownership_problem("a") is None
    assert record.find("a") == mine
    with pytest.raises(ClusterError, match="a checkout that is gone"):
        record.claim("a")


def test_slots_that_the_host_uses_are_left_out() -> None:
    assert record.free_slot({1}, {2: False, 3: True}) == 3
    with pytest.raises(ClusterError, match="No addresses are left"):
        record.free_slot(set(config.SLOTS), {})


def test_a_lock_is_held_by_one(run_root: Path) -> None:
    inside = []

    def work() -> None:
        with record.cluster_lock("a"):
            inside.append("second")

    with record.cluster_lock("a"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(0.2)
        assert inside == []
        # As `down` does it: the one who waits must not take a folder that is gone for its lock.
        record.remove_run_folders("a")
    thread.join(5)
    assert inside == ["second"]
    assert (run_root / "a").is_dir()


def test_a_secret_file_is_never_wider_than_asked(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    record.write_file(path, "new", 0o600)
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_last_cluster_puts_the_machine_back(
    run_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sysctls = tmp_path / "sys"
    forwarding = sysctls / "net/ipv4/ip_forward"
    forwarding.parent.mkdir(parents=True)
    forwarding.write_text("0\n")
    folder = tmp_path / "made-by-the-cluster"
    monkeypatch.setattr(machine, "_SYSCTLS", sysctls)
    monkeypatch.setattr(machine, "_BEFORE", run_root / "before.json")
    monkeypatch.setattr(machine, "_FOLDERS", (str(folder),))
    machine.prepare()
    folder.mkdir()
    record.claim("a")
    machine.prepare()
    record.claim("b")
    assert forwarding.read_text() == "1"
    machine.restore(leaving="a")
    assert forwarding.read_text() == "1"
    (run_root / "a/cluster.json").unlink()
    machine.restore(leaving="b")
    assert forwarding.read_text() == "0"
    assert not folder.exists()
    assert not (run_root / "before.json").exists()
