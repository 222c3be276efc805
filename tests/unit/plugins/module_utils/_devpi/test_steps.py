# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a server to find the steps, and that they are proved."""

from __future__ import annotations

from typing import Any, cast

import pytest
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.api import Api
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.errors import (
    DevpiError,
    InputError,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.model import (
    Index,
    State,
    User,
    declared_state,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.plan import Action
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.steps import bring, find_steps

MIRROR = Index("root/pypi", "mirror", {"volatile": True})
FULL = Index("ann/full", "stage", {"volatile": True})
EMPTY = Index("ann/empty", "stage", {"volatile": True})


class Server:
    """An Api of three indexes, which notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.done: list[Action] = []

    def api(self) -> Api:
        return cast("Api", self)

    def state(self) -> State:
        self.asked.append("state")
        indexes = {index.name: index for index in (MIRROR, FULL, EMPTY)}
        return State({"root": User("root"), "ann": User("ann")}, indexes)

    def has_packages(self, name: str) -> bool:
        self.asked.append(name)
        return name == FULL.name

    def accepts(self, user: str, password: str) -> bool:
        self.asked.append(f"login of {user}")
        return password == "right"

    def carry_out(self, step: Action, _passwords: Any) -> None:
        self.done.append(step)


def found(server: Server, declared: Any, passwords: dict[str, str] | None = None) -> list[str]:
    wanted = declared_state(declared)
    return [str(step) for step in find_steps(server.api(), wanted, passwords or {})]


def test_only_indexes_that_go_are_asked_for_packages() -> None:
    server = Server()
    assert found(server, {"indexes": {"ann/empty": {"state": "absent"}}}) == [
        "delete_index ann/empty"
    ]
    assert server.asked == ["state", "ann/empty"]
    with pytest.raises(InputError, match="its packages would be lost"):
        found(server, {"indexes": {"ann/full": {"state": "absent"}}})


def test_with_leave_nothing_is_asked_and_a_mirror_never() -> None:
    server = Server()
    leave = {"state": "absent", "remove_packages": True}
    found(server, {"indexes": {"ann/full": leave, "root/pypi": leave}})
    with pytest.raises(InputError, match="what it has fetched would be lost"):
        found(server, {"indexes": {"root/pypi": {"state": "absent"}}})
    assert server.asked == ["state", "state"]


def test_only_passwords_that_may_change_are_tried() -> None:
    server = Server()
    declared = {"users": {"ann": {}, "new": {}}}
    assert found(server, declared, {"ann": "wrong", "new": "any"}) == [
        "create_user new",
        "change_password ann",
    ]
    assert server.asked == ["state", "login of ann"]
    assert found(server, declared, {"ann": "right"}) == ["create_user new"]
    once = {"users": {"ann": {"update_password": "on_create"}}}
    assert found(server, once, {"ann": "wrong"}) == []
    assert server.asked == ["state", "login of ann"] * 2 + ["state"]


def test_a_server_that_takes_a_step_and_does_not_do_it() -> None:
    server = Server()
    wanted = declared_state({"indexes": {"ann/full": {"title": "F"}}})
    told: list[str] = []
    with pytest.raises(DevpiError, match="took every step, and yet has to be changed: modify_in"):
        bring(server.api(), wanted, {}, find_steps(server.api(), wanted, {}), told.append)
    assert told == ['modify_index ann/full (title: null -> "F")']
    assert [step.subject for step in server.done] == ["ann/full"]


def test_nothing_to_do_is_not_proved_again() -> None:
    server = Server()
    bring(server.api(), declared_state({}), {}, [])
    assert server.asked == []
