# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules against a real devpi-server: made, changed, removed, predicted and again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from ansible.module_utils.testing import patch_module_args

from .distributions import sdist, wheel

if TYPE_CHECKING:
    from tests.integration.devpi_server.conftest import DevpiServer

Result = dict[str, Any]
MODULES = "ansible_collections.thinkube.devpi.plugins.modules"


@dataclass
class Modules:
    """Runs modules as root; ``printed`` is all that they have ever said.

    ``token`` is of one login for all: the server takes its time for a password.
    """

    server: DevpiServer
    capture: pytest.CaptureFixture[str]
    token: str
    printed: str = ""

    def run(
        self, module: str, /, *, check: bool = False, no_log: bool = False, **options: Any
    ) -> Result:
        about = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_no_log": no_log}
        given = {"url": self.server.url, "login_token": self.token, **options, **about}
        if "login_password" in given:
            del given["login_token"]
        self.capture.readouterr()
        with patch_module_args(given), pytest.raises(SystemExit):
            import_module(f"{MODULES}.{module}").main()
        out = self.capture.readouterr().out
        if not no_log:
            self.printed += out
        result: Result = json.loads(out)
        return result

    def change(self, module: str, /, **options: Any) -> Result:
        """Predict a change, make it, and find nothing left to do."""
        before = everything(self.server)
        predicted = self.run(module, check=True, **options)
        assert not predicted.get("failed"), predicted["msg"]
        assert everything(self.server) == before
        done = self.run(module, **options)
        assert not done.get("failed"), done["msg"]
        for key in ("changed", "diff", "steps", "files"):
            assert predicted.get(key) == done.get(key)
        assert done["changed"] is True
        assert done["diff"]
        for check in (True, False):
            assert self.run(module, check=check, **options)["changed"] is False
        return done

    def refuse(self, module: str, /, *words: str, **options: Any) -> str:
        """Have the same error in check mode and without, and nothing changed by it."""
        before = everything(self.server)
        messages = {self.run(module, check=check, **options)["msg"] for check in (True, False)}
        assert everything(self.server) == before
        (message,) = messages
        for word in words:
            assert word in message
        return str(message)


def everything(server: DevpiServer) -> Any:
    """Users, indexes and projects, but for the moments of change."""
    listing = ask(f"{server.url}/")
    for user in listing.values():
        user.pop("modified", None)
        for index, config in user["indexes"].items():
            if config["type"] == "stage":
                name = f"{user['username']}/{index}"
                config["projects"] = ask(f"{server.url}/{quote(name)}")["projects"]
    return listing


def ask(url: str, body: bytes | None = None) -> Any:
    with urlopen(Request(url, body, {"Accept": "application/json"}), timeout=30) as answer:
        return json.load(answer)["result"]


def root_token(server: DevpiServer) -> str:
    body = json.dumps({"user": "root", "password": server.root_password}).encode()
    return str(ask(f"{server.url}/+login", body)["password"])


@pytest.fixture(scope="module")
def token(devpi: DevpiServer) -> str:
    return root_token(devpi)


@pytest.fixture
def modules(devpi: DevpiServer, token: str, capsys: pytest.CaptureFixture[str]) -> Modules:
    return Modules(devpi, capsys, token)


def steps(result: Result) -> list[tuple[str, str]]:
    return [(step["action"], step["subject"]) for step in result["steps"]]


def test_the_life_of_a_user(modules: Modules) -> None:
    about = {"name": "m-ann", "email": "ann@example.com", "custom_data": {"team": ["a"]}}
    made = modules.change("devpi_user", **about, password="ann's first")
    assert steps(made) == [("create_user", "m-ann")]
    changed = modules.change("devpi_user", name="m-ann", email="", title="Ann")
    assert changed["steps"][0]["before"] == {"email": "ann@example.com", "title": None}
    assert changed["steps"][0]["after"] == {"email": None, "title": "Ann"}
    again = modules.change("devpi_user", name="m-ann", password="ann's second")
    assert steps(again) == [("change_password", "m-ann")]
    assert again["diff"][0]["after"] == {"password": "as given"}
    once = {"name": "m-ann", "password": "ann's third", "update_password": "on_create"}
    assert modules.run("devpi_user", **once)["changed"] is False
    # She may choose another herself, but not change anything else.
    herself = {"name": "m-ann", "login_user": "m-ann"}
    own = modules.run("devpi_user", **herself, login_password="ann's second", password="her own")
    assert steps(own) == [("change_password", "m-ann")]
    denied = modules.run("devpi_user", **herself, login_password="her own", title="The boss")
    assert "was answered with 403: no permission to modify user" in denied["msg"]
    modules.run("devpi_index", name="m-ann/dev")
    modules.refuse("devpi_user", "index 'm-ann/dev' is this user's", name="m-ann", state="absent")
    modules.run("devpi_index", name="m-ann/dev", state="absent")
    assert steps(modules.change("devpi_user", name="m-ann", state="absent")) == [
        ("delete_user", "m-ann")
    ]
    for secret in ("ann's first", "ann's second", "ann's third", modules.server.root_password):
        assert secret not in modules.printed


