# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of a declaration before there is a server."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.thinkube.devpi.plugins.filter.declared import FilterModule

declared = FilterModule().filters()["declared"]


def test_passwords_are_taken_out() -> None:
    users = {"ann": {"email": "a@example.com", "password": "hunter2"}, "bob": None}
    assert declared(users, {}) == {
        "users": {"ann": {"email": "a@example.com"}, "bob": None},
        "indexes": {},
        "passwords": {"ann": "hunter2"},
        "problem": "",
    }
    # What was given is still what it was.
    assert users["ann"] == {"email": "a@example.com", "password": "hunter2"}


@pytest.mark.parametrize(
    ("users", "indexes"),
    [
        ({}, {}),
        (None, None),
        ({}, {"root/stable": {"bases": ["root/pypi"]}}),
        ({}, {"ann/dev": {"bases": ["bob/dev", "root/pypi"]}}),
        ({}, {"root/pypi": {"type": "mirror", "mirror_cache_expiry": 60}}),
        ({}, {"root/old": {"state": "absent"}}),
        ({"ann": {"state": "absent"}}, {"ann/dev": {"state": "absent"}}),
    ],
)
def test_what_may_be_right(users: Any, indexes: Any) -> None:
    assert declared(users, indexes)["problem"] == ""


@pytest.mark.parametrize(
    ("users", "indexes", "problem"),
    [
        ({}, {"stable": {}}, "Write <user>/<index>, such as 'root/stable'"),
        ({}, {"root/a": {"base": []}}, "indexes['root/a'] (type stage) has 'base'"),
        ({"ann": {"mail": "x"}}, {}, "users['ann'] has 'mail'"),
        (["ann"], {}, "users is ['ann']: it is not a mapping"),
        ({"ann": {"password": ""}}, {}, "The password of user 'ann': it is not a text, or empty"),
        ({"root": {"password": "hunter2"}}, {}, "Write it into devpi_root_password"),
        (
            {},
            {"root/a": {"bases": ["root/b"]}, "root/b": {"bases": ["root/a"]}},
            "root/a -> root/b -> root/a",
        ),
        (
            {},
            {"root/a": {"bases": ["root/b"]}, "root/b": {"state": "absent"}},
            "its base 'root/b' is neither declared nor on the server",
        ),
        ({"ann": {"state": "absent"}}, {"ann/a": {}}, "the user 'ann' is neither declared nor"),
        (
            {},
            {"root/m": {"type": "mirror", "mirror_url": "https://me:hunter2@mirror.example/"}},
            "it holds a login, and declarations can be read by others",
        ),
    ],
)
def test_what_is_wrong_on_every_server(users: Any, indexes: Any, problem: str) -> None:
    said = declared(users, indexes)["problem"]
    assert problem in said
    assert "hunter2" not in said
