# SPDX-License-Identifier: GPL-3.0-or-later
"""What fish, bash and zsh know of devpi: variables, commands, completions."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from .conftest import (
    ROOT_PASSWORD,
    Pair,
    Server,
    Workstation,
    assert_comes_back,
    make_wheel,
)
from .terminal import PROMPT, type_into

USER_PASSWORD = "a user password"
PROJECT = "devpi-client-test-project"
SHELLS = ("fish", "bash", "zsh")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheel(tmp_path_factory.mktemp("dist"), PROJECT)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_new_shell_says_nothing_and_knows_the_server(
    configured: Workstation, server: Server, shell: str
) -> None:
    said = configured.shell(shell, "true").stdout
    assert [line for line in said.splitlines() if not line.startswith("bash: ")] == []
    bundle = f"{configured.home}/.local/share/devpi/ca-bundle.crt"
    known = configured.shell(shell, "echo $DEVPI_URL; echo $SSL_CERT_FILE").stdout
    assert known.splitlines()[-2:] == [server.url, bundle]
    mine = configured.shell(shell, "echo $SSL_CERT_FILE", SSL_CERT_FILE="/mine").stdout
    assert mine.splitlines()[-1] == "/mine"
    shown = configured.shell(shell, "devpi-env", PATH="/usr/bin:/bin").stdout
    for part in (server.url, "root/stable/+simple/", "https://devpi.example.test", bundle):
        assert part in shown
    pinned = configured.shell(shell, "devpi-env", DEVPI_INDEX="root/stable").stdout
    assert "DEVPI_INDEX is set" in pinned


def test_what_is_switched_off_is_not_there(pair: Pair) -> None:
    for shell in SHELLS:
        assert pair.second.shell(shell, "echo $SSL_CERT_FILE").stdout.splitlines()[-1] == ""


def test_any_sh_can_load_what_bash_loads(configured: Workstation, server: Server) -> None:
    file = configured.home / ".local/share/devpi/shell.sh"
    ended = configured.run("/bin/sh", "-euc", f". '{file}'; echo $DEVPI_URL")
    assert ended.stdout == f"{server.url}\n"


@pytest.fixture(scope="module")
def typist(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose shells load our settings after what their user has, with files to complete."""
    home = tmp_path_factory.mktemp("typist")
    loaded = f". '{pair.first.home}/.local/share/devpi/shell.sh'\n"
    (home / ".bashrc").write_text(f"PS1='{PROMPT}'\n{loaded}")
    (home / ".zshrc").write_text(f"PROMPT='{PROMPT}'\nautoload -Uz compinit; compinit -u\n{loaded}")
    for name in ("a package-1.0-py3-none-any.whl", "a picture.png", "source-1.0.tar.gz"):
        (home / name).touch()
    return home


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("keys", "completed"),
    [
        ("devpi-upload-pkg a\\ p\t", r"a\ package-1.0-py3-none-any.whl"),
        ("devpi-upload-pkg so\t", "source-1.0.tar.gz"),
        ("devpi-init-admin \t", "admin/stable"),
        ("devpi getj\t", "devpi getjson "),
    ],
)
def test_a_terminal_completes(
    configured: Workstation, typist: Path, shell: str, *, keys: str, completed: str
) -> None:
    environment = {**configured.environment, "HOME": str(typist)}
    shown = type_into(shell, keys, completed, environment=environment, home=typist)
    assert completed in shown


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("devpi-upload-pkg ", {"a package-1.0-py3-none-any.whl", "source-1.0.tar.gz"}),
        ("devpi-upload-pkg so", {"source-1.0.tar.gz"}),
        ("devpi-init-admin ", {"admin/stable"}),
        ("devpi-env ", set()),
        ("devpi lo", {"login", "logoff", "logout"}),
    ],
)
def test_fish_completes(
    configured: Workstation, typist: Path, line: str, offered: set[str]
) -> None:
    asked = configured.fish(f"cd {typist}; complete -C '{line}'").stdout.splitlines()
    assert {answer.partition("\t")[0].replace("\\", "") for answer in asked} == offered


def test_completions_know_every_command_of_devpi(configured: Workstation) -> None:
    usage = configured.run("devpi", "--help").stdout
    commands = usage.partition("{")[2].partition("}")[0].split(",")
    offered = configured.fish("complete -C 'devpi '").stdout.split()
    assert sorted(offered) == sorted(commands)


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


@pytest.mark.parametrize("shell", SHELLS)
def test_an_upload_without_login_is_refused(
    configured: Workstation, wheel: Path, shell: str
) -> None:
    configured.run("devpi", "logoff")
    ended = configured.shell(shell, f"devpi-upload-pkg {wheel}")
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
    [("fish", "standard input"), ("zsh", "standard input"), ("bash", "environment")],
)
def test_init_admin_makes_user_and_index(
    configured: Workstation, server: Server, wheel: Path, *, tmp_path: Path, shell: str, way: str
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
        if way == "environment":
            script = configured.home / "devpi-scripts/devpi-init-admin.sh"
            ended = configured.run(
                script, index, text=text, DEVPI_INDEX="root/stable", **environment
            )
        else:
            ended = configured.shell(shell, f"devpi-init-admin {index}", text=text)
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

    ended = configured.shell(shell, f"devpi-upload-pkg {wheel}")
    assert ended.returncode == 0, ended.stdout
    assert f"Uploaded {wheel} to {server.url}/{index}" in ended.stdout
    assert_comes_back(configured, wheel, f"{server.url}/{index}/+simple/", tmp_path)


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
