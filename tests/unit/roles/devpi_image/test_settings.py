# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from devpi_image.environment import check_names, cleaned
from devpi_image.errors import Refused
from devpi_image.settings import CONFIG_FILE, Settings, read_settings
from devpi_image.variables import KNOWN
from fake_disk import FakeDisk


def settings(
    environment: dict[str, str] | None = None,
    arguments: tuple[str, ...] = (),
    file: dict[str, str] | None = None,
) -> Settings:
    disk = FakeDisk(configs={} if file is None else {CONFIG_FILE: file})
    return read_settings(environment or {}, arguments, disk)


def test_the_stronger_place_wins() -> None:
    file = {"threads": "1", "port": "1", "debug": "yes"}
    environment = {"DEVPISERVER_THREADS": "2", "DEVPISERVER_PORT": "2"}
    found = settings(environment, ("--threads", "3"), file)
    assert found.values == {"threads": "3", "port": "2", "debug": "true"}


def test_extra_arguments_are_split_as_a_shell_would() -> None:
    given = {"DEVPI_EXTRA_ARGS": "--theme '/a b' --debug $(touch /x)"}
    with pytest.raises(Refused, match=r"'\$\(touch'"):
        settings(given)
    found = settings({"DEVPI_EXTRA_ARGS": "--theme '/a b' --debug"}, ("--theme", "/c"))
    assert found.values == {"theme": "/c", "debug": "true"}


@pytest.mark.parametrize(
    ("environment", "values"),
    [
        ({"DEVPI_PORT": "80"}, {"port": "80"}),
        ({"DEVPI_SERVER_PORT": "8080"}, {"port": "8080"}),
        ({"DEVPI_PORT": "80", "DEVPISERVER_PORT": "81"}, {"port": "81"}),
        ({"DEVPI_PORT": "80", "DEVPI_SERVER_PORT": "82"}, {"port": "80"}),
        ({"DEVPI_OUTSIDE_URL": "https://x"}, {"outside-url": "https://x"}),
        ({"DEVPI_TRUSTED_PROXY": "10.0.0.0/8"}, {"trusted-proxy": "10.0.0.0/8"}),
        ({"DEVPI_SERVERDIR": "/mnt"}, {"serverdir": "/mnt"}),
        ({"DEVPI_SERVERDIR": "/a", "DEVPISERVER_SERVERDIR": "/b"}, {"serverdir": "/b"}),
        ({"DEVPI_DATA_VOLUME": "/opt/data"}, {"serverdir": "/opt/data/userdata"}),
        ({"DEVPI_DATA_VOLUME": "/opt", "DEVPI_SERVERDIR": "/a"}, {"serverdir": "/a"}),
        ({"DEVPISERVER_LISTEN": "*:80,[::1]:81"}, {"listen": "*:80 [::1]:81"}),
        ({"DEVPISERVER_LISTEN": "*:80 *:81"}, {"listen": "*:80 *:81"}),
        ({"DEVPISERVER_ROOT_PASSWD": "x"}, {}),
    ],
)
def test_names_of_other_images(environment: dict[str, str], values: dict[str, str]) -> None:
    assert settings(environment).values == values


