# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which listeners of a Gateway take an HTTPRoute, and what keeps it from the others.

The rules are Gateway API's own, of Listener and AllowedRoutes:
https://gateway-api.sigs.k8s.io/reference/spec/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: gateway_listeners
short_description: Which listeners of a Gateway take an HTTPRoute
version_added: 1.0.0
description:
  - Compares each listener of a Gateway with routes that are to be made, as Gateway API says it.
author:
  - thinkube.devpi contributors (@thinkube)
options:
  _input:
    description: The Gateway as the cluster has it; an empty one has no listeners.
    type: dict
    required: true
  hostnames:
    description: Host names of the routes.
    type: list
    elements: str
    required: true
  protocol:
    description: Protocol that the listener has to speak; V(HTTPS) is one that ends TLS.
    type: str
    choices: [HTTP, HTTPS]
    required: true
  namespace:
    description: Namespace of the routes.
    type: str
    required: true
  labels:
    description: Labels of that namespace.
    type: dict
    default: {}
  name:
    description: The one listener to look at; empty means all.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Name the listeners that take the route
  ansible.builtin.debug:
    msg: >-
      {{ (gateway | thinkube.devpi.gateway_listeners(
            hostnames=['devpi.example.com'], protocol='HTTPS', namespace='devpi')
          )['devpi.example.com'].fit }}
"""

RETURN = r"""
_value:
  description:
    - For each host name C(fit), the names of the listeners that take it, and C(unfit), what is in
      the way at the others by their names, such as V(it takes routes of its own namespace only).
  type: dict
"""

Json = Mapping[str, Any]


def gateway_listeners(
    gateway: Json,
    hostnames: Sequence[str],
    protocol: str,
    namespace: str,
    labels: Mapping[str, str] | None = None,
    name: str = "",
) -> dict[str, dict[str, Any]]:
    """``{hostname: {"fit": [listener], "unfit": {listener: why}}}``."""
    known_by = {**(labels or {}), "kubernetes.io/metadata.name": namespace}
    found = {}
    for hostname in hostnames:
        obstacles = {
            listener["name"]: obstacle(gateway, listener, hostname, protocol, known_by)
            for listener in gateway.get("spec", {}).get("listeners", [])
            if name in {"", listener["name"]}
        }
        found[hostname] = {
            "fit": [listener for listener, why in obstacles.items() if not why],
            "unfit": {listener: why for listener, why in obstacles.items() if why},
        }
    return found


def obstacle(
    gateway: Json, listener: Json, hostname: str, protocol: str, labels: Mapping[str, str]
) -> str:
    """The first thing that keeps a route from a listener; empty where it fits."""
    states = (gateway.get("status") or {}).get("listeners") or []
    state: Json = next((one for one in states if one["name"] == listener["name"]), {})
    return (
        _protocol(listener, protocol)
        or _hostname(listener, hostname)
        or _namespace(listener, gateway["metadata"]["namespace"], labels)
        or _kind(listener)
        or _state(state)
    )


def _protocol(listener: Json, wanted: str) -> str:
    if listener["protocol"] != wanted:
        return f"it speaks {listener['protocol']}, not {wanted}"
    if (listener.get("tls") or {}).get("mode", "Terminate") != "Terminate":
        return "it does not end TLS"
    return ""


def _hostname(listener: Json, wanted: str) -> str:
    pattern = listener.get("hostname") or ""
    fits = wanted.endswith(pattern[1:]) if pattern.startswith("*.") else wanted == pattern
    return "" if fits or not pattern else f"it serves {pattern}, not {wanted}"


def _namespace(listener: Json, own: str, labels: Mapping[str, str]) -> str:
    wanted = labels["kubernetes.io/metadata.name"]
    allowed = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    match allowed.get("from", "Same"):
        case "All":
            return ""
        case "Same":
            return "" if own == wanted else f"it takes routes of its own namespace {own} only"
        case "Selector":
            selector = allowed.get("selector") or {}
            return "" if _selects(selector, labels) else f"its selector leaves out {wanted}"
        case other:
            return f"it takes routes of {other}"


def _selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector takes these labels."""
    pairs = (selector.get("matchLabels") or {}).items()
    expressions = selector.get("matchExpressions") or []
    return pairs <= labels.items() and all(_holds(one, labels) for one in expressions)


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[expression["operator"]]


def _kind(listener: Json) -> str:
    kinds = [one["kind"] for one in (listener.get("allowedRoutes") or {}).get("kinds") or []]
    fits = not kinds or "HTTPRoute" in kinds
    return "" if fits else f"it takes {', '.join(kinds)}, not HTTPRoute"


def _state(state: Json) -> str:
    """What its controller found wrong with the listener itself, such as a missing certificate."""
    wrong = [
        one["message"]
        for one in state.get("conditions") or []
        if one["type"] in {"Accepted", "ResolvedRefs"} and one["status"] == "False"
    ]
    return f"its controller says: {wrong[0]}" if wrong else ""


class FilterModule:
    """Hands the filter to Ansible."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file by name."""
        return {"gateway_listeners": gateway_listeners}
