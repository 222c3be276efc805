# SPDX-License-Identifier: GPL-3.0-or-later
"""The Keycloak that installers expect beside a cluster: a process of the host behind Traefik."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import keycloak_program
import web
from config import ADMIN, HERE, Cluster, render
from processes import Component, start, wait
from record import write_file

PORTS = {8080: "keycloak"}
# What a home folder shares with all others.
_SHARED = ("lib", "providers", "themes")


def configure(cluster: Cluster, program: Path) -> None:
    """Its home folder: all that it writes is in there, and only root gets in."""
    home = cluster.keycloak
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("conf", "tmp"):
        (home / name).mkdir(exist_ok=True)
    for name in _SHARED:
        link = home / name
        if not link.is_symlink() or link.readlink() != program / name:
            link.unlink(missing_ok=True)
            link.symlink_to(program / name)
    values = {
        **cluster.placeholders(),
        "admin": ADMIN,
        "admin_password": cluster.admin_password.read_text(),
    }
    write_file(_config(cluster), render(HERE / "config/keycloak.conf", values), 0o600)


def component(cluster: Cluster, program: Path) -> Component:
    arguments = ("start", "--optimized")
    return Component(
        "keycloak",
        keycloak_program.command(program, cluster.keycloak, arguments),
        (_config(cluster),),
    )


def begin(cluster: Cluster, program: Path) -> bool:
    """Have it running, or about to; tells whether it had to be started."""
    return start(
        cluster, component(cluster, program), before=partial(_drop_unfinished_data, cluster)
    )


def answers(cluster: Cluster) -> bool:
    """Whether it serves by its name, through Traefik and with the certificate verified."""
    return web.status(cluster, cluster.keycloak_host, "/realms/master") == 200


def wait_until_up(cluster: Cluster) -> None:
    wait(
        cluster,
        f"answer from {cluster.keycloak_url}",
        lambda: answers(cluster),
        seconds=180,
        needs=["keycloak"],
    )
    _finished(cluster).touch()


def _drop_unfinished_data(cluster: Cluster) -> None:
    """One that was killed while it set up its database has it locked, for itself too."""
    if not _finished(cluster).exists():
        shutil.rmtree(cluster.keycloak / "data", ignore_errors=True)


def _finished(cluster: Cluster) -> Path:
    return cluster.keycloak / "finished"


def _config(cluster: Cluster) -> Path:
    return cluster.keycloak / "conf/keycloak.conf"
