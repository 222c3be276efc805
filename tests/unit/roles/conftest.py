# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders the roles' manifests with Ansible itself: a test sees what a cluster would be sent."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
PARTS = ("defaults", "vars")
PLAYBOOK = Path(__file__).parent / "render" / "render.yaml"

# Made at the beginning of each run.
NEW_KEYS = {
    "new_token_key": "bmV3IGtleQ==",
    "new_valkey_password": "n" * 64,
    "new_cookie_secret": "k" * 32,
    "new_front_key": "w" * 64,
}

INPUTS: dict[str, Any] = {
    "__devpi_found": NEW_KEYS,
    "domain_name": "example.com",
    "devpi_root_password": "correct horse",
    "role_path": str(ROLES / "devpi"),
    "__devpi_namespace_found": {"resources": []},
    "__devpi_image_reference": "harbor.example.com/library/devpi@sha256:" + "0" * 64,
}

Manifest = dict[str, Any]
Render = Callable[..., dict[str, Manifest]]
Objects = Callable[..., list[Manifest]]
Values = Callable[..., dict[str, Any]]
Variables = dict[str, Any]
Each = Callable[[str, dict[str, tuple[list[str], Variables]]], dict[str, dict[str, Any]]]


def manifests_of(role: str) -> list[str]:
    """Paths of a role's templates that are Kubernetes objects."""
    return sorted(str(path) for path in (ROLES / role / "templates").glob("*.yaml.j2"))


def values_template(names: list[str]) -> str:
    """A template that gives these variables as JSON."""
    looked_up = ", ".join(f"'{name}': lookup('ansible.builtin.vars', '{name}')" for name in names)
    return "{{ {" + looked_up + "} | to_json }}"


def object_name(template: str) -> str:
    """`deployment` of `.../deployment.yaml.j2`."""
    return Path(template).name.removesuffix(".yaml.j2")


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, str], str]:
    """What Ansible makes of a role's manifests and of a template with further values, as JSON.

    The variables are extra vars: they win over the defaults, as an inventory's do.
    """

    @functools.cache
    def cached(role: str, variables: str, further: str) -> str:
        folder = tmp_path_factory.mktemp(role)
        (folder / "values.j2").write_text(further)
        given = {
            "rendered_from": str(ROLES),
            "rendered_role": role,
            "rendered_to": str(folder / "manifests.json"),
            "templates": [str(folder / "values.j2")] if further else manifests_of(role),
        }
        inputs = folder / "inputs.json"
        inputs.write_text(json.dumps(INPUTS | given | json.loads(variables)))
        done = subprocess.run(
            ["ansible-playbook", "-i", "localhost,", "-e", f"@{inputs}", str(PLAYBOOK)],
            env=os.environ | {"ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return (folder / "manifests.json").read_text()

    return cached


@pytest.fixture(scope="session")
def render(run: Callable[[str, str, str], str]) -> Render:
    """`render(role, **variables)` gives the role's objects by template name without its endings."""

    def rendered(role: str, **variables: Any) -> dict[str, Manifest]:
        texts = json.loads(run(role, json.dumps(variables, sort_keys=True), ""))
        return {object_name(path): yaml.safe_load(text or "") for path, text in texts.items()}

    return rendered


@pytest.fixture(scope="session")
def objects(run: Callable[[str, str, str], str]) -> Objects:
    """`objects(role, **variables)` gives all objects of a role, of templates with several too."""

    def rendered(role: str, **variables: Any) -> list[Manifest]:
        texts = json.loads(run(role, json.dumps(variables, sort_keys=True), ""))
        documents = (one for text in texts.values() for one in yaml.safe_load_all(text or ""))
        return [one for one in documents if one]

    return rendered


@pytest.fixture(scope="session")
def values(run: Callable[[str, str, str], str]) -> Values:
    """`values(role, names, **variables)` gives variables of the role as it would see them."""

    def looked_up(role: str, names: list[str], **variables: Any) -> dict[str, Any]:
        further = values_template(names)
        (text,) = json.loads(run(role, json.dumps(variables, sort_keys=True), further)).values()
        return dict(json.loads(text))

    return looked_up


@pytest.fixture(scope="session")
def each(tmp_path_factory: pytest.TempPathFactory) -> Each:
    """Variables of a role for many inputs at once: what costs a second is Ansible's start.

    `each(role, {case: (names, variables)})` gives `{case: {name: value}}`. Each case is a host of
    an inventory whose variables win over the defaults.
    """

    def looked_up(
        role: str, cases: dict[str, tuple[list[str], Variables]]
    ) -> dict[str, dict[str, Any]]:
        folder = tmp_path_factory.mktemp(role)
        files = [ROLES / one / part / "main.yaml" for part in PARTS for one in ("devpi", role)]
        usual: Variables = {}
        for file in files:
            usual |= yaml.safe_load(file.read_text())
        hosts = {f"case{number}": given for number, (_, given) in enumerate(cases.values())}
        (folder / "hosts.json").write_text(
            json.dumps({"all": {"vars": usual | INPUTS, "hosts": hosts}})
        )
        asked = ", ".join(
            f"'case{number}': {{"
            + ", ".join(f"'{n}': hostvars.case{number}['{n}']" for n in names)
            + "}"
            for number, (names, _) in enumerate(cases.values())
        )
        result = folder / "result.json"
        content = {
            "content": "{{ {" + asked + "} | to_json }}",
            "dest": str(result),
            "mode": "0600",
        }
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [{"ansible.builtin.copy": content}],
        }
        (folder / "play.json").write_text(json.dumps([play]))
        done = subprocess.run(
            ["ansible-playbook", "-i", str(folder / "hosts.json"), str(folder / "play.json")],
            env=os.environ | {"ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(zip(cases, json.loads(result.read_text()).values(), strict=True))

    return looked_up
