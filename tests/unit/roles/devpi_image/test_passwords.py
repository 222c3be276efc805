# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from devpi_image.errors import Refused
from devpi_image.passwords import Passwords, Source, passwords, read
from devpi_image.variables import PASSWORDS


@pytest.mark.parametrize(
    "name", ["DEVPISERVER_ROOT_PASSWD", "DEVPISERVER_ROOT_PASSWORD", "DEVPI_ROOT_PASSWORD"]
)
@pytest.mark.parametrize("user", ["", "alice"])
def test_names_of_roots_password(name: str, user: str) -> None:
    assert passwords({name: "p"}, user).root == (Source(name, "p"),)
    in_file = Source(f"{name}_FILE", Path("/p"))
    assert passwords({f"{name}_FILE": "/p"}, user) == Passwords(root=(in_file,))


def test_whose_password_it_is() -> None:
    given = (Source("DEVPI_PASSWORD", "p"),)
    assert passwords({"DEVPI_PASSWORD": "p"}, "") == Passwords(root=given)
    assert passwords({"DEVPI_PASSWORD": "p"}, "alice") == Passwords(user=given)


def test_a_hash_is_another_thing() -> None:
    name = "DEVPISERVER_ROOT_PASSWD_HASH"
    assert passwords({name: "$argon2"}, "") == Passwords(root_hash=(Source(name, "$argon2"),))
    assert name in PASSWORDS


def test_reading(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("a b\n")
    assert read([]) is None
    assert read([Source("X", "a b")]) == "a b"
    assert read([Source("X_FILE", file)]) == "a b"
    assert read([Source("X", "a b"), Source("X_FILE", file)]) == "a b"


@pytest.mark.parametrize(
    ("content", "value", "says"),
    [
        (b"one\n", "two", "X and X_FILE are both set, and hold different"),
        (b"", None, "which is empty"),
        (b"\n", None, "which is empty"),
        (b"one\ntwo\n", None, "more than one line"),
        (b"\xff\xfe", None, "it is no text"),
        (None, None, "No such file"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, content: bytes | None, value: str | None, says: str
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    sources = [Source("X", value)] if value else []
    with pytest.raises(Refused, match=says) as refused:
        read([*sources, Source("X_FILE", file)])
    assert "two" not in str(refused.value)
