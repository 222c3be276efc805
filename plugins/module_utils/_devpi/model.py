# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users and indexes of a devpi server as values: what is there and what is declared.

PRIVATE to the collection. The rules rest on ``devpi_server/model.py`` and ``mirror.py`` of
devpi-server 6.20.3 and ``devpi_constrained`` 2.1.0; what devpi 7 calls otherwise is understood
too. Declared input is checked strictly, a server's listing is taken as it is.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .errors import DevpiError, InputError
from .vocabulary import in_words_of_6

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Settings = Mapping[str, t.Any]
    Parser = Callable[[str, t.Any], t.Any]

# devpi 6 refuses every ASCII symbol but these four and all control characters.
_FORBIDDEN = re.compile(r"[\x00-\x20!-,/:-?\[-^`{-~\x7f]")

USER_ATTRIBUTES = ("custom_data", "description", "email", "title")
# What is said about a user or an index, and is no attribute or setting of it on the server.
_ABOUT_USER = ("state", "update_password")
_ABOUT_INDEX = ("state", "remove_packages", "plugin_settings")


@dataclass(frozen=True)
class User:
    """A user: ``attributes`` are those of USER_ATTRIBUTES that are set or declared.

    A declared attribute of None means that the server shall not have it. Passwords are not part
    of a state: no server tells them, and others may read a declaration. ``password_once``: the
    user gets its password when it is made and may then choose another. ``absent``: it shall not be.
    """

    name: str
    attributes: Settings = field(default_factory=dict)
    password_once: bool = False
    absent: bool = False


@dataclass(frozen=True)
class Index:
    """An index ``<user>/<index>`` of a ``type`` with its ``settings``, the type not among them.

    In a declared index a missing setting is left as it is, and None means that the server shall
    not have it. ``absent``: the index shall not be. ``may_lose_packages``: that it goes, or is
    made anew with another type, is wanted even if packages go with it.
    """

    name: str
    type: str = "stage"
    settings: Settings = field(default_factory=dict)
    absent: bool = False
    may_lose_packages: bool = False

    @property
    def owner(self) -> str:
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class State:
    """Users by name and indexes by ``<user>/<index>``."""

    users: Mapping[str, User] = field(default_factory=dict)
    indexes: Mapping[str, Index] = field(default_factory=dict)


@dataclass(frozen=True)
class _Key:
    parse: Parser
    removable: bool = False
    ordered: bool = True


def check_name(where: str, name: t.Any) -> str:
    """Return a user's or an index's own name (without slash) if devpi 6 takes it."""
    given = f"{where} is {name!r}"
    instead = "Write a name of letters, digits and '-', '.', '@', '_', such as 'team-a'"
    if not isinstance(name, str) or not name:
        raise InputError(given, "a name is a text that is not empty", instead)
    bad = sorted(set(_FORBIDDEN.findall(name)))
    if bad:
        raise InputError(given, f"devpi does not allow {' '.join(map(repr, bad))} in it", instead)
    if name.startswith("."):
        raise InputError(given, "a leading dot is where devpi keeps its own records", instead)
    return name


def check_index_name(where: str, name: t.Any) -> str:
    """Return ``<user>/<index>`` if both parts are names that devpi 6 takes."""
    if not isinstance(name, str) or name.count("/") != 1:
        raise InputError(
            f"{where} is {name!r}",
            "an index is named by its user and its own name",
            "Write <user>/<index>, such as 'root/stable'",
        )
    for part in name.split("/"):
        check_name(f"{where} {name!r}: a part", part)
    return name


def _flag(where: str, value: t.Any) -> bool:
    if isinstance(value, bool):
        return value
    known = {"true": True, "yes": True, "false": False, "no": False}
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    raise InputError(f"{where} is {value!r}", "it is not a boolean", "Write true or false")


def _seconds(where: str, value: t.Any) -> int:
    if isinstance(value, (int, str)) and str(value).isdecimal():
        return int(value)
    raise InputError(
        f"{where} is {value!r}", "it is not a number of seconds", "Write one, such as 1800"
    )


def _text(where: str, value: t.Any) -> str:
    if isinstance(value, str):
        return value
    raise InputError(f"{where} is {value!r}", "it is not a text", "Put it in quotes")


def _url(where: str, value: t.Any) -> str:
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        return value
    raise InputError(
        f"{where} is {value!r}", "it is not a URL", "Write one, such as 'https://pypi.org/simple/'"
    )


