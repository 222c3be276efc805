# SPDX-License-Identifier: GPL-3.0-or-later
"""All in one container, for who just runs the image: initialise, serve, and the front before it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from devpi_image import health
from devpi_image.doors import Door, bind, check_free
from devpi_image.errors import Refused
from devpi_image.front import front_service
from devpi_image.initialise import initialise, whose
from devpi_image.lock import only_one
from devpi_image.log import say
from devpi_image.passwords import Passwords, read
from devpi_image.plans import Front, Init, Standalone
from devpi_image.running import write_running
from devpi_image.server import server_service
from devpi_image.supervisor import Service, supervise
from devpi_image.token_key import kept_key

# Seconds for nginx, then devpi-server: both end within the 10 s that container engines leave.
_PATIENCE = 4


def run_standalone(plan: Standalone) -> int:
    """Serve until stopped; the exit code."""
    front = with_port_80(plan.front) if plan.front else None
    doors = front.whole.doors if front and front.whole else plan.server.doors
    for door in doors:
        check_free(door)
    made = initialise(plan.init)
    server = plan.server
    try:
        with only_one(server.serverdir / ".lock", server.serverdir):
            if not server.token_key:
                server = replace(server, token_key=kept_key(server.serverdir))
            if plan.reset_password and not made:
                # As in `initialise`.
                from devpi_image.making import reset_password  # noqa: PLC0415

                reset_password(plan.init)
            services = [_with_check(server_service(server), plan, warns=not made)]
            if front:
                services.insert(0, replace(front_service(front), patience=_PATIENCE))
            write_running(server.serverdir, (*doors, *server.doors))
            say(f"serving at {', '.join(map(str, doors))}")
            return supervise(services, server.restarts)
    except OSError as error:
        raise Refused(
            f"{error.filename or server.serverdir}: {error.strerror}. {whose(server.serverdir)}"
        ) from None


def with_port_80(front: Front) -> Front:
    """The front with port 80, if that was meant and anybody may have it here."""
    if not (front.whole and front.whole.also_80):
        return front
    door = Door(port=80)
    try:
        bind(door).close()
    except OSError:
        return front
    return replace(front, whole=replace(front.whole, doors=(*front.whole.doors, door)))


def _with_check(service: Service, plan: Standalone, *, warns: bool) -> Service:
    """The service, which says when a given password is not that of the data found."""
    given = _passwords(plan.init)
    door = plan.server.doors[0].near
    served, said = service.served, not warns

    def check_once() -> None:
        nonlocal said
        served()
        if not said:
            said = True
            for user, (password, name) in given.items():
                if health.may_log_in(door, user, password) is False:
                    say(_not_the_password(user, name, plan.server.serverdir))

    return replace(service, served=check_once)


def _not_the_password(user: str, name: str, serverdir: Path) -> str:
    way = (
        "DEVPI_RESET_ROOT_PASSWORD=true gives it to root"
        if user == "root"
        else f"'devpi-passwd {user}' in this container changes it"
    )
    return f"{name} is not the password of {user} in {serverdir}, which stays as it is; {way}"


def _passwords(init: Init) -> dict[str, tuple[str, str]]:
    """By user, the passwords that were given and the variables' names."""
    given: Passwords = init.passwords
    found = {"root": given.root, **({init.user: given.user} if init.user else {})}
    return {
        user: (password, sources[0].name)
        for user, sources in found.items()
        if (password := read(sources)) is not None
    }
