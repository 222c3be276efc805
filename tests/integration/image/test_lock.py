# SPDX-License-Identifier: GPL-3.0-or-later
"""What the image locks can be had for another machine than the one that tests it."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from conftest import CONTEXT
from containers import run

# To be had as sources only, and written in Python alone.
SOURCES = ("pyramid-chameleon",)
OURS = {"PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_ONLY_BINARY", "PIP_NO_BINARY"}


def test_all_machine_code_is_there_for_arm64(tmp_path: Path) -> None:
    lock = (CONTEXT / "requirements.txt").read_text()
    for name in SOURCES:
        lock, taken = re.subn(rf"(?ms)^{name}==.*?(?=^\S|\Z)", "", lock)
        assert taken == 1
    (tmp_path / "lock.txt").write_text(lock)
    # What Debian 13 can load.
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in range(41, 16, -1)]
    python = ["--python-version=3.13", "--only-binary=:all:", f"--target={tmp_path}/nowhere"]
    wanted = ["--require-hashes", f"--requirement={tmp_path}/lock.txt"]
    plan = ["--quiet", "--dry-run", "--no-deps", "--ignore-installed", "--report=-"]
    said = run(
        [sys.executable, "-m", "pip", "install", *plan, *python, *platforms, *wanted],
        env={name: value for name, value in os.environ.items() if name not in OURS},
    )
    chosen = [entry["download_info"]["url"] for entry in json.loads(said)["install"]]
    assert len(chosen) == len(re.findall(r"(?m)^\S+==", lock))
    assert [url for url in chosen if "cffi" in url and url.endswith("_aarch64.whl")]
