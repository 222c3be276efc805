#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read what a devpi has."""

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_info
short_description: Read users, indexes, releases and tokens of devpi
version_added: 1.0.0
description:
  - Without a login it reads what everybody may read.
author:
  - thinkube.devpi contributors (@thinkube)
extends_documentation_fragment:
  - thinkube.devpi.connection
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: Changes nothing.
    support: N/A
  action_group:
    description: Use C(group/thinkube.devpi.devpi) in C(module_defaults) for its options.
    support: full
    membership:
      - thinkube.devpi.devpi
seealso:
  - module: thinkube.devpi.devpi_converge
options:
  index:
    description: Index, V(user/index), to look for O(project) on.
    type: str
  project:
    description: Project whose releases are read.
    type: str
  bases:
    description: Read the releases on the bases of O(index) too.
    type: bool
    default: false
  tokens_of:
    description: User whose tokens are listed, without their values. Needs a login of root.
    type: str
"""

EXAMPLES = r"""
- name: Look at the server
  thinkube.devpi.devpi_info:
    url: https://devpi-api.example.com
  register: devpi

- name: Look for the releases of a project
  thinkube.devpi.devpi_info:
    url: https://devpi-api.example.com
    index: root/stable
    project: example
  register: devpi
"""

RETURN = r"""
server:
  description: The server.
  returned: success
  type: dict
  contains:
    version:
      description: Its version.
      type: str
      sample: 6.20.3
    features:
      description: What it can do, in its words.
      type: list
      elements: str
    user:
      description: Who is logged in; empty for nobody.
      type: str
users:
  description: Attributes of all users, by name.
  returned: success
  type: dict
  sample: {root: {}}
indexes:
  description: Settings of all indexes, by C(user/index), in the words of devpi 6.
  returned: success
  type: dict
  sample: {root/stable: {type: stage, bases: [root/pypi], volatile: false}}
releases:
  description: Files of O(project) by version, each with C(name), C(sha256) and C(url).
  returned: with O(project)
  type: dict
  sample: {"1.0": [{name: example-1.0.tar.gz, sha256: 9f86d0818..., url: https://devpi-api...}]}
tokens:
  description: Restrictions of the tokens of O(tokens_of), by id.
  returned: with O(tokens_of)
  type: dict
  sample: {aVJkdKrw: {allowed: upload, expires: "1798761600"}}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.api import Api
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.errors import (
    without_credentials,
)
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.model import check_index_name
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.packages import files_of
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.tokens import tokens_of
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi_module import (
    connect,
    run,
)

if t.TYPE_CHECKING:
    Result = dict[str, t.Any]


def work(module: AnsibleModule) -> Result:
    """Read what the options ask for."""
    options = module.params
    if options["project"]:
        check_index_name("index", options["index"])
    api = connect(module)
    result: Result = {"changed": False, **everything(api)}
    if options["project"]:
        result["releases"] = releases(
            api, options["index"], options["project"], bases=options["bases"]
        )
    if options["tokens_of"]:
        tokens = tokens_of(api, options["tokens_of"])
        result["tokens"] = {token.id: dict(token.restrictions) for token in tokens}
    return result


def everything(api: Api) -> Result:
    """Return the server, its users and its indexes; logins in URLs are masked."""
    about = api.call("GET", "/+api")
    state = api.state()
    return {
        "server": {
            "version": api.server_version,
            "features": sorted(about["features"]),
            "user": about["authstatus"][1] or "",
        },
        "users": {name: dict(user.attributes) for name, user in state.users.items()},
        "indexes": {
            name: {
                "type": index.type,
                **{
                    key: without_credentials(value) if isinstance(value, str) else value
                    for key, value in index.settings.items()
                },
            }
            for name, index in state.indexes.items()
        },
    }


def releases(api: Api, index: str, project: str, *, bases: bool) -> dict[str, list[Result]]:
    """Return the files of a project by version."""
    result: dict[str, list[Result]] = {}
    for file in files_of(api, index, project, bases=bases).values():
        found = {"name": file.name, "sha256": file.sha256, "url": file.url}
        result.setdefault(file.version, []).append(found)
    return result


def main() -> None:
    """Entry point of the module."""
    spec = {
        "index": {"type": "str"},
        "project": {"type": "str"},
        "bases": {"type": "bool", "default": False},
        "tokens_of": {"type": "str", "no_log": False},
    }
    run(work, spec, required_by={"project": "index"})


if __name__ == "__main__":
    main()
