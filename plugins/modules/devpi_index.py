#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring one index of a devpi to its state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_index
short_description: Create, change or remove an index of devpi
version_added: 1.0.0
description:
  - Settings that are not given stay as they are.
  - Bases that do not exist, a circle of bases, and packages that would be lost are errors before
    the first change.
author:
  - thinkube.devpi contributors (@thinkube)
extends_documentation_fragment:
  - thinkube.devpi.connection
  - thinkube.devpi.connection.changes
seealso:
  - module: thinkube.devpi.devpi_user
  - module: thinkube.devpi.devpi_converge
options:
  name:
    description: Name of the index with its user, such as V(root/stable).
    type: str
    required: true
  state:
    description: Whether the index shall be there.
    type: str
    choices: [present, absent]
    default: present
  type:
    description:
      - V(stage) is uploaded to, V(mirror) fetches from another index, V(constrained) is a stage
        that shows some versions only.
      - V(local) and V(remote) are the words of devpi 7 for the first two.
      - Without it, one that is there keeps its type, and a new one is a stage.
    type: str
    choices: [stage, mirror, constrained, local, remote]
  remove_packages:
    description:
      - Allow that packages are lost, by O(state=absent) or by another O(type), for which the index
        is made anew.
      - An index that holds none, and is no mirror, can be removed without it.
    type: bool
    default: false
  volatile:
    description: Allow that releases are overwritten and removed.
    type: bool
  title:
    description: Title; an empty text removes it.
    type: str
  description:
    description: Description; an empty text removes it.
    type: str
  custom_data:
    description: Anything of your own that JSON can hold.
    type: raw
  bases:
    description: Indexes whose packages are seen here too, in this order. Not for mirrors.
    type: list
    elements: str
  acl_upload:
    description: Users and groups who may upload; V(:ANONYMOUS:) and V(:AUTHENTICATED:) are
      everybody and everybody who is logged in.
    type: list
    elements: str
  acl_toxresult_upload:
    description: Users and groups who may upload results of tests.
    type: list
    elements: str
  mirror_whitelist:
    description:
      - Projects of which releases on a mirror among the bases are seen although the project is here
        too. V(*) means all.
    type: list
    elements: str
  mirror_whitelist_inheritance:
    description: How the lists of the bases come together.
    type: str
    choices: [intersection, union]
  constraints:
    description: Requirements, such as V(flask<3), that versions have to fulfil; V(*) hides all
      projects that are not named. For V(constrained).
    type: list
    elements: str
  mirror_url:
    description:
      - URL of the simple index that is mirrored.
      - devpi shows it to everybody who can read the index, a login in it too.
    type: str
    aliases: [remote_url]
  mirror_web_url_fmt:
    description: URL of a project's page, with V({name}) in it; an empty text removes it.
    type: str
    aliases: [remote_web_url_fmt]
  mirror_cache_expiry:
    description: Seconds after which the mirrored index is asked again.
    type: int
    aliases: [remote_refresh_delay]
  mirror_no_project_list:
    description: Do not ask the mirrored index for the list of all projects.
    type: bool
    aliases: [remote_no_project_list]
  mirror_use_external_urls:
    description: Send clients to the mirrored index for files instead of fetching them.
    type: bool
    aliases: [remote_use_external_urls]
  mirror_ignore_serial_header:
    description: Do not believe what the mirrored index says about its last change. Not in devpi 7.
    type: bool
  mirror_provides_core_metadata:
    description:
      - Whether the mirrored index has core metadata (PEP 658) beside each wheel. Not in devpi 7.
      - If it lacks those of one wheel, uv and pip end with an error there.
    type: bool
  plugin_settings:
    description: Settings of plugins, which only the server knows.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Have an index for releases
  thinkube.devpi.devpi_index:
    url: https://devpi-api.example.com
    login_password: "{{ vault_devpi_root_password }}"
    name: root/stable
    bases: [root/pypi]
    volatile: false
    acl_upload: [ci]

- name: Mirror another index
  thinkube.devpi.devpi_index:
    url: https://devpi-api.example.com
    login_password: "{{ vault_devpi_root_password }}"
    name: root/pytorch
    type: mirror
    mirror_url: https://download.pytorch.org/whl/cpu/

- name: Remove an index with all of its packages
  thinkube.devpi.devpi_index:
    url: https://devpi-api.example.com
    login_password: "{{ vault_devpi_root_password }}"
    name: root/old
    state: absent
    remove_packages: true
"""

RETURN = r"""
steps:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample:
    - action: modify_index
      subject: root/stable
      before: {volatile: true}
      after: {volatile: false}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.model import (
    State,
    check_index_name,
    declared_index,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi_module import (
    connect,
    converge,
    run,
)

ABOUT: dict[str, dict[str, t.Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "type": {"type": "str", "choices": ["stage", "mirror", "constrained", "local", "remote"]},
    "remove_packages": {"type": "bool", "default": False},
    "plugin_settings": {"type": "dict", "default": {}},
}
SETTINGS: dict[str, dict[str, t.Any]] = {
    "volatile": {"type": "bool"},
    "title": {"type": "str"},
    "description": {"type": "str"},
    "custom_data": {"type": "raw"},
    "bases": {"type": "list", "elements": "str"},
    "acl_upload": {"type": "list", "elements": "str"},
    "acl_toxresult_upload": {"type": "list", "elements": "str"},
    "mirror_whitelist": {"type": "list", "elements": "str"},
    "mirror_whitelist_inheritance": {"type": "str", "choices": ["intersection", "union"]},
    "constraints": {"type": "list", "elements": "str"},
    "mirror_url": {"type": "str", "aliases": ["remote_url"]},
    "mirror_web_url_fmt": {"type": "str", "aliases": ["remote_web_url_fmt"]},
    "mirror_cache_expiry": {"type": "int", "aliases": ["remote_refresh_delay"]},
    "mirror_no_project_list": {"type": "bool", "aliases": ["remote_no_project_list"]},
    "mirror_use_external_urls": {"type": "bool", "aliases": ["remote_use_external_urls"]},
    "mirror_ignore_serial_header": {"type": "bool"},
    "mirror_provides_core_metadata": {"type": "bool"},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Plan one index, and do it."""
    options = module.params
    name = check_index_name("name", options["name"])
    given = {key: options[key] for key in (*ABOUT, *SETTINGS) if options[key] is not None}
    api = connect(module)
    current = api.state()
    there = current.indexes.get(name)
    given.setdefault("type", there.type if there else "stage")
    wanted = State(indexes={name: declared_index("index", name, given)})
    return converge(module, api, wanted, {}, current)


def main() -> None:
    """Entry point of the module."""
    spec = {"name": {"type": "str", "required": True}, **ABOUT, **SETTINGS}
    run(work, spec)


if __name__ == "__main__":
    main()
