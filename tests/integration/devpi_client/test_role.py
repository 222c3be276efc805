# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook does to a home: right, again, in check mode, and back."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from .conftest import Pair, Server, Workstation, link_tools, play, write_inventory

THEIRS = {
    ".bashrc": "alias d=devpi",
    ".config/pdm/config.toml": '[pypi]\nverify_ssl = true\nurl = "https://theirs/simple/"\n',
    ".config/pip/pip.conf": "# mine\n[global]\nindex-url = https://theirs/simple/\nproxy =\n  p\n",
    ".config/pypoetry/config.toml": "[virtualenvs]\nin-project = true\n",
    ".config/uv/uv.toml": "offline = false",
    ".pypirc": "[distutils]\nindex-servers=private\n[private]\npassword = s3cret\n",
    ".config/fish/conf.d/devpi.fish": "# mine\n",
    ".devpi.ini": "[devpi]\nindex = me/mine\n",
    ".local/bin/devpi": "#!/bin/sh\n",
    ".zshrc": "setopt no_beep\n",
}


def test_check_mode_writes_nothing(fresh: Workstation) -> None:
    ended = fresh.configure("--check", "--diff")
    assert ended.status == 0, ended.output
    assert ended.changed >= 4
    assert "+index-url = " in ended.output
    assert fresh.tree() == {}


def test_a_second_run_changes_nothing(pair: Pair) -> None:
    again = pair.configure()
    assert (again.status, again.changed) == (0, 0), again.output
    assert len(re.findall(r"^(?:first|second) +: ok=", again.output, re.MULTILINE)) == 2
    check = pair.configure("--check", "--diff")
    assert (check.status, check.changed) == (0, 0), check.output


def test_files_are_the_users_and_hold_no_secret(configured: Workstation) -> None:
    modes = {name: mode & 0o777 for name, (mode, _) in configured.tree().items()}
    assert modes[".devpi.ini"] == 0o600
    assert modes["devpi-scripts/devpi-init-admin.sh"] == 0o755
    assert modes[".local/bin/devpi"] == 0o755
    assert modes[".config/pip/pip.conf"] == 0o644
    assert modes[".pypirc"] == 0o600
    assert modes[".local/share/devpi/settings.json"] == 0o600
    assert "password" not in (configured.home / ".pypirc").read_text()
    pip = (configured.home / ".config/pip/pip.conf").read_text()
    assert "extra-index-url" not in pip
    assert "trusted-host" not in pip


def test_a_users_files_come_back(fresh: Workstation) -> None:
    for name, text in THEIRS.items():
        path = fresh.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o640)
    before = fresh.tree()
    ended = fresh.configure("--diff", devpi_client_pip_legacy_enabled=True)
    assert ended.status == 0, ended.output
    assert "password = ***" in ended.output
    assert "s3cret" not in ended.output
    assert "d is aliased to" in fresh.shell("bash", "type d").stdout
    assert fresh.run("devpi", "--version").returncode == 0
    assert (fresh.home / ".devpi.ini").read_text() == THEIRS[".devpi.ini"]
    removed = fresh.configure(devpi_state="absent")
    assert removed.status == 0, removed.output
    assert fresh.tree() == before
    again = fresh.configure(devpi_state="absent")
    assert (again.status, again.changed) == (0, 0), again.output


def test_settings_follow_the_inventory_and_choices_stay(fresh: Workstation, server: Server) -> None:
    ended = fresh.configure()
    assert ended.status == 0, ended.output
    assert fresh.run("devpi", "use", f"{server.url}/root/pypi").returncode == 0
    off = {"devpi_client_uv_enabled": False, "devpi_client_twine_enabled": False}
    ended = fresh.configure(**off, devpi_client_ca_bundle="")
    assert (ended.status, ended.changed) == (0, 2), ended.output
    assert "cert" not in (fresh.home / ".config/pip/pip.conf").read_text()
    assert not (fresh.home / ".local/share/devpi/ca-bundle.crt").exists()
    assert not (fresh.home / ".config/uv/uv.toml").exists()
    assert not (fresh.home / ".pypirc").exists()
    assert fresh.configure().changed == 2
    assert "root/pypi" in fresh.run("devpi", "use").stdout


