# SPDX-License-Identifier: GPL-3.0-or-later
"""Each command of docs/migration.md, on a volume as the other image left it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from alone import PROBE, Alone, inside, is_well
from containers import Container, ended, eventually, podman
from exports import PASSWORD as EXPORTED
from exports import write_export

PAGE = (Path(__file__).parents[3] / "docs/migration.md").read_text()
COMMANDS = [shlex.split(line) for line in re.findall("^podman run .*$", PAGE, re.MULTILINE)]
OLD_PASSWORD = "of the old server"
# By a word of the command: where the other image had the server directory in its volume, and whose.
LEFT = {
    "pypi_data:/var/db": ("devpi-server", 0),
    "devpi_data:/var/lib/devpi": (".", 0),
    "devpi_data:/mnt/devpi": (".", 0),
    "/srv/docker/devpi:/data": ("server", 1000),
    "DEVPI_OUTSIDE_URL=https://devpi.example.com": ("devpi", 1000),
    "DEVPI_DATA_VOLUME=/opt/app-root/data": ("userdata", 1000670000),
}


@pytest.fixture(scope="module")
def old_data(image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server directory with an index, as images before had them."""
    volume = tmp_path_factory.mktemp("old")
    given = {"DEVPISERVER_ROOT_PASSWD": OLD_PASSWORD, "DEVPI_INDEX": "kept"}
    code, output = Alone(image, volume).run("init", **given)
    assert code == 0, output
    for ours in (".lock", ".secret"):
        (volume / "server" / ours).unlink()
    return volume / "server"


def which(command: list[str]) -> str:
    """The word of `LEFT` that the command has."""
    return next(word for word in command if word in LEFT)


def carried_out(command: list[str], image: str, sources: dict[str, Path]) -> tuple[list[str], int]:
    """The command for the image under test and folders of the test, and the port it publishes.

    It runs without a network, since a bridge would disturb the pods of a local cluster.
    """
    adapted, port = ["podman", "run", "--network=none", "--no-healthcheck"], 3141
    adapted += ["--env=DEVPISERVER_OFFLINE_MODE=true"]
    words = iter(command[2:])
    for word in words:
        if word in ("-d", "--detach"):
            continue
        if word in ("-p", "--publish"):
            port = int(next(words).partition(":")[2])
        elif word in ("--name", "--restart"):
            next(words)
        elif word in ("-v", "--volume"):
            source, colon, rest = next(words).partition(":")
            adapted += [word, f"{sources[source]}{colon}{rest}"]
        elif word == "devpi":
            adapted += [image, *words]
        else:
            adapted.append(word)
    return adapted, port


def started(command: list[str], image: str, sources: dict[str, Path]) -> tuple[Container, int]:
    adapted, port = carried_out(command, image, sources)
    container = Container(f"devpi-moved-{os.getpid()}")
    podman("run", "--detach", "--name", container.name, *adapted[2:])
    try:
        eventually(lambda: is_well(container), "devpi answers", 180)
    except AssertionError:
        print(container.log)
        container.__exit__()
        raise
    return container, port


def probe(container: Container, port: int, password: str) -> list[int]:
    """Status of a login of root, and of the indexes root/kept and root/dev."""
    url = f"http://127.0.0.1:{port}"
    said = inside(container, "/opt/devpi/bin/python", "-c", PROBE, url, password)
    return [int(word) for word in said.split()]


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """A folder for whatever a command mounts."""
    volume, export = tmp_path / "volume", tmp_path / "export"
    # As somebody makes it who lets nobody see the packages.
    volume.mkdir(mode=0o700)
    export.mkdir()
    yield {
        "./export": export,
        "/srv/docker/devpi": volume,
        **dict.fromkeys(("pypi_data", "devpi_data", "pipcache_data"), volume),
    }
    # Files of other users are no business of pytest's.
    shutil.rmtree(volume)


SERVERS = [command for command in COMMANDS if set(command) & set(LEFT)]
EXPORT = next(command for command in COMMANDS if "./export:/devpi-init.d:ro" in command)
LOOK = next(command for command in COMMANDS if "find" in command)


def test_each_command_of_the_page_is_here() -> None:
    assert len(SERVERS) + len([EXPORT, LOOK]) == len(COMMANDS)
    assert sorted(map(which, SERVERS)) == sorted(LEFT)


@pytest.mark.parametrize("command", SERVERS, ids=which)
def test_the_volume_of_another_image(
    command: list[str], image: str, old_data: Path, sources: dict[str, Path]
) -> None:
    folder, owner = LEFT[which(command)]
    volume = sources["devpi_data"]
    shutil.copytree(old_data, volume / folder, dirs_exist_ok=True)
    subprocess.run(["chown", "-R", f"{owner}:0", volume], check=True)
    code, output = ended(carried_out(LOOK, image, {"pypi_data": volume})[0])
    assert (code, output.strip().endswith("/.serverversion:4")) == (0, True), output
    container, port = started(command, image, sources)
    with container:
        assert probe(container, port, OLD_PASSWORD)[:2] == [200, 200]
        differs = any("PASSW" in word for word in command)
        assert ("is not the password of root" in container.log) == differs
        assert (volume / folder / ".serverversion").stat().st_uid == (owner or 1000)


@pytest.mark.parametrize(
    ("word", "password"),
    [("pypi_data:/var/db", "verysecret"), ("/srv/docker/devpi:/data", "secret")],
)
def test_an_empty_volume(word: str, password: str, image: str, sources: dict[str, Path]) -> None:
    command = next(command for command in SERVERS if which(command) == word)
    assert any(entry.endswith(f"={password}") for entry in command)
    container, port = started(command, image, sources)
    with container:
        assert probe(container, port, password) == [200, 404, 404]
        folder = sources["devpi_data"] / LEFT[word][0]
        assert (folder / ".serverversion").exists()


def test_an_export(image: str, sources: dict[str, Path]) -> None:
    write_export(sources["./export"], 3)
    container, port = started(EXPORT, image, sources)
    with container:
        assert probe(container, port, EXPORTED) == [200, 404, 200]
