# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is there to what is declared."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.errors import InputError
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.model import (
    Index,
    State,
    User,
    declared_state,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.plan import Action, plan

PYPI = Index("root/pypi", "mirror", {"volatile": False, "mirror_url": "https://pypi.org/simple/"})


def server(*indexes: Index, users: tuple[User, ...] = ()) -> State:
    everyone = {user.name: user for user in (User("root"), *users)}
    return State(everyone, {index.name: index for index in (PYPI, *indexes)})


def stage(name: str, *bases: str, **settings: Any) -> Index:
    defaults = {"volatile": True, "acl_upload": ["root"], "mirror_whitelist": []}
    return Index(name, "stage", {**defaults, "bases": list(bases), **settings})


def steps(current: State, indexes: Any = None, users: Any = None) -> list[Action]:
    return plan(current, declared_state({"users": users, "indexes": indexes}))


STABLE = {"bases": ["root/pypi"], "volatile": False}

CASES: list[tuple[str, State, dict[str, Any], list[Action]]] = [
    ("nothing declared", server(stage("root/a")), {}, []),
    (
        "a new index",
        server(),
        {"indexes": {"root/stable": STABLE}},
        [Action("create_index", "root/stable", None, {"type": "stage", **STABLE})],
    ),
    (
        "a new index does not name what it shall not have",
        server(),
        {"indexes": {"root/stable": {"title": None}}},
        [Action("create_index", "root/stable", None, {"type": "stage"})],
    ),
    (
        "an index as declared",
        server(stage("root/stable", "root/pypi", volatile=False, title="More")),
        {"indexes": {"root/stable": STABLE}},
        [],
    ),
    (
        "only the keys that differ",
        server(stage("root/stable", "root/pypi", volatile=True)),
        {"indexes": {"root/stable": STABLE}},
        [Action("modify_index", "root/stable", {"volatile": True}, {"volatile": False})],
    ),
    (
        "a key the server does not have",
        server(stage("root/a")),
        {"indexes": {"root/a": {"title": "A"}}},
        [Action("modify_index", "root/a", {"title": None}, {"title": "A"})],
    ),
    (
        "a key to remove",
        server(stage("root/a", title="A")),
        {"indexes": {"root/a": {"title": ""}}},
        [Action("modify_index", "root/a", {"title": "A"}, {"title": None})],
    ),
    (
        "a key that is gone already",
        server(stage("root/a", title="")),
        {"indexes": {"root/a": {"title": None}}},
        [],
    ),
    (
        "another order of who may upload",
        server(stage("root/a", acl_upload=["bob", "ann"])),
        {"indexes": {"root/a": {"acl_upload": ["ann", "bob"]}}},
        [],
    ),
    (
        "a mirror",
        server(),
        {"indexes": {"root/pypi": {"type": "mirror", "mirror_cache_expiry": 60}}},
        [
            Action(
                "modify_index",
                "root/pypi",
                {"mirror_cache_expiry": None},
                {"mirror_cache_expiry": 60},
            )
        ],
    ),
    (
        "a new user",
        server(),
        {"users": {"ann": {"email": "ann@example.com", "title": None}}},
        [Action("create_user", "ann", None, {"email": "ann@example.com"})],
    ),
    (
        "a user's attributes",
        server(
            users=(User("ann", {"email": "old@example.com", "title": "T", "description": "D"}),)
        ),
        {"users": {"ann": {"email": "ann@example.com", "title": None}}},
        [
            Action(
                "modify_user",
                "ann",
                {"email": "old@example.com", "title": "T"},
                {"email": "ann@example.com", "title": None},
            )
        ],
    ),
    (
        "a user as declared",
        server(users=(User("ann", {"email": "ann@example.com"}),)),
        {"users": {"ann": {"email": "ann@example.com"}}},
        [],
    ),
]


@pytest.mark.parametrize(
    ("current", "declared", "expected"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_plan(current: State, declared: Any, expected: list[Action]) -> None:
    assert plan(current, declared_state(declared)) == expected


def subjects(current: State, indexes: dict[str, list[str]], users: Any = None) -> list[str]:
    declared = {name: {"bases": bases} for name, bases in indexes.items()}
    return [step.subject for step in steps(current, declared, users)]


def test_users_come_before_their_indexes_and_bases_first() -> None:
    indexes = {"ann/a": ["ann/z"], "ann/b": ["ann/a", "root/pypi"], "ann/z": []}
    assert subjects(server(), indexes, {"ann": {}}) == ["ann", "ann/z", "ann/a", "ann/b"]


def test_bases_may_swap_without_a_circle_on_the_way() -> None:
    current = server(stage("root/a", "root/b"), stage("root/b"))
    assert subjects(current, {"root/a": [], "root/b": ["root/a"]}) == ["root/a", "root/b"]


def test_bases_through_an_index_that_is_not_declared() -> None:
    current = server(stage("root/middle", "root/z"), stage("root/z", "root/a"), stage("root/a"))
    declared = {"root/a": ["root/middle"], "root/z": []}
    assert subjects(current, declared) == ["root/z", "root/a"]


def test_bases_that_stay_as_they_are_count_too() -> None:
    current = server(stage("root/a", "root/b"), stage("root/b"))
    with pytest.raises(InputError, match="lead back to it"):
        steps(current, {"root/a": {"title": "A"}, "root/b": {"bases": ["root/a"]}})


def test_a_circle_of_others_is_not_ours() -> None:
    current = server(
        stage("root/x", "root/x"), stage("root/y", "root/z"), stage("root/z", "root/y")
    )
    assert subjects(current, {"root/a": ["root/x", "root/y"]}) == ["root/a"]


def test_a_long_chain_and_many_at_once() -> None:
    chain = {f"root/i{number:03}": [f"root/i{number + 1:03}"] for number in range(200)}
    assert subjects(server(), {**chain, "root/i200": []}) == [
        "root/i200",
        *sorted(chain, reverse=True),
    ]


@pytest.mark.parametrize(
    ("current", "indexes", "way"),
    [
        (server(), {"root/a": ["root/a"]}, "root/a -> root/a"),
        (
            server(),
            {"root/a": ["root/b"], "root/b": ["root/c"], "root/c": ["root/a"]},
            "root/a -> root/b -> root/c -> root/a",
        ),
        (
            server(stage("root/old", "root/a")),
            {"root/a": ["root/old"]},
            "root/a -> root/old -> root/a",
        ),
    ],
)
def test_circles(current: State, indexes: dict[str, list[str]], way: str) -> None:
    with pytest.raises(InputError) as refused:
        subjects(current, indexes)
    assert way in str(refused.value)
    assert "Take one of these bases out" in str(refused.value)


@pytest.mark.parametrize(
    ("indexes", "message"),
    [
        ({"root/a": {"bases": ["root/b"]}}, "its base 'root/b' is neither declared nor on the"),
        ({"ann/a": {}}, "the user 'ann' is neither declared nor on the server"),
        ({"root/pypi": {"title": "x"}}, "Write 'type: mirror'"),
        ({"root/m": {"type": "mirror"}}, "Add mirror_url"),
    ],
)
def test_what_can_not_be_done(indexes: Any, message: str) -> None:
    with pytest.raises(InputError) as refused:
        steps(server(), indexes)
    assert message in str(refused.value)


def test_a_step_is_printed_without_credentials() -> None:
    url = "https://user:hunter2@mirror.example.com/simple/"
    created = steps(server(), {"root/m": {"type": "mirror", "mirror_url": url}})[0]
    current = server(Index("root/m", "mirror", {"mirror_url": url}))
    new = "https://user:swordfish@mirror.example.com/simple/"
    changed = steps(current, {"root/m": {"type": "mirror", "mirror_url": new}})[0]
    for step in (created, changed):
        for text in (str(step), json.dumps(step.as_dict())):
            assert "https://***@mirror.example.com/simple/" in text
            assert "hunter2" not in text
            assert "swordfish" not in text
    assert created.as_dict()["before"] is None
    assert (changed.after or {})["mirror_url"] == new


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (Action("change_password", "root", None, None), "change_password root"),
        (Action("create_user", "ann", None, {}), "create_user ann"),
        (
            Action("create_index", "root/a", None, {"volatile": False, "bases": []}),
            "create_index root/a (bases: [], volatile: false)",
        ),
        (
            Action("modify_index", "root/a", {"title": None}, {"title": "A"}),
            'modify_index root/a (title: null -> "A")',
        ),
    ],
)
def test_a_step_as_a_line(step: Action, line: str) -> None:
    assert str(step) == line
