# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders the roles' manifests with Ansible's own engine: a test sees what a cluster is sent."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
RENDERER = Path(__file__).with_name("renderer.py")

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

MANIFESTS = "{{ dict(templates | zip(query('ansible.builtin.template', *templates))) | to_json }}"

Manifest = dict[str, Any]
Render = Callable[..., dict[str, Manifest]]
Objects = Callable[..., list[Manifest]]
Values = Callable[..., dict[str, Any]]
Variables = dict[str, Any]
Run = Callable[[str, str, str], str]
Each = Callable[[str, dict[str, tuple[list[str], Variables]]], dict[str, dict[str, Any]]]


def manifests_of(role: str) -> list[str]:
    """Paths of a role's templates that are Kubernetes objects."""
    return sorted(str(path) for path in (ROLES / role / "templates").glob("*.yaml.j2"))


def files_of(role: str) -> list[str]:
    """Paths of what a role has its variables from, the shared ones below its own."""
    parts = [(name, part) for name in ("devpi", role) for part in ("defaults", "vars")]
    return [str(ROLES / name / part / "main.yaml") for name, part in parts]


def values_template(names: list[str]) -> str:
    """A template that gives these variables as JSON."""
    looked_up = ", ".join(f"'{name}': lookup('ansible.builtin.vars', '{name}')" for name in names)
    return "{{ {" + looked_up + "} | to_json }}"


def object_name(template: str) -> str:
    """`deployment` of `.../deployment.yaml.j2`."""
    return Path(template).name.removesuffix(".yaml.j2")


@pytest.fixture(scope="session")
def engine() -> Iterator[Callable[[dict[str, Any]], str]]:
    """What the renderer gives for a request; a test that asks for nonsense fails with its words."""
    with subprocess.Popen(
        [sys.executable, str(RENDERER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as renderer:
        assert renderer.stdin is not None
        assert renderer.stdout is not None
        requests, answers = renderer.stdin, renderer.stdout

        def asked(request: dict[str, Any]) -> str:
            print(json.dumps(request), file=requests, flush=True)
            answer = json.loads(answers.readline())
            assert "text" in answer, answer["failed"]
            return str(answer["text"])

        yield asked


@pytest.fixture(scope="session")
def run(engine: Callable[[dict[str, Any]], str]) -> Run:
    """`run(role, variables, template)`: what it gives with the variables (JSON) over the role's."""

    @functools.cache
    def cached(role: str, variables: str, template: str) -> str:
        given = INPUTS | {"templates": manifests_of(role)} | json.loads(variables)
        return engine({"files": files_of(role), "variables": given, "template": template})

    return cached


@pytest.fixture(scope="session")
def render(run: Run) -> Render:
    """`render(role, **variables)` gives the role's objects by template name without its endings."""

    def rendered(role: str, **variables: Any) -> dict[str, Manifest]:
        texts = json.loads(run(role, json.dumps(variables, sort_keys=True), MANIFESTS))
        return {object_name(path): yaml.safe_load(text or "") for path, text in texts.items()}

    return rendered


@pytest.fixture(scope="session")
def objects(run: Run) -> Objects:
    """`objects(role, **variables)` gives all objects of a role, of templates with several too."""

    def rendered(role: str, **variables: Any) -> list[Manifest]:
        texts = json.loads(run(role, json.dumps(variables, sort_keys=True), MANIFESTS))
        documents = (one for text in texts.values() for one in yaml.safe_load_all(text or ""))
        return [one for one in documents if one]

    return rendered


@pytest.fixture(scope="session")
def values(run: Run) -> Values:
    """`values(role, names, **variables)` gives variables of the role as it would see them."""

    def looked_up(role: str, names: list[str], **variables: Any) -> dict[str, Any]:
        text = run(role, json.dumps(variables, sort_keys=True), values_template(names))
        return dict(json.loads(text))

    return looked_up


@pytest.fixture(scope="session")
def each(values: Values) -> Each:
    """`each(role, {case: (names, variables)})` gives `{case: {name: value}}`."""

    def looked_up(
        role: str, cases: dict[str, tuple[list[str], Variables]]
    ) -> dict[str, dict[str, Any]]:
        return {case: values(role, names, **given) for case, (names, given) in cases.items()}

    return looked_up
