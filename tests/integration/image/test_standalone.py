# SPDX-License-Identifier: GPL-3.0-or-later
"""One container for everything, as somebody has it who just runs the image."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import tarfile
import time
from base64 import b64encode
from pathlib import Path

import pytest
from alone import Alone, inside, is_well
from containers import PASSWORD, Container, ask, eventually, podman
from exports import PASSWORD as EXPORTED
from exports import contents, write_export

KILLS = min(int(os.environ.get("KILLS", "10")), 10)
REFUSED = 2


@pytest.fixture
def alone(image: str, tmp_path: Path) -> Alone:
    """Started as root on an empty folder that is root's."""
    volume = tmp_path / "volume"
    volume.mkdir(mode=0o755)
    return Alone(image, volume)


def stopped(container: Container) -> int:
    """Exit code of a container that is stopped as an engine does by itself."""
    podman("stop", "--time=20", container.name)
    return container.wait()


def test_the_shortest_way_to_an_index(alone: Alone, tmp_path: Path) -> None:
    """No user, no password: all is made, nothing is open, and the next start has it all."""
    with alone.serving() as container:
        said = container.log
        file = alone.volume / "server/.root-password"
        password = file.read_text().strip()
        assert f"that of root is in /data/server/{file.name}" in said
        assert password not in said
        assert (len(password), file.stat().st_mode & 0o777) == (32, 0o600)
        assert not alone.logs_in("")
        token = json.loads(alone.login(password).body)["result"]["password"]
        for index in ("root/pypi", "root/public"):
            found = ask(
                alone.port, f"/{index}?no_projects=", headers={"Accept": "application/json"}
            )
            assert found.status == 200, index
            direct = json.loads(found.body)["result"].get("mirror_no_project_list", False)
            assert direct == (index == "root/pypi")
        assert ask(alone.port, "/someone", "PUT", body=b'{"password": "x"}').status == 403
        page = ask(alone.port, "/", headers={"Accept": "text/html"})
        assert b"<title>devpi</title>" in page.body
        assert {entry.stat().st_uid for entry in (alone.volume / "server").iterdir()} == {1000}
        status = Path(f"/proc/{container.child('devpi-server')}/status").read_text()
        assert "CapEff:\t0000000000000400" in status
        assert "NoNewPrivs:\t1" in status
        # By exec one is root: the programs find the data all the same, and leave them their owner.
        assert "dumped user 'root'" in inside(container, "devpi-export", "/tmp/export")
        assert inside(container, "devpi-fsck").count("\n") > 1
        assert {entry.stat().st_uid for entry in (alone.volume / "server").iterdir()} == {1000}
        assert "6.20.3" in inside(container, "devpi-server", "--version")
        assert stopped(container) == 0
        assert "nginx is stopped" in container.log
    with alone.serving(DEVPI_PASSWORD="another one") as container:
        assert alone.logs_in(password)
        credentials = {"X-Devpi-Auth": token_header(token)}
        made = ask(alone.port, "/root/new", "PUT", credentials, b'{"bases": ["root/pypi"]}')
        assert made.status == 200, "the token has outlived the restart"
        assert "DEVPI_PASSWORD is not the password of root" in container.log
        assert "another one" not in container.log
    secret = tmp_path / "secret"
    secret.write_text("the third\n")
    secret.chmod(0o600)
    alone.options = [f"--volume={secret}:/run/secrets/root:ro"]
    given = {"DEVPI_PASSWORD_FILE": "/run/secrets/root", "DEVPI_RESET_ROOT_PASSWORD": "true"}
    with alone.serving(**given) as container:
        assert alone.logs_in("the third")
        assert not alone.logs_in(password)
        assert "is not the password" not in container.log


def token_header(token: str) -> str:
    return b64encode(f"root:{token}".encode()).decode()


