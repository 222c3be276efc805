# SPDX-License-Identifier: GPL-3.0-or-later
"""The image's locked packages: their known weaknesses, or at least the lock's age."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from commands import Failed, call
from environments import CHECKOUT, ensure

LOCK = CHECKOUT / "roles/devpi_image/files/image/requirements.txt"
TOOLS = CHECKOUT / "tests/run/requirements-audit.txt"
# A release with published weaknesses: who knows of none of them knows of no others either.
WEAK = "https://pypi.org/pypi/urllib3/1.26.0/json"
DAYS = 180


def audit() -> None:
    """pip-audit where advisories can be reached; else the lock may be half a year old at most."""
    if advisories_are_there():
        tools = ensure(Path(sys.executable), (TOOLS,))
        options = ["--strict", "--disable-pip", "--require-hashes", "--requirement", str(LOCK)]
        call(["pip-audit", *options], venv=tools)
        return
    days = age(LOCK)
    print(f"No advisories can be reached: pip-audit was not run. The lock is {days} days old.")
    if days > DAYS:
        raise Failed(f"{LOCK.name} of the image is {days} days old. Lock it anew.")


def advisories_are_there() -> bool:
    """Whether PyPI, or what stands in for it here, tells of weaknesses."""
    try:
        with urllib.request.urlopen(WEAK, timeout=20) as answer:
            return bool(json.load(answer).get("vulnerabilities"))
    except (OSError, ValueError):
        return False


def age(file: Path) -> int:
    """Days since the last commit that changed it; 0 for one that has never been committed."""
    command = ["git", "log", "-1", "--format=%ct", "--", str(file)]
    said = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True)
    return int((time.time() - int(said.stdout or time.time())) // 86400)
