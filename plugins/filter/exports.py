# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Environment variables in the language of a shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

DOCUMENTATION = r"""
name: exports
short_description: Lines by which a shell exports environment variables
version_added: 1.0.0
description:
  - Quotes every value, so that none is taken for a command or a variable.
author:
  - thinkube.devpi contributors (@thinkube)
positional: shell
options:
  _input:
    description: Values by name.
    type: dict
    required: true
  shell:
    description: Whose language; V(sh) is that of bash and zsh too.
    type: str
    choices: [sh, fish]
    required: true
"""

EXAMPLES = r"""
- name: Show what fish is to source
  ansible.builtin.debug:
    msg: "{{ {'DEVPI_URL': 'https://devpi-api.example.com'} | thinkube.devpi.exports('fish') }}"
"""

RETURN = r"""
_value:
  description: One export a variable, in the order of their names; without a line end at the end.
  type: str
"""


def exports(variables: Mapping[str, str], shell: str) -> str:
    """``export NAME=value``, or ``set -gx NAME 'value'`` for fish."""
    line = {"sh": in_sh, "fish": in_fish}[shell]
    return "\n".join(line(name, value) for name, value in sorted(variables.items()))


def in_sh(name: str, value: str) -> str:
    """POSIX.1-2017, 2.2.2: nothing is special between single quotes."""
    return f"export {name}={shlex.quote(value)}"


def in_fish(name: str, value: str) -> str:
    r"""Between single quotes fish knows ``\\`` and ``\'`` ("The fish language", Quotes)."""
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


class FilterModule:
    """Hands the filter to Ansible."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file by name."""
        return {"exports": exports}
