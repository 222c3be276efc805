# SPDX-License-Identifier: GPL-3.0-or-later
"""Server and first start: that part of `resolve`. Pure."""

from __future__ import annotations

import re
from pathlib import Path

from devpi_image.defaults import BIN, NO_DEFAULTS_OF_REPLICAS, SERVER_DEFAULTS
from devpi_image.disk import Disk
from devpi_image.doors import OF_THE_FRONT, Door
from devpi_image.environment import Environment, json_log, number, without_passwords
from devpi_image.errors import Refused
from devpi_image.options import PREFIX, TABLE
from devpi_image.passwords import passwords
from devpi_image.places import serverdir
from devpi_image.plans import Init, RestartLimit, Server
from devpi_image.settings import Settings, server_variables

# Handed on in a way of their own.
_APART = frozenset({"serverdir", "secretfile"})
_NAME = re.compile(r"[A-Za-z0-9.@_-]+")


def restarts(environment: Environment) -> RestartLimit:
    """How often a service may end by itself."""
    return RestartLimit(
        ends=number(environment, "DEVPI_RESTART_LIMIT", 5),
        seconds=number(environment, "DEVPI_RESTART_WINDOW", 300, least=1),
    )


def server_plan(environment: Environment, settings: Settings, disk: Disk, socket: Path) -> Server:
    place = serverdir(settings.get("serverdir"), disk)
    token_key = environment.get("DEVPI_TOKEN_KEY_FILE") or settings.get("secretfile")
    given = {
        name: text
        for name, text in settings.values.items()
        if name not in OF_THE_FRONT | _APART and "devpi-server" in TABLE[name].commands
    }
    is_replica = bool(settings.get("primary-url"))
    defaults = {
        name: text
        for name, text in SERVER_DEFAULTS.items()
        if not (is_replica and name in NO_DEFAULTS_OF_REPLICAS)
    }
    options = {**defaults, **given, "serverdir": str(place), "unix-socket": str(socket)}
    return Server(
        command=(str(BIN / "devpi-server"),),
        environment={**_without_options(environment), **server_variables(options)},
        serverdir=place,
        doors=(Door(path=socket),),
        token_key=Path(token_key) if token_key else None,
        is_replica=is_replica,
        json_log=json_log(environment),
        patience=number(environment, "DEVPI_STOP_PATIENCE", 5, least=1),
        restarts=restarts(environment),
        notes=settings.notes,
    )


def _without_options(environment: Environment) -> dict[str, str]:
    """The environment but for what is our concern: passwords, and options in whatever form."""
    return {
        name: value
        for name, value in without_passwords(environment).items()
        if not name.startswith((PREFIX, "DEVPI_"))
    }


def init_plan(environment: Environment, settings: Settings, disk: Disk) -> Init:
    user = environment.get("DEVPI_USER", "")
    if user == "root":
        user = ""
    if user and not _NAME.fullmatch(user):
        raise Refused(f"DEVPI_USER is '{user}'. Write letters, digits and any of . @ _ -.")
    given = passwords(environment, user)
    if user and not given.user:
        raise Refused(f"DEVPI_USER is '{user}'. Give this user a password by DEVPI_PASSWORD_FILE.")
    if given.root and given.root_hash:
        raise Refused(f"{given.root[0].name} and {given.root_hash[0].name} are both set. Keep one.")
    is_replica = bool(settings.get("primary-url"))
    options = {
        name: text
        for name, text in settings.values.items()
        if name not in _APART and {"devpi-init", "devpi-import"} & {*TABLE[name].commands}
    }
    skipped = tuple(options.pop("skip-import-type", "").split())
    return Init(
        serverdir=serverdir(settings.get("serverdir"), disk),
        passwords=given,
        invents=False,
        is_replica=is_replica,
        user=user,
        index=first_index(environment, ""),
        skipped=skipped,
        environment={**_without_options(environment), **server_variables(options)},
        notes=settings.notes,
    )


def first_index(environment: Environment, default: str) -> str:
    """The name of the first index, without the user that it is for."""
    user = environment.get("DEVPI_USER", "root")
    given = environment.get("DEVPI_INDEX", default)
    owner, _slash, name = given.rpartition("/")
    if owner not in ("", user):
        raise Refused(
            f"DEVPI_INDEX is '{given}', which is not of {user}. Let DEVPI_USER name {owner}."
        )
    if (name and not _NAME.fullmatch(name)) or given.endswith("/"):
        raise Refused(f"DEVPI_INDEX is '{given}'. Write letters, digits and any of . @ _ -.")
    return name
