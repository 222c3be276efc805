# SPDX-License-Identifier: GPL-3.0-or-later
"""When a Job, a Pod or a Deployment has come to rest."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.thinkube.devpi.plugins.plugin_utils.settled import settled


def condition(kind: str, status: str = "True") -> dict[str, str]:
    return {"type": kind, "status": status}


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ({}, False),
        ({"conditions": None}, False),
        ({"active": 1, "conditions": [condition("Suspended")]}, False),
        ({"conditions": [condition("Complete", "False")]}, False),
        ({"conditions": [condition("SuccessCriteriaMet"), condition("Complete")]}, True),
        ({"conditions": [condition("Failed")]}, True),
    ],
)
def test_a_job_ends_in_two_ways(status: dict[str, Any], ended: bool) -> None:
    assert settled({"kind": "Job", "status": status}) is ended


ENDED, GOING_ON = {"state": {"terminated": {"exitCode": 1}}}, {"state": {"running": {}}}


@pytest.mark.parametrize(
    ("policy", "phase", "containers", "ended"),
    [
        ("Never", "Pending", None, False),
        ("Never", "Pending", [{"state": {"waiting": {}}}], False),
        ("Never", "Running", [GOING_ON], False),
        ("Never", "Running", [ENDED, GOING_ON], False),
        ("Never", "Running", [ENDED, ENDED], True),
        ("OnFailure", "Running", [ENDED], False),
        ("OnFailure", "Succeeded", [ENDED], True),
        ("Always", "Failed", None, True),
    ],
)
def test_a_pod_ends_with_its_containers(
    policy: str, phase: str, containers: list[Any] | None, ended: bool
) -> None:
    pod = {
        "kind": "Pod",
        "spec": {"restartPolicy": policy},
        "status": {"phase": phase, "containerStatuses": containers},
    }
    assert settled(pod) is ended


@pytest.mark.parametrize(
    ("observed", "updated", "available", "replicas", "rolled_out"),
    [
        (2, 1, 1, 1, True),
        (1, 1, 1, 1, False),
        (2, 0, 1, 1, False),
        (2, 1, 0, 1, False),
        (2, 1, 1, 2, False),
    ],
    ids=["done", "not seen yet", "old pod", "not ready", "old pod beside the new"],
)
def test_a_deployment_has_its_newest_pods_and_no_others(
    observed: int, updated: int, available: int, replicas: int, rolled_out: bool
) -> None:
    status = {
        "observedGeneration": observed,
        "updatedReplicas": updated,
        "availableReplicas": available,
        "replicas": replicas,
    }
    deployment = {
        "kind": "Deployment",
        "metadata": {"generation": 2},
        "spec": {"replicas": 1},
        "status": status,
    }
    assert settled(deployment) is rolled_out


def test_a_deployment_without_pods_that_wants_none() -> None:
    bare = {"metadata": {"generation": 1}, "status": {"observedGeneration": 1}}
    assert settled({"kind": "Deployment", "spec": {"replicas": 0}, **bare})
    assert not settled({"kind": "Deployment", "spec": {}, **bare})


def test_other_kinds_are_at_rest() -> None:
    assert settled({"kind": "Secret"})
