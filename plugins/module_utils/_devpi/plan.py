# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to do so that a server has what is declared. Pure: nothing here reads or writes.

PRIVATE to the collection. Only what is declared is touched; nothing is ever removed but a
setting that is declared as None.
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
ROTATE = "change_password"
CREATE_INDEX = "create_index"
MODIFY_INDEX = "modify_index"


@dataclass(frozen=True)
class Action:
    """One step: ``subject`` is a user's name or ``<user>/<index>``.

    ``before`` and ``after`` hold the keys that change and nothing else; ``before`` is None where
    the subject does not exist, a value of None stands for a key that is not set. Both are None
    for a password.
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


def plan(current: State, wanted: State) -> list[Action]:
    """Return the steps from ``current`` to ``wanted``, in an order in which each can be done.

    Users come first; an index comes after its bases, so that also on the way there is never a
    circle. Raises InputError if there is no such order, or a user, base or URL is missing.
    """
    for index in wanted.indexes.values():
        _check_index(index, current, wanted)
    order = _bases_first(_all_bases(current, wanted), wanted.indexes)
    steps = [
        *(_user_step(current.users.get(name), wanted.users[name]) for name in sorted(wanted.users)),
        *(_index_step(current.indexes.get(name), wanted.indexes[name]) for name in order),
    ]
    return [step for step in steps if step]


def _check_index(index: Index, current: State, wanted: State) -> None:
    given = f"indexes[{index.name!r}]"
    if index.owner not in current.users and index.owner not in wanted.users:
        wrong = f"the user {index.owner!r} is neither declared nor on the server"
        raise InputError(given, wrong, f"Declare {index.owner!r} among the users")
    for base in index.settings.get("bases", ()):
        if base not in current.indexes and base not in wanted.indexes:
            wrong = f"its base {base!r} is neither declared nor on the server"
            raise InputError(given, wrong, "Declare that index too, or correct its name")
    there = current.indexes.get(index.name)
    if there and there.type != index.type:
        wrong = f"it is of type {there.type!r} on the server, and devpi can't change a type"
        instead = f"Write 'type: {there.type}', or declare {index.type!r} under another name"
        raise InputError(f"{given}.type is {index.type!r}", wrong, instead)
    if not there and index.type == "mirror" and "mirror_url" not in index.settings:
        wrong = "a new mirror needs what it mirrors"
        raise InputError(given, wrong, "Add mirror_url, such as 'https://pypi.org/simple/'")


def _user_step(current: User | None, wanted: User) -> Action | None:
    if current is None:
        attributes = {key: value for key, value in wanted.attributes.items() if value is not None}
        return Action(CREATE_USER, wanted.name, None, attributes)
    before = {key: current.attributes.get(key) for key in wanted.attributes}
    changed = [key for key, value in wanted.attributes.items() if value != before[key]]
    return _modification(MODIFY_USER, wanted.name, changed, before, wanted.attributes)


def _index_step(current: Index | None, wanted: Index) -> Action | None:
    if current is None:
        settings = {key: value for key, value in wanted.settings.items() if value is not None}
        return Action(CREATE_INDEX, wanted.name, None, {"type": wanted.type, **settings})
    before = {key: current.settings.get(key) for key in wanted.settings}
    changed = [
        key
        for key, value in wanted.settings.items()
        if not same(wanted.type, key, before[key], value)
    ]
    return _modification(MODIFY_INDEX, wanted.name, changed, before, wanted.settings)


def _modification(
    action: str, subject: str, changed: list[str], before: Settings, after: Settings
) -> Action | None:
    if not changed:
        return None
    return Action(
        action, subject, {key: before[key] for key in changed}, {key: after[key] for key in changed}
    )


def _all_bases(current: State, wanted: State) -> dict[str, list[str]]:
    """Return the bases of every index as they will be."""
    bases = {name: index.settings.get("bases") for name, index in current.indexes.items()}
    for name, index in wanted.indexes.items():
        bases[name] = index.settings.get("bases", bases.get(name))
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
