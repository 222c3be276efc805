# SPDX-License-Identifier: GPL-3.0-or-later
"""The init Job's program as a Job runs it: a process of its own, files mounted, a real server."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.integration.devpi_server.conftest import DevpiServer

COLLECTION = Path(__file__).parents[3]
# What the ConfigMap has of the package.
NAMES = yaml.safe_load((COLLECTION / "roles/devpi/vars/main.yaml").read_text())[
    "__devpi_init_modules"
]
MODULES = sorted(COLLECTION / "plugins/module_utils/_devpi" / name for name in NAMES)
KILLS = int(os.environ.get("KILLS", "5"))
MANY = 30
WANTED: dict[str, Any] = {
    "users": {},
    "indexes": {"root/stable": {"bases": ["root/pypi"], "volatile": False}},
}
CREATED = {
    "action": "create_index",
    "subject": "root/stable",
    "before": None,
    "after": {"type": "stage", "bases": ["root/pypi"], "volatile": False},
}
NEW_PASSWORD = "sec/ond+root päss'wörd"


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return report


@dataclass
class Job:
    """The two mounts of the Job's pod, and runs of its program."""

    server: DevpiServer
    folder: Path
    secrets: set[str] = field(default_factory=set)
    wanted: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # As kubelet mounts a ConfigMap: links through ..data into a folder of the moment.
        files = self.folder / "init/..2026_01_01"
        (files / "_devpi").mkdir(parents=True)
        for module in MODULES:
            shutil.copy(module, files / "_devpi")
        shutil.copy(COLLECTION / "roles/devpi_init/files/converge.py", files)
        (self.folder / "init/..data").symlink_to("..2026_01_01")
        for name in ("_devpi", "converge.py", "wanted.json"):
            (self.folder / "init" / name).symlink_to(f"..data/{name}")
        (self.folder / "root").mkdir()
        (self.folder / "users").mkdir()
        self.want(WANTED)
        self.mount("password", self.server.root_password)

    def want(self, wanted: Mapping[str, Any]) -> None:
        self.wanted = wanted
        (self.folder / "init/..2026_01_01/wanted.json").write_text(json.dumps(wanted))

    def mount(self, name: str, secret: str | None) -> None:
        path = self.folder / "root" / name
        if secret is None:
            path.unlink()
        else:
            path.write_text(secret, encoding="utf-8")
            self.secrets.add(secret)

    def give(self, passwords: Mapping[str, str]) -> None:
        """Mount the passwords of users."""
        (self.folder / "users/passwords.json").write_text(json.dumps(passwords))
        self.secrets.update(passwords.values())

    def start(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.server.python, self.folder / "init/converge.py", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "DEVPI_URL": self.server.url,
                "DEVPI_ROOT_PASSWORD_FILE": str(self.folder / "root/password"),
                "DEVPI_USER_PASSWORDS_FILE": str(self.folder / "users/passwords.json"),
                "PYTHONDONTWRITEBYTECODE": "1",
                # Loopback is asked directly, whatever the environment says.
                "HTTP_PROXY": "http://127.0.0.1:9",
                **environment,
            },
        )

    def end(self, process: subprocess.Popen[str]) -> Result:
        """The result; standard input stays open until the end, as that of an exec does."""
        out, err = process.communicate(timeout=120)
        for form in forms_of(self.secrets):
            assert form not in out + err
        assert "Traceback" not in err
        return Result(process.returncode, out, err)

    def run(self, *options: str, **environment: str) -> Result:
        return self.end(self.start(*options, **environment))

    def check(self, *passwords: str, wanted: Any = None) -> Result:
        """What differs from what is declared, said on a line that nothing follows."""
        self.secrets.update(passwords)
        declared = self.wanted if wanted is None else wanted
        process = self.start("--check")
        assert process.stdin is not None
        process.stdin.write(json.dumps({"wanted": declared, "passwords": passwords}) + "\n")
        process.stdin.flush()
        process.wait(120)
        return self.end(process)


def forms_of(secrets: set[str]) -> Iterator[str]:
    for secret in filter(None, secrets):
        yield secret
        yield json.dumps(secret)[1:-1]
        yield base64.b64encode(secret.encode()).decode()
        yield quote(secret)


@pytest.fixture
def job(fresh_devpi: DevpiServer, tmp_path: Path) -> Job:
    return Job(fresh_devpi, tmp_path)


