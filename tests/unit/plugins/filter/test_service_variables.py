# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken from the ConfigMaps of services, whatever they say."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.thinkube.devpi.plugins.filter.service_variables import FilterModule

service_variables = FilterModule().filters()["service_variables"]


def config_map(place: str, data: dict[str, Any] | None) -> dict[str, Any]:
    namespace, name = place.split("/")
    return {"metadata": {"namespace": namespace, "name": name}, "data": data}


def offering(place: str, *variables: dict[str, Any]) -> dict[str, Any]:
    service = {"service": {"name": "one", "environment_variables": list(variables)}}
    return config_map(place, {"service.yaml": yaml.safe_dump(service)})


def test_what_has_a_value_is_taken() -> None:
    reference = {"name": "A_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}
    given = [
        offering("a/config", {"name": "A_URL", "value": "https://a.example.com"}, reference),
        offering("b/config", {"name": "B_PORT", "value": 5432}, {"name": "B_ON", "value": True}),
        offering("c/config", {"name": "C_EMPTY", "value": ""}, {"name": "C_NONE", "value": None}),
    ]
    assert service_variables(given) == {
        "variables": {
            "A_URL": "https://a.example.com",
            "B_PORT": "5432",
            "B_ON": "true",
            "C_EMPTY": "",
        },
        "problems": [],
    }


def test_the_order_in_which_the_cluster_lists_them_changes_nothing() -> None:
    first = offering("a/config", {"name": "URL", "value": "first"})
    last = offering("a-b/config", {"name": "URL", "value": "last"})
    assert service_variables([first, last])["variables"] == {"URL": "last"}
    assert service_variables([last, first])["variables"] == {"URL": "last"}


def test_what_offers_nothing_is_no_problem() -> None:
    given = [
        config_map("a/no-data", None),
        config_map("a/other", {"key": "value"}),
        config_map("a/empty", {"service.yaml": ""}),
        offering("a/none"),
        config_map("a/bare", {"service.yaml": "service: {name: bare}"}),
    ]
    assert service_variables(given) == {"variables": {}, "problems": []}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("service: [hunter2", "service.yaml is not YAML"),
        ("- hunter2", "service.yaml has not the form of a service"),
        ("other: hunter2", "service.yaml has not the form of a service"),
        ("service: hunter2", "service.yaml has not the form of a service"),
        (
            "service: {environment_variables: [hunter2]}",
            "service.yaml has not the form of a service",
        ),
        (
            "service: {environment_variables: [{value: hunter2}]}",
            "service.yaml has not the form of a service",
        ),
        (
            "service: {environment_variables: [{name: 'A; rm -rf ~', value: hunter2}]}",
            "'A; rm -rf ~' is not the name of an environment variable",
        ),
    ],
)
def test_one_that_is_wrong_is_named_and_keeps_no_other_away(text: str, wrong: str) -> None:
    given = [
        config_map("bad/config", {"service.yaml": text}),
        offering("good/config", {"name": "GOOD", "value": "1"}),
    ]
    assert service_variables(given) == {
        "variables": {"GOOD": "1"},
        "problems": [f"ConfigMap bad/config: {wrong}"],
    }
