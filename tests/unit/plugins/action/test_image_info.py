# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a registry for an image, as far as no registry is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.thinkube.devpi.plugins.action import image_info
from ansible_collections.thinkube.devpi.plugins.modules import image_info as documentation


def test_without_skopeo_there_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    asked = {"name": "harbor.example.com/a:1", "authfile": "{}", "ca_bundle": None}
    assert image_info.ask(asked) == {"trouble": "skopeo is not on PATH"}


@pytest.mark.parametrize(
    "said",
    [
        "reading manifest 1 in 127.0.0.1:1/library/devpi: manifest unknown",
        "reading manifest 1 in 127.0.0.1:1/library/devpi: name unknown: repository not known",
        "Error reading manifest 1: artifact library/devpi:1 not found",
    ],
)
def test_an_image_that_is_not_there_is_known_by_what_registries_say(said: str) -> None:
    assert image_info.UNKNOWN.search(said)


def test_the_documentation_says_what_an_answer_holds() -> None:
    answer = {"name", "exists", "digest", "trouble"}
    assert set(yaml.safe_load(documentation.RETURN)) == answer
