# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import cgroups
import keycloak_program
import network
import preflight
import pytest
from config import ClusterError


def test_all_wrong_inputs_are_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError) as caught:
        preflight.check_inputs("My_Cluster")
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "'My_Cluster' can't name a cluster" in lines[0]
    assert "You are not root" in lines[1]


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(free=2 * preflight.GIB)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    found = list(preflight._disk_problems(tmp_path / "not/there/yet"))
    assert len(found) == 1
    assert f"needs 5 GiB on the file system of {tmp_path}, 2.0 GiB are free" in found[0]


def test_packages_follow_from_the_programs_that_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preflight, "_is_there", lambda program: program != "htpasswd")
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/sbin/debootstrap")
    assert preflight.missing_packages() == ["apache2-utils"]


def test_maven_is_wanted_only_for_a_keycloak_that_is_not_there(
    caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "_is_there", lambda _: True)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "mvn" else f"/bin/{name}")
    assert preflight.missing_packages() == ["maven"]
    keycloak_program.folder().mkdir(parents=True)
    assert preflight.missing_packages() == []


def test_a_failed_installation_says_what_apt_said() -> None:
    with pytest.raises(ClusterError, match="could not be installed:\n    E: no network\n"):
        preflight._apt(["sh", "-c", "echo 'E: no network'; exit 100"], ["runc"])


def test_services_are_kept_from_starting_for_the_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(preflight, "_POLICY", policy)
    with preflight._no_services_started():
        assert os.access(policy, os.X_OK)
    assert not policy.exists()
    policy.write_text("the administrator's")
    with preflight._no_services_started():
        assert policy.read_text() == "the administrator's"
    assert policy.exists()


@pytest.mark.parametrize(
    ("controllers", "missing"),
    [("cpuset cpu io memory pids", None), ("cpu pids", "memory")],
)
def test_cgroups_of_version_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, controllers: str, missing: str | None
) -> None:
    (tmp_path / "cgroup.controllers").write_text(controllers)
    monkeypatch.setattr(cgroups, "CGROUPS", tmp_path)
    problem = cgroups.problem()
    assert (problem is None) if missing is None else (missing in str(problem))


def test_cgroups_of_version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(cgroups, "CGROUPS", tmp_path)
    assert "controllers blkio are not to be had" in str(cgroups.problem())


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces want root")
def test_the_trials_of_the_kernel_touch_nothing() -> None:
    before = sorted(path.name for path in Path("/sys/class/net").iterdir())
    assert list(preflight._kernel_problems(Path("/tmp"))) == []
    assert sorted(path.name for path in Path("/sys/class/net").iterdir()) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces want root")
def test_a_kernel_without_something_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_kernel_trials", lambda: iter([("warp drive", ["false"])]))
    found = list(preflight._kernel_problems(Path("/tmp")))
    assert len(found) == 1
    assert "The kernel has no warp drive ('false' fails" in found[0]


def test_a_machine_with_loopback_resolvers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "host_resolvers", list)
    found = list(preflight._resolver_problems("nameserver 127.0.0.1\n"))
    assert len(found) == 1
    assert "loopback" in found[0]
    assert list(preflight._resolver_problems("# none at all\n")) == []
