# SPDX-License-Identifier: GPL-3.0-or-later
"""Real devpi-servers and real fronts of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
sys.path.insert(0, str(CHECKOUT / "roles/devpi_image/files/image"))
sys.path.insert(0, str(CHECKOUT / "tests/unit/roles/devpi_image"))
sys.path.insert(0, str(Path(__file__).parent))

from sites import Admin, Site, initialise, running  # noqa: E402


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server directory without any mirror, to be copied."""
    return initialise(tmp_path_factory.mktemp("devpi") / "server")


@pytest.fixture(scope="module", params=["api", "whole"])
def site(
    request: pytest.FixtureRequest, initialised: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site that the tests of a file share, for either host: use indexes of your own."""
    folder = tmp_path_factory.mktemp("site")
    with running(initialised, folder, whole=request.param == "whole") as site:
        yield site


@pytest.fixture(scope="module")
def root(site: Site) -> Iterator[Admin]:
    """Root at the front."""
    with site.front() as client:
        yield Admin(client)
