# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be declared, and what it becomes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.errors import (
    DevpiError,
    InputError,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.model import (
    Index,
    State,
    User,
    check_index_name,
    check_name,
    current_state,
    declared_index,
    declared_passwords,
    declared_state,
    declared_user,
    same,
)


@pytest.mark.parametrize("name", ["stable", "a", "team-a", "a.b", "ann@example.com", "_x", "ü"])
def test_names_that_devpi_takes(name: str) -> None:
    assert check_name("name", name) == name


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *((f"a{symbol}b", "does not allow") for symbol in " !\"#$%&'()*+,/:;<=>?[\\]^`{|}~"),
        *((f"a{chr(code)}b", "does not allow") for code in (0, 9, 10, 31, 127)),
        (".config", "leading dot"),
        ("..", "leading dot"),
        ("", "not empty"),
        (None, "not empty"),
        (7, "not empty"),
    ],
)
def test_names_that_are_refused(name: Any, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        check_name("name", name)


@pytest.mark.parametrize("name", ["stable", "a/b/c", "", None, "/", "root/", "/stable", "root/a b"])
def test_index_names_that_are_refused(name: Any) -> None:
    with pytest.raises(InputError, match="Write "):
        check_index_name("indexes", name)


@pytest.mark.parametrize(
    ("index_type", "key", "given", "stored"),
    [
        ("stage", "volatile", "no", False),
        ("stage", "volatile", True, True),
        ("stage", "bases", "root/pypi, root/a", ["root/pypi", "root/a"]),
        ("stage", "bases", ["root/pypi"], ["root/pypi"]),
        ("stage", "bases", [], []),
        ("stage", "acl_upload", ["ann", ":anonymous:"], ["ann", ":ANONYMOUS:"]),
        ("stage", "acl_toxresult_upload", ":authenticated:", [":AUTHENTICATED:"]),
        ("stage", "mirror_whitelist", ["Foo_Bar.Baz", "*"], ["foo-bar-baz", "*"]),
        ("stage", "mirror_whitelist_inheritance", "Union", "union"),
        ("stage", "title", "Stable", "Stable"),
        ("stage", "title", "", None),
        ("stage", "description", None, None),
        ("stage", "custom_data", {"a": [1]}, {"a": [1]}),
        ("mirror", "mirror_url", "https://pypi.org/simple/", "https://pypi.org/simple/"),
        ("mirror", "mirror_cache_expiry", "1800", 1800),
        ("mirror", "mirror_cache_expiry", 0, 0),
        ("mirror", "mirror_no_project_list", "true", True),
        ("mirror", "mirror_use_external_urls", None, None),
        ("constrained", "constraints", "a<2,>1\n\nb\n", ["a<2,>1", "b"]),
        ("constrained", "bases", ["root/pypi"], ["root/pypi"]),
    ],
)
def test_settings(index_type: str, key: str, given: Any, stored: Any) -> None:
    index = declared_index("indexes", "root/x", {"type": index_type, key: given})
    assert index == Index("root/x", index_type, {key: stored})


def test_what_is_said_about_an_index_is_no_setting() -> None:
    data = {"state": "absent", "remove_packages": "yes", "plugin_settings": {"acl_read": ["ann"]}}
    index = declared_index("indexes", "root/x", data)
    assert index == Index("root/x", "stage", {"acl_read": ["ann"]}, True, True)


def test_the_words_of_devpi_7() -> None:
    data = {"type": "remote", "remote_url": "https://a.example/", "remote_refresh_delay": 60}
    settings = {"mirror_url": "https://a.example/", "mirror_cache_expiry": 60}
    assert declared_index("indexes", "root/x", data) == Index("root/x", "mirror", settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"state": "gone"}, "indexes['root/x'].state is 'gone'"),
        ({"remove_packages": "perhaps"}, "remove_packages is 'perhaps': it is not a boolean"),
        ({"plugin_settings": []}, "plugin_settings is []: it is not a mapping"),
        ({"plugin_settings": {"bases": []}}, "has 'bases': this key is devpi's own"),
        ({"plugin_settings": {"type": "x"}}, "has 'type': this key is devpi's own"),
        (
            {"type": "remote", "remote_url": "https://a/", "mirror_url": "https://b/"},
            "'mirror_url' and 'remote_url' are both given",
        ),
        ({"volatile": "perhaps"}, "indexes['root/x'].volatile is 'perhaps'"),
        ({"volatile": 1}, "Write true or false"),
        ({"volatile": None}, "is None: it is not a boolean"),
        ({"bases": None}, "Write a list of texts"),
        ({"bases": {"root/pypi": 1}}, "Write a list of texts"),
        ({"bases": ["pypi"]}, "Write <user>/<index>"),
        ({"bases": ["root/pypi", "root/pypi"]}, "'root/pypi' is there twice"),
        ({"acl_upload": [1]}, "it is not a text"),
        ({"mirror_whitelist_inheritance": "both"}, "Write 'intersection' or 'union'"),
        ({"title": 3}, "Put it in quotes"),
        ({"base": []}, "has 'base': there is no such key here. Known are acl_toxresult_upload"),
        ({"mirror_url": "https://pypi.org/simple/"}, "there is no such key here"),
        ({"type": "mirror", "bases": ["root/pypi"]}, "(type mirror) has 'bases'"),
        ({"type": "mirror", "mirror_url": "pypi.org"}, "it is not a URL"),
        ({"type": "mirror", "mirror_url": None}, "it is not a URL"),
        ({"type": "mirror", "mirror_cache_expiry": "30m"}, "it is not a number of seconds"),
        ({"type": "mirror", "mirror_cache_expiry": True}, "it is not a number of seconds"),
        ({"type": "mirror", "mirror_cache_expiry": -1}, "it is not a number of seconds"),
        ({"type": "floppy"}, "Write 'stage' or 'mirror' or 'constrained'"),
        (["bases"], "it is not a mapping"),
    ],
)
def test_settings_that_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(InputError) as refused:
        declared_index("indexes", "root/x", settings)
    assert message in str(refused.value)


