# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of devpi's programs: their table, and reading them from arguments. Pure.

The table (`options.json`) is written by `describe` from devpi's own parsers.
"""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from devpi_image.errors import Refused

PREFIX = "DEVPISERVER_"
# What devpi itself takes for true and false.
_TRUE = ("y", "yes", "t", "true", "on", "1")
_FALSE = ("n", "no", "f", "false", "off", "0")

# Programs of their own since devpi-server 6.0, and options that went without one.
_REPLACED = {
    "start": "It runs in the foreground here; leave the option out.",
    "stop": "Stop the container instead.",
    "status": "Run 'devpi-entrypoint health' in the container instead.",
    "init": "An empty server directory is initialised by itself; leave the option out.",
    "import": "Mount the export below /devpi-init.d, or run devpi-import.",
    "export": "Run 'devpi-export FOLDER' in the container instead.",
    "gen-config": "Run devpi-gen-config instead.",
    "passwd": "Run 'devpi-passwd root' in the container instead.",
    "bypass-cdn": "PyPI needs it no longer; leave the option out.",
    "replica-cert": "Give primary and replica the same DEVPISERVER_SECRETFILE instead.",
    "root-passwd": "Arguments are for all to read: use DEVPISERVER_ROOT_PASSWD_FILE.",
    "root-passwd-hash": "Arguments are for all to read: use DEVPISERVER_ROOT_PASSWD_HASH_FILE.",
}
# Gone without a loss: said, and left out.
WITHOUT_EFFECT = {"replica-max-retries": "number"}
RENAMED = {"master-url": "primary-url"}


@dataclass(frozen=True)
class Option:
    """One option: its `kind` is switch, number, text or list; `commands` are the programs."""

    kind: str
    default: str | int | None
    help: str
    commands: tuple[str, ...]
    choices: tuple[str, ...] = ()


def _table() -> dict[str, Option]:
    entries = json.loads(Path(__file__).with_name("options.json").read_text())
    return {
        name: Option(
            entry["kind"],
            entry["default"],
            entry["help"],
            tuple(entry["commands"]),
            tuple(entry.get("choices", ())),
        )
        for name, entry in entries.items()
    }


TABLE = _table()


def variable(name: str) -> str:
    """The environment variable of an option."""
    return PREFIX + name.replace("-", "_").upper()


def option(name: str) -> str:
    """The option that an environment variable sets."""
    return name.removeprefix(PREFIX).replace("_", "-").lower()


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that offers the known name nearest to one that isn't, or none."""
    found = difflib.get_close_matches(name, sorted(known), n=1)
    return f" Is {found[0]} meant?" if found else ""


def kind(name: str) -> str:
    return WITHOUT_EFFECT.get(name) or TABLE[name].kind


def switched(source: str, text: str) -> bool:
    """Whether a switch is on. Raises `Refused`, naming its `source`."""
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise Refused(f"{source} is '{text}'. Write true or false.")


def checked(name: str, source: str, text: str) -> str:
    """The value of an option, as devpi reads it. Raises `Refused`, naming its `source`."""
    if kind(name) == "switch":
        return "true" if switched(source, text) else "false"
    if kind(name) == "number" and not re.fullmatch("[0-9]+", text, re.ASCII):
        raise Refused(f"{source} is '{text}'. Write a whole number.")
    choices = TABLE[name].choices if name in TABLE else ()
    if choices and text not in choices:
        raise Refused(f"{source} is '{text}'. Write one of {', '.join(choices)}.")
    return text


def words(arguments: Iterable[str]) -> Iterator[str]:
    """The arguments, with those split that hold several words: compose's `["--port 8000"]`."""
    for argument in arguments:
        if re.match(r"--?[\w-]+\s", argument):
            yield from split("The arguments", argument)
        else:
            yield argument


def split(source: str, text: str) -> list[str]:
    """Words as a shell reads them, nothing in them replaced. Raises `Refused`."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Refused(f"{source} can't be split into words ({error}): {text}") from None


def parsed(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Names and values of options in their order; a switch has the value `true`.

    Raises `Refused` for what is no option of the server.
    """
    found = []
    left = list(words(arguments))
    while left:
        word = left.pop(0)
        given, equals, value = word.partition("=")
        name = _named("--configfile" if given == "-c" else given)
        if kind(name) == "switch":
            if equals:
                raise Refused(f"{given} takes no value, but was given '{value}'.")
            value = "true"
        elif not equals:
            if not left:
                raise Refused(f"{given} needs a value.")
            value = left.pop(0)
        found.append((name, value))
    return found


def _named(word: str) -> str:
    """The option that is meant, which may be shortened as long as it is clear."""
    name = word.removeprefix("--")
    if name == word:
        raise Refused(f"The argument '{word}' is no option. They begin with two dashes.")
    if name in _REPLACED:
        raise Refused(f"{word} is not taken. {_REPLACED[name]}")
    known = {*TABLE, *WITHOUT_EFFECT}
    if name in known:
        return name
    begins = [other for other in known if other.startswith(name)]
    if name and len(begins) == 1:
        return begins[0]
    raise Refused(
        f"{word} is no option of devpi-server.{nearest(word, (f'--{other}' for other in known))}"
    )
