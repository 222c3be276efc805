#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring several files of a user's home to their state in one call, and undo that exactly."""

from __future__ import annotations

DOCUMENTATION = r"""
module: devpi_client_files
short_description: Write settings into a home so that they can be undone exactly
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
    suboptions: &files
      path:
        description: Path relative to O(home). Missing folders are made.
        type: str
        required: true
      instead:
        description: Path relative to O(home), taken instead where its folder is there.
        type: str
        default: ""
      only_with:
        description:
          - Programs, or paths relative to O(home); the file is wanted where one of them is there.
          - An empty list is no condition.
        type: list
        elements: str
        default: []
      form:
        description:
          - V(file) is all ours. What was there is kept in the record, a later edit beside the file.
          - V(once) is made where it is missing and then left alone.
          - V(block) is a marked block at the end.
          - V(ini) is some keys in sections, V(toml) some strings in tables.
        type: str
        choices: [file, once, block, ini, toml]
        default: file
      content:
        description: The text of a V(file), V(once) or V(block).
        type: str
        default: ""
      values:
        description:
          - Keys and values by section.
          - A list as the value of an V(ini) file's key is words that the key has to hold, with
            those that it has.
        type: dict
        default: {}
      mode:
        description: Mode in octal of a file that the module makes.
        type: str
        default: "0644"
  later:
    description:
      - Files of another record, which a later call brings to their state.
      - This call says whether they will change, and finds what stands in their way before it
        writes anything.
    type: dict
    suboptions:
      record:
        description: Path of that record, relative to O(home).
        type: str
        required: true
      files:
        description: All files of that record.
        type: list
        elements: dict
        default: []
        suboptions: *files
  programs:
    description: Programs that have to be there, else nothing is written.
    type: list
    elements: str
    default: []
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
        values:
          global:
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
later_changes:
  description: Whether a later call has something to do for O(later).
  returned: success
  type: bool
programs:
  description: The paths of O(programs).
  returned: success
  type: dict
  sample: {"python3": "/usr/bin/python3"}
rivals:
  description:
    - Those of O(rivals) with a line that matches O(rival_pattern), after both calls.
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
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.thinkube.devpi.plugins.module_utils._files import Wanted
from ansible_collections.thinkube.devpi.plugins.module_utils._home import (
    Change,
    Home,
    Record,
    carry_out,
    find_rivals,
    plan,
)

FILES: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "path": {"type": "str", "required": True},
        "instead": {"type": "str", "default": ""},
        "only_with": {"type": "list", "elements": "str", "default": []},
        "form": {
            "type": "str",
            "choices": ["file", "once", "block", "ini", "toml"],
            "default": "file",
        },
        "content": {"type": "str", "default": ""},
        "values": {"type": "dict", "default": {}},
        "mode": {"type": "str", "default": "0644"},
    },
}


class Plan(t.NamedTuple):
    """The files of one record: as it was, what is to change, and as it will be."""

    before: Record
    changes: list[Change]
    after: Record

    def changed(self) -> list[Change]:
        """Return the files that are not as they have to be."""
        return [change for change in self.changes if change.before != change.after]

    def changes_something(self) -> bool:
        """Tell whether there is something to do, folders included."""
        return bool(self.changed()) or self.before.directories != self.after.directories


def wanted_files(home: Home, files: list[dict[str, t.Any]]) -> list[Wanted]:
    """Read the module's list, without the files that this home has no use for.

    :raises ValueError: for a mode that is not octal
    """
    return [
        Wanted(
            path=os.path.normpath(place(home, file)),
            form=file["form"],
            content=file["content"],
            values=file["values"],
            mode=int(file["mode"], 8),
        )
        for file in files
        if home.is_used(file["only_with"])
    ]


def place(home: Home, file: dict[str, t.Any]) -> str:
    """Return which of its two paths a file has here."""
    instead = str(file["instead"])
    return instead if instead and home.has(str(Path(instead).parent)) else str(file["path"])


def plan_files(
    home: Home, record: str, files: list[dict[str, t.Any]], directories: list[str]
) -> Plan:
    """Read and plan one record.

    :raises OSError: when something can't be read
    :raises ValueError: when an input or a file of the user's can't be understood
    """
    before = Record.parse(home.read(record, "file").text)
    return Plan(before, *plan(home, before, wanted_files(home, files), directories, record))


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Bring the files to their state.

    :raises OSError: when something can't be read or written
    :raises ValueError: when an input or a file of the user's can't be understood
    """
    options = module.params
    later = options["later"]
    home = Home(options["home"])
    home.check()
    programs = home.find_programs(options["programs"])
    now = plan_files(home, options["record"], options["files"], options["directories"])
    then = plan_files(home, later["record"], later["files"], []) if later else None
    seen = [*now.changes, *(then.changes if then else [])]
    result = {
        "changed": now.changes_something(),
        "later_changes": then is not None and then.changes_something(),
        "paths": [change.path for change in now.changed()],
        "missing": [path for path in options["expected"] if not home.has(path)],
        "programs": programs,
        "rivals": find_rivals(home, seen, options["rivals"], options["rival_pattern"]),
        "backups": [],
        "diff": [change.diff() for change in now.changed()],
    }
    if not module.check_mode:
        result["backups"] = carry_out(
            home, options["record"], now.changes, now.before, now.after, backup=module.backup_local
        )
    return result


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "home": {"type": "path", "required": True},
            "record": {"type": "str", "required": True},
            "directories": {"type": "list", "elements": "str", "default": []},
            "files": FILES,
            "later": {
                "type": "dict",
                "options": {"record": {"type": "str", "required": True}, "files": FILES},
            },
            "programs": {"type": "list", "elements": "str", "default": []},
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
