# SPDX-License-Identifier: GPL-3.0-or-later
"""A file system to decide on, without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class FakeDisk:
    """A file system that holds just this."""

    data: frozenset[Path] = frozenset()
    mounts: frozenset[Path] = frozenset()
    configs: Mapping[Path, Mapping[str, str]] = field(default_factory=dict)
    said: Mapping[str, Any] = field(default_factory=dict)

    def holds_data(self, folder: Path) -> bool:
        return folder in self.data

    def is_mount(self, folder: Path) -> bool:
        return folder in self.mounts

    def config(self, file: Path) -> Mapping[str, str] | None:
        return self.configs.get(file)

    def running(self) -> Mapping[str, Any]:
        return self.said


EMPTY = FakeDisk()