@pytest.fixture
def idle_job(devpi: DevpiServer, tmp_path: Path) -> Job:
    """A Job at the shared server, for runs that change nothing."""
    return Job(devpi, tmp_path)


def ask(url: str, payload: Any = None) -> Any:
    body = None if payload is None else json.dumps(payload).encode()
    with urlopen(Request(url, body, {"Accept": "application/json"}), timeout=30) as answer:
        return json.load(answer)["result"]


def accepts(server: DevpiServer, password: str, user: str = "root") -> bool:
    try:
        ask(f"{server.url}/+login", {"user": user, "password": password})
    except HTTPError:
        return False
    return True


def test_fresh_server_then_again(job: Job) -> None:
    checked = job.check()
    assert (checked.code, checked.err) == (0, "")
    assert checked.report["password"] == "ok"
    assert checked.report["differences"] == [CREATED]
    assert "changed" not in checked.report

    first = job.run()
    assert (first.code, first.err) == (0, "")
    assert first.report == {**checked.report, "changed": True}
    assert "create_index root/stable" in first.out
    index = ask(f"{job.server.url}/root/stable?no_projects=")
    assert (index["bases"], index["volatile"]) == (["root/pypi"], False)

    again = job.run()
    assert again.report == {**checked.report, "differences": [], "changed": False}
    assert job.check().report == {**checked.report, "differences": []}


def test_check_writes_nothing(idle_job: Job) -> None:
    before = ask(idle_job.server.url)
    assert idle_job.check().report["differences"]
    assert ask(idle_job.server.url) == before


def test_check_prints_one_line(idle_job: Job) -> None:
    assert len(idle_job.check().out.splitlines()) == 1


def test_a_check_is_told_what_is_declared(idle_job: Job) -> None:
    """The pod that it runs in sees a changed file late."""
    late = idle_job.check().report
    assert late["differences"] == [CREATED]
    assert idle_job.check(wanted={}).report == {**late, "differences": []}


def test_a_check_that_is_told_nothing_says_so(idle_job: Job) -> None:
    failed = idle_job.run("--check")
    assert (failed.code, failed.out, failed.err) == (2, "", "Standard input is not JSON.\n")


def test_drift_is_corrected_and_the_rest_left(job: Job) -> None:
    assert job.run().code == 0
    drifted = {"indexes": {"root/stable": {"bases": [], "volatile": True, "title": "By hand"}}}
    job.want(drifted)
    assert job.run().code == 0

    job.want(WANTED)
    assert job.run().report["differences"] == [
        {
            "action": "modify_index",
            "subject": "root/stable",
            "before": {"bases": [], "volatile": True},
            "after": {"bases": ["root/pypi"], "volatile": False},
        }
    ]
    index = ask(f"{job.server.url}/root/stable?no_projects=")
    assert (index["bases"], index["volatile"]) == (["root/pypi"], False)
    assert index["title"] == "By hand"


def test_users_and_their_indexes(job: Job) -> None:
    job.want(
        {
            "users": {"ann": {"email": "ann@example.com"}},
            "indexes": {"ann/dev": {"bases": ["root/stable"]}, **WANTED["indexes"]},
        }
    )
    done = [(step["action"], step["subject"]) for step in job.run().report["differences"]]
    assert done == [
        ("create_user", "ann"),
        ("create_index", "root/stable"),
        ("create_index", "ann/dev"),
    ]
    assert job.run().report["changed"] is False
    with pytest.raises(HTTPError):
        ask(f"{job.server.url}/+login", {"user": "ann", "password": ""})


def test_passwords_of_users(job: Job) -> None:
    job.want({"users": {"ann": {}, "bob": {"update_password": "on_create"}}})
    job.give({"ann": "ann's first", "bob": "bob's first"})
    created = [(step["action"], step["subject"]) for step in job.run().report["differences"]]
    assert created == [("create_user", "ann"), ("create_user", "bob")]
    assert accepts(job.server, "ann's first", "ann")
    assert accepts(job.server, "bob's first", "bob")
    assert job.run().report["changed"] is False

    job.give({"ann": "ann's second", "bob": "bob's second"})
    assert job.run().report["differences"] == [
        {"action": "change_password", "subject": "ann", "before": None, "after": None}
    ]
    assert accepts(job.server, "ann's second", "ann")
    assert not accepts(job.server, "ann's first", "ann")
    assert accepts(job.server, "bob's first", "bob")
    assert job.run().report["changed"] is False