def test_wrong_users(modules: Modules) -> None:
    modules.refuse("devpi_user", "devpi does not allow", name="a b")
    modules.refuse("devpi_user", "it is empty", name="m-bob", password="")
    modules.refuse("devpi_user", "without its administrator", name="root", state="absent")
    denied = modules.run("devpi_user", name="m-bob", login_password=None)
    assert "was answered with 403" in denied["msg"]
    wrong = modules.run("devpi_user", name="m-bob", login_password="not it")
    assert "user 'root' could not be authenticated" in wrong["msg"]
    assert "not it" not in modules.printed
    elsewhere = modules.run("devpi_user", name="m-bob", url="https://me:hunter2@devpi.example")
    assert "https://***@devpi.example" in elsewhere["msg"]


STAGE = {
    "volatile": False,
    "title": "T",
    "description": "D",
    "custom_data": {"a": 1},
    "bases": ["root/pypi"],
    "acl_upload": ["root", ":authenticated:"],
    "acl_toxresult_upload": ["root"],
    "mirror_whitelist": ["Some_Project"],
    "mirror_whitelist_inheritance": "union",
}
MIRROR = {
    "mirror_url": "https://mirror.example/simple/",
    "mirror_web_url_fmt": "https://mirror.example/{name}",
    "mirror_cache_expiry": 60,
    "mirror_no_project_list": True,
    "mirror_use_external_urls": True,
    "mirror_ignore_serial_header": True,
    "mirror_provides_core_metadata": False,
    "title": "M",
}
LIVES: dict[str, tuple[Result, Result]] = {
    "stage": (STAGE, {"volatile": True, "title": "", "bases": [], "acl_upload": ["root"]}),
    "mirror": (MIRROR, {"remote_url": "https://other.example/simple/", "mirror_web_url_fmt": ""}),
    "constrained": (
        {"bases": ["root/pypi"], "constraints": ["flask<3", "*"]},
        {"constraints": ["flask<4"]},
    ),
    "local": ({"volatile": True}, {"volatile": False}),
    "remote": ({"remote_url": "https://mirror.example/"}, {"remote_refresh_delay": 60}),
}


@pytest.mark.parametrize("kind", LIVES)
def test_the_life_of_an_index(modules: Modules, kind: str) -> None:
    name = f"root/m-{kind}"
    first, second = LIVES[kind]
    assert steps(modules.change("devpi_index", name=name, type=kind, **first)) == [
        ("create_index", name)
    ]
    assert steps(modules.change("devpi_index", name=name, **second)) == [("modify_index", name)]
    gone = modules.change("devpi_index", name=name, state="absent", remove_packages=True)
    assert steps(gone) == [("delete_index", name)]


def test_wrong_indexes(modules: Modules) -> None:
    refuse = modules.refuse
    refuse("devpi_index", "Write <user>/<index>", name="stable")
    refuse("devpi_index", "the user 'm-nobody' is neither", name="m-nobody/a")
    refuse("devpi_index", "its base 'root/m-nosuch' is", name="root/m-a", bases=["root/m-nosuch"])
    refuse("devpi_index", "a new mirror needs what", name="root/m-a", type="mirror")
    refuse("devpi_index", "has 'mirror_url'", name="root/m-a", mirror_url="https://a.example")
    refuse("devpi_index", "lead back to it", name="root/m-a", bases=["root/m-a"])
    modules.run("devpi_index", name="root/m-low")
    modules.run("devpi_index", name="root/m-high", bases=["root/m-low"])
    refuse("devpi_index", "lead back to it", name="root/m-low", bases=["root/m-high"])
    refuse("devpi_index", "'root/m-high' rests on it", name="root/m-low", state="absent")
    refuse("devpi_index", "devpi can't change a type", name="root/m-low", type="constrained")
    mirror = {"type": "mirror", "mirror_url": "https://pypi.org/simple/"}
    modules.run("devpi_index", name="root/m-mirror", **mirror)
    refuse("devpi_index", "what it has fetched would be lost", name="root/m-mirror", state="absent")
    words = modules.run("devpi_index", name="root/m-low", plugin_settings={"of_none": 1})["msg"]
    assert "indexconfig got unexpected keyword arguments: of_none=1" in words


