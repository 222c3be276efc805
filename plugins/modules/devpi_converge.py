#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring many users and indexes of a devpi to their state in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_converge
short_description: Bring all declared users and indexes of devpi to their state
version_added: 1.0.0
description:
  - Plans everything before the first change, in an order in which each step can be done. A circle
    of bases, a base or a user that
    is missing, and packages that would be lost are errors of the plan.
  - What is not declared stays as it is.
  - Asks once for all users and indexes, and once for each user whose password is given.
author:
  - thinkube.devpi contributors (@thinkube)
extends_documentation_fragment:
  - thinkube.devpi.connection
  - thinkube.devpi.connection.changes
seealso:
  - module: thinkube.devpi.devpi_user
  - module: thinkube.devpi.devpi_index
options:
  users:
    description:
      - Users by name. Keys of a user are V(email), V(title), V(description), V(custom_data),
        V(update_password) and V(state), as
        M(thinkube.devpi.devpi_user) has them.
    type: dict
    default: {}
  passwords:
    description: Passwords of users, by name.
    type: dict
    default: {}
  indexes:
    description:
      - Indexes by V(user/index). Keys of an index are V(type) (V(stage) unless given), V(state),
        V(remove_packages), V(plugin_settings)
        and the settings, as M(thinkube.devpi.devpi_index) has them. A value of null removes a
          setting.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Have a team with its index
  thinkube.devpi.devpi_converge:
    url: https://devpi-api.example.com
    login_password: "{{ vault_devpi_root_password }}"
    users:
      team-a: {email: team-a@example.com}
    passwords:
      team-a: "{{ vault_devpi_team_a_password }}"
    indexes:
      team-a/dev: {bases: [team-a/stable]}
      team-a/stable: {bases: [root/pypi], volatile: false}
"""

RETURN = r"""
steps:
  description: What was done, or would be in check mode, in this order.
  returned: success
  type: list
  elements: dict
  sample:
    - action: create_index
      subject: team-a/stable
      before: null
      after: {type: stage, bases: [root/pypi], volatile: false}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.model import (
    declared_passwords,
    declared_state,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi_module import (
    connect,
    converge,
    run,
)


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Plan all users and indexes, and do it."""
    options = module.params
    wanted = declared_state({"users": options["users"], "indexes": options["indexes"]})
    passwords = declared_passwords(options["passwords"], wanted)
    return converge(module, connect(module), wanted, passwords)


def main() -> None:
    """Entry point of the module."""
    spec = {
        "users": {"type": "dict", "default": {}},
        "passwords": {"type": "dict", "default": {}, "no_log": True},
        "indexes": {"type": "dict", "default": {}},
    }
    run(work, spec)


if __name__ == "__main__":
    main()
