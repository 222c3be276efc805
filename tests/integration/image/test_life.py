# SPDX-License-Identifier: GPL-3.0-or-later
"""First start, stops, crashes, users, and inputs that can't be meant."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from containers import PASSWORD, Pod, ask, ended, eventually, login, podman

WEB = {
    "DEVPI_FRONT_WEB_PORT": "8081",
    "DEVPI_FRONT_DASHBOARD_URL": "https://devpi.example.org",
}
KILLS = int(os.environ.get("KILLS", "10"))


def test_initialising_again_changes_nothing(pod: Pod) -> None:
    pod.init()
    before = sorted(
        (path, path.stat().st_mtime_ns) for path in (pod.folder / "data/server").rglob("*")
    )
    code, output = pod.run("init")
    assert code == 0
    assert "is initialised already" in output
    assert before == sorted(
        (path, path.stat().st_mtime_ns) for path in (pod.folder / "data/server").rglob("*")
    )


def test_a_start_compiles_nothing(pod: Pod) -> None:
    """On a read-only root that would be done anew at each start."""
    program = (
        "import devpi_image.acts, devpi_image.making; from devpi_server.init import init;"
        " init(argv=['devpi-init', '--serverdir', '/tmp/made', '--root-passwd', 'x'])"
    )
    code, output = pod.run("python", "-v", "-c", program)
    assert code == 0, output
    loaded = re.findall(r"^# code object from '?([^'\n]+)", output, re.MULTILINE)
    assert any("devpi_web" in file for file in loaded)
    assert [file for file in loaded if not file.endswith(".pyc")] == []


def test_an_init_that_was_killed_leaves_nothing_half(pod: Pod) -> None:
    began = time.monotonic()
    pod.init()
    takes = time.monotonic() - began
    subprocess.run(["rm", "-rf", pod.folder / "data/server"], check=True)
    seen_half = 0
    for _ in range(KILLS):
        name = f"devpi-test-{os.getpid()}-killed"
        starting = subprocess.Popen(
            ["podman", "run", "--rm", "--name", name, *pod.options({}), pod.image, "init"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(random.uniform(0, takes))
        subprocess.run(["podman", "kill", "--signal=KILL", name], check=False, capture_output=True)
        starting.wait(60)
        folder = pod.folder / "data/server"
        seen_half += (folder / ".initialising").exists()
        if (folder / ".serverversion").exists():
            subprocess.run(["rm", "-rf", folder], check=True)
    print(f"{seen_half} of {KILLS} kills hit the middle of an initialisation")
    pod.init()
    assert not (pod.folder / "data/server/.initialising").exists()
    assert [path.name for path in (pod.folder / "data").iterdir()] == ["server"]
    with pod.server(), pod.front():
        assert login(pod.port).status == 200


def test_root_gets_its_password_anew_where_that_is_asked_for(pod: Pod) -> None:
    pod.init()
    with pod.server(), pod.front():
        token = json.loads(login(pod.port).body)["result"]["password"]
        headers = {"X-Devpi-Auth": b64encode(f"root:{token}".encode()).decode()}
        by_hand = ask(pod.port, "/root", "PATCH", headers, b'{"password": "changed by hand"}')
        assert by_hand.status == 200, by_hand.body
        pod.secret("root", "reset", "true")
        code, output = pod.run("init")
        assert (code, "in use by another container" in output) == (2, True)
    new = "sec/ond+root päss'wörd"
    pod.secret("root", "password", new)
    for moment in (0.3, 0.6, 0.9):
        began = pod.start("init")
        time.sleep(moment)
        with began:
            pass
    code, output = pod.run("init")
    assert (code, new in output) == (0, False), output
    with pod.server(), pod.front():
        assert login(pod.port, password=new).status == 200
        for wrong in ("changed by hand", PASSWORD):
            assert login(pod.port, password=wrong).status == 401


@pytest.mark.parametrize("uid", [1000, 1000670000])
def test_any_user_on_a_read_only_root(tmp_path: Path, image: str, uid: int) -> None:
    pod = Pod(tmp_path / "pod", image, uid)
    pod.init()
    with pod.server() as server, pod.front():
        assert login(pod.port).status == 200
        assert f" {uid} " in Path(f"/proc/{server.pid}/status").read_text().replace("\t", " ")
    group_can_write = 0o070
    database = pod.folder / "data/server/.sqlite"
    assert database.stat().st_mode & group_can_write >= 0o060


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_a_stop_is_clean_and_loses_nothing(pod: Pod, name: str) -> None:
    pod.init()
    with pod.server() as server, pod.front() as front:
        token = json.loads(login(pod.port).body)["result"]["password"]
        headers = {"X-Devpi-Auth": b64encode(f"root:{token}".encode()).decode()}
        made = ask(pod.port, "/root/kept", "PUT", headers, b'{"bases": ["root/pypi"]}')
        assert made.status == 200, made.body
        began = time.monotonic()
        assert server.stop(name) == 0
        assert time.monotonic() - began < 9
        assert "devpi-server is stopped" in server.log
        gone = ask(pod.port, "/root/kept")
        assert (gone.status, bool(gone.headers["Retry-After"])) == (503, True)
        assert ask(pod.port, "/+front/ready").status == 200
        assert front.stop(name) == 0
    with pod.server(), pod.front():
        # The token outlives the restart, since its key is a Secret.
        assert ask(pod.port, "/root/kept", "PATCH", headers, b'["volatile=False"]').status == 200


def test_a_crash_is_mended_in_place(pod: Pod) -> None:
    pod.init()
    with pod.server(DEVPI_RESTART_LIMIT="1") as server, pod.front():
        before = server.pid
        os.kill(server.child("devpi-server"), signal.SIGKILL)
        eventually(lambda: ask(pod.port, "/+api").status == 503, "the crash is seen")
        eventually(lambda: ask(pod.port, "/+api").status == 200, "it serves again")
        assert server.pid == before
        os.kill(server.child("devpi-server"), signal.SIGKILL)
        assert server.wait() == 128 + signal.SIGKILL
        assert "giving up" in server.log
        assert ask(pod.port, "/+front/ready").status == 200


def test_a_crash_of_the_front_is_mended_in_place(pod: Pod) -> None:
    pod.init()
    with pod.server(), pod.front() as front:
        before = front.pid
        for times in (1, 2):
            os.kill(front.child("nginx"), signal.SIGKILL)
            eventually(lambda n=times: front.log.count("ended with 137") == n, "the crash is seen")
            eventually(lambda: serves(pod.port), "it serves again")
        assert front.pid == before
        assert front.stop() == 0


def serves(port: int) -> bool:
    try:
        return ask(port, "/+api").status == 200
    except OSError:
        return False


def test_the_front_is_ready_once_devpi_has_answered(pod: Pod) -> None:
    pod.init()
    with pod.front():
        assert ask(pod.port, "/+front/ready").status == 503
        with pod.server():
            assert ask(pod.port, "/+front/ready").status == 200


def test_who_waits_is_told_at_once_that_the_front_is_ready(pod: Pod) -> None:
    pod.init()
    with pod.front(), ThreadPoolExecutor() as prober:
        began = time.monotonic()
        assert ask(pod.port, "/+front/ready?wait=1").status == 503
        assert 1 <= time.monotonic() - began < 3
        waits = prober.submit(ask, pod.port, "/+front/ready?wait=10")
        time.sleep(0.5)
        assert not waits.done()
        (pod.folder / "run/served").touch()
        assert waits.result(timeout=2).status == 200


def test_a_server_that_starts_is_well_for_a_while(pod: Pod) -> None:
    pod.init()
    with pod.start("server") as server:
        health = ["podman", "exec", server.name, "devpi-entrypoint", "health"]
        eventually(lambda: "starting" in server.log, "it starts")
        child = server.child("devpi-server")
        os.kill(child, signal.SIGSTOP)
        assert [ended(health)[0], ended([*health, "--start-period=600"])[0]] == [1, 0]
        assert ended([*health, "--start-period=1"])[0] == 1
        os.kill(child, signal.SIGCONT)
        pod.await_served(server)
        assert ended(health)[0] == 0
        os.kill(child, signal.SIGSTOP)
        assert ended([*health, "--start-period=600"])[0] == 1


def test_a_stop_of_both_cuts_no_answer(pod: Pod) -> None:
    pod.init()
    # What devpi has to say each time: an installer's page would come from the cache.
    page = {"Accept": "text/html"}
    over = threading.Event()

    def asked() -> list[int]:
        answers = []
        while not over.is_set():
            with suppress(ConnectionError):
                # IncompleteRead is none.
                answers.append(ask(pod.port, "/root/pypi/+simple/pip/", headers=page).status)
        return answers

    with pod.server() as server, pod.front() as front, ThreadPoolExecutor() as clients:
        assert ask(pod.port, "/root/pypi/+simple/pip/", headers=page).status == 200
        asking = [clients.submit(asked) for _ in range(4)]
        try:
            time.sleep(1)
            for container in (server, front):
                podman("kill", "--signal=TERM", container.name)
            assert [server.wait(), front.wait()] == [0, 0]
        finally:
            over.set()
        assert "devpi-server is stopped" in server.log
        answers = [answer for each in asking for answer in each.result()]
        assert answers
        assert set(answers) == {200}


def test_one_server_for_one_directory_and_the_next_waits_for_its_end(pod: Pod) -> None:
    pod.init()
    with pod.server() as last, pod.start("server") as following:
        eventually(lambda: "waiting for its end" in following.log, "it waits")
        assert "starting" not in following.log
        (pod.folder / "run/served").unlink()
        assert last.stop("TERM") == 0
        pod.await_served(following)


def test_a_server_that_waits_can_be_stopped(pod: Pod) -> None:
    pod.init()
    with pod.server(), pod.start("server") as following:
        eventually(lambda: "waiting for its end" in following.log, "it waits")
        assert following.stop("TERM") == 128 + signal.SIGTERM


def test_the_server_knows_no_password_and_stays_small(pod: Pod) -> None:
    pod.init()
    variables = {"DEVPI_PASSWORD": PASSWORD, "DEVPISERVER_PORT": "tcp://10.0.0.1:80"}
    with pod.server(**variables) as server:
        child = server.child("devpi-server")
        environment = Path(f"/proc/{child}/environ").read_text()
        assert "PASSW" not in environment
        assert PASSWORD not in environment
        assert "tcp://" not in environment
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines()
        )
        assert int(status["VmHWM"].split()[0]) < 250 * 1024
        podman_exec = subprocess.run(
            ["podman", "exec", server.name, "devpi-entrypoint", "health"], check=False
        )
        assert podman_exec.returncode == 0


def test_other_commands_are_executed(pod: Pod) -> None:
    assert pod.run("devpi-server", "--version") == (0, "6.20.3\n")
    code, output = pod.run("nosuchcommand")
    assert (code, "nosuchcommand: No such file" in output) == (2, True)


@pytest.mark.parametrize(
    ("command", "environment", "says"),
    [
        ("init", {"DEVPISERVER_ROOT_PASSWD_FILE": ""}, "no root password was given"),
        ("init", {"DEVPISERVER_ROOT_PASSWD_FILE": "/nosuch"}, "/nosuch: No such file"),
        ("init", {"DEVPISERVER_ROOT_PASSWD_FILE": "/dev/null"}, "/dev/null, which is empty"),
        ("init", {"DEVPISERVER_ROOT_PASSWD": "x"}, "are both set"),
        ("init", {"DEVPISERVER_SERVERDIR": "/nosuch/server"}, "Read-only file system"),
        ("init", {"DEVPISERVER_RESTRICT_MODFIY": "root"}, "Is DEVPISERVER_RESTRICT_MODIFY meant"),
        ("server", {}, "is not initialised"),
        ("server", {"DEVPISERVER_SERVERDIR": "server"}, "Write an absolute path"),
        ("server", {"DEVPI_RESTART_LIMIT": "many"}, "DEVPI_RESTART_LIMIT is 'many'"),
        ("front", {"DEVPI_FRONT_MAX_BODY_SIZE": "2g"}, "DEVPI_FRONT_MAX_BODY_SIZE is '2g'"),
        ("front", {"DEVPI_FRONT_LOGIN_RATE": "fast"}, "a rate like 5r/s"),
        ("front", {"DEVPI_FRONT_DASHBOARD_URL": "devpi.example.org"}, "a URL like"),
        ("front", {"DEVPI_FRONT_TRUSTED_PROXIES": "10.0.0.0/99"}, "DEVPI_FRONT_TRUSTED_PROXIES"),
        ("front", {"DEVPI_FRONT_WEB_PORT": "8081"}, "DEVPI_FRONT_DASHBOARD_URL is ''"),
        ("front", {**WEB, "DEVPI_FRONT_WEB_KEY_FILE": "/nosuch"}, "/nosuch: No such file"),
        ("front", {**WEB, "DEVPI_FRONT_WEB_KEY_FILE": "/dev/null"}, "/dev/null, which is empty"),
        ("front", {**WEB, "DEVPI_FRONT_WEB_KEY_FILE": "/etc/passwd"}, "which holds no key"),
    ],
)
def test_bad_input(pod: Pod, command: str, environment: dict[str, str], says: str) -> None:
    code, output = pod.run(command, **environment)
    assert code == 2
    assert says in output
    assert "Traceback" not in output
    assert not list((pod.folder / "data").glob("server/.*version"))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([".nodeinfo"], "only half initialised"),
        ([".serverversion"], "has the format kept"),
        (["photo.jpg"], "holds files, but no devpi data"),
    ],
)
@pytest.mark.parametrize("command", ["init", "server"])
def test_foreign_data_are_left_alone(pod: Pod, files: list[str], says: str, command: str) -> None:
    folder = pod.folder / "data/server"
    folder.mkdir()
    for name in files:
        (folder / name).write_text("kept")
    folder.chmod(0o777)
    code, output = pod.run(command)
    assert (code, says in output) == (2, True)
    assert sorted(path.name for path in folder.iterdir()) == files


def test_a_directory_of_somebody_else(pod: Pod) -> None:
    data = pod.folder / "data"
    os.chown(data, 0, 4242)
    data.chmod(0o750)
    code, output = pod.run("init")
    assert code == 2
    assert "chown -R 1000:0" in output