def test_pipx_installs_into_our_folder(fresh: Workstation, tools: Path) -> None:
    link_tools(fresh, tools, "pipx")
    before = fresh.tree()
    ended = fresh.configure(devpi_client_installer="pipx")
    assert ended.status == 0, ended.output
    assert (fresh.home / ".local/share/devpi/pipx/venvs/devpi-client").is_dir()
    assert "7.3.0" in fresh.run("devpi", "--version").stdout
    again = fresh.configure(devpi_client_installer="pipx")
    assert (again.status, again.changed) == (0, 0), again.output
    assert fresh.configure(devpi_client_installer="pipx", devpi_state="absent").status == 0
    assert fresh.tree() == before


def test_uv_installs_into_our_folder(pair: Pair) -> None:
    assert (pair.second.home / ".local/share/devpi/uv/devpi-client").is_dir()
    assert "7.3.0" in pair.second.run("devpi", "--version").stdout
    assert not (pair.second.home / ".cache").exists()


def test_plain_http_is_trusted_by_name(fresh: Workstation) -> None:
    plain = {"devpi_client_api_url": "http://devpi.test:3141", "devpi_client_ca_bundle": ""}
    ended = fresh.configure("--check", "--diff", **plain)
    assert ended.status == 0, ended.output
    assert "+trusted-host = devpi.test:3141\n" in ended.output
    assert "+cert" not in ended.output


def test_rivals_of_the_index_are_named(configured: Workstation, server: Server) -> None:
    legacy = configured.home / ".pip/pip.conf"
    legacy.parent.mkdir()
    uv = configured.home / ".config/uv/uv.toml"
    before = uv.read_text()
    try:
        legacy.write_text(f"[global]\nindex-url = {server.url}/root/stable/+simple/\n")
        assert "names another index" not in configured.configure().output
        legacy.write_text("[global]\nextra-index-url = https://theirs.test/simple/\n")
        with uv.open("a") as file:
            file.write('[[index]]\nurl = "https://theirs.test/simple/"\n')
        warned = configured.configure()
        assert "WARNING: .pip/pip.conf and .config/uv/uv.toml in" in warned.output
        assert (warned.status, warned.changed) == (0, 0)
    finally:
        shutil.rmtree(legacy.parent)
        uv.write_text(before)


def test_an_index_that_can_not_be_trusted_leaves_pip_alone(
    fresh: Workstation, server: Server
) -> None:
    ended = fresh.configure(
        devpi_client_ca_bundle=str(server.certificates / "other.crt"),
        devpi_client_install_index_url=f"{server.plain_url}/root/stable/+simple/",
    )
    assert ended.status != 0
    assert "SSL verification failed" in ended.output
    assert not (fresh.home / ".config/pip/pip.conf").exists()
    assert not (fresh.home / ".devpi/client/current.json").exists()
    ended = fresh.configure()
    assert ended.status == 0, ended.output


BAD: list[tuple[dict[str, Any], str]] = [
    ({"devpi_client_cluster": "nosuch"}, "devpi_client_cluster is 'nosuch', which is no host"),
    ({"devpi_client_api_url": "devpi-api.example.test"}, "which is not the URL of a server"),
    ({"devpi_client_api_url": "https://host/ 'x'"}, "which is not the URL of a server"),
    ({"devpi_client_index": "stable"}, "devpi_client_index is 'stable', which is not an index"),
    ({"devpi_client_admin_index": "a/b/c"}, "devpi_client_admin_index is 'a/b/c'"),
    ({"devpi_client_ca_bundle": "/nosuch.pem"}, "devpi_client_ca_bundle is '/nosuch.pem'"),
    ({"devpi_client_ca_bundle": "/etc/hostname"}, "no PEM file with certificates"),
    (
        {"devpi_client_version": "newest"},
        "devpi_client_version is 'newest', which is not a version",
    ),
    ({"devpi_client_user": "nosuch"}, "has no user of that name"),
    ({"devpi_client_home": "/nosuch/home"}, "The home '/nosuch/home' is not there"),
    ({"devpi_client_home": "relative"}, "Write an absolute path"),
    ({"devpi_client_pip_timeout": "soon"}, "devpi_client_pip_timeout"),
    ({"devpi_client_state": "gone"}, "value of devpi_client_state must be one of"),
    ({"devpi_client_scope": "all"}, "value of devpi_client_scope must be one of"),
    ({"devpi_client_scope": "system"}, "devpi_client_scope is system, which has no home"),
    ({"devpi_client_installer": "apt"}, "value of devpi_client_installer must be one of"),
    ({"devpi_client_python": "nosuch-python"}, "There is no program nosuch-python on this"),
    ({"devpi_client_upload_index": "dev"}, "devpi_client_upload_index is 'dev'"),
    ({"devpi_client_upload_username": "a b"}, "devpi_client_upload_username is 'a b'"),
]


