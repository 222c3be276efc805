# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands by which role devpi_image builds and pushes, for each engine."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
ROLE = ROLES / "devpi_image"
NAMES = ("build_argv", "push_argv", "fetch_argv", "bill_argv", "tagged", "problems", "authfile")
COMMIT = "0123456789" * 4
GIVEN = {
    "domain_name": "example.com",
    "role_path": str(ROLE),
    "devpi_image_password": "pa ssö",
    "devpi_image_registry": "r.example.com:5000",
    "devpi_image_base": "debian:trixie",
    "devpi_image_engine": "podman",
    "__devpi_image_clone": {"path": "/tmp/clone"},
    "__devpi_image_login": {"path": "/tmp/login"},
    "__devpi_image_room": {"path": "/tmp/room"},
    "__devpi_image_saved": {"path": "/tmp/saved"},
    "__devpi_image_fetched": {"path": "/tmp/fetched"},
    "__devpi_image_wanted": "r.example.com:5000/base:1",
    "ansible_connection": "local",
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
}
GIT = {"devpi_image_git_url": "https://git.example.com/devpi.git", "devpi_image_git_ref": COMMIT}
TWO = ["linux/amd64", "linux/arm64"]
# All in one run of Ansible, each a host of its own.
VARIANTS: dict[str, dict[str, Any]] = {
    "podman": {},
    "buildah": {"devpi_image_engine": "buildah"},
    "docker": {"devpi_image_engine": "docker"},
    "platforms": {"devpi_image_platforms": TWO},
    "asked": {
        "devpi_image_plugins": ["devpi-ldap==2.1.1", "devpi-jenkins==2.0.0"],
        "devpi_image_wheelhouse": "/wheels",
        "devpi_image_ca_bundle": "/ca.pem",
        "devpi_image_index_url": "https://pypi.example.com/simple/",
        "devpi_image_labels": {"team": "tools"},
        "devpi_image_cache": False,
    },
    "git": GIT,
    "private": {"devpi_image_base": "r.example.com:5000/base:1"},
    "private-platforms": {
        "devpi_image_base": "r.example.com:5000/base:1",
        "devpi_image_platforms": TWO,
    },
    "plain": {"devpi_image_plain_http_registry": "r.example.com:5000"},
    "base": {"devpi_image_base": "other"},
    "plugins": {"devpi_image_plugins": ["devpi-ldap==2.1.1"]},
    "labels": {"devpi_image_labels": {"team": "tools"}},
}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"devpi_image_git_url": "https://me:pw@git.example.com/x.git"}, "without a password"),
    ({"devpi_image_git_url": "https://g/x.git", "devpi_image_git_ref": "--x"}, "a branch, a"),
    ({"devpi_image_plugins": ["devpi-ldap"]}, "devpi-ldap==2.1.1"),
    ({"devpi_image_platforms": ["arm"]}, "linux/arm64"),
    ({"devpi_image_wheelhouse": "/nosuch"}, "no such folder"),
    ({"devpi_image_wheelhouse": "/"}, "no wheel of pip"),
    ({"devpi_image_plain_http_registry": "other.example.com"}, "same name into both"),
    ({**GIT, "devpi_image_plugins": ["a==1"]}, "names another"),
]

