# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints `options.json`: every option of the installed devpi programs, from their own parsers.

Run when the image is built, so that options of added plugins are known too, and by
`make image-options` for the copy that is kept beside this file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

# Asked for in passing; nothing that a container is configured with.
_ACTS = {"help", "version", "passwd"}
# It has each option of the server, and only prints them.
_ECHOES = {"devpi-gen-config"}
_SERVER = "devpi-server"


class _Parsed(Exception):
    """Carries a parser out of a program that is about to read its arguments."""


def main() -> None:
    """Write the table to standard output, stable from run to run."""
    json.dump(described(), sys.stdout, indent=1, sort_keys=True)
    print()


def described() -> dict[str, dict[str, Any]]:
    """By option name: `kind`, `default`, `help`, `choices` if it has some, and its `commands`."""
    options: dict[str, dict[str, Any]] = {}
    for command, parser in sorted(_parsers(), key=lambda entry: (entry[0] != _SERVER, entry[0])):
        for action in parser._actions:
            name = _long_name(action)
            if name is None or name in _ACTS:
                continue
            entry = options.setdefault(name, {**_described(action), "commands": []})
            entry["commands"].append(command)
    return options


def _parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for point in entry_points(group="console_scripts"):
        ours = point.dist and point.dist.name in ("devpi-server", "devpi-web")
        if ours and point.name not in _ECHOES:
            program = point.load()
            with contextlib.suppress(SystemExit), _caught(point.name) as caught:
                program()
            yield from ((point.name, parser) for parser in caught)


@contextlib.contextmanager
def _caught(command: str) -> Iterator[list[argparse.ArgumentParser]]:
    """Within it, the first parser that is to read arguments is caught instead."""
    caught: list[argparse.ArgumentParser] = []
    original, arguments = argparse.ArgumentParser.parse_known_args, sys.argv

    def catch(self: argparse.ArgumentParser, *_: object, **__: object) -> None:
        caught.append(self)
        raise _Parsed

    argparse.ArgumentParser.parse_known_args = catch  # type: ignore[assignment]
    sys.argv = [command]
    try:
        with contextlib.suppress(_Parsed):
            yield caught
    finally:
        argparse.ArgumentParser.parse_known_args = original  # type: ignore[method-assign]
        sys.argv = arguments


def _long_name(action: argparse.Action) -> str | None:
    return next((text[2:] for text in action.option_strings if text.startswith("--")), None)


def _described(action: argparse.Action) -> dict[str, Any]:
    kinds: dict[type[argparse.Action], str] = {
        argparse._StoreTrueAction: "switch",
        argparse._StoreFalseAction: "switch",
        argparse._AppendAction: "list",
    }
    kind = kinds.get(type(action), "number" if action.type is int else "text")
    hidden = action.help is None or action.help == argparse.SUPPRESS
    return {
        "kind": kind,
        "default": None if kind == "switch" else action.default,
        "help": "" if hidden else " ".join(str(action.help).split()),
        **({"choices": list(action.choices)} if action.choices else {}),
    }


if __name__ == "__main__":
    main()
