# SPDX-License-Identifier: GPL-3.0-or-later
"""``python tests/run/role_tables.py``: write each role's table of variables into its README.

The tables come from ``meta/argument_specs.yml`` and stand between two marks; a unit test holds that
they are up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
BEGIN = "<!-- variables, written by `make role-tables` -->"
END = "<!-- end of variables -->"


def with_table(text: str, options: dict[str, Any]) -> str:
    """A README with the table of these options between its marks, or at its end."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2] or "\n"
    if not rest:
        before = before.rstrip() + "\n\n## Variables\n\n"
    return f"{before}{BEGIN}\n{table(options)}{END}{after}"


def table(options: dict[str, Any]) -> str:
    """Markdown; one row a variable, in the order of the specification."""
    rows = ["| variable | type | default | |", "| --- | --- | --- | --- |"]
    for name, option in options.items():
        description = option["description"]
        sentences = description if isinstance(description, list) else [description]
        cells = [f"`{name}`", kind(option), default(option), " ".join(map(plain, sentences))]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def kind(option: dict[str, Any]) -> str:
    """`list of str`, `str: present, absent`, ..."""
    name = str(option["type"])
    if "elements" in option:
        name += f" of {option['elements']}"
    return name + (": " + ", ".join(map(str, option["choices"])) if "choices" in option else "")


def default(option: dict[str, Any]) -> str:
    """The default as YAML writes it; required inputs have none."""
    if "default" not in option:
        return "*required*" if option.get("required") else ""
    written = yaml.safe_dump(option["default"], default_flow_style=True, width=10_000)
    return f"`{written.removesuffix('...' + chr(10)).strip()}`"


def plain(sentence: str) -> str:
    """Ansible's markup as Markdown: C(x), O(x), E(x) become code."""
    for mark in ("C(", "O(", "E("):
        while mark in sentence:
            head, _, tail = sentence.partition(mark)
            inside, _, rest = tail.partition(")")
            sentence = f"{head}`{inside}`{rest}"
    return sentence


def main() -> int:
    """Write all READMEs."""
    for readme in sorted(ROLES.glob("*/README.md")):
        specs = yaml.safe_load((readme.parent / "meta/argument_specs.yml").read_text())
        options = specs["argument_specs"]["main"].get("options", {})
        readme.write_text(with_table(readme.read_text(), options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
