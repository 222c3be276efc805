#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make, derive or remove a token of devpi-tokens."""

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_token
short_description: Make or remove tokens of devpi users
version_added: 1.0.0
description:
  - Makes sure that a user has a token with exactly these restrictions. Its value is returned when
    it is made, and never again.
  - Since that value is a secret, the module refuses to make one in a task without C(no_log).
  - A token that expires within O(renew_days) is not counted, so that a new one is made in time;
    the old one stays until it expires.
author:
  - thinkube.devpi contributors (@thinkube)
extends_documentation_fragment:
  - thinkube.devpi.connection
  - thinkube.devpi.connection.changes
attributes:
  idempotent:
    description: Except with O(derive_from), which only computes.
    support: partial
requirements:
  - devpi-tokens (on the server)
seealso:
  - module: thinkube.devpi.devpi_info
options:
  user:
    description: User whose tokens are meant; else O(login_user).
    type: str
  state:
    description: Whether there shall be such a token.
    type: str
    choices: [present, absent]
    default: present
  id:
    description:
      - The only token to remove, as M(thinkube.devpi.devpi_info) lists it.
      - Without it O(state=absent) removes all tokens with exactly these restrictions.
    type: str
  derive_from:
    description:
      - A token. The result is one that may do the same within the restrictions given here.
      - This is computed without the server, so it changes nothing.
    type: str
  allowed:
    description:
      - Permissions, of V(pkg_read), V(upload), V(toxresult_upload), V(del_entry), V(del_project),
        V(del_verdata), V(index_create), V(index_modify) and V(index_delete). All unless given.
    type: list
    elements: str
    default: []
  indexes:
    description: Indexes, V(user/index), that it is good for. All unless given.
    type: list
    elements: str
    default: []
  projects:
    description: Projects that it is good for. All unless given.
    type: list
    elements: str
    default: []
  lifetime_days:
    description: Days that a new token is good for. 0 means for ever, which only root may give.
    type: int
    default: 365
  renew_days:
    description: Days before its end at which a token is taken for too old.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Have a token for uploads
  thinkube.devpi.devpi_token:
    url: https://devpi-api.example.com
    login_password: "{{ vault_devpi_root_password }}"
    user: ci
    allowed: [upload]
    indexes: [root/dev]
  register: token
  no_log: true

- name: Keep it, if it is new
  ansible.builtin.copy:
    content: "{{ token.token }}"
    dest: /etc/ci/devpi-token
    mode: "0600"
  when: token is changed
  no_log: true

- name: Remove it
  thinkube.devpi.devpi_token:
    url: https://devpi-api.example.com
    login_password: "{{ vault_devpi_root_password }}"
    user: ci
    allowed: [upload]
    indexes: [root/dev]
    state: absent
"""

RETURN = r"""
token:
  description: The value of a token that was made or derived.
  returned: when one was made or derived
  type: str
  sample: devpi-...
ids:
  description: Ids of the tokens with these restrictions, before this call.
  returned: success, except with O(derive_from)
  type: list
  elements: str
  sample: [aVJkdKrw]
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.errors import InputError
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.tokens import (
    NEVER,
    create_token,
    delete_token,
    derive,
    limits_of,
    tokens_of,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi_module import (
    connect,
    run,
)

if t.TYPE_CHECKING:
    Result = dict[str, t.Any]
DAY = 24 * 60 * 60


def work(module: AnsibleModule) -> Result:
    """Do what the options say."""
    if module.params["state"] == "absent":
        return take_away(module)
    if not module.no_log:
        wrong = "the result of this task holds a secret, and would be printed"
        raise InputError("no_log of the task is not set", wrong, "Write 'no_log: true'")
    if module.params["derive_from"]:
        return derived(module)
    return made(module)


def expiry(module: AnsibleModule) -> int | None:
    """Return the end of a new token in seconds since 1970, None for one without end."""
    days = module.params["lifetime_days"]
    return int(time.time()) + days * DAY if days else None


def derived(module: AnsibleModule) -> Result:
    """Return a token with further restrictions."""
    expires = expiry(module)
    more = limits_of(module.params)
    if expires is not None:
        more["expires"] = str(expires)
    return {"changed": False, "token": derive(module.params["derive_from"], more)}


def made(module: AnsibleModule) -> Result:
    """Make a token, unless there is one that is good for long enough."""
    options = module.params
    user = options["user"] or options["login_user"]
    limits = limits_of(options)
    api = connect(module)
    late = time.time() + options["renew_days"] * DAY
    ids = [
        token.id
        for token in tokens_of(api, user)
        if token.limits() == limits
        and token.is_good_until(late)
        and (token.restrictions.get("expires") == NEVER) == (options["lifetime_days"] == 0)
    ]
    result: Result = {"changed": not ids, "ids": ids, "diff": difference(user, {}, {})}
    if ids:
        return result
    result["diff"] = difference(user, {}, {"token": limits})
    if not module.check_mode:
        result["token"] = create_token(api, user, limits, expiry(module))
    return result


def take_away(module: AnsibleModule) -> Result:
    """Remove the token of an id, or all with these restrictions."""
    options = module.params
    user = options["user"] or options["login_user"]
    limits = limits_of(options)
    api = connect(module)
    going = [
        token
        for token in tokens_of(api, user)
        if (token.id == options["id"] if options["id"] else token.limits() == limits)
    ]
    if not module.check_mode:
        for token in going:
            delete_token(api, user, token.id)
    return {
        "changed": bool(going),
        "ids": [token.id for token in going],
        "diff": difference(user, {token.id: dict(token.restrictions) for token in going}, {}),
    }


def difference(user: str, before: Result, after: Result) -> Result:
    """Return what changes in the list of a user's tokens; their values are no part of it."""
    header = f"tokens of {user}"
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def main() -> None:
    """Entry point of the module."""
    names = {"type": "list", "elements": "str", "default": []}
    spec = {
        "user": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "id": {"type": "str"},
        "derive_from": {"type": "str", "no_log": True},
        "allowed": names,
        "indexes": names,
        "projects": names,
        "lifetime_days": {"type": "int", "default": 365},
        "renew_days": {"type": "int", "default": 30},
    }
    run(work, spec, mutually_exclusive=[("id", "derive_from")])


if __name__ == "__main__":
    main()
