# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``make test`` leaves to ``make test-long``."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip in sight what is marked as long, unless DEVPI_TEST_LONG is set."""
    if "DEVPI_TEST_LONG" not in os.environ:
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="`make test-long` has it"))
