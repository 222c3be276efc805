# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody gets who just runs the image."""

from __future__ import annotations

from pathlib import Path

import pytest
from devpi_image.doors import Door
from devpi_image.errors import Refused
from devpi_image.plans import Standalone
from devpi_image.resolve import resolve
from fake_disk import EMPTY

OWN = "/tmp/devpi/run/devpi.sock"


def standalone(*arguments: str, **environment: str) -> Standalone:
    plan = resolve(environment, arguments, EMPTY)
    assert isinstance(plan, Standalone)
    return plan


@pytest.mark.parametrize("arguments", [[], ["devpi"], ["--debug"]])
def test_it_is_what_no_command_means(arguments: list[str]) -> None:
    plan = standalone(*arguments)
    assert plan.init.invents
    assert (plan.init.user, plan.init.index) == ("", "public")
    assert plan.server.environment["DEVPISERVER_UNIX_SOCKET"] == OWN
    assert plan.server.environment["DEVPISERVER_RESTRICT_MODIFY"] == "root"
    assert plan.server.doors == (Door(path=Path(OWN)),)
    assert plan.front
    assert plan.front.whole
    assert plan.front.whole.also_80
    assert plan.front.whole.doors == (Door("", 3141),)
    assert ("DEVPISERVER_DEBUG" in plan.server.environment) == (arguments == ["--debug"])


def test_a_socket_that_is_asked_for_is_the_fronts() -> None:
    plan = standalone(DEVPISERVER_UNIX_SOCKET="/run/x.sock")
    assert plan.server.environment["DEVPISERVER_UNIX_SOCKET"] == OWN
    assert plan.front
    assert plan.front.whole
    assert plan.front.whole.doors == (Door(path=Path("/run/x.sock")),)
    assert plan.front.whole.socket_mode == 0o600
    assert not plan.front.whole.also_80


def test_without_the_front_devpi_listens_itself() -> None:
    plan = standalone(DEVPI_FRONT="off")
    assert plan.front is None
    assert plan.server.environment["DEVPISERVER_HOST"] == "0.0.0.0"
    assert "DEVPISERVER_UNIX_SOCKET" not in plan.server.environment
    assert plan.server.doors == (Door("", 3141),)
    other = standalone("--listen=*:80", "--trusted-proxy=10.0.0.1", DEVPI_FRONT="no")
    assert other.server.environment["DEVPISERVER_LISTEN"] == "*:80"
    assert other.server.environment["DEVPISERVER_TRUSTED_PROXY"] == "10.0.0.1"
    assert "DEVPISERVER_HOST" not in other.server.environment


@pytest.mark.parametrize(
    ("environment", "user", "index"),
    [
        ({}, "", "public"),
        ({"DEVPI_INDEX": "dev"}, "", "dev"),
        ({"DEVPI_INDEX": "root/dev"}, "", "dev"),
        ({"DEVPI_USER": "root"}, "", "public"),
        ({"DEVPI_USER": "alice", "DEVPI_PASSWORD": "p"}, "alice", "public"),
        ({"DEVPI_USER": "al", "DEVPI_PASSWORD_FILE": "/p", "DEVPI_INDEX": "al/x"}, "al", "x"),
    ],
)
def test_first_user_and_index(environment: dict[str, str], user: str, index: str) -> None:
    plan = standalone(**environment)
    assert (plan.init.user, plan.init.index) == (user, index)


def test_passwords_reach_nobody_but_who_needs_them() -> None:
    plan = standalone(DEVPI_PASSWORD="secret", DEVPISERVER_ROOT_PASSWD_FILE="/p")
    assert plan.front
    environments = (plan.init.environment, plan.server.environment, plan.front.environment)
    for environment in environments:
        assert not [name for name in environment if "PASSW" in name]
        assert "secret" not in environment.values()


def test_what_is_renamed_is_said_once_by_the_server() -> None:
    plan = standalone(DEVPISERVER_ROLE="master", MEMORY_LIMIT="512")
    assert plan.init.notes == ()
    assert len(plan.server.notes) == 2
    assert "MEMORY_LIMIT has no effect" in plan.server.notes[1]


def test_a_replica_has_no_first_data() -> None:
    plan = standalone(DEVPISERVER_PRIMARY_URL="https://primary")
    assert plan.init.is_replica
    assert plan.server.is_replica
    assert plan.init.environment["DEVPISERVER_PRIMARY_URL"] == "https://primary"


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, 600),
        ({"DEVPISERVER_PRIMARY_URL": "https://primary"}, 60),
        ({"DEVPISERVER_PRIMARY_URL": "https://primary", "DEVPI_FRONT_PAGE_AGE": "5"}, 5),
    ],
    ids=["primary", "replica", "asked for"],
)
def test_pages_of_a_replica_are_less_behind(given: dict[str, str], seconds: int) -> None:
    front = standalone(**given).front
    assert front is not None
    assert front.page_age == seconds


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        ([], {"DEVPISERVER_ROOT_PASSWRD": "x"}, "is not known"),
        ([], {"DEVPI_FRONT": "maybe"}, "DEVPI_FRONT is 'maybe'"),
        ([], {"DEVPI_FRONT": "off", "DEVPI_TRUSTED_PROXY": "10.0.0.0/8"}, "one address"),
        ([], {"DEVPI_USER": "alice"}, "Give this user a password"),
        ([], {"DEVPI_USER": "a/b", "DEVPI_PASSWORD": "p"}, "letters, digits"),
        ([], {"DEVPI_INDEX": "a b"}, "letters, digits"),
        ([], {"DEVPI_INDEX": "alice/"}, "not of root"),
        ([], {"DEVPI_INDEX": "alice/dev"}, "Let DEVPI_USER name alice"),
        ([], {"DEVPI_LOG_FORMAT": "xml"}, "text or json"),
        ([], {"DEVPI_RESET_ROOT_PASSWORD": "now"}, "true or false"),
        ([], {"DEVPISERVER_UNIX_SOCKET": "/x", "DEVPISERVER_UNIX_SOCKET_PERMS": "rw"}, "like 660"),
        (
            [],
            {"DEVPISERVER_ROOT_PASSWD": "p", "DEVPISERVER_ROOT_PASSWD_HASH": "$x"},
            "are both set",
        ),
        (["--help"], {}, "run 'devpi-server --help'"),
        (["--port", "http"], {}, "--port is 'http'"),
    ],
)
def test_what_can_not_be_meant(
    arguments: list[str], environment: dict[str, str], says: str
) -> None:
    with pytest.raises(Refused, match=says) as refused:
        standalone(*arguments, **environment)
    assert "'p'" not in str(refused.value)
