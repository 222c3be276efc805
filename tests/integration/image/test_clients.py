# SPDX-License-Identifier: GPL-3.0-or-later
"""pip, uv, twine and devpi-client through the front: install from PyPI, upload, install back."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import stage
from containers import PASSWORD, Pod, ended, podman, run

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "docs/examples"
PIP_ENV = ROOT / "roles/devpi_client/files/devpi-pip-env"
CLIENTS = ("uv==0.13.8", "twine==7.0.0", "devpi-client==7.3.0")


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the clients' programs."""
    folder = tmp_path_factory.mktemp("clients")
    run([sys.executable, "-m", "venv", folder])
    run([folder / "bin/pip", "install", "--quiet", *CLIENTS])
    return folder / "bin"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def environment(served: Pod, home: Path) -> dict[str, str]:
    """Nothing but our index is known to the clients."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_", "TWINE_", "DEVPI"))
    }
    return kept | {
        "HOME": str(home),
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_CACHE_DIR": str(home / "uv"),
        "DEVPI_CLIENTDIR": str(home / "devpi"),
    }


@pytest.fixture(scope="module")
def index(served: Pod, clients: Path, home: Path) -> Iterator[str]:
    """URL of an index that devpi-client makes: use, login, index."""
    devpi = [clients / "devpi"]
    known = os.environ | {"HOME": str(home), "DEVPI_CLIENTDIR": str(home / "devpi")}
    url = f"http://127.0.0.1:{served.port}"
    run([*devpi, "use", url], env=known)
    run([*devpi, "login", "root", f"--password={PASSWORD}"], env=known)
    run([*devpi, "index", "-c", "root/stable", "bases=root/pypi"], env=known)
    run([*devpi, "use", "root/stable"], env=known)
    yield f"{url}/root/stable/"
    run([*devpi, "logoff"], env=known)


def wheel(folder: Path, version: str) -> Path:
    """A wheel made by hand: a module, its metadata, and the list of both."""
    file = folder / f"thinkube_probe-{version}-py3-none-any.whl"
    info = f"thinkube_probe-{version}.dist-info"
    contents = {
        "thinkube_probe.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: thinkube-probe\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*contents, f"{info}/RECORD"])
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    return file


def sdist(folder: Path, version: str) -> Path:
    """Sources that hold nothing but their metadata."""
    file = folder / f"thinkube_probe-{version}.tar.gz"
    text = f"Metadata-Version: 2.1\nName: thinkube-probe\nVersion: {version}\n".encode()
    with tarfile.open(file, "w:gz") as archive:
        entry = tarfile.TarInfo(f"thinkube_probe-{version}/PKG-INFO")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return file


def installed(folder: Path, python: Path) -> str:
    return run(
        [python, "-c", "import thinkube_probe; print(thinkube_probe.version)"], cwd=folder
    ).strip()


def test_pip_installs_from_pypi_through_it(
    index: str, environment: dict[str, str], tmp_path: Path
) -> None:
    run([sys.executable, "-m", "venv", tmp_path / "v"])
    pip = [tmp_path / "v/bin/pip", "install", "--no-cache-dir", "--index-url", f"{index}+simple/"]
    for _ in ("cold", "warm"):
        output = run([*pip, "--force-reinstall", "flask"], env=environment)
        assert "Successfully installed" in output
    assert "pypi.org" not in output
    # An index without +simple: devpi leads an installer on.
    run([*pip[:-1], index, "--force-reinstall", "--no-deps", "itsdangerous"], env=environment)


def test_uv_installs_from_pypi_through_it(
    index: str, environment: dict[str, str], clients: Path, tmp_path: Path
) -> None:
    run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"])
    uv = [clients / "uv", "pip", "install", "--python", tmp_path / "v/bin/python"]
    run([*uv, "--default-index", f"{index}+simple/", "flask"], env=environment)
    run([tmp_path / "v/bin/python", "-c", "import flask"])


@pytest.mark.parametrize(
    ("tool", "version"), [("twine", "1.0"), ("devpi", "1.1+local"), ("uv", "1.2")]
)
def test_an_upload_comes_back_the_same(
    index: str, environment: dict[str, str], clients: Path, tmp_path: Path, tool: str, version: str
) -> None:
    file = wheel(tmp_path, version)
    credentials = {"TWINE_USERNAME": "root", "TWINE_PASSWORD": PASSWORD}
    credentials |= {"UV_PUBLISH_USERNAME": "root", "UV_PUBLISH_PASSWORD": PASSWORD}
    run(
        {
            "twine": [
                clients / "twine",
                "upload",
                "--non-interactive",
                "--repository-url",
                index,
                file,
            ],
            "devpi": [clients / "devpi", "upload", file],
            "uv": [clients / "uv", "publish", "--publish-url", index, file],
        }[tool],
        env=environment | credentials,
        cwd=tmp_path,
    )
    assert f"thinkube_probe-{version}" in run(
        [clients / "devpi", "list", "thinkube-probe"], env=environment
    )
    for installer in ("pip", "uv"):
        venv = tmp_path / installer
        run([sys.executable, "-m", "venv", venv])
        found = [f"--index-url={index}+simple/", f"thinkube-probe=={version}"]
        command = {
            "pip": [venv / "bin/pip", "install"],
            "uv": [clients / "uv", "pip", "install", "--python", venv / "bin/python"],
        }[installer]
        run([*command, *found], env=environment)
        assert installed(tmp_path, venv / "bin/python") == version
    run(
        [
            tmp_path / "pip/bin/pip",
            "download",
            "--no-deps",
            "--no-cache-dir",
            "--dest",
            tmp_path / "back",
            *found,
        ],
        env=environment,
    )
    [back] = (tmp_path / "back").iterdir()
    assert hashlib.sha256(back.read_bytes()).digest() == hashlib.sha256(file.read_bytes()).digest()


@pytest.fixture(scope="module")
def with_pip(image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image for builds: that stage of ours which has a pip, under its usual name."""
    folder = tmp_path_factory.mktemp("with-pip")
    pip = "PYTHONPATH=/build/pip exec python3 -m pip --python /opt/devpi/bin/python"
    (folder / "pip").write_text(f'#!/bin/sh\n{pip} "$@"\n')
    (folder / "pip").chmod(0o755)
    (folder / "Containerfile").write_text(f"FROM {stage('build')}\nCOPY pip /usr/local/bin/\n")
    return podman("build", "--quiet", folder).split()[-1]


