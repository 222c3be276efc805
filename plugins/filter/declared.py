# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory declares, checked by the same code that brings it to a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.errors import (
    InputError,
    without_credentials,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.model import (
    Index,
    State,
    User,
    declared_passwords,
    declared_state,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.plan import plan

DOCUMENTATION = r"""
name: declared
short_description: Take a declaration of users and indexes apart and check it
version_added: 1.0.0
description:
  - Takes the passwords out of a declaration, since what is left of it can be read by others.
  - Checks everything that can be known without a server.
author:
  - thinkube.devpi contributors (@thinkube)
positional: indexes
options:
  _input:
    description: Users by name, as O(thinkube.devpi.devpi_converge#module:users) takes them, but
      with V(password) beside the rest.
    type: dict
    required: true
  indexes:
    description: Indexes by V(user/index), as O(thinkube.devpi.devpi_converge#module:indexes) takes
      them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Check a declaration
  ansible.builtin.assert:
    that: problem == ''
    fail_msg: "{{ problem }}"
  vars:
    problem: "{{ (devpi_users | thinkube.devpi.declared(devpi_indexes)).problem }}"
"""

RETURN = r"""
_value:
  description:
    - V(users) and V(indexes) are the declaration without passwords.
    - V(passwords) are these by user.
    - V(problem) is a sentence about the first thing that is wrong; else empty.
  type: dict
"""


def declared(users: Any, indexes: Any) -> dict[str, Any]:
    """Return the parts of a declaration and what is wrong with it."""
    given: dict[str, Any] = json.loads(json.dumps({"users": users, "indexes": indexes}))
    passwords = {}
    if isinstance(given["users"], dict):
        for name, user in given["users"].items():
            if isinstance(user, dict) and "password" in user:
                passwords[name] = user.pop("password")
    problem = ""
    try:
        check(given, passwords)
    except InputError as error:
        problem = str(error)
    return {**given, "passwords": passwords, "problem": problem}


def check(given: dict[str, Any], passwords: dict[str, Any]) -> None:
    """Raise InputError for what is wrong wherever it is brought to.

    What the declaration does not speak of may be on the server, so it is taken as being there.
    """
    state = declared_state(given)
    declared_passwords(passwords, state)
    for name, index in state.indexes.items():
        url = index.settings.get("mirror_url") or ""
        if without_credentials(url) != url:
            raise InputError(
                f"indexes[{name!r}].mirror_url is {url!r}",
                "it holds a login, and declarations can be read by others",
                "Make this index by the module devpi_index, and know that devpi shows its settings",
            )
    present = [index for index in state.indexes.values() if not index.absent]
    bases = {base for index in present for base in index.settings.get("bases", ())}
    there = {base: Index(base) for base in bases - state.indexes.keys()}
    there.update({index.name: Index(index.name, index.type) for index in present})
    plan(State({index.owner: User(index.owner) for index in present}, there), state)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"declared": declared}
