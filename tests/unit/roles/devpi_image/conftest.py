# SPDX-License-Identifier: GPL-3.0-or-later
"""The package that runs in the image, taken from the folder that the image is built from."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4] / "roles/devpi_image/files/image"))
sys.path.insert(0, str(Path(__file__).parent))
