# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import stat
from pathlib import Path

import config
import keycloak
import keycloak_program
import pytest
from config import Cluster

PROGRAM = Path("/cache/keycloak/key")
PASSWORD = "s3cret"


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    cluster = Cluster("unit", 5, tmp_path / "state")
    cluster.state.mkdir()
    cluster.admin_password.write_text(PASSWORD)
    return cluster


def settings(cluster: Cluster) -> dict[str, str]:
    text = (cluster.keycloak / "conf/keycloak.conf").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_it_serves_by_its_name_behind_traefik(cluster: Cluster) -> None:
    keycloak.configure(cluster, PROGRAM)
    found = settings(cluster)
    assert found["hostname"] == "https://keycloak.unit.thinkube.test"
    assert found["http-host"] == "10.213.5.4"
    assert int(found["http-port"]) in keycloak.PORTS
    assert found["proxy-headers"] == "xforwarded"
    assert found["proxy-trusted-addresses"] == str(cluster.pods)


def test_the_password_is_in_a_file_of_its_own_and_nowhere_else(cluster: Cluster) -> None:
    keycloak.configure(cluster, PROGRAM)
    assert settings(cluster)["bootstrap-admin-username"] == config.ADMIN
    assert settings(cluster)["bootstrap-admin-password"] == PASSWORD
    file = cluster.keycloak / "conf/keycloak.conf"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(cluster.keycloak.stat().st_mode) == 0o700
    component = keycloak.component(cluster, PROGRAM)
    assert PASSWORD not in repr(component)
    assert component.reads == (file,)


def test_a_home_has_the_program_of_today(cluster: Cluster) -> None:
    for program in (Path("/cache/old"), PROGRAM, PROGRAM):
        keycloak.configure(cluster, program)
        assert (cluster.keycloak / "lib").readlink() == program / "lib"


def test_two_clusters_share_the_program_but_nothing_that_is_written(tmp_path: Path) -> None:
    first, second = (Cluster(name, 1, tmp_path / name) for name in ("a", "b"))
    words = keycloak.component(first, PROGRAM).command
    assert f"-Dkc.home.dir={first.keycloak}" in words
    assert f"-Djava.io.tmpdir={first.keycloak}/tmp" in words
    assert f"{PROGRAM}/lib/quarkus-run.jar" in words
    others = [word for word in keycloak.component(second, PROGRAM).command if word not in words]
    assert len(others) == 3
    assert all(str(second.keycloak) in word for word in others)


def test_the_heap_is_bounded() -> None:
    assert "-Xmx256m" in keycloak_program.command(PROGRAM, Path("/home"), ["start"])


def test_data_that_were_never_finished_are_dropped_and_others_kept(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keycloak, "start", lambda _, component, before: before())
    monkeypatch.setattr(keycloak, "answers", lambda _: True)
    keycloak.configure(cluster, PROGRAM)
    data = cluster.keycloak / "data"
    data.mkdir()
    keycloak.begin(cluster, PROGRAM)
    assert not data.exists()
    data.mkdir()
    keycloak.wait_until_up(cluster)
    keycloak.begin(cluster, PROGRAM)
    assert data.exists()
