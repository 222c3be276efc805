# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's template engine without a play: a request a line on stdin, an answer a line on stdout.

What costs a second or more of each ``ansible-playbook`` is its start, and that of a module. Both
lines are JSON: ``{"files": [path, ...], "variables": {...}, "template": "..."}`` is answered by
``{"text": "..."}``, what the template gives, or ``{"failed": "..."}``. A later file wins over an
earlier one and the variables win over all, as extra vars do.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.vars.manager import VariableManager


def main() -> None:
    """Answer until there is no more request."""
    init_plugin_loader()
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=("localhost,",))
    usual = VariableManager(loader, inventory).get_vars(host=inventory.get_host("localhost"))
    for line in sys.stdin:
        print(json.dumps(answer(loader, usual, json.loads(line))), flush=True)


def answer(loader: DataLoader, usual: dict[str, Any], asked: dict[str, Any]) -> dict[str, str]:
    """The text, or what Ansible says is wrong."""
    variables = dict(usual)
    for path in asked["files"]:
        variables |= loader.load_from_file(path, trusted_as_template=True)
    variables |= loader.load(trust_as_template(json.dumps(asked["variables"])))
    try:
        text = Templar(loader, variables).template(trust_as_template(asked["template"]))
    except AnsibleError as why:
        return {"failed": str(why)}
    return {"text": str(text)}


if __name__ == "__main__":
    main()