PLUGIN = """
from pluggy import HookimplMarker

@HookimplMarker("devpiserver")
def devpiserver_indexconfig_defaults(index_type):
    return {"of_a_plugin": ["root"]}
"""


def test_settings_of_a_plugin(
    stopped_devpi: DevpiServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "of_tests.py").write_text(PLUGIN)
    info = tmp_path / "of_tests-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: of-tests\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[devpi_server]\nof-tests = of_tests\n")
    stopped_devpi.start(plugins=tmp_path)
    modules = Modules(stopped_devpi, capsys, root_token(stopped_devpi))
    index = {"name": "root/a", "plugin_settings": {"of_a_plugin": ["ann", "bob"]}}
    assert steps(modules.change("devpi_index", **index)) == [("create_index", "root/a")]
    index["plugin_settings"] = {"of_a_plugin": ["ann"]}
    assert modules.change("devpi_index", **index)["steps"][0]["after"] == {"of_a_plugin": ["ann"]}
    modules.change("devpi_index", name="root/a", title="A")
    assert modules.run("devpi_info")["indexes"]["root/a"]["of_a_plugin"] == ["ann"]


def test_a_login_in_a_mirror_s_url_is_not_shown(modules: Modules) -> None:
    url = "https://me:hunter2@mirror.example/simple/"
    modules.change("devpi_index", name="root/m-closed", type="mirror", mirror_url=url)
    modules.run("devpi_info")
    assert "hunter2" not in modules.printed


def test_an_index_with_packages_is_not_lost_by_mistake(modules: Modules, tmp_path: Path) -> None:
    modules.run("devpi_index", name="root/m-full", volatile=False)
    modules.run("devpi_package", index="root/m-full", path=str(wheel(tmp_path, "full", "1.0")))
    lost = modules.refuse("devpi_index", name="root/m-full", state="absent")
    assert "its packages would be lost. Allow that with 'remove_packages: true'" in lost
    mirror = {"type": "mirror", "mirror_url": "https://mirror.example/"}
    modules.refuse("devpi_index", "lose its packages", name="root/m-full", **mirror)
    turned = modules.change("devpi_index", name="root/m-full", remove_packages=True, **mirror)
    assert steps(turned) == [("delete_index", "root/m-full"), ("create_index", "root/m-full")]


def test_the_life_of_packages(modules: Modules, tmp_path: Path) -> None:
    modules.run("devpi_index", name="root/m-dev", volatile=True)
    modules.run("devpi_index", name="root/m-stable", volatile=False)
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "notes.txt").write_text("no distribution")
    wheel(folder, "m_one", "1.0")
    sdist(folder, "m_one", "1.0")
    wheel(folder, "m_two", "1.0")
    sent = modules.change("devpi_package", index="root/m-dev", path=str(folder))
    names = ["m_one-1.0-py3-none-any.whl", "m_one-1.0.tar.gz", "m_two-1.0-py3-none-any.whl"]
    assert sent["files"] == names
    metadata = ask(f"{modules.server.url}/root/m-dev/m-one/1.0")
    assert metadata["requires_dist"] == ["flask>=3", "click"]
    assert (metadata["summary"], metadata["requires_python"]) == ("Über m_one", ">=3.9")
    assert metadata["description"].strip() == "# A description"

    one = {"name": "m_one", "version": "1.0"}
    pushed = modules.change("devpi_package", index="root/m-stable", source="root/m-dev", **one)
    assert pushed["files"] == names[:2]

    # Other content: the one index takes it, the other says no before anything is sent.
    other = wheel(folder, "m_one", "1.0", "two")
    wheel(folder, "m_two", "2.0")
    exists = f"{other.name} already exists in non-volatile index"
    modules.refuse("devpi_package", exists, index="root/m-stable", path=str(folder))
    assert (
        modules.change("devpi_package", index="root/m-dev", path=str(other))["files"] == names[:1]
    )
    modules.refuse("devpi_package", exists, index="root/m-stable", source="root/m-dev", **one)

    gone = modules.change("devpi_package", index="root/m-dev", state="absent", **one)
    assert gone["files"] == names[:2]
    keep = {"index": "root/m-stable", "state": "absent", **one}
    modules.refuse("devpi_package", "cannot delete version on non-volatile index", **keep)
    assert modules.change("devpi_package", force=True, **keep)["files"] == names[:2]
    assert ask(f"{modules.server.url}/root/m-stable")["projects"] == []


