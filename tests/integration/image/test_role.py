# SPDX-License-Identifier: GPL-3.0-or-later
"""Role devpi_image against a registry with TLS and login: one build, one push, the digest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from role import play


def test_built_once_and_removed_on_request(tmp_path: Path, good: dict[str, Any]) -> None:
    planned = play(tmp_path, "--check", **good)
    assert (planned.code, planned.changed) == (0, 1), planned.output
    first = play(tmp_path, hosts="one,two", **good)
    assert first.code == 0, first.output
    assert first.reference("one") == first.reference("two")
    assert first.reference("one").startswith(f"{good['harbor_registry']}/library/devpi@sha256:")
    for flags in ([], ["--check"]):
        again = play(tmp_path, *flags, **good)
        assert (again.code, again.changed) == (0, 0), again.output
        assert again.reference() == first.reference("one")
    tagged = [play(tmp_path, **good, devpi_image_tag="latest") for _ in range(2)]
    assert [run.changed for run in tagged] == [1, 0], tagged[0].output
    absent = {**good, "devpi_state": "absent"}
    assert play(tmp_path, **absent).changed == 0
    removed = [play(tmp_path, **absent, devpi_image_remove=True) for _ in range(2)]
    assert [run.changed > 0 for run in removed] == [True, False], removed[0].output


def test_an_image_that_exists_needs_no_registry(tmp_path: Path) -> None:
    named = "registry.example.org/devpi:6.20.3"
    given = play(tmp_path, devpi_image_build=False, devpi_image_reference=named)
    assert (given.code, given.changed, given.reference()) == (0, 0, named)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"harbor_registry": "https://harbor.example.org"}, "which is not a host name"),
        ({"harbor_registry": ""}, "which is not a host name"),
        ({"harbor_project": "Library"}, "harbor_project is 'Library'"),
        ({"harbor_password": ""}, "its password is empty"),
        ({"harbor_password": "wrong"}, "refuses the login of 'admin'"),
        ({"devpi_ca_bundle": ""}, "is not trusted"),
        ({"devpi_ca_bundle": "/nosuch"}, "no such file"),
        ({"harbor_registry": "nosuch.invalid"}, "cannot be used"),
        ({"harbor_registry": "127.0.0.1:1"}, "cannot be used"),
        ({"devpi_image_tag": "a b"}, "which is not a tag"),
        ({"devpi_image_index_url": "https://u:p@pypi.example.org"}, "without credentials"),
        ({"devpi_image_build": False}, "has to name an image that exists"),
    ],
)
def test_bad_input_is_named_before_anything_is_built(
    tmp_path: Path, good: dict[str, Any], wrong: dict[str, Any], says: str
) -> None:
    refused = play(tmp_path, **{**good, **wrong})
    assert refused.code != 0
    assert says in refused.output
    assert refused.changed == 0
