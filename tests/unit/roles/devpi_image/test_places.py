# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from devpi_image.errors import Refused
from devpi_image.places import serverdir
from fake_disk import FakeDisk


def disk(*, data: str = "", mounts: str = "") -> FakeDisk:
    return FakeDisk(frozenset(map(Path, data.split())), frozenset(map(Path, mounts.split())))


@pytest.mark.parametrize(
    ("named", "data", "mounts", "place"),
    [
        ("", "", "", "/data/server"),
        ("", "", "/data", "/data/server"),
        ("/srv/x", "/data/server", "/data", "/srv/x"),
        ("", "", "/data /var/lib/devpi", "/var/lib/devpi"),
        ("", "", "/data /var/db", "/var/db/devpi-server"),
        ("", "", "/data /devpi", "/devpi/server"),
        ("", "", "/opt/app-root/data", "/opt/app-root/data/userdata"),
        ("", "", "/data /var/lib", "/data/server"),
        ("", "/data/devpi", "/data", "/data/devpi"),
        ("", "/data/server", "/data /var/lib/devpi", "/data/server"),
    ],
)
def test_where_the_data_are(named: str, data: str, mounts: str, place: str) -> None:
    assert serverdir(named, disk(data=data, mounts=mounts)) == Path(place)


@pytest.mark.parametrize(
    ("data", "mounts", "says"),
    [
        ("/data/server /data/devpi", "/data", "/data/server and /data/devpi hold data"),
        ("", "/var/lib/devpi /var/db", "/var/lib/devpi and /var/db/devpi-server are volumes"),
    ],
)
def test_two_places_are_one_too_many(data: str, mounts: str, says: str) -> None:
    with pytest.raises(Refused, match=f"{says}.*DEVPISERVER_SERVERDIR"):
        serverdir("", disk(data=data, mounts=mounts))
