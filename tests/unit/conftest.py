# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests about the whole repository share."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
ROLES = sorted(path for path in (CHECKOUT / "roles").iterdir() if path.is_dir())


@pytest.fixture(params=ROLES, ids=lambda role: role.name)
def role(request: pytest.FixtureRequest) -> Path:
    """The folder of each role in turn."""
    return Path(request.param)
