# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords that were given: in variables of several names, or in files that these name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from devpi_image.environment import Environment
from devpi_image.errors import Refused

_ROOT = ("DEVPISERVER_ROOT_PASSWD", "DEVPISERVER_ROOT_PASSWORD", "DEVPI_ROOT_PASSWORD")
_HASH = ("DEVPISERVER_ROOT_PASSWD_HASH",)
_ANY = ("DEVPI_PASSWORD",)


@dataclass(frozen=True)
class Source:
    """A variable, and what it holds: the password, or the path of the file that does."""

    name: str
    value: str | Path


@dataclass(frozen=True)
class Passwords:
    """Where root's password (or its hash) and that of the first user stand. Any may be empty."""

    root: tuple[Source, ...] = ()
    root_hash: tuple[Source, ...] = ()
    user: tuple[Source, ...] = ()


def passwords(environment: Environment, user: str) -> Passwords:
    """Of `environment`, whose DEVPI_PASSWORD belongs to `user`, or to root if there is none."""
    root, anybody = _sources(environment, _ROOT), _sources(environment, _ANY)
    return Passwords(
        root=root if user else root + anybody,
        root_hash=_sources(environment, _HASH),
        user=anybody if user else (),
    )


def _sources(environment: Environment, names: Iterable[str]) -> tuple[Source, ...]:
    return tuple(
        Source(variable, Path(value) if variable.endswith("_FILE") else value)
        for name in names
        for variable in (name, f"{name}_FILE")
        if (value := environment.get(variable))
    )


def read(sources: Iterable[Source]) -> str | None:
    """The password that all of the sources hold; None without a source. Raises `Refused`."""
    return agreed({source.name: _content(source) for source in sources})


def agreed(given: Mapping[str, str]) -> str | None:
    """The one password behind all the names. Pure."""
    if len(set(given.values())) > 1:
        raise Refused(
            f"{' and '.join(given)} are both set, and hold different passwords. Keep one."
            if len(given) == 2
            else f"{', '.join(given)} are all set, and hold different passwords. Keep one."
        )
    return next(iter(given.values()), None)


def _content(source: Source) -> str:
    if isinstance(source.value, str):
        password = source.value
    else:
        try:
            password = source.value.read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise Refused(f"{source.name} names {source.value}: {reason}.") from None
        if not password:
            raise Refused(f"{source.name} names {source.value}, which is empty.")
    if "\n" in password or "\0" in password:
        raise Refused(f"{source.name} holds more than one line. Write the password alone.")
    return password
