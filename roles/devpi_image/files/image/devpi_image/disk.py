# SPDX-License-Identifier: GPL-3.0-or-later
"""What the decisions need to know of the file system."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from devpi_image.errors import Refused

# Of the format of a server directory, and of what devpi-init writes about the server.
VERSION_FILE = ".serverversion"
NODE_FILE = ".nodeinfo"


class Disk(Protocol):
    """A file system, as far as decisions ask for it; `Machine` is the real one."""

    def holds_data(self, folder: Path) -> bool:
        """Whether it is a server directory of devpi."""

    def is_mount(self, folder: Path) -> bool:
        """Whether a volume is mounted right there."""

    def config(self, file: Path) -> Mapping[str, str] | None:
        """The options of a configuration file of devpi-server; None if there is no such file."""

    def running(self) -> Mapping[str, Any]:
        """What process 1 has written about itself, see `running.py`."""


class Machine:
    """The file system of this container."""

    def __init__(self, running: Path) -> None:
        self._running = running

    def holds_data(self, folder: Path) -> bool:
        try:
            return (folder / VERSION_FILE).exists()
        except OSError:
            return False

    def is_mount(self, folder: Path) -> bool:
        return os.path.ismount(folder)

    def config(self, file: Path) -> Mapping[str, str] | None:
        try:
            text = file.read_text()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"{file} can't be read: {error}.") from None
        # Of the image, not of the standard library: what decides is tested without it.
        import strictyaml  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        try:
            content = strictyaml.load(text).data
        except strictyaml.YAMLError as error:
            raise Refused(f"{file} is not written as devpi reads it: {error}") from None
        section = content.get("devpi-server", {}) if isinstance(content, dict) else {}
        if not isinstance(section, dict):
            raise Refused(f"{file}: 'devpi-server' must hold options with their values.")
        return {
            name: " ".join(value) if isinstance(value, list) else value
            for name, value in section.items()
        }

    def running(self) -> Mapping[str, Any]:
        try:
            return dict(json.loads(self._running.read_text()))
        except (OSError, ValueError):
            return {}
