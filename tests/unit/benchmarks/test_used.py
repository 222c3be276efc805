# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from ..conftest import program


@pytest.fixture
def used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = program("benchmarks/used.py")
    monkeypatch.setattr(module, "CGROUPS", tmp_path)
    return module


@pytest.mark.parametrize(
    "stat",
    ["anon 40\nfile 900\nkernel 5\nshmem 2\n", "cache 900\nrss 40\nrss_huge 0\nshmem 2\n"],
    ids=["version 2", "version 1"],
)
def test_cache_does_not_count(used: ModuleType, stat: str) -> None:
    assert used.used(stat) == 42


@pytest.mark.parametrize("root", ["", "memory/"], ids=["version 2", "version 1"])
def test_the_largest_reading_stays(used: ModuleType, tmp_path: Path, root: str) -> None:
    folder = tmp_path / f"{root}kubepods/pod1/cri-containerd-abc.scope"
    folder.mkdir(parents=True)
    stat = folder / "memory.stat"
    stat.write_text("anon 50\nshmem 0\n")
    reading = used.Peaks({"server": "abc"})
    stat.write_text("anon 40\nshmem 2\n")
    assert reading.now() == {"server": 42}
    assert reading.peaks == {"server": 50}
    with pytest.raises(LookupError, match="is it on this machine"):
        used.memory_stat("xyz")
