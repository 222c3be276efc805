# SPDX-License-Identifier: GPL-3.0-or-later
"""``python tests/run/image_options.py``: write the image's table of devpi's options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from environments import CHECKOUT, ensure

IMAGE = CHECKOUT / "roles/devpi_image/files/image"


def described(python: Path) -> str:
    """The table, from the parsers of the devpi that this interpreter has."""
    command = [str(python), "-m", "devpi_image.describe"]
    done = subprocess.run(command, cwd=IMAGE, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def main() -> None:
    """Write it."""
    server = ensure(Path(sys.executable), (IMAGE / "requirements.in",))
    (IMAGE / "devpi_image/options.json").write_text(described(server / "bin/python"))


if __name__ == "__main__":
    main()