def test_passwords_of_strangers_and_what_is_no_file_of_passwords(idle_job: Job) -> None:
    idle_job.give({"mallory": "x3cr3t-of-mallory"})
    refused = idle_job.run()
    assert (refused.code, refused.out) == (2, "")
    assert "The password of user 'mallory': this user is not declared" in refused.err
    (idle_job.folder / "users/passwords.json").write_text('{"ann": "x3cr3t-of-mallory"')
    refused = idle_job.run()
    assert (refused.code, refused.err) == (
        2,
        f"{idle_job.folder}/users/passwords.json is not JSON.\n",
    )


def test_what_is_declared_absent_goes(job: Job) -> None:
    everything = {"users": {"ann": {}}, "indexes": {"ann/a": {}, "ann/b": {"bases": ["ann/a"]}}}
    job.want(everything)
    assert job.run().code == 0
    gone = {"state": "absent"}
    job.want({"users": {"ann": gone}, "indexes": {"ann/a": gone, "ann/b": gone}})
    done = [(step["action"], step["subject"]) for step in job.run().report["differences"]]
    assert done == [("delete_index", "ann/a"), ("delete_index", "ann/b"), ("delete_user", "ann")]
    assert "ann" not in ask(job.server.url)
    assert job.run().report["changed"] is False


def test_rotation(job: Job) -> None:
    job.mount("previous", job.server.root_password)
    job.mount("password", NEW_PASSWORD)
    checked = job.check()
    assert (checked.code, checked.report["password"]) == (0, "wrong")

    rotated = job.run()
    assert rotated.code == 0
    assert rotated.report["differences"] == [
        {"action": "change_password", "subject": "root", "before": None, "after": None},
        CREATED,
    ]
    assert (rotated.report["password"], rotated.report["changed"]) == ("ok", True)
    assert accepts(job.server, NEW_PASSWORD)
    assert not accepts(job.server, job.server.root_password)

    job.mount("previous", None)
    assert job.run().report["changed"] is False


def test_rotation_that_was_already_done(job: Job) -> None:
    job.mount("previous", "an older one")
    assert job.run().report["differences"] == [CREATED]
    assert accepts(job.server, job.server.root_password)


@pytest.mark.parametrize("previous", [None, "not the old one"])
def test_wrong_password_says_how_to_mend_it(idle_job: Job, previous: str | None) -> None:
    before = ask(idle_job.server.url)
    idle_job.mount("password", "not the one")
    if previous:
        idle_job.mount("previous", previous)
    assert idle_job.check().report["password"] == "wrong"
    failed = idle_job.run()
    assert (failed.code, failed.out) == (2, "")
    assert "devpi_root_password_reset: true" in failed.err
    assert len(failed.err.splitlines()) == 1
    assert ask(idle_job.server.url) == before


def test_a_password_that_is_known_elsewhere_is_found(idle_job: Job) -> None:
    right = idle_job.server.root_password
    assert idle_job.check().report["login"] is True
    idle_job.mount("password", "not the one")
    assert idle_job.check().report["login"] is False
    assert idle_job.check().report["login"] is False
    assert idle_job.check("", "nor this").report["login"] is False
    found = idle_job.check("nor this", right).report
    assert (found["login"], found["password"]) == (True, "wrong")


def test_empty_password_is_not_tried(idle_job: Job) -> None:
    idle_job.mount("password", "")
    checked = idle_job.check()
    assert (checked.code, checked.report["password"]) == (0, "empty")
    failed = idle_job.run()
    assert failed.code == 2
    assert "is empty" in failed.err


def test_password_file_with_a_line_end(idle_job: Job) -> None:
    idle_job.mount("password", f"{idle_job.server.root_password}\n")
    assert idle_job.check().report["password"] == "ok"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("{", "is not JSON"),
        ('{"indexes": {"stable": {}}}', "Write <user>/<index>"),
        ('{"indexes": {"root/a": {"bases": ["root/b"]}}}', "neither declared nor on the server"),
        ('{"indexes": {"root/a": {"bases": ["root/a"]}}}', "lead back to it"),
        ('{"indexes": {"nobody/a": {}}}', "Declare 'nobody' among the users"),
        ('{"users": {"ann": {"password": "x"}}}', "Take it out"),
    ],
)
def test_wrong_declarations_change_nothing(idle_job: Job, wanted: str, words: str) -> None:
    (idle_job.folder / "init/..2026_01_01/wanted.json").write_text(wanted)
    before = ask(idle_job.server.url)
    failures = [idle_job.run()]
    if wanted != "{":
        failures.append(idle_job.check(wanted=json.loads(wanted)))
    for failed in failures:
        assert (failed.code, failed.out) == (2, "")
        assert words in failed.err
    assert ask(idle_job.server.url) == before


