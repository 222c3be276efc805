# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user then does with real pip, uv, devpi, fish and bash."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from .conftest import ROOT_PASSWORD, Server, Workstation, run

USER_PASSWORD = "a user password"
PROJECT = "devpi-client-test-project"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package made for the test."""
    name = PROJECT.replace("-", "_")
    path = tmp_path_factory.mktemp("dist") / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "answer = 42\n")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {PROJECT}\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(
            f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return path


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    run([sys.executable, "-m", "venv", str(tmp_path / "venv")])
    return tmp_path / "venv"


@pytest.fixture(scope="session")
def uv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uv")
    run([sys.executable, "-m", "venv", str(folder)])
    run([str(folder / "bin/pip"), "install", "--quiet", "uv"])
    return folder / "bin/uv"


def test_pip_installs_from_the_index(configured: Workstation, server: Server, venv: Path) -> None:
    asked = configured.run(venv / "bin/pip", "config", "get", "global.index-url")
    assert asked.stdout.strip() == f"{server.url}/root/stable/+simple/"
    ended = configured.run(venv / "bin/pip", "install", "iniconfig")
    assert ended.returncode == 0, ended.stdout
    assert f"Looking in indexes: {server.url}/root/stable/+simple/" in ended.stdout


def test_uv_installs_from_the_index(
    configured: Workstation, server: Server, venv: Path, uv: Path
) -> None:
    install: list[str | Path] = [
        uv,
        "pip",
        "install",
        "--verbose",
        "--no-cache",
        "--python",
        venv / "bin/python",
        "iniconfig",
    ]
    bundle = configured.home / ".local/share/devpi/ca-bundle.crt"
    ended = configured.run(*install, SSL_CERT_FILE=str(bundle))
    assert ended.returncode == 0, ended.stdout
    assert f"{server.url}/root/stable/+simple/iniconfig/" in ended.stdout
    assert "pypi.org" not in ended.stdout


def test_a_new_fish_says_nothing_and_knows_the_server(
    configured: Workstation, server: Server
) -> None:
    assert configured.fish("true").stdout == ""
    assert configured.fish("echo $DEVPI_URL").stdout.strip() == server.url
    shown = configured.fish("devpi-env").stdout
    for part in (server.url, "root/stable/+simple/", "https://devpi.example.test", "ca-bundle.crt"):
        assert part in shown
    assert "DEVPI_INDEX is set" in configured.fish("devpi-env", DEVPI_INDEX="root/stable").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "Usage: devpi-upload-pkg FILE"),
        ("a b", "Usage: devpi-upload-pkg FILE"),
        ("nosuch.whl", "there is no file nosuch.whl"),
        (".devpi.ini", "is no package"),
        ("broken.whl", "is no package"),
    ],
)
def test_an_upload_of_nothing_is_refused(
    configured: Workstation, arguments: str, message: str
) -> None:
    (configured.home / "broken.whl").write_text("no archive\n")
    ended = configured.fish(f"devpi-upload-pkg {arguments}")
    assert ended.returncode == 1
    assert message in ended.stdout


def test_an_upload_without_login_is_refused(configured: Workstation, wheel: Path) -> None:
    configured.run("devpi", "logoff")
    ended = configured.fish(f"devpi-upload-pkg {wheel}")
    assert ended.returncode == 1
    assert "run: devpi login USER" in ended.stdout


class Watch(threading.Thread):
    """Looks at the command lines of all processes until it is stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("shell", "way"),
    [("fish", "standard input"), ("bash", "standard input"), ("bash", "environment")],
)
def test_init_admin_makes_user_and_index(
    configured: Workstation, server: Server, wheel: Path, *, venv: Path, shell: str, way: str
) -> None:
    index = f"{shell}-{way[0]}/own"
    user = index.partition("/")[0]
    text, environment = f"{ROOT_PASSWORD}\n{USER_PASSWORD}\n", {}
    if way == "environment":
        text, environment = (
            "",
            {"DEVPI_PASSWORD": ROOT_PASSWORD, "DEVPI_USER_PASSWORD": USER_PASSWORD},
        )
    watch = Watch()
    watch.start()
    for _ in range(2):
        if shell == "fish":
            ended = configured.fish(f"devpi-init-admin {index}", text=text, **environment)
        else:
            script = configured.home / "devpi-scripts/devpi-init-admin.sh"
            ended = configured.run(
                script, index, text=text, DEVPI_INDEX="root/stable", **environment
            )
        assert ended.returncode == 0, ended.stdout
        assert f"logged in '{user}'" in ended.stdout
        assert ROOT_PASSWORD not in ended.stdout
        assert USER_PASSWORD not in ended.stdout
    watch.stopped.set()
    watch.join()
    lines = b"\n".join(watch.seen)
    assert b"devpi-init-admin" in lines
    assert ROOT_PASSWORD.encode() not in lines
    assert USER_PASSWORD.encode() not in lines
    logins = json.loads((configured.home / ".devpi/client/auth.json").read_text())
    assert "root" not in dict(logins["auth"][f"{server.url}/"])

    ended = configured.fish(f"devpi-upload-pkg {wheel}")
    assert ended.returncode == 0, ended.stdout
    assert f"Uploaded {wheel} to {server.url}/{index}" in ended.stdout
    simple = f"{server.url}/{index}/+simple/"
    target = venv / "back"
    ended = configured.run(
        venv / "bin/pip", "download", "--no-deps", "--dest", target, "--index-url", simple, PROJECT
    )
    assert ended.returncode == 0, ended.stdout
    back = target / wheel.name
    assert hashlib.sha256(back.read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no password (password of root)"),
        ("wrong\n", "could not be authenticated"),
        (f"{ROOT_PASSWORD}\n", "no password (password of somebody)"),
        (f"{ROOT_PASSWORD}\nshort\n", "at least 8 characters"),
    ],
    ids=["none", "wrong", "one", "short"],
)
def test_init_admin_says_what_is_missing(configured: Workstation, text: str, message: str) -> None:
    before = (configured.home / ".devpi/client").stat().st_mtime_ns
    ended = configured.fish("devpi-init-admin somebody/own", text=text)
    assert ended.returncode == 1
    assert message in ended.stdout
    assert (configured.home / ".devpi/client").stat().st_mtime_ns == before


def test_init_admin_wants_an_index(configured: Workstation) -> None:
    ended = configured.fish("devpi-init-admin somebody")
    assert ended.returncode == 1
    assert "'somebody' is not an index" in ended.stdout


def test_the_clients_own_commands(configured: Workstation, server: Server, wheel: Path) -> None:
    """The flow of the seed's page, the password read instead of given."""

    def devpi(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
        ended = configured.run("devpi", *arguments, text=text)
        assert ended.returncode == 0, ended.stdout
        return ended

    devpi("use", server.url)
    devpi("login", "root", text=f"{ROOT_PASSWORD}\n")
    devpi("index", "-c", "myindex", "bases=root/pypi")
    devpi("use", "root/myindex")
    devpi("upload", wheel)
    assert f"{PROJECT}==1.0" in devpi("list", PROJECT).stdout or PROJECT in devpi("list").stdout
    devpi("use", f"{server.url}/root/stable")
    devpi("logoff")
