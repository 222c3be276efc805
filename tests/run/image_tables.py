# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of variables in ``docs/image.md``, from what the image itself knows of them."""

from __future__ import annotations

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs/image.md"
BEGIN = "<!-- variables of the image, written by `make role-tables` -->"
END = "<!-- end of variables -->"

sys.path.insert(0, str(CHECKOUT / "roles/devpi_image/files/image"))

from devpi_image import variables  # noqa: E402
from devpi_image.defaults import SERVER_DEFAULTS  # noqa: E402
from devpi_image.options import TABLE, Option, variable  # noqa: E402

OWN = {
    "First start": variables.FIRST_START,
    "Standalone": variables.STANDALONE,
    "Running": variables.RUNNING,
    "nginx": variables.FRONT,
}
# Among the image's own, with all the names that they go by.
ELSEWHERE = {"root-passwd", "root-passwd-hash"}


def with_tables(text: str) -> str:
    """The page with the tables between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{own_table()}\n{option_table()}{END}{rest.partition(END)[2]}"


def own_table() -> str:
    """What the image reads besides devpi's options; Markdown."""
    rows = [
        f"| {part} | `{name}` | {meaning} |"
        for part, names in OWN.items()
        for name, meaning in names.items()
    ]
    return "\n".join(["| part | variable | meaning (default) |", "| --- | --- | --- |", *rows, ""])


def option_table() -> str:
    """devpi's options, with what the image changes; Markdown."""
    rows = [
        f"| `{variable(name)}` | {option.kind} | {default(name, option)} | {meaning(option)} |"
        for name, option in TABLE.items()
        if name not in ELSEWHERE
    ]
    head = ["| devpi's variable | kind | default | meaning, and who reads it |"]
    return "\n".join([*head, "| --- | --- | --- | --- |", *rows, ""])


def default(name: str, option: Option) -> str:
    """What it is without a word about it; the image's own choice with devpi's behind it."""
    given = "" if option.default in (None, "") else f"`{option.default}`"
    if name == "serverdir":
        return "where data are"
    ours = SERVER_DEFAULTS.get(name)
    return f"`{ours}` (devpi: {given or 'none'})" if ours else given


def meaning(option: Option) -> str:
    """devpi's own words, and its programs if devpi-server is not among them."""
    commands = "" if "devpi-server" in option.commands else f" ({', '.join(option.commands)})"
    return f"{option.help}{commands}".replace("|", "\\|") or "not shown by devpi's help"


def main() -> None:
    """Write the page."""
    PAGE.write_text(with_tables(PAGE.read_text()))


if __name__ == "__main__":
    main()
