# SPDX-License-Identifier: GPL-3.0-or-later
"""What role devpi_image may build from, by each engine that is here: a list, a commit, a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import base_image, stage
from containers import SYSTEM_CA, podman, run
from registry import Registry, serving
from role import play

TWO = ["linux/amd64", "linux/arm64"]
BILL = '{"bomFormat": "CycloneDX"}\n'
CONTAINERFILE = "ARG BASE\nFROM ${BASE}\nCOPY sbom.cdx.json /usr/share/devpi/\n"
# Whoever tries to leave the machine comes to a port where nobody listens.
NO_WAY_OUT = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:1")
NO_WAY_OUT |= {name.upper(): value for name, value in NO_WAY_OUT.items()}


@pytest.fixture(scope="module")
def private_base(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image of two platforms that the registry gives to nobody without a login."""
    context = tmp_path_factory.mktemp("base")
    (context / "Containerfile").write_text("FROM scratch\nCOPY Containerfile /\n")
    name = f"{registry.host}/library/base:1"
    # The cache of old engines takes the layers of one platform for those of the other.
    build = ["build", "--quiet", "--no-cache", f"--platform={','.join(TWO)}"]
    podman(*build, "--manifest", name, context)
    trust = [f"--authfile={registry.authfile}", f"--cert-dir={registry.ca.parent}"]
    podman("manifest", "push", "--all", "--rm", *trust, name, f"docker://{name}")
    return name


class Repository:
    """A git repository, with a Containerfile and a bill of materials on branch `main`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "dockerfile").mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit({"dockerfile/Dockerfile": CONTAINERFILE, "sbom.cdx.json": BILL})

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        return run(["git", "-C", self.folder, *who, *arguments])

    def commit(self, files: dict[str, str]) -> str:
        """The commit that these files make."""
        for name, text in files.items():
            (self.folder / name).write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message=one more")
        return self.git("rev-parse", "HEAD").strip()


@pytest.fixture
def source(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "source")


@pytest.fixture
def from_git(
    tmp_path: Path, good: dict[str, Any], private_base: str, source: Repository
) -> dict[str, Any]:
    """The variables for a build of that repository."""
    return good | {
        "devpi_image_base": private_base,
        "devpi_image_git_url": f"file://{source.folder}",
        "devpi_image_sbom_folder": str(tmp_path),
    }


@pytest.mark.parametrize("builder", ["podman", pytest.param("buildah", marks=pytest.mark.long)])
def test_several_platforms_on_a_private_base(
    tmp_path: Path, from_git: dict[str, Any], registry: Registry, builder: str
) -> None:
    assert shutil.which(builder), f"apt-get install {builder}"
    wanted = from_git | {
        "devpi_image_engine": builder,
        "devpi_image_name": builder,
        "devpi_image_platforms": TWO,
        "devpi_image_tag": "latest",
    }
    # As a run leaves it that was killed after the build.
    tagged = play(tmp_path, "--check", **wanted).reference()
    podman("manifest", "create", tagged, f"containers-storage:{base_image()}")
    first = play(tmp_path, **wanted)
    assert first.code == 0, first.output
    assert registry.platforms(first.reference()) == TWO
    assert registry.platforms(f"{registry.host}/library/{builder}:latest") == TWO
    assert [file.read_text() for file in tmp_path.glob("*.cdx.json")] == [BILL]
    again = play(tmp_path, **wanted)
    assert (again.code, again.changed, again.reference()) == (0, 0, first.reference())


def test_a_branch_is_built_anew_when_it_moves(
    tmp_path: Path, from_git: dict[str, Any], source: Repository
) -> None:
    first = play(tmp_path, **from_git)
    assert first.code == 0, first.output
    commit = source.commit({"sbom.cdx.json": "{}\n"})
    moved = play(tmp_path, **from_git)
    assert (moved.code, moved.reference() == first.reference()) == (0, False), moved.output
    assert len(list(tmp_path.glob(f"devpi-git-{commit[:12]}-*.cdx.json"))) == 1
    pinned = play(tmp_path, **from_git, devpi_image_git_ref=commit)
    assert (pinned.changed, pinned.reference()) == (0, moved.reference())
    source.commit({"dockerfile/Dockerfile": "ARG BASE\nFROM ${BASE}\nCOPY dockerfile /\n"})
    without = play(tmp_path, **from_git)
    assert without.code != 0
    assert "has no /usr/share/devpi/sbom.cdx.json" in without.output


def test_plain_http_is_spoken_where_it_is_asked_for(tmp_path: Path, source: Repository) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    with serving(folder, plain=True) as registry:
        given: dict[str, Any] = {
            "harbor_registry": registry.host,
            "devpi_image_base": "scratch",
            "devpi_image_git_url": f"file://{source.folder}",
        }
        refused = play(tmp_path, **given)
        assert (refused.code != 0, refused.changed) == (True, 0), refused.output
        assert "cannot be used" in refused.output
        asked = given | {
            "devpi_image_plain_http_registry": registry.host,
            "devpi_image_tag": "latest",
            "devpi_image_sbom_folder": str(tmp_path),
        }
        runs = [play(tmp_path, **asked) for _ in range(2)]
        assert [run.code for run in runs] == [0, 0], runs[0].output
        assert runs[1].changed == 0, runs[1].output
        assert [file.read_text() for file in tmp_path.glob("*.cdx.json")] == [BILL]


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory, image: str) -> Path:
    """Filled as the role's README says, by the Python of the base."""
    folder = tmp_path_factory.mktemp("wheels")
    trusted = [f"--volume={SYSTEM_CA.resolve()}:/ca.crt:ro"] if SYSTEM_CA.exists() else []
    trusted += ["--env=PIP_CERT=/ca.crt"] if SYSTEM_CA.exists() else []
    podman(
        "run",
        "--rm",
        "--network=host",
        "--env=PYTHONPATH=/build/pip",
        f"--volume={folder}:/wheels",
        *trusted,
        stage("build"),
        "sh",
        "-ec",
        "pip='python3 -m pip download --quiet --dest /wheels'; $pip pip;"
        " $pip --require-hashes --requirement /build/requirements.txt",
    )
    return folder


