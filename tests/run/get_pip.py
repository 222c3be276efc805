# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for get-pip.py: Python's own pip, brought to the wanted version from the index."""

from __future__ import annotations

import ensurepip
import os
import subprocess
import sys

# Options of get-pip.py that pip does not know.
OWN = ("--no-setuptools", "--no-wheel")


def main() -> int:
    """Install what get-pip.py would have installed."""
    # ensurepip switches pip's configuration files off for the whole process.
    before = dict(os.environ)
    ensurepip.bootstrap()
    wanted = [argument for argument in sys.argv[1:] if argument not in OWN]
    before.pop("GET_PIP", None)
    return subprocess.run(
        [sys.executable, "-m", "pip", "install", *wanted], check=False, env=before
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
