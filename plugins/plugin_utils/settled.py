# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a Kubernetes object has come to rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def settled(resource: Mapping[str, Any]) -> bool:
    """Whether a Job or Pod has ended, or a Deployment has the pods that it wants and no others.

    Objects of other kinds are at rest. Sources: JobStatus, PodStatus and DeploymentStatus of the
    Kubernetes API. kubernetes.core's own ``wait`` takes an old pod that is about to go for a new
    one, and can wait for one condition only, where a Job has two ways to end.
    """
    if resource["kind"] == "Job":
        return job_has_ended(resource.get("status") or {})
    if resource["kind"] == "Pod":
        return pod_has_ended(resource)
    if resource["kind"] == "Deployment":
        return is_rolled_out(resource)
    return True


def job_has_ended(status: Mapping[str, Any]) -> bool:
    """Whether it has done its work or given up."""
    return any(
        condition["type"] in {"Complete", "Failed"} and condition["status"] == "True"
        for condition in status.get("conditions") or []
    )


def pod_has_ended(pod: Mapping[str, Any]) -> bool:
    """Whether its containers have ended and none starts again.

    The containers' states tell it a second or two before the pod's phase does, and that as much
    before its Job's conditions.
    """
    status = pod.get("status") or {}
    if status.get("phase") in {"Succeeded", "Failed"}:
        return True
    containers = status.get("containerStatuses") or []
    ended = [container for container in containers if container["state"].get("terminated")]
    return pod["spec"].get("restartPolicy") == "Never" and 0 < len(containers) == len(ended)


def is_rolled_out(deployment: Mapping[str, Any]) -> bool:
    """Whether the controller has seen the latest change, and all pods there are of it and serve."""
    status = deployment.get("status") or {}
    wanted = deployment["spec"].get("replicas", 1)
    counts = {status.get(f"{kind}Replicas", 0) for kind in ("updated", "available")}
    return status.get("observedGeneration", 0) >= deployment["metadata"][
        "generation"
    ] and counts | {status.get("replicas", 0)} == {wanted}