def test_a_folder_of_wheels_and_a_private_base_suffice(
    tmp_path: Path, good: dict[str, Any], registry: Registry, wheelhouse: Path
) -> None:
    """And podman and buildah, each for itself, make the same layers of them."""
    base = f"{registry.host}/library/runtime:1"
    trust = [f"--authfile={registry.authfile}", f"--cert-dir={registry.ca.parent}"]
    podman("push", "--quiet", *trust, stage("runtime"), f"docker://{base}")
    offline = {**good, "devpi_image_base": base, "devpi_image_cache": False}
    refused = play(tmp_path, environment=NO_WAY_OUT, **offline)
    assert refused.code != 0, "a build without wheels has found a way out"
    given = offline | {
        "devpi_image_wheelhouse": str(wheelhouse),
        "devpi_image_sbom_folder": str(tmp_path),
    }
    layers = []
    for builder in ("podman", "buildah"):
        chosen = {"devpi_image_engine": builder, "devpi_image_name": f"by-{builder}"}
        built = play(tmp_path, environment=NO_WAY_OUT, **given | chosen)
        assert built.code == 0, built.output
        manifest = registry.manifest(built.reference())
        layers.append([layer["digest"] for layer in manifest["layers"]])
        (bill,) = tmp_path.glob(f"by-{builder}-6*.cdx.json")
        components = json.loads(bill.read_text())["components"]
        assert "devpi-server" in {component["name"] for component in components}
    assert layers[0] == layers[1]
    bill.unlink()
    # Another engine finds the image, and writes the same.
    again = play(tmp_path, **given | {**chosen, "devpi_image_engine": "podman"})
    assert (again.code, again.changed, again.reference()) == (0, 1, built.reference())
    assert bill.is_file()
    name = podman("pull", "--quiet", *trust, built.reference()).split()[-1]
    alone = ["run", "--rm", "--network=none", "--no-healthcheck", "--user=1000:0"]
    assert podman(*alone, name, "devpi-server", "--version") == "6.20.3\n"