def test_a_declared_user() -> None:
    user = declared_user("users", "ann", {"email": "ann@example.com", "title": ""})
    assert user == User("ann", {"email": "ann@example.com", "title": None})


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a b", {}, "devpi does not allow ' '"),
        ("ann", {"password": "hunter2"}, "has 'password': a password does not belong into"),
        (
            "ann",
            {"mail": "ann@example.com"},
            "Known are custom_data, description, email, state, title",
        ),
        ("ann", {"email": 3}, "users['ann'].email is 3: it is not a text"),
        ("ann", "ann@example.com", "it is not a mapping"),
        ("ann", {"update_password": "never"}, "Write 'always' or 'on_create'"),
        ("root", {"state": "absent"}, "without its administrator nobody could change a devpi"),
    ],
)
def test_users_that_are_refused(name: str, data: Any, message: str) -> None:
    with pytest.raises(InputError) as refused:
        declared_user("users", name, data)
    assert message in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_what_is_said_about_a_user_is_no_attribute() -> None:
    user = declared_user("users", "ann", {"update_password": "on_create", "state": "absent"})
    assert user == User("ann", password_once=True, absent=True)


PEOPLE = State({"ann": User("ann"), "bob": User("bob", absent=True)})


def test_declared_passwords() -> None:
    assert declared_passwords({"ann": "päss wörd"}, PEOPLE) == {"ann": "päss wörd"}
    assert declared_passwords(None, PEOPLE) == {}


@pytest.mark.parametrize(
    ("passwords", "message"),
    [
        ({"root": "hunter2"}, "Write it into devpi_root_password"),
        ({"cat": "hunter2"}, "user 'cat': this user is not declared"),
        ({"bob": "hunter2"}, "user 'bob': this user is not declared"),
        ({"ann": ""}, "user 'ann': it is not a text, or empty"),
        ({"ann": None}, "it is not a text"),
        ({"ann": ["hunter2"]}, "it is not a text"),
        ({"ann": "hunter2\n"}, "a control character such as a line end"),
        ("hunter2", "it is not a mapping"),
    ],
)
def test_passwords_that_are_refused(passwords: Any, message: str) -> None:
    with pytest.raises(InputError) as refused:
        declared_passwords(passwords, PEOPLE)
    assert message in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_declared_state() -> None:
    state = declared_state({"users": {"ann": None}, "indexes": {"ann/dev": {}}})
    assert dict(state.users) == {"ann": User("ann")}
    assert dict(state.indexes) == {"ann/dev": Index("ann/dev")}
    assert state.indexes["ann/dev"].owner == "ann"


@pytest.mark.parametrize("data", [{}, None, {"users": None}, {"indexes": {}}])
def test_nothing_declared(data: Any) -> None:
    state = declared_state(data)
    assert (dict(state.users), dict(state.indexes)) == ({}, {})


@pytest.mark.parametrize("data", [[], {"index": {}}, {"users": []}, {"indexes": "root/stable"}])
def test_states_that_are_refused(data: Any) -> None:
    with pytest.raises(InputError):
        declared_state(data)


def test_a_server_s_listing_is_taken_as_it_is() -> None:
    listing = {
        ".odd": {"username": ".odd", "created": "2026-01-01T00:00:00Z", "indexes": {}},
        "root": {
            "username": "root",
            "email": "root@example.com",
            "indexes": {"pypi": {"type": "mirror", "volatile": False, "of_a_plugin": 1}},
        },
    }
    state = current_state(listing)
    assert dict(state.users) == {
        ".odd": User(".odd"),
        "root": User("root", {"email": "root@example.com"}),
    }
    settings = {"volatile": False, "of_a_plugin": 1}
    assert dict(state.indexes) == {"root/pypi": Index("root/pypi", "mirror", settings)}


def test_a_listing_of_devpi_7_is_read_in_the_words_of_devpi_6() -> None:
    rules = {"project_inheritance_rules": ["allow all"], "trust_inheritance_rules_from": "none"}
    listing = {"root": {"indexes": {"a": {"type": "local", **rules}}}}
    whitelist = {"mirror_whitelist": ["*"], "mirror_whitelist_inheritance": "intersection"}
    assert dict(current_state(listing).indexes) == {"root/a": Index("root/a", "stage", whitelist)}


@pytest.mark.parametrize(
    "listing", [None, [], {"root": {}}, {"root": None}, {"root": {"indexes": {"a": {}}}}]
)
def test_what_is_no_listing(listing: Any) -> None:
    with pytest.raises(DevpiError, match="not the form"):
        current_state(listing)


@pytest.mark.parametrize(
    ("key", "one", "other", "expected"),
    [
        ("bases", ["root/a", "root/b"], ["root/b", "root/a"], False),
        ("acl_upload", ["ann", "bob"], ["bob", "ann"], True),
        ("acl_upload", ["ann"], ["ann", "bob"], False),
        ("acl_upload", ["ann"], None, False),
        ("acl_upload", None, ["ann"], False),
        ("title", "", None, True),
        ("title", "A", None, False),
        ("volatile", False, None, False),
        ("volatile", False, False, True),
    ],
)
def test_same(key: str, one: Any, other: Any, expected: bool) -> None:
    assert same("stage", key, one, other) is expected
