# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin of devpi-server by which an index says in `acl_pkg_read` who may have its files."""

from __future__ import annotations

from pathlib import Path

CODE = """
from devpi_server.model import ACLList
from pluggy import HookimplMarker

hookimpl = HookimplMarker("devpiserver")


@hookimpl
def devpiserver_indexconfig_defaults(index_type):
    return {"acl_pkg_read": ACLList([":ANONYMOUS:"])}


@hookimpl
def devpiserver_stage_get_principals_for_pkg_read(ixconfig):
    return ixconfig.get("acl_pkg_read")
"""


def install(folder: Path) -> Path:
    """Write it into the folder, which is then one for PYTHONPATH."""
    info = folder / "closed-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: closed\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[devpi_server]\nclosed = closed\n")
    (folder / "closed.py").write_text(CODE)
    return folder
