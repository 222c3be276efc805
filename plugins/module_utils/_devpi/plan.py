# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to do so that a server has what is declared. Pure: nothing here reads or writes.

PRIVATE to the collection. Only what is declared is touched. Nothing is ever removed but what is
declared as absent, a setting that is declared as None, and an index that is declared with another
type and with leave to lose its packages.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from .errors import InputError, without_credentials
from .model import same

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from .model import Index, Settings, State, User

CREATE_USER = "create_user"
MODIFY_USER = "modify_user"
DELETE_USER = "delete_user"
ROTATE = "change_password"
CREATE_INDEX = "create_index"
MODIFY_INDEX = "modify_index"
DELETE_INDEX = "delete_index"


@dataclass(frozen=True)
class Action:
    """One step: ``subject`` is a user's name or ``<user>/<index>``.

    ``before`` and ``after`` hold the keys that change and nothing else; ``before`` is None where
    the subject does not exist, ``after`` where it will not. A value of None stands for a key that
    is not set. Both are None for a password.
    """

    action: str
    subject: str
    before: Settings | None
    after: Settings | None

    def as_dict(self) -> dict[str, t.Any]:
        """Return the step for people and programs, as JSON types, credentials masked."""
        return {
            "action": self.action,
            "subject": self.subject,
            "before": _printable(self.before),
            "after": _printable(self.after),
        }

    def __str__(self) -> str:
        parts = []
        for key, value in sorted((self.after or {}).items()):
            old = "" if self.before is None else f"{json.dumps(self.before.get(key))} -> "
            parts.append(f"{key}: {old}{json.dumps(value)}")
        line = f"{self.action} {self.subject}"
        return without_credentials(f"{line} ({', '.join(parts)})" if parts else line)


def _printable(settings: Settings | None) -> t.Any:
    return json.loads(without_credentials(json.dumps(settings)))


def removed(current: State, wanted: State) -> list[Index]:
    """Return the declared indexes that shall go and are on the server."""
    return [
        wanted.indexes[name]
        for name in sorted(wanted.indexes)
        if wanted.indexes[name].absent and name in current.indexes
    ]


def plan(current: State, wanted: State, occupied: t.Collection[str] = ()) -> list[Action]:
    """Return the steps from ``current`` to ``wanted``, in an order in which each can be done.

    Users come first; an index comes after its bases, so that also on the way there is never a
    circle. What goes comes last. Raises InputError if there is no such order, if a user, base or
    URL is missing, or if packages would go without leave: ``occupied`` names those of the
    ``removed`` indexes that have any.
    """
    for index in wanted.indexes.values():
        _check_index(index, current, wanted)
    for index in removed(current, wanted):
        _check_removal(index, current, wanted, occupied)
    for user in wanted.users.values():
        _check_user(user, current, wanted)
    declared = {name for name, index in wanted.indexes.items() if not index.absent}
    order = _bases_first(_all_bases(current, wanted), declared)
    users = [wanted.users[name] for name in sorted(wanted.users)]
    steps: list[Action] = []
    for user in users:
        steps += _user_steps(current.users.get(user.name), user)
    for name in order:
        steps += _index_steps(current.indexes.get(name), wanted.indexes[name])
    steps += [_removal(current.indexes[index.name]) for index in removed(current, wanted)]
    steps += [
        Action(DELETE_USER, user.name, current.users[user.name].attributes, None)
        for user in users
        if user.absent and user.name in current.users
    ]
    return steps


def _stays(name: str, current: t.Container[str], wanted: Mapping[str, t.Any]) -> bool:
    """Say whether there will be a user or an index of this name."""
    return not wanted[name].absent if name in wanted else name in current


def _check_index(index: Index, current: State, wanted: State) -> None:
    if index.absent:
        return
    given = f"indexes[{index.name!r}]"
    if not _stays(index.owner, current.users, wanted.users):
        wrong = f"the user {index.owner!r} is neither declared nor on the server"
        raise InputError(given, wrong, f"Declare {index.owner!r} among the users")
    for base in index.settings.get("bases", ()):
        if not _stays(base, current.indexes, wanted.indexes):
            wrong = f"its base {base!r} is neither declared nor on the server"
            raise InputError(given, wrong, "Declare that index too, or correct its name")
    there = current.indexes.get(index.name)
    if there and there.type != index.type and not index.may_lose_packages:
        wrong = (
            f"it is of type {there.type!r} on the server, and devpi can't change a type. Made anew"
            " it would lose its packages, and its settings that are not declared"
        )
        instead = (
            f"Write 'type: {there.type}', declare {index.type!r} under another name, or allow this"
            " with 'remove_packages: true'"
        )
        raise InputError(f"{given}.type is {index.type!r}", wrong, instead)
    is_new = not there or there.type != index.type
    if is_new and index.type == "mirror" and "mirror_url" not in index.settings:
        wrong = "a new mirror needs what it mirrors"
        raise InputError(given, wrong, "Add mirror_url, such as 'https://pypi.org/simple/'")