def test_an_arbitrary_user_on_a_read_only_root(alone: Alone, tmp_path: Path) -> None:
    """OpenShift's way, the place of an older image, a user of one's own, a socket, JSON logs."""
    doors = tmp_path / "doors"
    doors.mkdir(mode=0o777)
    doors.chmod(0o777)
    os.chown(alone.volume, 1000670000, 0)
    alone.volume.chmod(0o2770)
    alone.place = "/var/lib/devpi"
    limits = ["--user=1000670000:0", "--read-only", "--cap-drop=all"]
    alone.options = [*limits, f"--volume={doors}:/doors"]
    given = {"DEVPI_USER": "alice", "DEVPI_INDEX": "dev", "DEVPI_PASSWORD": PASSWORD}
    arguments = [f"--port {alone.port} --threads 7", "--unix-socket=/doors/it"]
    with alone.serving(
        *arguments, "--unix-socket-perms", "666", **given, DEVPI_LOG_FORMAT="json"
    ) as container:
        assert (doors / "it").stat().st_mode & 0o777 == 0o666
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(doors / "it"))
            client.sendall(b"GET /+api HTTP/1.0\r\nAccept: application/json\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert alone.logs_in(PASSWORD, "alice")
        assert not alone.logs_in(PASSWORD, "root")
        found = ask(alone.port, "/alice/dev?no_projects=", headers={"Accept": "application/json"})
        assert json.loads(found.body)["result"]["bases"] == ["root/pypi"]
        assert (alone.volume / ".serverversion").exists()
        command = Path(f"/proc/{container.child('devpi-server')}/environ").read_bytes()
        assert b"DEVPISERVER_THREADS=7" in command
        assert PASSWORD.encode() not in command
        too_large = ask(alone.port, "/alice/dev/", "POST", {"Content-Length": str(2**40)})
        assert too_large.status == 413
        for name in ("nginx", "devpi-server"):
            kill(container, name)
        said = container.log
        lines = [json.loads(line) for line in said.splitlines()]
        services = {"entrypoint", "devpi-init", "devpi-server", "nginx"}
        assert {line["service"] for line in lines} == services
        assert [line["level"] for line in lines if "too large body" in line["message"]] == ["ERROR"]
        assert PASSWORD not in said


def kill(container: Container, service: str) -> None:
    """As a crash; it is back at once."""
    os.kill(container.child(service), signal.SIGKILL)
    eventually(lambda: f"{service} ended with 137" in container.log, f"{service} is missed")
    eventually(lambda: is_well(container), f"{service} is back")


def test_devpi_by_itself_with_a_configuration_file(alone: Alone, tmp_path: Path) -> None:
    file = tmp_path / "devpi-server.yml"
    lines = [f"  port: {alone.port}", "  role: master", "  threads: 9"]
    file.write_text("\n".join(["devpi-server:", *lines, ""]))
    alone.options = [f"--volume={file}:/etc/xdg/devpi-server/devpi-server.yml:ro"]
    with alone.serving("devpi", DEVPI_FRONT="off", DEVPI_PASSWORD=PASSWORD) as container:
        assert alone.logs_in(PASSWORD)
        assert "'master', which is called 'primary' today" in container.log
        assert "threads=9" in container.log
        assert container.stop("TERM") == 0
    assert json.loads((alone.volume / "server/.nodeinfo").read_text())["role"] == "primary"


def test_an_export_comes_back_equal(alone: Alone, tmp_path: Path, image: str) -> None:
    """From a folder, with the exported password; then from an archive, with one that is given."""
    init = tmp_path / "init.d"
    (init / "export").mkdir(parents=True)
    write_export(init / "export", 200)
    alone.options = [f"--volume={init}:/devpi-init.d:ro"]
    with alone.serving() as container:
        assert alone.logs_in(EXPORTED)
        assert not (alone.volume / "server/.root-password").exists()
        inside(container, "devpi-export", "/data/server/export")
        first = alone.volume / "server/export"
        exported = contents(first)
    assert len(exported["says"]["indexes"]["root/dev"]["files"]) == 200
    assert exported["holds"] == contents(init / "export")["holds"]
    mirror = exported["says"]["indexes"]["root/pypi"]["indexconfig"]
    assert mirror["mirror_url"] == "https://pypi.org/simple/"
    archives = tmp_path / "archives"
    archives.mkdir()
    with tarfile.open(archives / "export.tar", "w") as tar:
        tar.add(first, "export")
    other = Alone(image, tmp_path / "other", options=[f"--volume={archives}:/devpi-init.d:ro"])
    other.volume.mkdir()
    podman(
        "run", "--rm", "--network=none", f"--volume={archives}:/a", "--entrypoint=zstd", image,
        "-q", "--rm", "/a/export.tar",
    )  # fmt: skip
    assert [file.name for file in archives.iterdir()] == ["export.tar.zst"]
    with other.serving(DEVPI_PASSWORD=PASSWORD) as container:
        assert other.logs_in(PASSWORD)
        assert not (other.volume / "server/.initialising").exists()
        inside(container, "devpi-export", "/data/server/export")
        again = contents(other.volume / "server/export")
    for export in (exported, again):
        root = export["says"]["users"]["root"]
        assert root.pop("pwhash").startswith("$argon2")
        root.pop("modified", None)
    assert again == exported


def test_a_first_start_that_is_killed_is_made_good_by_the_next(alone: Alone) -> None:
    began = time.monotonic()
    with alone.serving(DEVPI_PASSWORD=PASSWORD):
        takes = time.monotonic() - began
    subprocess.run(["rm", "-rf", alone.volume / "server"], check=True)
    half = 0
    for _ in range(KILLS):
        with alone.start(DEVPI_PASSWORD=PASSWORD) as container:
            time.sleep(random.uniform(0, takes))
            podman("kill", "--signal=KILL", container.name, check=False)
        half += (alone.volume / "server/.initialising").exists()
        with alone.serving(DEVPI_PASSWORD=PASSWORD):
            assert alone.logs_in(PASSWORD)
        subprocess.run(["rm", "-rf", alone.volume / "server"], check=True)
    print(f"{half} of {KILLS} kills hit the middle of an initialisation")


def fill(alone: Alone, **files: str) -> None:
    folder = alone.volume / "server"
    folder.mkdir()
    for name, text in files.items():
        (folder / f".{name}").write_text(text)


def test_bad_input_is_named_and_nothing_is_written(alone: Alone) -> None:
    rows: list[tuple[list[str], dict[str, str], str]] = [
        ([], {"DEVPISERVER_RESTRICT_MODFIY": "root"}, "Is DEVPISERVER_RESTRICT_MODIFY meant"),
        ([], {"DEVPI_PASSWORD_FILE": "/nosuch"}, "DEVPI_PASSWORD_FILE names /nosuch"),
        ([], {"DEVPI_PASSWORD": "a", "DEVPI_ROOT_PASSWORD": "b"}, "hold different passwords"),
        ([], {"DEVPISERVER_ROOT_PASSWD_HASH": "abc"}, "is no hash of a password"),
        (["--replica-cert", "x"], {}, "the same DEVPISERVER_SECRETFILE"),
        (["--host", "203.0.113.9"], {}, "can't be listened at"),
    ]
    for arguments, environment, says in rows:
        code, output = alone.run(*arguments, **environment)
        assert (code, says in output) == (REFUSED, True), output
        assert "Traceback" not in output
        assert not list((alone.volume / "server").glob(".[!l]*")), output


def test_a_port_that_is_taken(alone: Alone) -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", alone.port))
        other.listen()
        code, output = alone.run()
    assert (code, f"Port {alone.port} is taken" in output) == (REFUSED, True), output
    assert not (alone.volume / "server/.serverversion").exists()


@pytest.mark.parametrize(
    ("files", "environment", "says"),
    [
        ({"serverversion": "2", "nodeinfo": "{}"}, {}, "has the format 2"),
        ({"nodeinfo": "{}"}, {}, "only half initialised"),
        ({"photo": ""}, {}, "holds files, but no devpi data"),
        (
            {"serverversion": "4", "nodeinfo": '{"role": "standalone"}'},
            {"DEVPISERVER_PRIMARY_URL": "https://primary.example.org"},
            "can't become a replica",
        ),
    ],
)
def test_data_that_are_not_ours_are_left_alone(
    alone: Alone, files: dict[str, str], environment: dict[str, str], says: str
) -> None:
    fill(alone, **files)
    code, output = alone.run(**environment)
    assert (code, says in output) == (REFUSED, True), output
    kept = {entry.name: entry.read_text() for entry in (alone.volume / "server").iterdir()}
    for ours in (".lock", ".secret"):
        kept.pop(ours, None)
    assert kept == {f".{name}": text for name, text in files.items()}


def test_a_volume_of_somebody_else(alone: Alone) -> None:
    alone.options = ["--user=1000:0"]
    code, output = alone.run()
    assert (code, "chown -R 1000:0" in output) == (REFUSED, True), output
    alone.options = ["--cap-drop=all"]
    code, output = alone.run()
    assert (code, "--user 1000:0" in output) == (REFUSED, True), output


def test_an_import_that_fails_leaves_nothing(alone: Alone, tmp_path: Path) -> None:
    init = tmp_path / "init.d"
    (init / "export").mkdir(parents=True)
    (init / "export/dataindex.json").write_text('{"dumpversion": "99"}')
    alone.options = [f"--volume={init}:/devpi-init.d:ro"]
    code, output = alone.run()
    assert (code, "devpi-import ended with" in output) == (REFUSED, True), output
    assert [entry.name for entry in (alone.volume / "server").iterdir()] == [".lock"]
    (init / "second.bz2").touch()
    code, output = alone.run()
    assert (code, "more than one export: export, second.bz2" in output) == (REFUSED, True), output
