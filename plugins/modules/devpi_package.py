#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring a release to an index, or take it away."""

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_package
short_description: Upload, push or remove releases of devpi
version_added: 1.0.0
description:
  - Uploads a file, or all wheels and source archives of a folder. What the index has with the same
    SHA-256 is left alone.
  - Or has the server push a release from another index.
  - All files are compared before the first is sent. Other content under a name that an index has
    is an error, unless the index is volatile.
author:
  - thinkube.devpi contributors (@thinkube)
extends_documentation_fragment:
  - thinkube.devpi.connection
  - thinkube.devpi.connection.changes
notes:
  - A file is held in memory while it is sent.
seealso:
  - module: thinkube.devpi.devpi_index
options:
  index:
    description: The index that is changed, with its user, such as V(root/stable).
    type: str
    required: true
  state:
    description: Whether the release shall be there.
    type: str
    choices: [present, absent]
    default: present
  path:
    description: A wheel or source archive to upload, or a folder with some, on the task's host.
    type: path
  source:
    description: The index to push O(name) O(version) from, instead of uploading O(path).
    type: str
  name:
    description: The project to push or to remove.
    type: str
  version:
    description: The version to push or to remove.
    type: str
  force:
    description: Remove the version from an index that is not volatile too.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Publish what was built
  thinkube.devpi.devpi_package:
    url: https://devpi-api.example.com
    login_user: ci
    login_token: "{{ vault_devpi_ci_token }}"
    index: root/dev
    path: dist/

- name: Release it
  thinkube.devpi.devpi_package:
    url: https://devpi-api.example.com
    login_password: "{{ vault_devpi_root_password }}"
    index: root/stable
    source: root/dev
    name: example
    version: "1.2.0"

- name: Take a version back
  thinkube.devpi.devpi_package:
    url: https://devpi-api.example.com
    login_password: "{{ vault_devpi_root_password }}"
    index: root/dev
    name: example
    version: "1.1.0"
    state: absent
"""

RETURN = r"""
files:
  description: Names of the files that were uploaded, pushed or removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [example-1.2.0-py3-none-any.whl]
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.api import Api
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.distributions import (
    find_distributions,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.model import check_index_name
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.packages import (
    check_removal,
    files_of,
    push,
    remove,
    to_push,
    to_upload,
    upload,
    writable,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi_module import (
    connect,
    run,
)

if t.TYPE_CHECKING:
    Result = dict[str, t.Any]


def work(module: AnsibleModule) -> Result:
    """Do what the options say."""
    options = module.params
    check_index_name("index", options["index"])
    if options["state"] == "absent":
        return take_away(module, connect(module))
    if options["source"]:
        check_index_name("source", options["source"])
        return push_release(module, connect(module))
    return send_files(module)


def send_files(module: AnsibleModule) -> Result:
    """Upload what the index does not have."""
    found = find_distributions(Path(module.params["path"]))
    api = connect(module)
    index = writable(api, module.params["index"])
    wanted = to_upload(api, index, found)
    if not module.check_mode:
        for distribution in wanted:
            upload(api, index, distribution)
    return outcome(index.name, {}, {item.name: item.sha256 for item in wanted})


def push_release(module: AnsibleModule, api: Api) -> Result:
    """Have the server copy a release, if files of it are missing."""
    options = module.params
    index = writable(api, options["index"])
    release = (options["source"], options["name"], options["version"])
    wanted = to_push(api, index, *release)
    if wanted and not module.check_mode:
        push(api, index, *release)
    return outcome(index.name, {}, {file.name: file.sha256 for file in wanted})


def take_away(module: AnsibleModule, api: Api) -> Result:
    """Remove a version, if it is there."""
    project, version = module.params["name"], module.params["version"]
    index = writable(api, module.params["index"])
    there = files_of(api, index.name, project)
    files = {name: file.sha256 for name, file in there.items() if file.version == version}
    if files:
        check_removal(index, force=module.params["force"])
        if not module.check_mode:
            remove(api, index, project, version)
    return outcome(index.name, files, {})


def outcome(index: str, before: dict[str, str], after: dict[str, str]) -> Result:
    """Return the result; files that stay as they are are in neither list."""
    return {
        "changed": bool(before or after),
        "files": sorted({**before, **after}),
        "diff": {"before_header": index, "after_header": index, "before": before, "after": after},
    }


def main() -> None:
    """Entry point of the module."""
    spec = {
        "index": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "path": {"type": "path"},
        "source": {"type": "str"},
        "name": {"type": "str"},
        "version": {"type": "str"},
        "force": {"type": "bool", "default": False},
    }
    run(
        work,
        spec,
        mutually_exclusive=[("path", "source"), ("path", "name")],
        required_if=[
            ("state", "present", ("path", "source"), True),
            ("state", "absent", ("name", "version")),
        ],
        required_by={"source": ("name", "version")},
    )


if __name__ == "__main__":
    main()
