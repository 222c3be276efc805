#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring one user of a devpi to its state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_user
short_description: Create, change or remove a user of devpi
version_added: 1.0.0
description:
  - What is not given stays as it is.
  - Removing a user who has indexes is refused.
author:
  - thinkube.devpi contributors (@thinkube)
extends_documentation_fragment:
  - thinkube.devpi.connection
  - thinkube.devpi.connection.changes
seealso:
  - module: thinkube.devpi.devpi_index
  - module: thinkube.devpi.devpi_converge
options:
  name:
    description: Name of the user.
    type: str
    required: true
  state:
    description: Whether the user shall be there.
    type: str
    choices: [present, absent]
    default: present
  password:
    description: Password of the user. One who is made without a password can't log in.
    type: str
  update_password:
    description: V(always) gives the password whenever it is another one, V(on_create) only to a new
      user.
    type: str
    choices: [always, on_create]
    default: always
  email:
    description: E-mail address; an empty text removes it.
    type: str
  title:
    description: Title; an empty text removes it.
    type: str
  description:
    description: Description; an empty text removes it.
    type: str
  custom_data:
    description: Anything of your own that JSON can hold.
    type: raw
"""

EXAMPLES = r"""
- name: Have an uploader
  thinkube.devpi.devpi_user:
    url: https://devpi-api.example.com
    login_password: "{{ vault_devpi_root_password }}"
    name: ci
    password: "{{ vault_devpi_ci_password }}"
    email: ci@example.com

- name: Remove somebody
  thinkube.devpi.devpi_user:
    url: https://devpi-api.example.com
    login_password: "{{ vault_devpi_root_password }}"
    name: ann
    state: absent
"""

RETURN = r"""
steps:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample:
    - action: modify_user
      subject: ci
      before: {email: null}
      after: {email: ci@example.com}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.errors import InputError
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.model import (
    USER_ATTRIBUTES,
    State,
    declared_user,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi_module import (
    connect,
    converge,
    run,
)


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Plan one user, and do it."""
    options = module.params
    name = options["name"]
    about = ("state", "update_password", *USER_ATTRIBUTES)
    given = {key: options[key] for key in about if options[key] is not None}
    wanted = State({name: declared_user("user", name, given)})
    password = options["password"]
    if password == "":
        raise InputError(f"password of {name!r}", "it is empty", "Write one, or leave it out")
    present = options["state"] == "present"
    passwords = {name: password} if password is not None and present else {}
    return converge(module, connect(module), wanted, passwords)


def main() -> None:
    """Entry point of the module."""
    spec = {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "password": {"type": "str", "no_log": True},
        "update_password": {
            "type": "str",
            "choices": ["always", "on_create"],
            "default": "always",
            "no_log": False,
        },
        "email": {"type": "str"},
        "title": {"type": "str"},
        "description": {"type": "str"},
        "custom_data": {"type": "raw"},
    }
    run(work, spec)


if __name__ == "__main__":
    main()
