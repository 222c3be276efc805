# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import binaries
import debian
import images
import oci
import pytest
import versions
from progress import Progress

REFERENCE = "thinkube.test/sample:1"


def fill(layer: oci.Layer) -> None:
    layer.folder("tmp", 0o1777)
    layer.file("program", Path(__file__))
    layer.link("alias", "program")


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.tar"
    oci.write(path, REFERENCE, oci.Settings(("/program",), ("serve",), "65532:65532"), fill)
    return path


def read(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as tar:
        file = tar.extractfile(name)
        assert file is not None
        return file.read()


def blob(archive: Path, descriptor: dict[str, Any]) -> bytes:
    """A blob, after holding its descriptor against it."""
    kind, digest = descriptor["digest"].split(":")
    content = read(archive, f"blobs/{kind}/{digest}")
    assert hashlib.sha256(content).hexdigest() == digest
    assert len(content) == descriptor["size"]
    return content


def test_all_parts_of_an_archive_refer_to_each_other(sample: Path) -> None:
    assert json.loads(read(sample, "oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads(read(sample, "index.json"))["manifests"]
    assert set(entry["annotations"].values()) == {REFERENCE}
    manifest = json.loads(blob(sample, entry))
    config = json.loads(blob(sample, manifest["config"]))
    assert config["os"] == "linux"
    assert config["config"]["Entrypoint"] == ["/program"]
    assert config["config"]["Cmd"] == ["serve"]
    assert config["config"]["User"] == "65532:65532"
    (layer,) = manifest["layers"]
    assert config["rootfs"]["diff_ids"] == [layer["digest"]]
    with tarfile.open(fileobj=io.BytesIO(blob(sample, layer))) as tar:
        members = {member.name: member for member in tar}
        assert members["tmp"].mode == 0o1777
        assert members["program"].mode == 0o755
        assert members["alias"].linkname == "program"
        content = tar.extractfile("program")
        assert content is not None
        assert content.read() == Path(__file__).read_bytes()
    assert not sample.with_suffix(".layer").exists()


def test_the_same_image_twice_is_the_same_archive(sample: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.tar"
    os.utime(__file__)
    oci.write(again, REFERENCE, oci.Settings(("/program",), ("serve",), "65532:65532"), fill)
    assert again.read_bytes() == sample.read_bytes()


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_skopeo_takes_it(sample: Path, tmp_path: Path) -> None:
    source, target = f"oci-archive:{sample}:{REFERENCE}", f"dir:{tmp_path / 'copy'}"
    subprocess.run(["skopeo", "copy", "--quiet", "--insecure-policy", source, target], check=True)
    assert (tmp_path / "copy/manifest.json").is_file()


def test_a_tree_keeps_modes_and_links_but_no_devices(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/shadow").write_text("secret")
    (root / "etc/shadow").chmod(0o640)
    os.link(root / "etc/shadow", root / "etc/shadow-")
    (root / "bin").symlink_to("usr/bin")
    os.mkfifo(root / "pipe")
    path = tmp_path / "layer.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        oci.Layer(tar).tree(root)
    with tarfile.open(path) as tar:
        members = {member.name: member for member in tar}
    assert set(members) == {"bin", "etc", "etc/shadow", "etc/shadow-"}
    assert members["etc/shadow"].mode == 0o640
    assert members["etc/shadow"].uid == os.getuid()
    assert members["etc/shadow-"].islnk()
    assert members["bin"].linkname == "usr/bin"
    assert {member.mtime for member in members.values()} == {0}
    assert {member.uname for member in members.values()} == {""}


def test_slim_leaves_licences_and_says_where_packages_come_from(tmp_path: Path) -> None:
    gone = (
        "usr/share/doc/bash/README",
        "usr/share/man/man1/bash.1.gz",
        "usr/share/locale/de/LC_MESSAGES/bash.mo",
        "var/lib/apt/lists/a_list",
        "var/cache/apt/archives/bash.deb",
        "var/log/apt/history.log",
        "etc/hostname",
        "etc/resolv.conf",
        "etc/apt/sources.list",
    )
    kept = (
        "usr/share/doc/bash/copyright",
        "usr/share/locale/locale.alias",
        "usr/bin/bash",
        "var/lib/dpkg/status",
    )
    folders = (
        *("dev/pts", "var/cache/debconf", "var/cache/ldconfig"),
        *("etc/apt/apt.conf.d", "etc/apt/sources.list.d", "etc/dpkg/dpkg.cfg.d"),
    )
    for name in folders:
        (tmp_path / name).mkdir(parents=True)
    for name in gone + kept:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "dev/fd").symlink_to("/proc/self/fd")
    debian.slim(tmp_path)
    assert [name for name in gone if (tmp_path / name).exists()] == []
    assert [name for name in kept if not (tmp_path / name).exists()] == []
    assert list((tmp_path / "dev").iterdir()) == []
    assert not (tmp_path / "usr/share/man/man1").exists()
    sources = (tmp_path / "etc/apt/sources.list.d/debian.sources").read_text()
    assert f"Suites: {versions.DEBIAN_SUITE} {versions.DEBIAN_SUITE}-updates\n" in sources
    assert f"URIs: {versions.DEBIAN_MIRROR}-security\n" in sources


def test_each_image_has_a_reference_and_each_program_one_of_its_name() -> None:
    assert set(images.IMAGES) == set(versions.IMAGES)
    assert len(set(versions.IMAGES.values())) == len(versions.IMAGES)
    started = {path for image in images.IMAGES.values() for path in image.settings.entrypoint}
    bundle = {"/kube-bundle"}
    assert started == {f"/{program.name}" for program in binaries.PROGRAMS} - bundle


def test_a_new_program_makes_a_new_image_of_itself_only(
    caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: images.archive(name) for name in images.IMAGES}
    assert len(set(before.values())) == len(before)
    assert {path.parent.parent for path in before.values()} == {caches / "images"}
    changed = [
        dataclasses.replace(program, variables=("main.version=2",))
        if program.name == "local-path-provisioner"
        else program
        for program in binaries.PROGRAMS
    ]
    monkeypatch.setattr(binaries, "PROGRAMS", tuple(changed))
    after = {name: images.archive(name) for name in images.IMAGES}
    assert [name for name in before if before[name] != after[name]] == ["local-path"]
    monkeypatch.setitem(versions.IMAGES, "debian", "thinkube.test/debian:other")
    assert images.archive("debian") != after["debian"]


def test_only_what_is_missing_is_made(caches: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "pause").write_text("program")
    wanted = {name: images.archive(name) for name in images.IMAGES}
    for name, path in wanted.items():
        if name != "pause":
            path.parent.mkdir(parents=True)
            path.write_text("made before")
    said = io.StringIO()
    assert images.ensure(programs, Progress(said)) == wanted
    assert said.getvalue().count("done: making the image") == 1
    assert read(wanted["pause"], "oci-layout")
    assert wanted["debian"].read_text() == "made before"
    said = io.StringIO()
    images.ensure(programs, Progress(said))
    assert said.getvalue() == ""


def test_a_failed_image_leaves_no_archive(caches: Path, tmp_path: Path) -> None:
    programs = tmp_path / "no-programs-in-here"
    with pytest.raises(FileNotFoundError):
        images.ensure(programs, Progress(io.StringIO()))
    assert [path.name for path in (caches / "images").iterdir()] == [".lock"]


def test_libraries_are_read_from_what_the_loader_lists() -> None:
    said = (
        "\tlinux-vdso.so.1 (0x00007fbe87bbd000)\n"
        "\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007fbe878e1000)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007fbe87bbf000)\n"
    )
    assert debian.loaded(said) == {
        "lib/x86_64-linux-gnu/libm.so.6",
        "lib64/ld-linux-x86-64.so.2",
    }


@pytest.mark.parametrize("name", ["oauth2-proxy", "valkey"])
def test_what_others_run_needs_no_root(name: str) -> None:
    assert images.IMAGES[name].settings.user == images.NOBODY