Found = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What the role's variables are for each variant."""
    folder = tmp_path_factory.mktemp("commands")
    looked_up = ", ".join(f"'{name}': __devpi_image_{name}" for name in NAMES)
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars_files": [str(ROLES / "devpi/vars/main.yaml"), str(ROLE / "vars/main.yaml")],
        "tasks": [{"ansible.builtin.debug": {"msg": "{{ {" + looked_up + "} }}"}}],
    }
    defaults: dict[str, Any] = {}
    for role in ("devpi", "devpi_image"):
        defaults |= yaml.safe_load((ROLES / role / "defaults/main.yaml").read_text())
    variants = VARIANTS | {f"wrong{number}": given for number, (given, _) in enumerate(WRONG)}
    hosts = {name: {**GIVEN, **given} for name, given in variants.items()}
    (folder / "play.yaml").write_text(yaml.safe_dump([play]))
    (folder / "hosts.yaml").write_text(
        json.dumps({"all": {"vars": {"devpi_state": "present"} | defaults, "hosts": hosts}})
    )
    done = subprocess.run(
        [
            "ansible-playbook",
            *("-i", str(folder / "hosts.yaml")),
            *("-e", '{"__devpi_image_flock": []}'),
            str(folder / "play.yaml"),
        ],
        env=os.environ | {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout[done.stdout.index("{") :])
    said = result["plays"][0]["tasks"][0]["hosts"]
    return {host: dict(said[host]["msg"]) for host in hosts}


def follows(argv: list[str], option: str) -> list[str]:
    """What stands after each occurrence of an option."""
    return [after for before, after in itertools.pairwise(argv) if before == option]


@pytest.mark.parametrize("engine", ["podman", "buildah"])
def test_podman_and_buildah(found: Found, engine: str) -> None:
    build, tagged = found[engine]["build_argv"], found[engine]["tagged"]
    assert build[:2] == [engine, "build"]
    assert follows(build, "--format") == ["docker"]
    assert follows(build, "--timestamp") == ["1767225600"]
    assert follows(build, "--tag") == [tagged]
    assert follows(build, "--build-arg") == ["BASE=debian:trixie"]
    assert "--label=org.opencontainers.image.base.name=debian:trixie" in build
    assert "--layers" in build
    assert follows(build, "--file") == [str(ROLE / "files/image/Containerfile")]
    assert build[-1] == str(ROLE / "files/image")
    login = ["--quiet", "--tls-verify=true", "--authfile", "/dev/stdin"]
    assert found[engine]["push_argv"] == [engine, "push", *login, tagged]
    wanted = GIVEN["__devpi_image_wanted"]
    assert found[engine]["fetch_argv"] == [engine, "pull", *login, wanted]


def test_docker_is_told_what_the_others_know(found: Found) -> None:
    build = found["docker"]["build_argv"]
    assert not {"--format", "--timestamp", "--layers"} & set(build)
    assert follows(build, "--file") == [str(ROLE / "files/image/Containerfile")]
    assert {"--build-arg=https_proxy", "--build-arg=NO_PROXY"} < set(build)
    assert not {"--build-arg=https_proxy"} & set(found["podman"]["build_argv"])


def test_docker_pushes_by_skopeo(found: Found) -> None:
    push, tagged = found["docker"]["push_argv"], found["docker"]["tagged"]
    assert push[:2] == ["skopeo", "copy"]
    assert push[-2:] == ["docker-archive:/tmp/saved/image.tar", f"docker://{tagged}"]
    assert follows(push, "--dest-authfile") == ["/dev/stdin"]
    assert "--dest-tls-verify=true" in push
    fetch, wanted = found["docker"]["fetch_argv"], GIVEN["__devpi_image_wanted"]
    assert follows(fetch, "--src-authfile") == ["/dev/stdin"]
    assert fetch[-2:] == [f"docker://{wanted}", f"docker-archive:/tmp/fetched/image.tar:{wanted}"]


def test_several_platforms_are_a_list(found: Found) -> None:
    build, push, tagged = (
        found["platforms"][name] for name in ("build_argv", "push_argv", "tagged")
    )
    assert follows(build, "--platform") == ["linux/amd64,linux/arm64"]
    assert follows(build, "--manifest") == [tagged]
    assert "--tag" not in build
    assert push[:4] == ["podman", "manifest", "push", "--all"]
    assert "--authfile" not in build
    assert push[-2:] == [tagged, f"docker://{tagged}"]


def test_the_build_of_a_list_fetches_a_private_base_itself(found: Found) -> None:
    assert "--authfile" not in found["private"]["build_argv"]
    build = found["private-platforms"]["build_argv"]
    assert follows(build, "--authfile") == ["/tmp/login/auth.json"]


@pytest.mark.parametrize("engine", ["podman", "buildah", "docker"])
def test_the_bill_is_taken_out_by_a_build(found: Found, engine: str) -> None:
    bill = found[engine]["bill_argv"]
    assert bill[:2] == [engine, "build"]
    assert follows(bill, "--output") == ["type=local,dest=/tmp/room"]
    assert bill[-3:] == ["--file", "-", "/tmp/room"]
    assert follows(found["platforms"]["bill_argv"], "--platform") == ["linux/amd64"]


def test_what_is_asked_for_reaches_the_build(found: Found) -> None:
    build = found["asked"]["build_argv"]
    assert follows(build, "--build-arg") == [
        "BASE=debian:trixie",
        "PIP_INDEX_URL=https://pypi.example.com/simple/",
        "PLUGINS=devpi-ldap==2.1.1 devpi-jenkins==2.0.0",
    ]
    assert follows(build, "--build-context") == ["wheelhouse=/wheels"]
    assert follows(build, "--secret") == ["id=ca,src=/ca.pem"]
    assert {"--no-cache", "--label=team=tools"} <= set(build)


def test_another_source_is_built_at_its_commit(found: Found) -> None:
    build = found["git"]["build_argv"]
    assert f":git-{COMMIT[:12]}-" in found["git"]["tagged"]
    assert follows(build, "--file") == ["/tmp/clone/dockerfile/Dockerfile"]
    assert build[-1] == "/tmp/clone"
    assert f"--label=org.opencontainers.image.revision={COMMIT}" in build


def test_plain_http_is_said_by_the_registrys_name(found: Found) -> None:
    assert "--tls-verify=false" in found["plain"]["push_argv"]


def test_what_changes_the_image_changes_its_tag(found: Found) -> None:
    same = {"podman", "buildah", "docker", "plain"}
    assert len({found[name]["tagged"] for name in same}) == 1
    assert len({found[name]["tagged"] for name in VARIANTS}) == len(VARIANTS) - len(same) + 1


def test_no_command_holds_the_password(found: Found) -> None:
    assert "pa ss" not in json.dumps(found)


def test_the_login_is_for_the_registry_of_the_image(found: Found) -> None:
    ((registry, login),) = json.loads(found["podman"]["authfile"])["auths"].items()
    assert registry == "r.example.com:5000"
    assert base64.b64decode(login["auth"]).decode() == "admin:pa ssö"


@pytest.mark.parametrize("number", range(len(WRONG)), ids=lambda number: WRONG[number][1])
def test_bad_input(found: Found, number: int) -> None:
    (problem,) = found[f"wrong{number}"]["problems"]
    assert WRONG[number][1] in problem
