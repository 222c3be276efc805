# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver's modules import each other as siblings; the tests import them the same way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[4] / "molecule/cluster"))


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of our own, not made yet."""
    folder = tmp_path / "caches"
    monkeypatch.setenv("THINKUBE_DEVPI_CACHE", str(folder))
    return folder
