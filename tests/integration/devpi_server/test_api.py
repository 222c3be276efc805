# SPDX-License-Identifier: GPL-3.0-or-later
"""The API against a real devpi-server: every call, and what the server says to wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.api import Api, Patience
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.errors import (
    ApiError,
    InputError,
    LoginRefusedError,
    UnreachableError,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.model import (
    INDEX_KEYS,
    User,
    declared_state,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.plan import plan

if TYPE_CHECKING:
    from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.api import Transport

    from tests.integration.devpi_server.conftest import DevpiServer

VALUES: dict[str, Any] = {
    "volatile": "no",
    "title": "A title",
    "description": "What it is for",
    "custom_data": {"team": ["ann"]},
    "bases": "root/pypi",
    "acl_upload": ["root", ":anonymous:", ":developers"],
    "acl_toxresult_upload": [":authenticated:"],
    "mirror_whitelist": ["Foo_Bar", "*"],
    "mirror_whitelist_inheritance": "union",
    "constraints": "foo<2,>1\nbar",
    "mirror_url": "https://pypi.example.com/simple/",
    "mirror_web_url_fmt": "https://pypi.example.com/{name}/",
    "mirror_cache_expiry": "900",
    "mirror_ignore_serial_header": True,
    "mirror_no_project_list": True,
    "mirror_provides_core_metadata": False,
    "mirror_use_external_urls": "yes",
}


@pytest.fixture
def way(transport: Transport, request: pytest.FixtureRequest) -> str:
    """The name of the transport, for names of its own on the server that both share."""
    return str(request.node.callspec.params["transport"])


@pytest.fixture
def api(devpi: DevpiServer, transport: Transport) -> Api:
    api = Api(devpi.url, transport)
    api.ping()
    api.login("root", devpi.root_password)
    return api


def converge(api: Api, declared: Any) -> list[str]:
    wanted = declared_state(declared)
    steps = plan(api.state(), wanted)
    for step in steps:
        api.carry_out(step, {})
    assert plan(api.state(), wanted) == []
    return [step.action for step in steps]


@pytest.mark.parametrize("index_type", sorted(INDEX_KEYS))
def test_every_setting_of_every_type(api: Api, way: str, index_type: str) -> None:
    name = f"root/every-{index_type}-{way}"
    keys = INDEX_KEYS[index_type]
    smallest = {"type": index_type, "mirror_url": "https://pypi.org/simple/"}
    if index_type != "mirror":
        del smallest["mirror_url"]
    assert converge(api, {"indexes": {name: smallest}}) == ["create_index"]

    everything = {"type": index_type, **{key: VALUES[key] for key in keys}}
    assert converge(api, {"indexes": {name: everything}}) == ["modify_index"]
    assert converge(api, {"indexes": {name: everything}}) == []
    assert api.index(name).keys() == {"type", *keys}

    removable = {key: None for key, value in keys.items() if value.removable}
    assert converge(api, {"indexes": {name: {**everything, **removable}}}) == ["modify_index"]
    assert api.index(name).keys() == {"type", *keys} - removable.keys()

    again = {f"{name}-2": everything}
    assert converge(api, {"indexes": again}) == ["create_index"]


def test_users(api: Api, way: str, devpi: DevpiServer, transport: Transport) -> None:
    bob = f"bob-{way}"
    api.create_user(bob, {"email": "bob@example.com"}, "bob's")
    Api(devpi.url, transport).login(bob, "bob's")
    api.change_password(bob, "another")
    with pytest.raises(LoginRefusedError, match=f"user '{bob}' could not be authenticated"):
        Api(devpi.url, transport).login(bob, "bob's")
    Api(devpi.url, transport).login(bob, "another")

    users = {bob: {"title": "B", "description": "D", "custom_data": "C", "email": None}}
    assert converge(api, {"users": users}) == ["modify_user"]
    attributes = {"title": "B", "description": "D", "custom_data": "C"}
    assert api.state().users[bob] == User(bob, attributes)
    assert converge(api, {"users": {bob: {"state": "absent"}}}) == ["delete_user"]
    api.delete_user(bob)


def test_a_user_without_a_password_can_not_log_in(
    api: Api, way: str, devpi: DevpiServer, transport: Transport
) -> None:
    cat = f"cat-{way}"
    assert converge(api, {"users": {cat: {}}}) == ["create_user"]
    for password in ("", "null", "None"):
        with pytest.raises(LoginRefusedError):
            Api(devpi.url, transport).login(cat, password)
        assert not api.accepts(cat, password)
    # Who asked is still who it was.
    api.modify_user(cat, {"title": "C"})


def test_creating_what_is_there_modifies_it(
    api: Api, way: str, devpi: DevpiServer, transport: Transport
) -> None:
    twice = f"twice-{way}"
    for volatile in (True, False):
        api.create_index(f"root/{twice}", {"type": "stage", "volatile": volatile})
        api.create_user(twice, {"title": str(volatile)}, str(volatile))
    assert api.index(f"root/{twice}")["volatile"] is False
    assert api.state().users[twice].attributes == {"title": "False"}
    Api(devpi.url, transport).login(twice, "False")


def test_odd_names(api: Api, way: str) -> None:
    user = f"ünal-{way}@example.com"
    indexes = {f"{user}/a.b-c_d": {"title": "Ä"}}
    assert converge(api, {"users": {user: {}}, "indexes": indexes})


def test_an_index_goes_or_becomes_another_type(api: Api, way: str) -> None:
    name = f"root/turned-{way}"
    assert converge(api, {"indexes": {name: {"volatile": False}}}) == ["create_index"]
    mirror = {"type": "mirror", "mirror_url": "https://pypi.org/simple/"}
    with pytest.raises(InputError, match="remove_packages"):
        converge(api, {"indexes": {name: mirror}})
    turned = converge(api, {"indexes": {name: {**mirror, "remove_packages": True}}})
    assert turned == ["delete_index", "create_index"]
    gone = {"state": "absent", "remove_packages": True}
    assert converge(api, {"indexes": {name: gone}}) == ["delete_index"]
    api.delete_index(name, {})


def test_a_stranger_may_look_and_not_change(devpi: DevpiServer, transport: Transport) -> None:
    api = Api(devpi.url, transport)
    assert "root/pypi" in api.state().indexes
    with pytest.raises(ApiError, match="403"):
        api.create_user("mallory", {}, "x")


def test_the_server_s_own_words(api: Api) -> None:
    with pytest.raises(ApiError, match="base index 'root/nosuch' does not exist"):
        api.create_index("root/x", {"bases": ["root/nosuch"]})
    with pytest.raises(ApiError, match="The stage root/nosuch could not be found"):
        api.index("root/nosuch")
    with pytest.raises(ApiError, match="the 'type' of an index can't be changed"):
        api.modify_index("root/pypi", {"type": "stage"})


def test_a_failed_login_ends_the_one_before(api: Api) -> None:
    with pytest.raises(LoginRefusedError):
        api.login("root", "wrong")
    with pytest.raises(ApiError, match="403"):
        api.modify_user("root", {"title": "x"})


def test_no_server(stopped_devpi: DevpiServer, transport: Transport) -> None:
    api = Api(stopped_devpi.url, transport, patience=Patience(attempts=2, pause=0))
    with pytest.raises(UnreachableError, match="got no answer"):
        api.ping()
