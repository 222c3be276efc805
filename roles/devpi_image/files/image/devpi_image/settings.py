# SPDX-License-Identifier: GPL-3.0-or-later
"""devpi-server's options from all places where they may be given, the stronger over the weaker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from devpi_image.disk import Disk
from devpi_image.environment import Environment
from devpi_image.errors import Refused
from devpi_image.options import (
    PREFIX,
    RENAMED,
    TABLE,
    WITHOUT_EFFECT,
    checked,
    nearest,
    option,
    parsed,
    split,
    variable,
)

# Where devpi's programs look by themselves.
CONFIG_FILE = Path("/etc/xdg/devpi-server/devpi-server.yml")
# Names of other images; the value of devpi's own name is stronger. An earlier one wins.
ALIASES = {
    "DEVPI_SERVERDIR": "serverdir",
    "DEVPI_PORT": "port",
    "DEVPI_SERVER_PORT": "port",
    "DEVPI_OUTSIDE_URL": "outside-url",
    "DEVPI_TRUSTED_PROXY": "trusted-proxy",
}
# Where a password is read from is decided elsewhere; what names the file has been read.
_ELSEWHERE = {"root-passwd", "root-passwd-hash", "configfile"}
_REFUSED = {
    "replica-cert": "devpi-server has no client certificates since 6.17. Give primary and replica"
    " the same DEVPISERVER_SECRETFILE instead.",
}


@dataclass(frozen=True)
class Settings:
    """What was given, by option name, and what is to be said about it."""

    values: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)

    def on(self, name: str) -> bool:
        return self.get(name) == "true"


@dataclass(frozen=True)
class _Given:
    name: str
    source: str
    text: str


def read_settings(environment: Environment, arguments: Sequence[str], disk: Disk) -> Settings:
    """The options of configuration file, environment and arguments. Raises `Refused`."""
    extra = split("DEVPI_EXTRA_ARGS", environment.get("DEVPI_EXTRA_ARGS", ""))
    given = [_Given(name, f"--{name}", text) for name, text in parsed([*extra, *arguments])]
    in_environment = list(_of_environment(environment))
    file = next(
        (one.text for one in (*reversed(given), *in_environment) if one.name == "configfile"), None
    )
    layers: list[Iterable[_Given]] = [
        _of_file(Path(file) if file else None, disk),
        _of_aliases(environment),
        in_environment,
        given,
    ]
    values: dict[str, str] = {}
    notes: list[str] = []
    for layer in layers:
        values |= _canonical(layer, notes)
    _check_together(values)
    return Settings(values, tuple(dict.fromkeys(notes)))


def server_variables(values: Mapping[str, str]) -> dict[str, str]:
    """The environment by which devpi's programs are told these options."""
    return {variable(name): value for name, value in values.items()}


def _of_environment(environment: Environment) -> Iterator[_Given]:
    for name, text in environment.items():
        if name.startswith(PREFIX):
            yield _Given(option(name), name, text)


def _of_aliases(environment: Environment) -> Iterator[_Given]:
    for name in reversed(ALIASES):
        if name in environment:
            yield _Given(ALIASES[name], name, environment[name])
    # The folder of a volume, in which OpenShift's template of old made one.
    volume = environment.get("DEVPI_DATA_VOLUME")
    if volume and "DEVPI_SERVERDIR" not in environment:
        yield _Given("serverdir", "DEVPI_DATA_VOLUME", f"{volume.rstrip('/')}/userdata")


def _of_file(file: Path | None, disk: Disk) -> Iterator[_Given]:
    content = disk.config(file or CONFIG_FILE)
    if content is None:
        if file:
            raise Refused(f"The configuration file {file} can't be read.")
        return
    for name, text in content.items():
        if name not in TABLE and name not in WITHOUT_EFFECT and name not in _REFUSED:
            raise Refused(
                f"{file or CONFIG_FILE} sets '{name}', which is no option of devpi-server."
                f"{nearest(name, TABLE)}"
            )
        if name in _ELSEWHERE:
            raise Refused(
                f"{file or CONFIG_FILE} sets '{name}'. Use DEVPISERVER_ROOT_PASSWD_FILE for that."
            )
        yield _Given(name, f"{name} in {file or CONFIG_FILE}", text)


def _canonical(layer: Iterable[_Given], notes: list[str]) -> dict[str, str]:
    """The options of one place by the names that devpi has for them today, each value checked."""
    values: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    # Old names last, so that they are compared with the new ones.
    for given in sorted(layer, key=lambda one: one.name in RENAMED):
        name = given.name
        if name in _REFUSED:
            raise Refused(f"{given.source}: {_REFUSED[name]}")
        if name in WITHOUT_EFFECT:
            notes.append(f"{given.source} has no effect any more; leave it out")
            continue
        # Files of secrets and the like are read by who knows their names.
        if name in _ELSEWHERE or name not in TABLE:
            continue
        text = checked(name, given.source, given.text)
        if name in RENAMED:
            notes.append(f"{given.source} is called {RENAMED[name]} today")
            name = RENAMED[name]
            if values.get(name, text) != text:
                raise Refused(
                    f"{given.source} is '{text}', and {name} is '{values[name]}'. Keep the latter."
                )
        if name == "role" and text == "master":
            notes.append(f"{given.source} is 'master', which is called 'primary' today")
            text = "primary"
        if name == "storage" and text.startswith("sqlite_db_files"):
            notes.append(f"{given.source} is '{text}', which is meant for tests only")
        if TABLE[name].kind == "list":
            lists.setdefault(name, []).extend(re.split(r"[,\s]+", text.strip()))
            text = " ".join(lists[name])
        values[name] = text
    return values


def _check_together(values: Mapping[str, str]) -> None:
    if not Path(values.get("serverdir", "/")).is_absolute():
        raise Refused(f"DEVPISERVER_SERVERDIR is '{values['serverdir']}'. Write an absolute path.")
    primary = urlsplit(values.get("primary-url", ""))
    if primary.username or primary.password:
        raise Refused(
            "DEVPISERVER_PRIMARY_URL holds a login, which devpi does not take. Give primary and"
            " replica the same DEVPISERVER_SECRETFILE instead."
        )
    if values.get("listen") and ("host" in values or "port" in values):
        raise Refused(
            "DEVPISERVER_LISTEN is set together with a host or a port. Write all of it into"
            " DEVPISERVER_LISTEN, like 0.0.0.0:3141."
        )
