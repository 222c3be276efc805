# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The environment variables that services of a Thinkube cluster offer in their ConfigMaps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

DOCUMENTATION = r"""
name: service_variables
short_description: Environment variables that services offer in their ConfigMaps
version_added: 1.0.0
description:
  - Reads C(service.environment_variables) of key C(service.yaml) of each ConfigMap, as services
    labelled C(thinkube.io/managed=true) have it.
  - Takes those with a value; one that refers to a Secret is left out.
author:
  - thinkube.devpi contributors (@thinkube)
options:
  _input:
    description: ConfigMaps as the cluster has them, those of other services among them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what a shell would be told
  ansible.builtin.debug:
    msg: "{{ (config_maps | thinkube.devpi.service_variables).variables }}"
"""

RETURN = r"""
_value:
  description:
    - V(variables) are the values by name. Of a name that two services offer, the one that comes
      last by namespace and name of its ConfigMap counts.
    - V(problems) are sentences about what can't be understood, without values.
  type: dict
"""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def service_variables(config_maps: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """``{"variables": {name: value}, "problems": [sentence]}``.

    One service's mistake keeps no other from being found, so nothing here raises for what a
    ConfigMap says.
    """
    found: dict[str, str] = {}
    problems = []
    for namespace, name, text in sorted(documents(config_maps)):
        try:
            found |= dict(variables(text))
        except ValueError as error:
            problems.append(f"ConfigMap {namespace}/{name}: {error}")
    return {"variables": found, "problems": problems}


def documents(config_maps: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Namespace, name and ``service.yaml`` of the ConfigMaps that have one."""
    for one in config_maps:
        text = (one.get("data") or {}).get("service.yaml")
        if text:
            yield one["metadata"]["namespace"], one["metadata"]["name"], text


def variables(text: str) -> list[tuple[str, str]]:
    """Names and values of one document; ValueError for the first thing that is wrong."""
    try:
        service = (yaml.safe_load(text) or {})["service"]
        offered = service.get("environment_variables") or []
        return [(name_of(one), value_of(one)) for one in offered if one.get("value") is not None]
    except yaml.YAMLError:
        # Its own words would quote the document, which may hold a password.
        raise ValueError("service.yaml is not YAML") from None
    except (AttributeError, KeyError, TypeError):
        raise ValueError("service.yaml has not the form of a service") from None


def name_of(variable: Mapping[str, Any]) -> str:
    """A name that every shell takes: others could smuggle commands into a file that is sourced."""
    name = str(variable["name"])
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of an environment variable")
    return name


def value_of(variable: Mapping[str, Any]) -> str:
    """The value as a text, booleans as YAML writes them."""
    value = variable["value"]
    return str(value).lower() if isinstance(value, bool) else str(value)


class FilterModule:
    """Hands the filter to Ansible."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file by name."""
        return {"service_variables": service_variables}
