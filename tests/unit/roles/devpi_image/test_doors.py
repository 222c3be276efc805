# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from devpi_image.doors import Door, check_free, doors
from devpi_image.errors import Refused
from devpi_image.settings import Settings


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, [Door("", 3141)]),
        ({"port": "80"}, [Door("", 80)]),
        ({"host": "*"}, [Door("", 3141)]),
        ({"host": "0.0.0.0", "port": "80"}, [Door("0.0.0.0", 80)]),
        ({"host": "[::1]"}, [Door("::1", 3141)]),
        ({"listen": "*:80 localhost:81"}, [Door("", 80), Door("localhost", 81)]),
        ({"listen": "[::]:82 :83"}, [Door("::", 82), Door("", 83)]),
        ({"unix-socket": "/x"}, [Door(path=Path("/x"))]),
        ({"unix-socket": "/x", "listen": "*:80"}, [Door("", 80), Door(path=Path("/x"))]),
    ],
)
def test_where_it_listens(values: dict[str, str], found: list[Door]) -> None:
    assert doors(Settings(values)) == tuple(found)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"port": "0"}, "from 1 to 65535"),
        ({"port": "65536"}, "from 1 to 65535"),
        ({"listen": "3141"}, "Write addresses like"),
        ({"listen": "[::1:80"}, "Write addresses like"),
        ({"listen": "a:80;b:80"}, "Write addresses like"),
        ({"unix-socket": "x"}, "absolute path"),
    ],
)
def test_what_is_no_address(values: dict[str, str], says: str) -> None:
    with pytest.raises(Refused, match=says):
        doors(Settings(values))


@pytest.mark.parametrize(
    ("door", "near"),
    [
        (Door("", 80), ("127.0.0.1", 80)),
        (Door("::", 80), ("::1", 80)),
        (Door("10.0.0.1", 80), ("10.0.0.1", 80)),
        (Door(path=Path("/x")), Path("/x")),
    ],
)
def test_how_it_is_reached_from_inside(door: Door, near: tuple[str, int] | Path) -> None:
    assert door.near == near


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Refused, match=f"Port {port} is taken"):
            check_free(Door("127.0.0.1", port))
    check_free(Door("127.0.0.1", port))


@pytest.mark.parametrize(
    ("door", "says"),
    [
        (Door("203.0.113.7", 3141), "can't be listened at"),
        (Door("nosuch.invalid", 3141), "can't be listened at"),
        (Door(path=Path("/nosuch/x.sock")), "no folder /nosuch"),
    ],
)
def test_an_address_that_is_not_ours(door: Door, says: str) -> None:
    with pytest.raises(Refused, match=says):
        check_free(door)