def test_a_folder_is_uploaded_and_builds_take_packages_from_there(
    index: str, environment: dict[str, str], clients: Path, tmp_path: Path, with_pip: str
) -> None:
    folder, context = tmp_path / "wheelhouse", tmp_path / "context"
    folder.mkdir()
    context.mkdir()
    wheel(folder, "2.0")
    sdist(folder, "2.1")
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    known = environment | {
        "PATH": f"{clients}{os.pathsep}{environment['PATH']}",
        "DEVPI_PASSWORD_FILE": str(tmp_path / "password"),
    }
    upload: list[str | Path] = ["sh", EXAMPLES / "upload-folder", folder, "root/stable"]
    code, output = ended(upload, env=known | {"DEVPI_URL": "http://127.0.0.1:1"})
    assert (code, "nothing is uploaded" in output) == (1, True), output
    run(upload, env=known | {"DEVPI_URL": index.removesuffix("/root/stable/")})
    # Of the version that is nowhere else.
    (context / "requirements.txt").write_text("thinkube-probe==2.0\n")
    shutil.copy(PIP_ENV, context)
    shutil.copy(EXAMPLES / "Containerfile.cached", context / "Containerfile")
    build = ["build", "--quiet", "--network=host", f"--from={with_pip}"]
    built = podman(*build, f"--build-arg=INDEX={index}+simple/", context).split()[-1]
    show = "import thinkube_probe; print(thinkube_probe.version)"
    alone = ["run", "--rm", "--network=none", "--no-healthcheck", built]
    assert podman(*alone, "/opt/devpi/bin/python", "-c", show) == "2.0\n"
    podman("rmi", "--force", built)
    listed = run([clients / "devpi", "list", "--all", "thinkube-probe"], env=environment)
    assert all(file.name in listed for file in folder.iterdir())
