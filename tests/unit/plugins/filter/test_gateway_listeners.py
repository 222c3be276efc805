# SPDX-License-Identifier: GPL-3.0-or-later
"""Which listeners of a Gateway take an HTTPRoute."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.thinkube.devpi.plugins.filter.gateway_listeners import gateway_listeners

HOST = "devpi.example.com"
OPEN = {"namespaces": {"from": "All"}}


def asked(listener: dict[str, Any], *conditions: dict[str, str], **options: Any) -> Any:
    """What is said about one listener; an empty text where it fits."""
    gateway = {
        "metadata": {"name": "edge", "namespace": "gateways"},
        "spec": {"listeners": [{"name": "one", "protocol": "HTTPS", **listener}]},
        "status": {"listeners": [{"name": "one", "conditions": list(conditions)}]},
    }
    wanted = {"hostnames": [HOST], "protocol": "HTTPS", "namespace": "devpi"} | options
    (found,) = gateway_listeners(gateway, **wanted).values()
    assert (found["fit"] == ["one"]) is (found["unfit"] == {})
    return found["unfit"].get("one", "")


@pytest.mark.parametrize(
    ("hostname", "fits"),
    [
        (None, True),
        ("", True),
        (HOST, True),
        ("*.example.com", True),
        ("*.com", True),
        ("*.devpi.example.com", False),
        ("example.com", False),
        ("*.example.org", False),
        ("*.le.com", False),
    ],
)
def test_the_hostname(hostname: str | None, fits: bool) -> None:
    said = asked({"hostname": hostname, "allowedRoutes": OPEN})
    assert said == ("" if fits else f"it serves {hostname}, not {HOST}")


@pytest.mark.parametrize(
    ("listener", "said"),
    [
        ({"protocol": "HTTP"}, "it speaks HTTP, not HTTPS"),
        ({"protocol": "TLS", "tls": {"mode": "Passthrough"}}, "it speaks TLS, not HTTPS"),
        ({"tls": {"mode": "Passthrough"}}, "it does not end TLS"),
        ({"tls": {"certificateRefs": []}}, ""),
    ],
)
def test_the_protocol(listener: dict[str, Any], said: str) -> None:
    assert asked({**listener, "allowedRoutes": OPEN}) == said


def test_plain_http_where_that_is_wanted() -> None:
    assert asked({"protocol": "HTTP", "allowedRoutes": OPEN}, protocol="HTTP") == ""


def selector(**selected: Any) -> dict[str, Any]:
    return {"namespaces": {"from": "Selector", "selector": selected}}


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        (None, "it takes routes of its own namespace gateways only"),
        ({"namespaces": {"from": "Same"}}, "it takes routes of its own namespace gateways only"),
        ({"namespaces": {"from": "None"}}, "it takes routes of None"),
        (OPEN, ""),
        (selector(matchLabels={"team": "python"}), ""),
        (selector(matchLabels={"kubernetes.io/metadata.name": "devpi"}), ""),
        (selector(matchLabels={"team": "go"}), "its selector leaves out devpi"),
        (selector(matchExpressions=[{"key": "team", "operator": "In", "values": ["python"]}]), ""),
        (
            selector(matchExpressions=[{"key": "team", "operator": "NotIn", "values": ["python"]}]),
            "its selector leaves out devpi",
        ),
        (selector(matchExpressions=[{"key": "team", "operator": "Exists"}]), ""),
        (
            selector(matchExpressions=[{"key": "team", "operator": "DoesNotExist"}]),
            "its selector leaves out devpi",
        ),
        ({**OPEN, "kinds": [{"kind": "HTTPRoute"}]}, ""),
        ({**OPEN, "kinds": [{"kind": "GRPCRoute"}]}, "it takes GRPCRoute, not HTTPRoute"),
    ],
)
def test_who_is_allowed(allowed: dict[str, Any] | None, said: str) -> None:
    assert asked({"allowedRoutes": allowed}, labels={"team": "python"}) == said


def test_its_own_namespace_is_always_allowed() -> None:
    assert asked({}, namespace="gateways") == ""


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"type": "ResolvedRefs", "status": "True", "message": "fine"}, ""),
        (
            {"type": "ResolvedRefs", "status": "False", "message": "no Secret"},
            "its controller says: no Secret",
        ),
        # Says only that it is being set up.
        ({"type": "Programmed", "status": "False", "message": "pending"}, ""),
    ],
)
def test_what_its_controller_says(condition: dict[str, str], said: str) -> None:
    assert asked({"allowedRoutes": OPEN}, condition) == said


def test_one_listener_by_its_name() -> None:
    assert asked({"allowedRoutes": OPEN}, name="one") == ""
    gateway = {"metadata": {"namespace": "x"}, "spec": {"listeners": [{"name": "one"}]}}
    assert gateway_listeners(gateway, [HOST], "HTTPS", "devpi", name="two") == {
        HOST: {"fit": [], "unfit": {}}
    }


def test_no_gateway_has_no_listener() -> None:
    assert gateway_listeners({}, [HOST], "HTTPS", "devpi") == {HOST: {"fit": [], "unfit": {}}}
