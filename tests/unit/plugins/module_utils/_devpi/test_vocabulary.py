# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of devpi 6 and devpi 7 for the same."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.errors import InputError
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.vocabulary import (
    in_words_of_6,
    in_words_of_7,
)

BOTH: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"type": "stage"}, {"type": "local"}),
    ({"type": "mirror"}, {"type": "remote"}),
    ({"type": "constrained", "bases": ["root/a"]}, {"type": "constrained", "bases": ["root/a"]}),
    ({"mirror_url": "https://a.example/"}, {"remote_url": "https://a.example/"}),
    ({"mirror_cache_expiry": None}, {"remote_refresh_delay": None}),
    ({"mirror_no_project_list": True}, {"remote_no_project_list": True}),
    (
        {"mirror_whitelist": [], "mirror_whitelist_inheritance": "union"},
        {
            "project_inheritance_rules": ["block type:remote if local_exists"],
            "trust_inheritance_rules_from": "type:not remote",
        },
    ),
    ({"mirror_whitelist": ["*"]}, {"project_inheritance_rules": ["allow all"]}),
    (
        {"mirror_whitelist_inheritance": "intersection"},
        {"trust_inheritance_rules_from": "none"},
    ),
]


@pytest.mark.parametrize(("six", "seven"), BOTH)
def test_there_and_back(six: dict[str, Any], seven: dict[str, Any]) -> None:
    assert in_words_of_7(six) == seven
    assert in_words_of_6(seven) == six
    assert in_words_of_6(six) == six


def test_what_devpi_7_can_not_say() -> None:
    with pytest.raises(InputError, match="devpi 7 has such a list for each project instead"):
        in_words_of_7({"mirror_whitelist": ["flask"]})


def test_the_same_said_twice() -> None:
    with pytest.raises(InputError, match="'mirror_url' and 'remote_url' are both given"):
        in_words_of_6({"mirror_url": "https://a.example/", "remote_url": "https://b.example/"})
