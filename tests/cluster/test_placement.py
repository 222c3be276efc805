# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pods may be: a node that is kept for them, and one that is emptied for its maintenance."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from .conftest import Cluster, Playbooks, Workstation, wait_until
from .test_data import is_served, upload

KEPT_FOR = "packages"
WORKLOADS = ("devpi", "oauth2-proxy", "ephemeral-redis")
GIVEN = {
    "devpi_node_selector": {KEPT_FOR: "yes"},
    "devpi_tolerations": [{"key": KEPT_FOR, "operator": "Exists", "effect": "NoSchedule"}],
    "devpi_priority_class": KEPT_FOR,
}


@pytest.fixture
def node(cluster: Cluster, playbooks: Playbooks, core: client.CoreV1Api) -> Iterator[str]:
    """The name of the only node, which is kept for packages, as is a priority."""
    (found,) = core.list_node().items
    name = str(found.metadata.name)
    scheduling = client.SchedulingV1Api(core.api_client)
    scheduling.create_priority_class({"metadata": {"name": KEPT_FOR}, "value": 1000})
    taint = {"key": KEPT_FOR, "effect": "NoSchedule"}
    core.patch_node(name, {"metadata": {"labels": {KEPT_FOR: "yes"}}, "spec": {"taints": [taint]}})
    try:
        yield name
    finally:
        as_before = {"taints": None, "unschedulable": None}
        core.patch_node(name, {"metadata": {"labels": {KEPT_FOR: None}}, "spec": as_before})
        playbooks.run("10_deploy").succeeded()
        scheduling.delete_priority_class(KEPT_FOR)


def pods(core: client.CoreV1Api) -> list[Any]:
    """All that are to stay; a Job's pod has come and gone."""
    found = core.list_namespaced_pod("devpi", field_selector="status.phase!=Succeeded").items
    return [pod for pod in found if not pod.metadata.deletion_timestamp]


def drain(cluster: Cluster, node: str) -> None:
    """As an administrator does, but only devpi's pods: the cluster's own have no other node."""
    command = [cluster.state / "bin/kubectl", "--kubeconfig", cluster.kubeconfig, "drain", node]
    chosen = "--pod-selector=app.kubernetes.io/managed-by=thinkube.devpi"
    ended = subprocess.run(
        [*command, chosen, "--delete-emptydir-data", "--timeout=60s"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_node_of_its_own_that_is_drained(
    cluster: Cluster,
    playbooks: Playbooks,
    workstation: Workstation,
    core: client.CoreV1Api,
    apps: client.AppsV1Api,
    node: str,
) -> None:
    given = ("-e", json.dumps(GIVEN))
    playbooks.run("10_deploy", *given).succeeded()
    playbooks.run("10_deploy", *given).unchanged()
    for pod in pods(core):
        assert pod.spec.node_selector == {KEPT_FOR: "yes"}, pod.metadata.name
        assert (pod.spec.node_name, pod.spec.priority) == (node, 1000), pod.metadata.name
    name = upload(cluster, workstation, "beforethedrain")

    drain(cluster, node)
    # New ones are wanted, and there is no node for them.
    wait_until(lambda: {pod.status.phase for pod in pods(core)} == {"Pending"}, 60)
    core.patch_node(node, {"spec": {"unschedulable": None}})
    wait_until(lambda: is_served(cluster, name), 120)
    for workload in WORKLOADS:
        wait_until(
            lambda this=workload: (
                apps.read_namespaced_deployment(this, "devpi").status.available_replicas == 1
            ),
            60,
        )


@pytest.mark.long
def test_without_a_toleration_it_says_why_it_waits(playbooks: Playbooks, node: str) -> None:
    """That the taint of the test before bites, and what an installer reads then."""
    soon = {f"devpi_{role}_rollout_timeout": 15 for role in ("valkey", "server", "oauth2_proxy")}
    given = {"devpi_pod_labels": {"moved": "yes"}, **soon}
    run = playbooks.run("10_deploy", "-e", json.dumps(given))
    assert run.code != 0
    assert "untolerated taint" in run.output
    # A pod that waits has no log, which is not what the run fails with.
    assert "log from Pod" not in run.output.rpartition("Fail with the first cause")[2]
