#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring several files of a user's home to their state in one call, and undo that exactly."""

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_client_files
short_description: Write settings into a user's home so that they can be undone exactly
version_added: 1.0.0
description:
  - Brings several files of one home to their state in one call.
  - A record in the home remembers how each file was. A file that is no longer listed becomes what
    it was before, with the changes that its owner made since.
  - An empty list undoes everything, folders included.
author:
  - thinkube.devpi contributors (@thinkube)
options:
  home:
    description: The home, which has to be there. Files belong to the user that the task runs as.
    type: path
    required: true
  record:
    description: Path of the record, relative to O(home). Every list of files has one of its own.
    type: str
    required: true
  directories:
    description:
      - Folders that something else writes into, relative to O(home).
      - They are removed again when they are empty.
    type: list
    elements: str
    default: []
  files:
    description: All files of this record.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path relative to O(home). Missing folders are made.
        type: str
        required: true
      form:
        description:
          - V(file) is all ours. What was there is kept in the record, a later edit beside the file.
          - V(once) is made where it is missing and then left alone.
          - V(block) is a marked block at the end.
          - V(ini) is some keys in one section.
        type: str
        choices: [file, once, block, ini]
        default: file
      content:
        description: The text of a V(file), V(once) or V(block).
        type: str
        default: ""
      section:
        description: The section of an V(ini) file.
        type: str
        default: ""
      values:
        description: Keys and values of that section.
        type: dict
        default: {}
      mode:
        description: Mode in octal of a file that the module makes.
        type: str
        default: "0644"
  expected:
    description:
      - Paths or patterns, relative to O(home), of what something else makes.
      - Asking here saves a task for each.
    type: list
    elements: str
    default: []
  rivals:
    description: Files, relative to O(home), that are only looked into.
    type: list
    elements: str
    default: []
  rival_pattern:
    description: Regular expression for lines of O(rivals) that work against these settings.
    type: str
    default: ""
attributes:
  check_mode:
    description: Predicts everything and writes nothing.
    support: full
  diff_mode:
    description: Shows each file; credentials in URLs are masked.
    support: full
"""

EXAMPLES = r"""
- name: Point pip at an index
  thinkube.devpi.devpi_client_files:
    home: /home/alice
    record: .local/share/example/files.json
    files:
      - path: .config/pip/pip.conf
        form: ini
        section: global
        values:
          index-url: https://devpi-api.example.com/root/stable/+simple/

- name: Undo it
  thinkube.devpi.devpi_client_files:
    home: /home/alice
    record: .local/share/example/files.json
"""

RETURN = r"""
paths:
  description: The files that were changed, made or removed, relative to the home.
  returned: success
  type: list
  elements: str
  sample: [.config/pip/pip.conf]
missing:
  description: Those of O(expected) that match nothing, before this call.
  returned: success
  type: list
  elements: str
  sample: []
rivals:
  description: Those of O(rivals) with a line that matches O(rival_pattern), after this call.
  returned: success
  type: list
  elements: str
  sample: []
backups:
  description: Copies of files of ours that somebody had edited before they were overwritten.
  returned: success
  type: list
  elements: str
  sample: []
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.thinkube.devpi.plugins.module_utils._files import Wanted
from ansible_collections.thinkube.devpi.plugins.module_utils._home import (
    Home,
    Record,
    carry_out,
    find_rivals,
    plan,
)


def wanted_files(files: list[dict[str, t.Any]]) -> list[Wanted]:
    """Read the module's list.

    :raises ValueError: for a mode that is not octal
    """
    return [
        Wanted(
            path=os.path.normpath(file["path"]),
            form=file["form"],
            content=file["content"],
            section=file["section"],
            values={key: str(value) for key, value in file["values"].items()},
            mode=int(file["mode"], 8),
        )
        for file in files
    ]


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Bring the files to their state.

    :raises OSError: when something can't be read or written
    :raises ValueError: when an input or a file of the user's can't be understood
    """
    options = module.params
    home = Home(options["home"])
    home.check()
    record = Record.parse(home.read(options["record"], "file").text)
    changes, after = plan(
        home, record, wanted_files(options["files"]), options["directories"], options["record"]
    )
    changed = [change for change in changes if change.before != change.after]
    result = {
        "changed": bool(changed) or record.directories != after.directories,
        "paths": [change.path for change in changed],
        "missing": [path for path in options["expected"] if not home.has(path)],
        "rivals": find_rivals(home, changes, options["rivals"], options["rival_pattern"]),
        "backups": [],
        "diff": [change.diff() for change in changed],
    }
    if not module.check_mode:
        result["backups"] = carry_out(
            home, options["record"], changes, record, after, backup=module.backup_local
        )
    return result


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "home": {"type": "path", "required": True},
            "record": {"type": "str", "required": True},
            "directories": {"type": "list", "elements": "str", "default": []},
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "str", "required": True},
                    "form": {
                        "type": "str",
                        "choices": ["file", "once", "block", "ini"],
                        "default": "file",
                    },
                    "content": {"type": "str", "default": ""},
                    "section": {"type": "str", "default": ""},
                    "values": {"type": "dict", "default": {}},
                    "mode": {"type": "str", "default": "0644"},
                },
            },
            "expected": {"type": "list", "elements": "str", "default": []},
            "rivals": {"type": "list", "elements": "str", "default": []},
            "rival_pattern": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (OSError, ValueError) as error:
        module.fail_json(
            msg=f"The files of {module.params['home']} are not in their state. {error}"
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
