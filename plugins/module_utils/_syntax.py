# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a settings file can be read: by us before we change it, and by its tool afterwards.

PRIVATE to the collection.
"""

from __future__ import annotations

import configparser

try:
    import tomllib
except ImportError:
    tomllib = None  # type: ignore[assignment]

from ansible_collections.thinkube.devpi.plugins.module_utils._files import Found, Wanted


def check(wanted: Wanted, found: Found, after: str) -> None:
    """See that what is there can be understood, and that our settings can stand beside it.

    TOML is read where Python can (3.11 and newer).

    :raises ValueError: naming the file, the error, and what to do
    """
    if wanted.form == "ini":
        error = _ini_error(found.text or "")
    elif wanted.path.endswith(".toml"):
        error = _toml_error(found.text or "")
    else:
        return
    if error:
        raise ValueError(
            f"{wanted.path} has an error, correct it first; nothing was written. {error}"
        )
    if wanted.path.endswith(".toml") and (error := _toml_error(after)):
        raise ValueError(
            f"{wanted.path} says the same as our settings in another form: take that out, or leave "
            f"this tool out; nothing was written. {error}"
        )


def _ini_error(text: str) -> str:
    try:
        configparser.RawConfigParser().read_string(text)
    except configparser.MissingSectionHeaderError as error:
        return f"Line {error.lineno} comes before the first section."
    except configparser.ParsingError as error:
        # Python's own words quote the line, which may hold a password.
        lines = ", ".join(str(number) for number, _line in error.errors)
        return f"No key with a value: line {lines}."
    except configparser.Error as error:
        return str(error)
    return ""


def _toml_error(text: str) -> str:
    if tomllib is None:
        return ""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return str(error)
    return ""