def _choice(*choices: str) -> Parser:
    def parse(where: str, value: t.Any) -> str:
        if isinstance(value, str) and value.lower() in choices:
            return value.lower()
        instead = f"Write {' or '.join(map(repr, choices))}"
        raise InputError(f"{where} is {value!r}", "devpi does not know it", instead)

    return parse


def _list_of(item: Parser, separator: str = ",") -> Parser:
    def parse(where: str, value: t.Any) -> list[t.Any]:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(separator) if part.strip()]
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{where} is {value!r}", "it is not a list", "Write a list of texts")
        items = [item(where, part) for part in value]
        for name in items:
            if items.count(name) > 1:
                raise InputError(f"{where} is {value!r}", f"{name!r} is there twice", "Keep one")
        return items

    return parse


def _principal(where: str, value: t.Any) -> str:
    name = _text(where, value)
    return name.upper() if name.upper() in (":ANONYMOUS:", ":AUTHENTICATED:") else name


def _project(where: str, value: t.Any) -> str:
    """Return the project's name in the form that devpi stores (PEP 503), or ``*`` for all."""
    return re.sub(r"[-_.]+", "-", _text(where, value)).lower()


def _anything(_where: str, value: t.Any) -> t.Any:
    return value


_COMMON = {
    "volatile": _Key(_flag),
    "title": _Key(_text, removable=True),
    "description": _Key(_text, removable=True),
    "custom_data": _Key(_anything, removable=True),
}
_STAGE = {
    **_COMMON,
    "bases": _Key(_list_of(check_index_name)),
    "acl_upload": _Key(_list_of(_principal), ordered=False),
    "acl_toxresult_upload": _Key(_list_of(_principal), ordered=False),
    "mirror_whitelist": _Key(_list_of(_project), ordered=False),
    "mirror_whitelist_inheritance": _Key(_choice("intersection", "union")),
}
_MIRROR = {
    **_COMMON,
    "mirror_url": _Key(_url),
    "mirror_web_url_fmt": _Key(_text, removable=True),
    "mirror_cache_expiry": _Key(_seconds, removable=True),
    "mirror_ignore_serial_header": _Key(_flag, removable=True),
    "mirror_no_project_list": _Key(_flag, removable=True),
    "mirror_provides_core_metadata": _Key(_flag, removable=True),
    "mirror_use_external_urls": _Key(_flag, removable=True),
}
_CONSTRAINED = {**_STAGE, "constraints": _Key(_list_of(_text, "\n"), ordered=False)}

INDEX_KEYS = {"stage": _STAGE, "mirror": _MIRROR, "constrained": _CONSTRAINED}


def same(index_type: str, key: str, one: t.Any, other: t.Any) -> bool:
    """Say whether two values of a setting mean the same: in known lists order counts for bases."""
    known = INDEX_KEYS[index_type].get(key)
    if known and not known.ordered and isinstance(one, list):
        return isinstance(other, list) and sorted(one) == sorted(other)
    return bool((one if one != "" else None) == (other if other != "" else None))


def _mapping(where: str, value: t.Any) -> Settings:
    if isinstance(value, dict):
        return value
    if value is None:
        return {}
    raise InputError(f"{where} is {value!r}", "it is not a mapping", "Write 'key: value' lines")


def _check_keys(where: str, given: Settings, known: t.Iterable[str]) -> None:
    for key in given:
        if key not in known:
            wrong = "there is no such key here"
            raise InputError(f"{where} has {key!r}", wrong, f"Known are {', '.join(sorted(known))}")


def _is_absent(place: str, given: Settings) -> bool:
    state = _choice("present", "absent")(f"{place}.state", given.get("state", "present"))
    return bool(state == "absent")


def declared_user(where: str, name: t.Any, data: t.Any) -> User:
    """Return the user that ``data`` (``{"email": "ann@example.com"}``) declares."""
    check_name(where, name)
    place = f"{where}[{name!r}]"
    given = _mapping(place, data)
    if "password" in given:
        wrong = "a password does not belong into a declared state, which others can read"
        raise InputError(f"{place} has 'password'", wrong, "Take it out")
    _check_keys(place, given, (*USER_ATTRIBUTES, *_ABOUT_USER))
    attributes = {key: value or None for key, value in given.items() if key in USER_ATTRIBUTES}
    for key, value in attributes.items():
        if value is not None and key != "custom_data":
            _text(f"{place}.{key}", value)
    when = _choice("always", "on_create")
    once = when(f"{place}.update_password", given.get("update_password", "always")) == "on_create"
    absent = _is_absent(place, given)
    if absent and name == "root":
        wrong = "without its administrator nobody could change a devpi any more"
        raise InputError(f"{place}.state is 'absent'", wrong, "Take it out")
    return User(name, attributes, once, absent)