def test_the_server_s_words_about_an_upload(modules: Modules, tmp_path: Path) -> None:
    modules.run("devpi_index", name="root/m-closed-to-all", acl_upload=[])
    file = wheel(tmp_path, "words", "1.0")
    words = modules.run("devpi_package", index="root/m-closed-to-all", path=str(file))["msg"]
    assert words.endswith("was answered with 403: no permission to submit")
    renamed = file.rename(tmp_path / "others-1.0-py3-none-any.whl")
    modules.run("devpi_index", name="root/m-open")
    words = modules.run("devpi_package", index="root/m-open", path=str(renamed))["msg"]
    assert "400: filename 'others-1.0-py3-none-any.whl' does not match project name" in words


def test_wrong_packages(modules: Modules, tmp_path: Path) -> None:
    modules.run("devpi_index", name="root/m-empty")
    to = {"index": "root/m-empty"}
    empty = tmp_path / "empty"
    empty.mkdir()
    text = tmp_path / "text.whl"
    text.write_text("no archive")
    refuse = modules.refuse
    refuse("devpi_package", "there is no wheel and no", path=str(empty), **to)
    refuse("devpi_package", "there is no such file", path=str(tmp_path / "nosuch"), **to)
    refuse("devpi_package", "it can't be read", path=str(text), **to)
    file = str(wheel(tmp_path, "lost", "1.0"))
    refuse("devpi_package", "takes no releases", index="root/pypi", path=file)
    refuse("devpi_package", "root/m-nosuch could not be found", index="root/m-nosuch", path=file)
    release = {"name": "lost", "version": "1.0"}
    refuse("devpi_package", "no release/files found", source="root/m-empty", **to, **release)
    refuse("devpi_package", "could not be found", source="root/m-nosuch", **to, **release)
    assert modules.run("devpi_package", state="absent", **to, **release)["changed"] is False


def test_the_life_of_a_token(modules: Modules, tmp_path: Path) -> None:
    modules.run("devpi_user", name="m-ci", password="ci's own")
    for index in ("root/m-ci", "root/m-other"):
        modules.run("devpi_index", name=index, acl_upload=["m-ci"])
    limits = {"user": "m-ci", "allowed": ["upload"], "indexes": ["root/m-other", "root/m-ci"]}
    printed = modules.refuse("devpi_token", "no_log of the task is not set", **limits)
    assert "Write 'no_log: true'" in printed
    made = modules.change("devpi_token", no_log=True, **limits)
    token = made["token"]
    again = modules.run("devpi_token", no_log=True, **limits)
    assert "token" not in again
    (token_id,) = again["ids"]

    listed = modules.run("devpi_info", tokens_of="m-ci")["tokens"]
    expires = listed[token_id].pop("expires")
    assert listed == {token_id: {"allowed": "upload", "indexes": "root/m-ci,root/m-other"}}
    assert expires.isdecimal()
    # One that ends too soon is not counted, and one for ever is another one.
    soon = modules.change("devpi_token", no_log=True, **limits, renew_days=365, lifetime_days=366)
    ever = modules.change("devpi_token", no_log=True, **limits, lifetime_days=0)
    assert len({token, soon["token"], ever["token"]}) == 3

    derive = {"derive_from": token, "indexes": ["root/m-ci"], "lifetime_days": 1}
    derived = modules.run("devpi_token", no_log=True, **derive)
    assert derived["changed"] is False
    file = str(wheel(tmp_path, "tokens", "1.0"))
    alone = {"path": file, "login_user": "m-ci"}
    narrow = {**alone, "login_token": derived["token"]}
    denied = modules.run("devpi_package", index="root/m-other", **narrow)["msg"]
    assert "Token denied access to index 'root/m-other'" in denied
    modules.change("devpi_package", index="root/m-ci", **narrow)
    modules.change("devpi_package", index="root/m-other", **alone, login_token=token)

    gone = modules.change("devpi_token", user="m-ci", id=token_id, state="absent")
    assert gone["diff"]["before"].keys() == {token_id}
    narrow["path"] = str(wheel(tmp_path, "tokens", "2.0"))
    ended = modules.run("devpi_package", index="root/m-ci", **narrow)["msg"]
    assert f"The token id {token_id} doesn't exist" in ended
    modules.change("devpi_token", state="absent", **limits)
    assert modules.run("devpi_info", tokens_of="m-ci")["tokens"] == {}
    for secret in (token, soon["token"], ever["token"], derived["token"]):
        assert secret not in modules.printed


