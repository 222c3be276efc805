# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a devpi server its root password, its users and its indexes, as declared.

``converge.py`` waits for the server and brings it to the declared state. ``converge.py --check``
compares and never writes; it is for the running server's pod, which sees a changed ConfigMap or
Secret a minute late, and so takes what is declared, and passwords that may be root's, from one line
of standard input::

    {"wanted": {"users": {}, "indexes": {}}, "passwords": []}

Both print one JSON object as their last line of output::

    {"password": "ok|wrong|empty", "login": true,
     "differences": [{"action", "subject", "before", "after"}]}

``password`` is about the file with root's password: the server takes it, does not take it, or the
file is empty (then it is not tried). ``login`` says whether the server takes any password that is
known: that one, a previous one, or one that it is told. Passwords of other users are compared where
their file is mounted, which is in the Job alone. After converging ``password`` is ``ok``,
``differences`` are the steps that were done, and ``changed`` says whether there were any.

Exit code 0; else one sentence on stderr, and 1 where another run may do better (no answer), 2 where
it can't (the declared state or the password is wrong).

Layout: the collection's package ``plugins/module_utils/_devpi`` lies as folder ``_devpi`` beside
this file, and its modules import each other relatively. So the same files serve modules (as
``ansible_collections.thinkube.devpi.plugins.module_utils._devpi``) and this program, whose folder
Python puts into its path. A ConfigMap volume makes folders by ``items[].path: _devpi/plan.py``.

