# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates by Ansible's own lookup, with the variables themselves in place of a copy."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.thinkube.devpi.plugins.lookup.manifest_template import Variables

RENDERER = Path(__file__).parents[2] / "roles/renderer.py"


def asked(folder: Path, names: list[str], **variables: str) -> dict[str, str]:
    """What Ansible's engine says to the contents of templates, in a role of this folder."""
    template = "{{ query('thinkube.devpi.manifest_template', *names) | to_json }}"
    known = {"ansible_search_path": [str(folder)], "names": names, **variables}
    request = json.dumps({"files": [], "variables": known, "template": template})
    said = subprocess.run(
        [sys.executable, RENDERER], input=request, capture_output=True, text=True, check=True
    )
    return dict(json.loads(said.stdout))


@pytest.fixture
def role(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/one.yaml.j2").write_text("{% set name = 'mine' %}one: {{ name }}\n")
    (tmp_path / "templates/two.yaml.j2").write_text("two: {{ name }}, {{ template_path }}\n")
    return tmp_path


def test_templates_are_filled_in_their_order_and_see_nothing_of_each_other(role: Path) -> None:
    said = asked(role, ["one.yaml.j2", "two.yaml.j2"], name="{{ other }}", other="deep")
    assert json.loads(said["text"]) == ["one: mine\n", "two: deep, two.yaml.j2\n"]


def test_a_template_that_is_missing_is_named(role: Path) -> None:
    assert "three.yaml.j2" in asked(role, ["three.yaml.j2"])["failed"]


def test_the_values_are_not_copied() -> None:
    value = object()
    copied = copy.deepcopy(Variables({"name": value}))
    assert copied["name"] is value
    assert type(copied) is dict