@pytest.mark.parametrize(
    ("environment", "values", "note"),
    [
        (
            {"DEVPISERVER_MASTER_URL": "https://p"},
            {"primary-url": "https://p"},
            "is called primary-url",
        ),
        ({"DEVPISERVER_ROLE": "master"}, {"role": "primary"}, "is called 'primary'"),
        ({"DEVPISERVER_REPLICA_MAX_RETRIES": "3"}, {}, "has no effect any more"),
        (
            {"DEVPISERVER_STORAGE": "sqlite_db_files"},
            {"storage": "sqlite_db_files"},
            "meant for tests only",
        ),
    ],
)
def test_what_devpi_has_renamed_or_dropped_is_said(
    environment: dict[str, str], values: dict[str, str], note: str
) -> None:
    found = settings(environment)
    assert found.values == values
    assert len(found.notes) == 1
    assert note in found.notes[0]
    assert next(iter(environment)) in found.notes[0]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"DEVPISERVER_REPLICA_CERT": "/c.pem"}, "the same DEVPISERVER_SECRETFILE"),
        ({"DEVPISERVER_PRIMARY_URL": "https://u:p@host"}, "holds a login"),
        (
            {"DEVPISERVER_MASTER_URL": "https://a", "DEVPISERVER_PRIMARY_URL": "https://b"},
            "Keep the latter",
        ),
        ({"DEVPISERVER_LISTEN": "*:80", "DEVPISERVER_PORT": "80"}, "together with a host or"),
        ({"DEVPISERVER_SERVERDIR": "data"}, "absolute path"),
        ({"DEVPISERVER_DEBUG": "maybe"}, "DEVPISERVER_DEBUG is 'maybe'"),
        ({"DEVPISERVER_CONFIGFILE": "/nosuch.yml"}, "/nosuch.yml can't be read"),
    ],
)
def test_what_can_not_be_meant(environment: dict[str, str], says: str) -> None:
    with pytest.raises(Refused, match=says):
        settings(environment)


def test_a_primary_given_by_both_names_may_be_the_same() -> None:
    both = {"DEVPISERVER_PRIMARY_URL": "https://a", "DEVPISERVER_MASTER_URL": "https://a"}
    assert settings(both).values == {"primary-url": "https://a"}


@pytest.mark.parametrize("given", [{"DEVPISERVER_CONFIGFILE": "/my.yml"}, None])
def test_a_configuration_file_of_another_place(given: dict[str, str] | None) -> None:
    disk = FakeDisk(configs={Path("/my.yml"): {"threads": "7"}, CONFIG_FILE: {"port": "1"}})
    arguments = () if given else ("--configfile", "/my.yml")
    assert read_settings(given or {}, arguments, disk).values == {"threads": "7"}


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ({"thread": "1"}, "'thread', which is no option of devpi-server. Is threads meant"),
        ({"threads": "many"}, "threads in /etc/xdg"),
        ({"root-passwd": "x"}, "DEVPISERVER_ROOT_PASSWD_FILE"),
    ],
)
def test_a_configuration_file_that_can_not_be_meant(file: dict[str, str], says: str) -> None:
    with pytest.raises(Refused, match=says):
        settings(file=file)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DEVPISERVER_RESTRICT_MODFIY", "DEVPISERVER_RESTRICT_MODIFY"),
        ("DEVPI_PASSWROD", "DEVPI_PASSWORD"),
        ("DEVPISERVER_ROOT_PASSWD_FLIE", "DEVPISERVER_ROOT_PASSWD_FILE"),
        ("DEVPI_FRONT_TIMOUT", "DEVPI_FRONT_TIMEOUT"),
        ("DEVPISERVER_LISTENS", "DEVPISERVER_LISTEN"),
    ],
)
def test_a_misspelt_variable_is_refused(name: str, meant: str) -> None:
    with pytest.raises(Refused, match=f"{name} is not known. Is {meant} meant"):
        check_names({name: "x"}, KNOWN)


@pytest.mark.parametrize(
    "link",
    [
        "DEVPI_PORT=tcp://10.0.0.1:3141",
        "DEVPISERVER_PORT=tcp://10.0.0.1:3141",
        "DEVPI_SERVICE_HOST=10.0.0.1",
        "DEVPI_SERVICE_PORT_HTTP=3141",
        "DEVPI_SERVER_PORT_3141_TCP_ADDR=10.0.0.1",
        "DEVPI_SERVER_PORT_3141_TCP=tcp://10.0.0.1:3141",
    ],
)
def test_what_describes_a_service_is_no_setting(link: str) -> None:
    name, _, value = link.partition("=")
    known = cleaned({name: value})
    check_names(known, KNOWN)
    assert settings(known).values == {}