def _check_removal(
    index: Index, current: State, wanted: State, occupied: t.Collection[str]
) -> None:
    given = f"indexes[{index.name!r}].state is 'absent'"
    for name, bases in _all_bases(current, wanted).items():
        if index.name in bases:
            wrong = f"{name!r} rests on it"
            raise InputError(given, wrong, f"Take it out of the bases of {name!r} as well")
    is_mirror = current.indexes[index.name].type == "mirror"
    if (is_mirror or index.name in occupied) and not index.may_lose_packages:
        wrong = "what it has fetched would be lost" if is_mirror else "its packages would be lost"
        raise InputError(given, wrong, "Allow that with 'remove_packages: true', or keep the index")


def _check_user(user: User, current: State, wanted: State) -> None:
    if not user.absent:
        return
    for name, index in current.indexes.items():
        if index.owner == user.name and _stays(name, current.indexes, wanted.indexes):
            wrong = f"index {name!r} is this user's"
            instead = f"Declare 'state: absent' for {name!r} too"
            raise InputError(f"users[{user.name!r}].state is 'absent'", wrong, instead)


def _removal(there: Index) -> Action:
    return Action(DELETE_INDEX, there.name, {"type": there.type, **there.settings}, None)


def _user_steps(current: User | None, wanted: User) -> list[Action]:
    if wanted.absent:
        return []
    if current is None:
        attributes = {key: value for key, value in wanted.attributes.items() if value is not None}
        return [Action(CREATE_USER, wanted.name, None, attributes)]
    before = {key: current.attributes.get(key) for key in wanted.attributes}
    changed = [key for key, value in wanted.attributes.items() if value != before[key]]
    return _modification(MODIFY_USER, wanted.name, changed, before, wanted.attributes)


def _index_steps(current: Index | None, wanted: Index) -> list[Action]:
    if current is None or current.type != wanted.type:
        settings = {key: value for key, value in wanted.settings.items() if value is not None}
        creation = Action(CREATE_INDEX, wanted.name, None, {"type": wanted.type, **settings})
        return [creation] if current is None else [_removal(current), creation]
    before = {key: current.settings.get(key) for key in wanted.settings}
    changed = [
        key
        for key, value in wanted.settings.items()
        if not same(wanted.type, key, before[key], value)
    ]
    return _modification(MODIFY_INDEX, wanted.name, changed, before, wanted.settings)


def _modification(
    action: str, subject: str, changed: list[str], before: Settings, after: Settings
) -> list[Action]:
    if not changed:
        return []
    return [
        Action(
            action,
            subject,
            {key: before[key] for key in changed},
            {key: after[key] for key in changed},
        )
    ]


def _all_bases(current: State, wanted: State) -> dict[str, list[str]]:
    """Return the bases of every index as they will be; indexes that go are not among them."""
    bases = {name: index.settings.get("bases") for name, index in current.indexes.items()}
    for name, index in wanted.indexes.items():
        there = current.indexes.get(name)
        kept = bases.pop(name, None) if there and there.type == index.type else None
        if not index.absent:
            bases[name] = index.settings.get("bases", kept)
    return {name: sorted(value or ()) for name, value in bases.items()}


def _bases_first(bases: Mapping[str, list[str]], declared: t.Collection[str]) -> list[str]:
    """Return the declared names, each after the bases it rests on, directly or not.

    A circle is an error if a declared index is part of it: devpi itself takes one.
    """
    order: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        circle = path[path.index(name) :] if name in path else ()
        if any(member in declared for member in circle):
            way = " -> ".join((*circle, name))
            wrong = f"its bases lead back to it ({way})"
            raise InputError(f"indexes[{name!r}].bases", wrong, "Take one of these bases out")
        if name in order or circle:
            return
        for base in bases.get(name, ()):
            visit(base, (*path, name))
        order[name] = None

    for name in sorted(declared):
        visit(name, ())
    return [name for name in order if name in declared]