@pytest.mark.parametrize("missing", ["root/password", "init/..2026_01_01/wanted.json"])
def test_a_missing_file_is_named(idle_job: Job, missing: str) -> None:
    (idle_job.folder / missing).unlink()
    failed = idle_job.run()
    assert failed.code != 0
    assert Path(missing).name in failed.err


def test_a_check_without_roots_password_says_so(idle_job: Job) -> None:
    (idle_job.folder / "root/password").unlink()
    failed = idle_job.check()
    assert failed.code == 2
    assert "Mount the Secret devpi-root there." in failed.err


def test_wrong_timeout(idle_job: Job) -> None:
    failed = idle_job.run(DEVPI_WAIT_TIMEOUT="5m")
    assert failed.code == 2
    assert "Write seconds" in failed.err


def test_server_that_is_not_up_yet(stopped_devpi: DevpiServer, tmp_path: Path) -> None:
    job = Job(stopped_devpi, tmp_path)
    assert job.check().code == 1
    process = job.start()
    time.sleep(1)
    assert process.poll() is None
    stopped_devpi.start()
    done = job.end(process)
    assert done.code == 0
    assert "waiting for" in done.out
    assert done.report["changed"] is True


def test_server_that_never_comes_up(stopped_devpi: DevpiServer, tmp_path: Path) -> None:
    failed = Job(stopped_devpi, tmp_path).run(DEVPI_WAIT_TIMEOUT="2")
    assert failed.code == 1
    assert "No devpi server after 2 s" in failed.err


def test_server_restarts_in_the_middle(job: Job) -> None:
    job.want(many_indexes())
    process = job.start()
    assert process.stdout
    process.stdout.readline()
    job.server.stop()
    job.server.start(wait=False)
    assert job.end(process).code == 0
    assert job.run().report["changed"] is False


def many_indexes(count: int = MANY) -> dict[str, Any]:
    names = [f"root/i{number:03}" for number in range(count)]
    bases = ["root/pypi", *names]
    chain = {name: {"bases": [base]} for name, base in zip(names, bases, strict=False)}
    return {"indexes": {**chain, **WANTED["indexes"]}}


@pytest.mark.parametrize("lines", [round((MANY - 5) * n / max(KILLS - 1, 1)) for n in range(KILLS)])
def test_killed_in_the_middle(job: Job, lines: int) -> None:
    job.want(many_indexes())
    job.mount("previous", job.server.root_password)
    job.mount("password", NEW_PASSWORD)
    process = job.start()
    assert process.stdout
    for line in range(lines):
        assert process.stdout.readline(), line
    if not lines:
        time.sleep(0.4)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL

    finished = job.run()
    assert finished.code == 0
    assert finished.report["changed"] is True
    assert len(finished.report["differences"]) <= MANY + 2 - max(lines - 1, 0)
    assert accepts(job.server, NEW_PASSWORD)
    indexes = ask(job.server.url)["root"]["indexes"]
    assert {f"root/{name}" for name in indexes} == {*many_indexes()["indexes"], "root/pypi"}
    assert job.run().report["changed"] is False


@pytest.fixture
def limiting_front(fresh_devpi: DevpiServer) -> Iterator[ThreadingHTTPServer]:
    """Something that stands before devpi as a front does, and refuses the first two logins."""
    refusals = [429, 429]

    class Front(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
            if self.path == "/+login" and refusals:
                self.reply(refusals.pop(), {"Retry-After": "1"}, b"Too many logins")
                return
            request = Request(
                fresh_devpi.url + self.path, body, dict(self.headers), method=self.command
            )
            with urlopen(request, timeout=30) as answer:
                self.reply(answer.status, {"Content-Type": "application/json"}, answer.read())

        do_POST = do_PUT = do_GET  # noqa: N815 - http.server looks these names up

        def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Front) as front:
        threading.Thread(target=front.serve_forever, daemon=True).start()
        yield front
        assert not refusals
        front.shutdown()


def test_limit_on_logins_is_honoured(job: Job, limiting_front: ThreadingHTTPServer) -> None:
    start = time.monotonic()
    done = job.run(DEVPI_URL=f"http://127.0.0.1:{limiting_front.server_port}")
    assert done.code == 0
    assert done.report["changed"] is True
    assert time.monotonic() - start >= 2
