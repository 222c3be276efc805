# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ansible.builtin.template without the copy of all variables that it makes for each file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: manifest_template
short_description: Contents of a template, for roles with many variables
version_added: 1.0.0
description:
  - Does what P(ansible.builtin.template#lookup) does with its default options.
  - That one copies all variables in depth, so that nothing in a template can change them. With the
    variables of a dozen roles this takes longer than the template. Here their names are copied
    and their values are not, since the templates of our roles only read.
author:
  - thinkube.devpi contributors (@thinkube)
options:
  _terms:
    description: Files below C(templates) of the role.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say what would be applied
  ansible.builtin.debug:
    msg: "{{ lookup('thinkube.devpi.manifest_template', 'service.yaml.j2') }}"
"""

RETURN = r"""
_raw:
  description: Their contents.
  type: list
  elements: str
"""

from typing import Any

from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase


class Variables(dict[str, Any]):
    """Variables whose copy, however deep it is asked for, has the same values."""

    def __deepcopy__(self, _memo: dict[int, Any]) -> dict[str, Any]:
        """A dictionary of its own with the values of this one."""
        return dict(self)


class LookupModule(LookupBase):  # type: ignore[misc]
    """Asks Ansible's own lookup."""

    def run(
        self, terms: list[str], variables: dict[str, Any] | None = None, **_kwargs: Any
    ) -> list[str]:
        """The contents."""
        template = lookup_loader.get(
            "ansible.builtin.template", loader=self._loader, templar=self._templar
        )
        contents: list[str] = template.run(terms, Variables(variables or {}))
        return contents
