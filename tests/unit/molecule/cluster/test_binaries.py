# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import binaries
import pytest
import versions
from progress import Progress

needs_go = pytest.mark.skipif(
    shutil.which("go") is None, reason="Go is installed by what these test, and by no unit test"
)


def quiet() -> Progress:
    return Progress(io.StringIO())


PAUSE = binaries.Program("pause", "./pause")


@pytest.fixture
def only_pause(caches: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cluster of one small program, and no CRDs."""
    monkeypatch.setattr(binaries, "PROGRAMS", (PAUSE,))
    monkeypatch.setattr(binaries, "KUBE_NAMES", ())
    monkeypatch.setattr(binaries, "CRDS", {})
    return caches


@pytest.mark.parametrize(
    ("module", "version"),
    [
        ("k8s.io/kubernetes", versions.KUBERNETES),
        ("k8s.io/client-go", "0" + versions.KUBERNETES.removeprefix("1")),
        ("go.etcd.io/etcd/server/v3", versions.ETCD),
        ("github.com/coredns/coredns", versions.COREDNS),
        ("github.com/rancher/local-path-provisioner", versions.LOCAL_PATH_PROVISIONER),
        ("github.com/oauth2-proxy/oauth2-proxy/v7", versions.OAUTH2_PROXY),
    ],
)
def test_the_module_has_the_versions_of_the_list(module: str, version: str) -> None:
    text = (binaries.CLUSTER / "go.mod").read_text()
    found = re.findall(rf"^\t(?:\S+ => )?{re.escape(module)} v(\S+)", text, re.MULTILINE)
    assert found
    assert set(found) == {version}


def test_every_name_is_a_component_of_the_bundle() -> None:
    main = (binaries.CLUSTER / "kube-bundle/main.go").read_text()
    components = main[main.index("var components") : main.index("func main")]
    assert set(re.findall(r'^\t"([\w-]+)":', components, re.MULTILINE)) == set(binaries.KUBE_NAMES)


def test_a_program_is_built_anew_when_its_inputs_change(caches: Path, tmp_path: Path) -> None:
    module = tmp_path / "cluster"
    shutil.copytree(binaries.CLUSTER, module)
    program = dataclasses.replace(PAUSE, module=module)
    before = program.part
    assert before == PAUSE.part
    assert before.parent.parent == caches / "binaries"
    assert before != dataclasses.replace(PAUSE, variables=("main.version=1",)).part
    (module / "coredns/main.go").write_text("package main\n")
    assert before == program.part
    with (module / "pause/main.go").open("a") as source:
        source.write("// changed\n")
    changed = program.part
    assert before != changed
    with (module / "go.sum").open("a") as sums:
        sums.write("\n")
    assert program.part not in (before, changed)


def test_traefik_is_built_anew_when_a_stub_changes(
    caches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubs = tmp_path / "traefik"
    shutil.copytree(binaries.TRAEFIK, stubs)
    monkeypatch.setattr(binaries, "TRAEFIK", stubs)
    program = binaries.Program("traefik", "./cmd/traefik", module=stubs)
    before = program.part
    (stubs / "pkg/plugins/stub.go").write_text("package plugins\n")
    assert program.part != before


def test_a_stub_replaces_its_package_and_other_files_only_themselves(tmp_path: Path) -> None:
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    for name in ("ecs/ecs.go", "ecs/data.json", "ecs/inner/kept.go", "logs/log.go", "logs/wasm.go"):
        (lower / name).parent.mkdir(parents=True, exist_ok=True)
        (lower / name).write_text("lower")
    for name in ("ecs/stub.go", "logs/wasm.go", "new/stub.go"):
        (upper / name).parent.mkdir(parents=True, exist_ok=True)
        (upper / name).write_text("upper")
    binaries.lay_over(upper, lower)
    found = {str(path.relative_to(lower)): path.read_text() for path in lower.rglob("*.*")}
    assert found == {
        "ecs/data.json": "lower",
        "ecs/inner/kept.go": "lower",
        "ecs/stub.go": "upper",
        "logs/log.go": "lower",
        "logs/wasm.go": "upper",
        "new/stub.go": "upper",
    }


def test_without_go_nothing_begins(
    caches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(binaries.BuildError, match=r"Go is not installed; 1\.\d+\S* or newer"):
        binaries.ensure(quiet())
    assert not caches.exists()


def test_an_old_go_is_named(caches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go1.19.8\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    (problem,) = binaries.problems()
    assert re.match(r"Go 1\.19\.8 is too old; 1\.\d+\S* or newer is needed", problem)


@needs_go
def test_too_little_disk_says_need_and_have(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "BUILD_DISK_GIB", dict.fromkeys(versions.BUILD_DISK_GIB, 1e6))
    problems = binaries.problems()
    assert problems
    for problem in problems:
        assert re.search(r"\d000000\.0 GiB are needed on .*, \d+\.\d GiB are free", problem)
    with pytest.raises(binaries.BuildError, match="Too little disk"):
        binaries.ensure(quiet())
    assert not caches.exists()


def test_the_shares_of_all_programs_are_a_whole() -> None:
    assert sum(program.share for program in binaries.PROGRAMS) == pytest.approx(1)


@needs_go
def test_built_once_and_put_together_again_from_parts(only_pause: Path) -> None:
    said = io.StringIO()
    folder = binaries.ensure(Progress(said))
    assert folder == binaries.folder()
    assert folder.parent == only_pause / "binaries"
    assert "building pause" in said.getvalue()
    inode = (folder / "pause").stat().st_ino

    said = io.StringIO()
    assert binaries.ensure(Progress(said)) == folder
    assert said.getvalue() == ""

    shutil.rmtree(folder)
    binaries.ensure(Progress(said))
    assert "building pause" not in said.getvalue()
    assert (folder / "pause").stat().st_ino == inode

    running = subprocess.Popen([folder / "pause"])
    running.terminate()
    assert running.wait(timeout=10) in (0, -15)


@needs_go
def test_a_failed_build_shows_the_compiler_and_leaves_nothing(
    only_pause: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = binaries.Program("broken", "./nosuch")
    monkeypatch.setattr(binaries, "PROGRAMS", (PAUSE, broken))
    with pytest.raises(binaries.BuildError, match=r"(?s)go list failed.*nosuch"):
        binaries.ensure(quiet())
    left = sorted(path.name for path in (only_pause / "binaries").iterdir())
    assert left == [".lock", PAUSE.key]