def declared_index(where: str, name: t.Any, data: t.Any) -> Index:
    """Return the index that ``data`` (``{"bases": ["root/pypi"], "volatile": False}``) declares.

    ``type`` is ``stage`` where none is given. Values come back in the form that devpi 6 stores.
    ``plugin_settings`` are keys of plugins that are not known here: the server judges them.
    """
    check_index_name(where, name)
    place = f"{where}[{name!r}]"
    given = in_words_of_6(_mapping(place, data))
    index_type = _choice(*INDEX_KEYS)(f"{place}.type", given.pop("type", "stage"))
    keys = INDEX_KEYS[index_type]
    _check_keys(f"{place} (type {index_type})", given, (*keys, *_ABOUT_INDEX))
    settings = _plugin_settings(f"{place}.plugin_settings", given.get("plugin_settings"), keys)
    for key, value in given.items():
        if key in _ABOUT_INDEX:
            continue
        if value in (None, "") and keys[key].removable:
            settings[key] = None
        else:
            settings[key] = keys[key].parse(f"{place}.{key}", value)
    may_lose = _flag(f"{place}.remove_packages", given.get("remove_packages", False))
    return Index(name, index_type, settings, _is_absent(place, given), may_lose)


def _plugin_settings(place: str, value: t.Any, keys: t.Container[str]) -> dict[str, t.Any]:
    settings = dict(_mapping(place, value))
    for key in settings:
        if key in keys or key in ("type", *_ABOUT_INDEX):
            wrong = "this key is devpi's own and no plugin's"
            raise InputError(f"{place} has {key!r}", wrong, "Write it beside plugin_settings")
    return settings


def declared_passwords(data: t.Any, state: State) -> dict[str, str]:
    """Return the passwords ``{user: password}`` of declared users; messages never hold one."""
    if not isinstance(data, (dict, type(None))):
        raise InputError("passwords", "it is not a mapping", "Write 'user: password' lines")
    passwords = dict(data or {})
    for name, password in passwords.items():
        place = f"The password of user {name!r}"
        if name == "root":
            wrong = "root's password has a place of its own"
            raise InputError(place, wrong, "Write it into devpi_root_password")
        if name not in state.users or state.users[name].absent:
            raise InputError(place, "this user is not declared", "Declare it among the users")
        if not isinstance(password, str) or not password or re.search(r"[\x00-\x1f\x7f]", password):
            wrong = "it is not a text, or empty, or holds a control character such as a line end"
            raise InputError(place, wrong, "Write another")
    return passwords


def declared_state(data: t.Any) -> State:
    """Return the declared state.

    Shape: ``{"users": {name: attributes}, "indexes": {"<user>/<index>": settings}}``, either may
    be missing. Raises InputError for the first thing that is wrong.
    """
    given = _mapping("The declared state", data)
    _check_keys("The declared state", given, ("users", "indexes"))
    users = _mapping("users", given.get("users"))
    indexes = _mapping("indexes", given.get("indexes"))
    return State(
        {name: declared_user("users", name, value) for name, value in users.items()},
        {name: declared_index("indexes", name, value) for name, value in indexes.items()},
    )


def current_state(listing: t.Any) -> State:
    """Return the state that the result of devpi's ``GET /`` tells: all users, all indexes."""
    users = {}
    indexes = {}
    try:
        for name, data in listing.items():
            attributes = {key: data[key] for key in USER_ATTRIBUTES if key in data}
            users[name] = User(name, attributes)
            for own_name, config in data["indexes"].items():
                settings = in_words_of_6(config)
                index = Index(f"{name}/{own_name}", settings.pop("type"), settings)
                indexes[index.name] = index
    except (AttributeError, KeyError, TypeError) as error:
        raise DevpiError("The server's list of users has not the form that devpi has") from error
    return State(users, indexes)
