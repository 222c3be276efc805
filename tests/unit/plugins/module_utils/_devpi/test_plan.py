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
from hypothesis import given, settings
from hypothesis import strategies as st

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
        (
            {"root/a": {"bases": ["root/b"]}, "root/b": {"state": "absent"}},
            "its base 'root/b' is neither declared nor on the",
        ),
        ({"ann/a": {}}, "the user 'ann' is neither declared nor on the server"),
        ({"root/pypi": {"title": "x"}}, "Write 'type: mirror'"),
        ({"root/m": {"type": "mirror"}}, "Add mirror_url"),
        ({"root/full": {"type": "mirror", "remove_packages": True}}, "Add mirror_url"),
        ({"root/full": {"type": "constrained"}}, "or allow this with 'remove_packages: true'"),
        ({"root/full": {"state": "absent"}}, "its packages would be lost"),
        ({"root/pypi": {"state": "absent"}}, "'root/heir' rests on it"),
        ({"root/other": {"state": "absent"}}, "what it has fetched would be lost"),
    ],
)
def test_what_can_not_be_done(indexes: Any, message: str) -> None:
    other = Index("root/other", "mirror", {"mirror_url": "https://other.example/"})
    current = server(stage("root/full"), stage("root/heir", "root/pypi"), other)
    with pytest.raises(InputError) as refused:
        plan(current, declared_state({"indexes": indexes}), occupied={"root/full"})
    assert message in str(refused.value)


GONE = {"state": "absent"}


def test_what_goes_comes_last() -> None:
    ann = User("ann", {"title": "A"})
    current = server(
        stage("ann/a"), stage("ann/b", "ann/a"), stage("root/c", "ann/b"), users=(ann,)
    )
    indexes = {"ann/a": GONE, "ann/b": GONE, "root/c": {"bases": ["root/d"]}, "root/d": {}}
    planned = steps(current, indexes, {"ann": GONE, "bob": {}})
    assert [(step.action, step.subject) for step in planned] == [
        ("create_user", "bob"),
        ("create_index", "root/d"),
        ("modify_index", "root/c"),
        ("delete_index", "ann/a"),
        ("delete_index", "ann/b"),
        ("delete_user", "ann"),
    ]
    assert planned[-1] == Action("delete_user", "ann", {"title": "A"}, None)
    before = {"type": "stage", **current.indexes["ann/a"].settings}
    assert planned[3] == Action("delete_index", "ann/a", before, None)


def test_what_is_gone_already() -> None:
    assert steps(server(), {"root/x": GONE, "ann/x": GONE}, {"ann": GONE}) == []


def test_a_user_goes_with_all_indexes_or_not_at_all() -> None:
    current = server(stage("ann/a"), stage("ann/b"), users=(User("ann"),))
    with pytest.raises(InputError, match=r"Declare 'state: absent' for 'ann/b' too"):
        steps(current, {"ann/a": GONE}, {"ann": GONE})
    with pytest.raises(InputError, match="the user 'ann' is neither declared nor on the server"):
        steps(current, {"ann/a": {}, "ann/b": GONE}, {"ann": GONE})


def test_another_type_is_another_index() -> None:
    current = server(stage("root/a", "root/pypi", title="A"), stage("root/b", "root/a"))
    wanted = {"type": "constrained", "constraints": ["flask<3"], "remove_packages": True}
    # What it rested on is gone with it, so this is no circle.
    made_anew = steps(current, {"root/a": {**wanted, "bases": []}, "root/pypi": {"type": "mirror"}})
    assert [step.action for step in made_anew] == ["delete_index", "create_index"]
    after = {"type": "constrained", "constraints": ["flask<3"], "bases": []}
    assert made_anew[1] == Action("create_index", "root/a", None, after)
    turned = declared_state({"indexes": {"root/b": wanted, "root/a": {"bases": ["root/b"]}}})
    assert [step.subject for step in plan(current, turned)] == ["root/b", "root/b", "root/a"]


def test_settings_of_plugins_are_compared_as_they_are() -> None:
    current = server(stage("root/a", acl_read=["ann", "bob"]))
    same = {"plugin_settings": {"acl_read": ["ann", "bob"]}}
    assert steps(current, {"root/a": same}) == []
    (changed,) = steps(current, {"root/a": {"plugin_settings": {"acl_read": ["ann"]}}})
    assert changed.after == {"acl_read": ["ann"]}


NAMES = [f"root/{letter}" for letter in "abcdef"]
BASES = st.dictionaries(
    st.sampled_from(NAMES), st.lists(st.sampled_from([*NAMES, "root/pypi"]), unique=True)
)


def carried_out(current: State, planned: list[Action]) -> State:
    """The state after the steps, each of which must be one that a server takes."""
    indexes = dict(current.indexes)
    for step in planned:
        if step.after is None:
            del indexes[step.subject]
            continue
        settings = dict(indexes[step.subject].settings) if step.before else {}
        settings.update({key: value for key, value in step.after.items() if key != "type"})
        assert (step.subject in indexes) == (step.before is not None)
        assert all(base in indexes for base in settings.get("bases", ()))
        indexes[step.subject] = Index(step.subject, "stage", settings)
        assert not in_a_circle(step.subject, indexes)
    return State(current.users, indexes)


def in_a_circle(name: str, indexes: dict[str, Index]) -> bool:
    seen: set[str] = set()
    todo = list(indexes[name].settings.get("bases", ()))
    while todo:
        base = todo.pop()
        if base not in seen and base in indexes:
            seen.add(base)
            todo += indexes[base].settings.get("bases", ())
    return name in seen


@settings(derandomize=True, database=None, deadline=None)
@given(BASES, BASES, st.sets(st.sampled_from(NAMES)))
def test_whatever_is_declared_ends_as_declared_or_is_refused(
    there: dict[str, list[str]], declared: dict[str, list[str]], gone: set[str]
) -> None:
    """Each step can be done in its turn, without a circle on the way, and nothing is left."""
    stages = {name: stage(name, *(base for base in there[name] if base in there)) for name in there}
    current = server(*(index for index in stages.values() if not in_a_circle(index.name, stages)))
    current = State(
        current.users,
        {
            name: index
            for name, index in current.indexes.items()
            if all(base in current.indexes for base in index.settings.get("bases", ()))
        },
    )
    wanted = declared_state(
        {
            "indexes": {
                **{name: {"bases": bases} for name, bases in declared.items()},
                **{name: {"state": "absent"} for name in gone},
            }
        }
    )
    try:
        planned = plan(current, wanted)
    except InputError:
        ends = {name: index for name, index in current.indexes.items() if name not in gone}
        ends.update({name: i for name, i in wanted.indexes.items() if name not in gone})
        broken = any(
            in_a_circle(name, ends) or any(base not in ends for base in i.settings.get("bases", ()))
            for name, i in ends.items()
        )
        assert broken
    else:
        assert plan(carried_out(current, planned), wanted) == []


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
