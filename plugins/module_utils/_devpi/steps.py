# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a declaration to a server that has it: ask, plan, do.

PRIVATE to the collection. Modules and the init Job come through here.
"""

from __future__ import annotations

import typing as t

from .errors import DevpiError
from .plan import CREATE_USER, ROTATE, Action, plan, removed

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .api import Api
    from .model import State


def find_steps(
    api: Api, wanted: State, passwords: Mapping[str, str], current: State | None = None
) -> list[Action]:
    """Return what is to do so that the server has the declared state and passwords. Only reads.

    One request for all users and indexes, unless who calls has just made it; one for each index
    that shall go, and one login for each password of a user who is there.
    """
    current = api.state() if current is None else current
    going = removed(current, wanted)
    # A mirror would list all of the index that it mirrors; and where leave is given none is asked.
    asked = [
        index.name
        for index in going
        if current.indexes[index.name].type != "mirror" and not index.may_lose_packages
    ]
    steps = plan(current, wanted, [name for name in asked if api.has_packages(name)])
    created = {step.subject for step in steps if step.action == CREATE_USER}
    for name in sorted(passwords.keys() - created):
        if not wanted.users[name].password_once and not api.accepts(name, passwords[name]):
            steps.append(Action(ROTATE, name, None, None))
    return steps


def bring(
    api: Api,
    wanted: State,
    passwords: Mapping[str, str],
    steps: list[Action],
    tell: Callable[[str], None] | None = None,
) -> None:
    """Do the steps, telling each, and make sure that nothing of them is left to do."""
    for step in steps:
        api.carry_out(step, passwords)
        if tell:
            tell(str(step))
    if not steps:
        return
    touched = {step.subject for step in steps}
    proved = {name: word for name, word in passwords.items() if name in touched}
    left = find_steps(api, wanted, proved)
    if left:
        raise DevpiError(f"The server took every step, and yet has to be changed: {left[0]}.")
