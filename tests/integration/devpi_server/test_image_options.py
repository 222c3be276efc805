# SPDX-License-Identifier: GPL-3.0-or-later
"""The image's table of options against the parsers of the devpi that it holds."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

IMAGE = Path(__file__).parents[3] / "roles/devpi_image/files/image"


def test_the_table_of_options_is_up_to_date() -> None:
    python = Path(os.environ["DEVPI_SERVER_PREFIX"]) / "bin/python"
    command = [python, "-m", "devpi_image.describe"]
    done = subprocess.run(command, cwd=IMAGE, stdout=subprocess.PIPE, text=True, check=True)
    kept = json.loads((IMAGE / "devpi_image/options.json").read_text())
    assert json.loads(done.stdout) == kept, "make image-options writes it anew"
