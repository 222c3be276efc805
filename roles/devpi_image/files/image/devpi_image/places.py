# SPDX-License-Identifier: GPL-3.0-or-later
"""Which folder is the server directory. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from devpi_image.disk import Disk
from devpi_image.errors import Refused

DEFAULT = Path("/data/server")
# Where this image and those before it have had it.
KNOWN = (
    DEFAULT,
    Path("/data/devpi"),
    Path("/devpi/server"),
    Path("/var/lib/devpi"),
    Path("/var/lib/devpi-server"),
    Path("/var/db/devpi-server"),
    Path("/opt/app-root/data/userdata"),
)
# Declared as a volume by the image, so there is always one: that says nothing.
_ALWAYS_A_VOLUME = Path("/data")


def serverdir(named: str, disk: Disk) -> Path:
    """The one that was named; else where data are; else where a volume is; else the default.

    Raises `Refused` when that is not one place.
    """
    if named:
        return Path(named)
    filled = [place for place in KNOWN if disk.holds_data(place)]
    mounted = [place for place in KNOWN if _is_volume(place, disk)]
    for places, what in ((filled, "hold data of devpi"), (mounted, "are volumes for devpi")):
        if len(places) > 1:
            raise Refused(
                f"{_listed(places)} {what}. Let DEVPISERVER_SERVERDIR name the one that is meant."
            )
        if places:
            return places[0]
    return DEFAULT


def _is_volume(place: Path, disk: Disk) -> bool:
    # /var/lib is not one of ours as a whole, and the places in it lie beside each other.
    parents = () if place.parent in (Path("/var/lib"), _ALWAYS_A_VOLUME) else (place.parent,)
    return any(disk.is_mount(folder) for folder in (place, *parents))


def _listed(places: Iterable[Path]) -> str:
    return " and ".join(map(str, places))