def test_info(modules: Modules, tmp_path: Path) -> None:
    modules.run("devpi_index", name="root/m-read", title="R")
    modules.run("devpi_index", name="root/m-above", bases=["root/m-read"])
    file = wheel(tmp_path, "m_read", "1.0")
    modules.run("devpi_package", index="root/m-read", path=str(file))
    nobody = {"login_password": None}
    found = modules.run("devpi_info", index="root/m-read", project="M.Read", **nobody)
    assert found["changed"] is False
    assert found["server"]["version"] == "6.20.3"
    assert found["server"]["user"] == ""
    assert "push-no-docs" in found["server"]["features"]
    assert "root" in found["users"]
    assert found["indexes"]["root/m-read"]["title"] == "R"
    (release,) = found["releases"]["1.0"]
    assert release["name"] == file.name
    assert release["url"].startswith(modules.server.url)
    above = {"index": "root/m-above", "project": "m_read"}
    assert modules.run("devpi_info", **above)["releases"] == {}
    assert modules.run("devpi_info", bases=True, **above)["releases"].keys() == {"1.0"}
    assert modules.run("devpi_info")["server"]["user"] == "root"
    assert "could not be found" in modules.run("devpi_info", index="root/m-x", project="p")["msg"]


def test_a_plan_for_many_users_and_indexes_takes_few_requests(
    modules: Modules, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = [f"m-many-{number:02}" for number in range(50)]
    users = {"users": {name: {} for name in owners}}
    # Without passwords, which the server would take its time to hash.
    assert len(modules.run("devpi_converge", **users)["steps"]) == 50
    passwords = {name: f"{name}'s own" for name in owners}
    names = [f"{owners[number % 50]}/i{number}" for number in range(200)]
    indexes = {name: {"bases": names[:number][-1:]} for number, name in enumerate(names)}
    requests = count_requests(monkeypatch)
    planned = modules.run(
        "devpi_converge", check=True, **users, passwords=passwords, indexes=indexes
    )
    actions = [action for action, _ in steps(planned)]
    assert (actions.count("create_index"), actions.count("change_password")) == (200, 50)
    print(f"{len(requests)} requests for a plan of 200 indexes and 50 users with passwords")
    assert len(requests) <= 10 + 50


@pytest.mark.parametrize("given", [{}, {"type": "stage"}], ids=["without a type", "with its type"])
def test_an_index_is_looked_up_once(
    modules: Modules, monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    requests = count_requests(monkeypatch)
    result = modules.run("devpi_index", check=True, name="root/pypi-heir", bases=[], **given)
    assert steps(result) == [("create_index", "root/pypi-heir")]
    assert len([url for url in requests if url.rstrip("/") == modules.server.url]) == 1


def count_requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the modules ask from now on."""
    glue = import_module("ansible_collections.thinkube.devpi.plugins.module_utils._devpi_module")
    real: Callable[..., Any] = glue.open_url
    requests: list[str] = []

    def counted(url: str, **options: Any) -> Any:
        requests.append(url)
        return real(url, **options)

    monkeypatch.setattr(glue, "open_url", counted)
    return requests


def test_a_plan_in_check_mode_is_what_then_happens(modules: Modules) -> None:
    declared = {
        "users": {"m-team": {"email": "team@example.com"}},
        "passwords": {"m-team": "team's own"},
        "indexes": {
            "m-team/dev": {"bases": ["m-team/stable"]},
            "m-team/stable": {"bases": ["root/pypi"], "volatile": False},
        },
    }
    assert steps(modules.change("devpi_converge", **declared)) == [
        ("create_user", "m-team"),
        ("create_index", "m-team/stable"),
        ("create_index", "m-team/dev"),
    ]
    circle = {"m-team/stable": {"bases": ["m-team/dev"]}}
    modules.refuse("devpi_converge", "lead back to it", indexes=circle)
    gone = {"state": "absent"}
    removal = {"users": {"m-team": gone}, "indexes": dict.fromkeys(declared["indexes"], gone)}
    assert len(modules.change("devpi_converge", **removal)["steps"]) == 3
    assert "team's own" not in modules.printed