Environment: DEVPI_URL (http://127.0.0.1:8080), DEVPI_ROOT_PASSWORD_FILE
(/etc/devpi/root/password; a file ``previous`` beside it is there while a password is rotated),
DEVPI_USER_PASSWORDS_FILE (/etc/devpi/users/passwords.json, ``{user: password}``) and
DEVPI_WAIT_TIMEOUT (seconds to wait for the server, 240).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from _devpi.api import Api, Patience
from _devpi.errors import ApiError, DevpiError, LoginRefusedError, UnreachableError
from _devpi.model import declared_passwords, declared_state
from _devpi.plan import ROTATE, Action
from _devpi.steps import bring, find_steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _devpi.api import Transport
    from _devpi.model import State

HERE = Path(__file__).resolve().parent
WANTED = HERE / "wanted.json"
ROOT = "root"
PROGRESS_EVERY = 5.0
# Seconds. While no pod serves, some networks swallow what is sent to its Service: so each try is
# short, and yet long enough for the second packet that TCP sends after one that was lost.
CONNECT = 2.0
PAUSE = 0.2
# 45 seconds in all: the server may be started anew while we are at it.
THROUGH_A_RESTART = Patience(attempts=9, longest=10.0)
NEITHER_FITS = """\
The server accepts neither the password of the Secret for root nor a previous one, so nothing was
changed. Set devpi_root_password to the password that the server has, or give root that of
devpi_root_password with devpi_root_password_reset: true.
"""


@dataclass(frozen=True)
class Settings:
    """What the environment says."""

    url: str
    password_file: Path
    user_passwords_file: Path
    wait_timeout: float

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Return the settings of an environment; a variable that is empty counts as not set."""
        timeout = environment.get("DEVPI_WAIT_TIMEOUT") or "240"
        if not timeout.isdecimal():
            raise DevpiError(f"DEVPI_WAIT_TIMEOUT is {timeout!r}. Write seconds, such as 240.")
        return cls(
            url=environment.get("DEVPI_URL") or "http://127.0.0.1:8080",
            password_file=Path(
                environment.get("DEVPI_ROOT_PASSWORD_FILE") or "/etc/devpi/root/password"
            ),
            user_passwords_file=Path(
                environment.get("DEVPI_USER_PASSWORDS_FILE") or "/etc/devpi/users/passwords.json"
            ),
            wait_timeout=float(timeout),
        )

    def password(self) -> str:
        """Return root's password; '' if the file is empty, DevpiError if there is none."""
        try:
            return _secret(self.password_file)
        except OSError as error:
            raise DevpiError(
                f"Root's password can't be read from {self.password_file}: {error.strerror}."
                " Mount the Secret devpi-root there."
            ) from error

    def previous(self) -> str:
        """Return root's password before a rotation, '' if none is under way."""
        try:
            return _secret(self.password_file.with_name("previous"))
        except FileNotFoundError:
            return ""

    def user_passwords(self, wanted: State) -> dict[str, str]:
        """Return the passwords of declared users; none if there is no such file."""
        try:
            return declared_passwords(json.loads(_secret(self.user_passwords_file)), wanted)
        except FileNotFoundError:
            return {}
        except ValueError:
            # The error itself would quote the file.
            raise DevpiError(f"{self.user_passwords_file} is not JSON.") from None


def _secret(path: Path) -> str:
    return path.read_text(encoding="utf-8").rstrip("\r\n")


def transport(client: httpx.Client) -> Transport:
    """Return a transport (see _devpi/api.py) on httpx."""

    def send(
        method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            answer = client.request(method, url, headers=headers, content=body)
        except httpx.TransportError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        return answer.status_code, answer.headers, answer.content

    return send


def declared() -> State:
    """Return what wanted.json declares; DevpiError if it can't be understood."""
    try:
        return declared_state(json.loads(WANTED.read_text(encoding="utf-8")))
    except ValueError as error:
        raise DevpiError(f"{WANTED} is not JSON: {error}.") from error


def told() -> tuple[State, list[str]]:
    """Return what standard input declares and the passwords there; messages never hold one."""
    try:
        # One line: whoever writes it does not close what it is written to.
        said = json.loads(sys.stdin.readline())
    except ValueError:
        raise DevpiError("Standard input is not JSON.") from None
    return declared_state(said["wanted"]), said["passwords"]


def log_in(api: Api, *passwords: str) -> str | None:
    """Log in as root with the first password that the server takes and return it.

    Empty ones are not tried: no root without a password is ever made use of.
    """
    for password in filter(None, passwords):
        try:
            api.login(ROOT, password)
        except LoginRefusedError:
            continue
        return password
    return None


def check(settings: Settings, api: Api) -> dict[str, Any]:
    """Return what differs. A login with another password serves to read where reading is closed."""
    password = settings.password()
    wanted, may_be_roots = told()
    passwords = settings.user_passwords(wanted)
    accepted = log_in(api, password, settings.previous(), *may_be_roots)
    verdict = "ok" if accepted == password else "wrong"
    return {
        "password": verdict if password else "empty",
        "login": accepted is not None,
        "differences": [step.as_dict() for step in find_steps(api, wanted, passwords)],
    }


def converge(settings: Settings, api: Api) -> dict[str, Any]:
    """Bring the server to the declared state and return what was done."""
    password = settings.password()
    if not password:
        raise DevpiError(f"{settings.password_file} is empty. Put root's password into the Secret.")
    wanted = declared()
    passwords = settings.user_passwords(wanted)
    accepted = log_in(api, password, settings.previous())
    if accepted is None:
        raise DevpiError(NEITHER_FITS)
    done = []
    if accepted != password:
        done.append(rotate(api, password))
    steps = find_steps(api, wanted, passwords)
    bring(api, wanted, passwords, steps, say)
    done += steps
    return {
        "password": "ok",
        "login": True,
        "differences": [step.as_dict() for step in done],
        "changed": bool(done),
    }


def rotate(api: Api, password: str) -> Action:
    """Change root's password and prove that it is the one to log in with."""
    api.change_password(ROOT, password)
    api.login(ROOT, password)
    step = Action(ROTATE, ROOT, None, None)
    say(str(step))
    return step


def wait_for(settings: Settings, send: Transport) -> None:
    """Return as soon as the server answers, DevpiError after the time that is set."""
    api = Api(settings.url, send, patience=Patience(attempts=1))
    start = time.monotonic()
    shown = float("-inf")
    while True:
        try:
            api.ping()
        except DevpiError as error:
            waited = time.monotonic() - start
            if waited >= settings.wait_timeout:
                raise UnreachableError(
                    f"No devpi server after {waited:.0f} s: {error}."
                    " See the events and logs of its pod."
                ) from error
            if waited - shown >= PROGRESS_EVERY:
                say(f"waiting for {settings.url} ({waited:.0f} s): {error}")
                shown = waited
        else:
            return
        time.sleep(PAUSE)


def may_pass(error: Exception) -> bool:
    """Say whether another run may do better."""
    if isinstance(error, ApiError):
        return error.status != httpx.codes.BAD_REQUEST
    return isinstance(error, (UnreachableError, OSError))


def say(line: str) -> None:
    """Print a line that is seen at once, also in the log of a pod."""
    print(line, flush=True)


def main() -> int:
    """Do what the command line says and return the exit code."""
    parser = argparse.ArgumentParser(description="Bring a devpi server to its declared state.")
    parser.add_argument(
        "--check", action="store_true", help="only print what differs from what standard input says"
    )
    asked = parser.parse_args()
    try:
        settings = Settings.read(os.environ)
        # No proxy of the environment may see the password.
        with httpx.Client(timeout=httpx.Timeout(60, connect=CONNECT), trust_env=False) as client:
            send = transport(client)
            if asked.check:
                # Someone waits for the answer, and can ask again.
                report = check(settings, Api(settings.url, send, patience=Patience(attempts=3)))
            else:
                wait_for(settings, send)
                report = converge(settings, Api(settings.url, send, patience=THROUGH_A_RESTART))
    except (DevpiError, OSError) as error:
        print(error, file=sys.stderr)
        return 1 if may_pass(error) else 2
    say(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
