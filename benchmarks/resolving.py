# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds that uv and pip need to resolve a package with ninety others, which mirrors know already.

They come from the real index: a mirror of it is as fast as its pages are long.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from figures import DEVPI, OURS, PYPI, Figures, Goal
from rivals import Rival
from sites import PIP, Admin, eventually

WANTED = "jupyterlab"
UV, PIP_DRY_RUN = f"uv pip compile {WANTED}", f"pip install --dry-run {WANTED}"
GOALS = (
    Goal(UV, PYPI, at_most=0.6),
    Goal(UV, DEVPI, at_most=0.3),
    Goal(PIP_DRY_RUN, PYPI, at_most=1.0),
)
NAME = "root/real"
# No settings of whoever runs this.
CLEAN = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}


def timed(*command: str | Path) -> float:
    """Seconds that it takes; one that fails raises, with its own words."""
    began = time.monotonic()
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=CLEAN)
    if ended.returncode:
        raise RuntimeError(f"{command}:\n{ended.stderr}")
    return time.monotonic() - began


def with_uv(index: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.in"
        wanted.write_text(f"{WANTED}\n")
        uv = Path(sys.executable).with_name("uv")
        options = ("--no-cache", "--no-config", f"--default-index={index}")
        return timed(uv, "pip", "compile", *options, wanted)


def with_pip(index: str) -> float:
    options = ("--dry-run", "--ignore-installed", "--no-cache-dir", f"--index-url={index}")
    return timed(sys.executable, "-m", "pip", "install", *options, WANTED)


def resolving(rivals: list[Rival], real: str, rounds: int) -> Figures:
    """Both from the real index and from mirrors of it, each of which has been asked before."""
    places = {PYPI: real}
    for rival in (one for one in rivals if one.name in (OURS, DEVPI)):
        _mirror(rival, real)
        places[rival.name] = f"{rival.url}/{NAME}/+simple/"
    figures = Figures("s")
    for round_ in range(-1, rounds):
        for name, index in places.items():
            took = {UV: with_uv(index), PIP_DRY_RUN: with_pip(index)}
            # The first time fills the mirrors.
            for row in took if round_ >= 0 else ():
                figures.add(row, name, took[row])
    return figures


def _mirror(rival: Rival, real: str) -> None:
    with httpx.Client(base_url=rival.url, trust_env=False, timeout=300) as client:
        Admin(client).index(NAME, type="mirror", mirror_url=real)
        page = f"/{NAME}/+simple/{WANTED}/"
        eventually(lambda: client.get(page, headers=PIP).is_success, "the mirror's list", 300)
