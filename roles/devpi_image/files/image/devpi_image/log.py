# SPDX-License-Identifier: GPL-3.0-or-later
"""What the container says by itself, besides its service."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from devpi_image.private import write_private


def say(text: str) -> None:
    """One line for the container's log."""
    line = f"devpi-entrypoint: {text}"
    if is_json():
        line = json_line(datetime.now(UTC), "INFO", "entrypoint", text)
    print(line, file=sys.stderr, flush=True)


def is_json() -> bool:
    """Whether the container's log is to be JSON."""
    return os.environ.get("DEVPI_LOG_FORMAT") == "json"


def json_line(time: datetime, level: str, service: str, message: str) -> str:
    """The form that all parts of the container share."""
    stamp = time.isoformat(timespec="milliseconds")
    return json.dumps({"time": stamp, "level": level, "service": service, "message": message})


def server_logging(folder: Path, *, debug: bool) -> Path:
    """A file in `folder` that makes devpi-server log JSON; its path. Raises `OSError`."""
    configuration = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "devpi_image.formatter.JsonFormatter"}},
        "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": "DEBUG" if debug else "INFO", "handlers": ["out"]},
    }
    return write_private(folder / "logging.json", json.dumps(configuration).encode())