def test_bad_input_is_named_before_the_first_write(fresh: Workstation) -> None:
    inventory = fresh.home.parent / "bad.json"
    write_inventory(
        inventory,
        {f"bad{number}": {**fresh.variables, **case} for number, (case, _) in enumerate(BAD)},
    )
    ended = play("-i", str(inventory))
    assert ended.status != 0
    missed = [
        message
        for number, (_, message) in enumerate(BAD)
        if message not in ended.failure(f"bad{number}")
    ]
    assert not missed, ended.output
    assert fresh.tree() == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (".config/pip/pip.conf", "[global]\n[global]\n", "has an error, correct it first"),
        (".config/uv/uv.toml", "index = []\n", "says the same as our settings in another form"),
        (".config/fish", "", "has to be a folder, and is a file"),
        (".bashrc/mine", "", "has to be a file, and is a folder"),
    ],
)
def test_what_stands_in_the_way_is_named_before_the_first_write(
    fresh: Workstation, name: str, text: str, message: str
) -> None:
    path = fresh.home / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    before = fresh.tree()
    ended = fresh.configure()
    assert ended.status != 0
    assert message in ended.output
    assert fresh.tree() == before


@pytest.mark.parametrize(
    ("inventory", "message"),
    [
        (
            "[devpi]\na\nb\n[devpi_clients]\nw ansible_connection=local\n",
            "(a, b) and it is not said",
        ),
        (
            "[devpi]\na\n[devpi_clients]\nw ansible_connection=local\n",
            "domain_name is missing or empty",
        ),
        ("[devpi_clients]\n", "'devpi_clients' matches no host"),
    ],
    ids=["several clusters", "no domain", "nobody"],
)
def test_an_inventory_that_does_not_say_enough(
    tmp_path: Path, inventory: str, message: str
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(inventory)
    ended = play("-i", str(hosts), "-e", f"devpi_client_home={tmp_path}")
    assert ended.status != 0
    assert message in ended.output
    assert list(tmp_path.iterdir()) == [hosts]


def test_a_pattern_that_matches_nothing_is_an_error() -> None:
    ended = play("-e", "devpi_client_hosts=nosuch")
    assert ended.status != 0
    assert "'nosuch' matches no host of the inventory" in ended.output


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may become somebody else without a password"
)
def test_another_user_owns_what_is_written_for_them(server: Server) -> None:
    python = "/usr/bin/python3"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        home = folder / "home"
        home.mkdir()
        shutil.chown(home, "games")
        workstation = Workstation(
            home,
            {
                "devpi_client_user": "games",
                "devpi_client_home": str(home),
                "devpi_client_api_url": server.url,
                "devpi_client_ca_bundle": str(server.ca),
                "devpi_client_python": python,
                "ansible_python_interpreter": python,
                "ansible_become_method": "su",
                "ansible_become_flags": "--shell /bin/sh",
            },
        )
        ended = workstation.configure()
        assert ended.status == 0, ended.output
        owner = home.stat().st_uid
        assert not [path for path in home.rglob("*") if path.lstat().st_uid != owner]
        ended = workstation.configure(devpi_state="absent")
        assert ended.status == 0, ended.output
        (home / ".config").mkdir()
        for closed in (home / ".config", home):
            closed.chmod(0o555)
            shutil.chown(closed, "root")
            ended = workstation.configure()
            assert f"{closed}" in ended.output
            assert "can't be written by the user of this task" in ended.output
            assert list(home.rglob("*")) == [home / ".config"]


def test_two_workstations_of_two_clusters_in_one_run(tmp_path: Path) -> None:
    for host in ("one", "two"):
        (tmp_path / host).mkdir()
    hosts = tmp_path / "hosts"
    hosts.write_text(
        "[devpi]\na domain_name=a.test\n"
        "b domain_name=b.test devpi_api_hostname=b-api.test devpi_index_name=prod\n"
        "[devpi_clients]\none devpi_client_cluster=a\ntwo devpi_client_cluster=b\n"
        "[devpi_clients:vars]\nansible_connection=local\n"
        f"ansible_python_interpreter={sys.executable}\n"
        f"devpi_client_home={tmp_path}/{{{{ inventory_hostname }}}}\n"
    )
    ended = play("-i", str(hosts), "--check", "--diff")
    assert ended.status == 0, ended.output
    assert "+index-url = https://devpi-api.a.test/root/stable/+simple/" in ended.output
    assert "+index-url = https://b-api.test/root/prod/+simple/" in ended.output
