# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import Any

import netpol
import pytest

NAMESPACES = [
    {"metadata": {"name": "app", "labels": {"team": "a"}}},
    {"metadata": {"name": "other", "labels": {"team": "b"}}},
]


def pod(namespace: str, address: str, *, phase: str = "Running", **labels: str) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": 8080}, {"containerPort": 9}]
    return {
        "metadata": {"namespace": namespace, "labels": labels},
        "spec": {"containers": [{"ports": ports}, {}]},
        "status": {"phase": phase, "podIP": address},
    }


WEB = pod("app", "10.214.1.2", app="web")
MATE = pod("app", "10.214.1.3", app="mate")
CLIENT = pod("other", "10.214.1.4", role="client")
PODS = [WEB, MATE, CLIENT]


def policy(namespace: str = "app", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace}, "spec": {"podSelector": {}, **spec}}


def chain(rules: str, direction: str, address: str) -> list[str] | None:
    """Rules of a pod's chain; None when the pod is not isolated in that direction."""
    if f"{address} : jump {direction}-{address}" not in rules:
        return None
    found = re.search(
        rf"  chain {direction}-{re.escape(address)} {{\n(.*?)\n  }}", rules, re.DOTALL
    )
    assert found is not None
    return [line.strip() for line in found[1].splitlines()]


def only(rules: list[str] | None) -> list[str]:
    assert rules is not None
    assert rules[-1] == "drop"
    return rules[:-1]


def test_without_policies_nobody_is_isolated() -> None:
    assert "jump" not in netpol.ruleset([], PODS, NAMESPACES)


def test_default_deny_isolates_its_namespace_only() -> None:
    rules = netpol.ruleset([policy(policyTypes=["Ingress", "Egress"])], PODS, NAMESPACES)
    for address in ("10.214.1.2", "10.214.1.3"):
        assert only(chain(rules, "ingress", address)) == []
        assert only(chain(rules, "egress", address)) == []
    assert chain(rules, "ingress", "10.214.1.4") is None


@pytest.mark.parametrize(
    ("spec", "ingress", "egress"),
    [({}, True, False), ({"egress": []}, True, True), ({"policyTypes": ["Egress"]}, False, True)],
)
def test_directions_follow_from_the_spec(spec: dict[str, Any], ingress: bool, egress: bool) -> None:
    rules = netpol.ruleset([policy(**spec)], PODS, NAMESPACES)
    assert (chain(rules, "ingress", "10.214.1.2") is not None) is ingress
    assert (chain(rules, "egress", "10.214.1.2") is not None) is egress


INGRESS_CASES = {
    "an empty rule lets all in": ({}, ["return"]),
    "pods of the own namespace": (
        {"from": [{"podSelector": {}}]},
        ["ip saddr { 10.214.1.2, 10.214.1.3 } return"],
    ),
    "pods of another namespace": (
        {"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}]},
        ["ip saddr { 10.214.1.4 } return"],
    ),
    "both selectors have to fit": (
        {
            "from": [
                {
                    "namespaceSelector": {"matchLabels": {"team": "b"}},
                    "podSelector": {"matchLabels": {"role": "nobody"}},
                }
            ]
        },
        [],
    ),
    "a named port is the pod's": (
        {"ports": [{"port": "http"}]},
        ["tcp dport 8080 return"],
    ),
    "a name that the pod does not have": ({"ports": [{"port": "nosuch"}]}, []),
    "a range": (
        {"ports": [{"protocol": "UDP", "port": 1000, "endPort": 2000}]},
        ["udp dport 1000-2000 return"],
    ),
    "a protocol alone": ({"ports": [{"protocol": "SCTP"}]}, ["meta l4proto sctp return"]),
    "addresses with exceptions": (
        {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "10.2.0.0/16"]}}]},
        ["ip saddr 10.0.0.0/8 ip saddr != { 10.1.0.0/16, 10.2.0.0/16 } return"],
    ),
    "peers times ports": (
        {
            "from": [{"podSelector": {"matchLabels": {"app": "mate"}}}],
            "ports": [{"port": 80}, {"port": 443}],
        },
        [
            "ip saddr { 10.214.1.3 } tcp dport 80 return",
            "ip saddr { 10.214.1.3 } tcp dport 443 return",
        ],
    ),
}


@pytest.mark.parametrize("case", INGRESS_CASES)
def test_ingress_rules(case: str) -> None:
    rule, expected = INGRESS_CASES[case]
    rules = netpol.ruleset([policy(ingress=[rule])], PODS, NAMESPACES)
    assert only(chain(rules, "ingress", "10.214.1.2")) == expected


def test_a_named_port_of_an_egress_rule_is_the_peers() -> None:
    peers = [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"role": "client"}}}]
    rules = netpol.ruleset(
        [policy(policyTypes=["Egress"], egress=[{"to": peers, "ports": [{"port": "http"}]}])],
        PODS,
        NAMESPACES,
    )
    expected = ["ip daddr 10.214.1.4 tcp dport 8080 return"]
    assert only(chain(rules, "egress", "10.214.1.2")) == expected


def test_policies_add_up() -> None:
    policies = [policy(), policy(ingress=[{"ports": [{"port": 80}]}])]
    rules = netpol.ruleset(policies, PODS, NAMESPACES)
    assert only(chain(rules, "ingress", "10.214.1.2")) == ["tcp dport 80 return"]


def test_pods_without_an_address_of_their_own_do_not_count() -> None:
    done = pod("app", "10.214.1.5", phase="Succeeded")
    on_host = pod("app", "10.213.1.2")
    on_host["spec"]["hostNetwork"] = True
    waiting = pod("app", "10.214.1.6")
    del waiting["status"]["podIP"]
    rules = netpol.ruleset([policy()], [done, on_host, waiting], NAMESPACES)
    assert "jump" not in rules


@pytest.mark.parametrize(
    ("expression", "taken"),
    [
        ({"key": "app", "operator": "In", "values": ["web", "x"]}, True),
        ({"key": "app", "operator": "In", "values": ["x"]}, False),
        ({"key": "app", "operator": "NotIn", "values": ["x"]}, True),
        ({"key": "none", "operator": "NotIn", "values": ["x"]}, True),
        ({"key": "app", "operator": "Exists"}, True),
        ({"key": "none", "operator": "Exists"}, False),
        ({"key": "none", "operator": "DoesNotExist"}, True),
    ],
)
def test_label_expressions(expression: dict[str, Any], taken: bool) -> None:
    assert netpol.selects({"matchExpressions": [expression]}, {"app": "web"}) is taken


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None, reason="wants root and nftables"
)
def test_nft_accepts_every_form_twice_in_a_row() -> None:
    policies = [policy(ingress=[rule for rule, _ in INGRESS_CASES.values()], egress=[{}])]
    rules = netpol.ruleset(policies, PODS, NAMESPACES)
    done = subprocess.run(
        ["unshare", "--net", "nft", "-f", "-"],
        input=rules + rules + netpol.ruleset([], [], []),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
