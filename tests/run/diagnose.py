# SPDX-License-Identifier: GPL-3.0-or-later
"""Write down what a cluster says about its pods: ``diagnose.py KUBECONFIG FOLDER``.

One file of pod states and one of events for all namespaces, and one log per container, of this
start and of the one before. Secrets are not read.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import kubernetes
from kubernetes.client.exceptions import ApiException

# Enough for the story before the failure.
LINES = 2000


def main(kubeconfig: str, target: str) -> int:
    """Fill the folder and say so."""
    folder = Path(target)
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    kubernetes.config.load_kube_config(kubeconfig)
    core = kubernetes.client.CoreV1Api()
    pods = core.list_pod_for_all_namespaces().items
    (folder / "pods.txt").write_text("".join(describe(pod) for pod in pods))
    events = core.list_event_for_all_namespaces().items
    (folder / "events.txt").write_text("".join(sorted(map(happened, events))))
    for pod in pods:
        for container in [*(pod.spec.init_containers or []), *pod.spec.containers]:
            for previous in (False, True):
                save_log(core, pod, container.name, previous, folder / "logs")
    print(f"Pods' states, events and logs are in {folder}")
    return 0


def describe(pod: Any) -> str:
    """A line for the pod, and one for each container's state."""
    lines = [f"{pod.metadata.namespace}/{pod.metadata.name}: {pod.status.phase}"]
    lines += [
        f"  not {condition.type}: {condition.reason} {condition.message or ''}"
        for condition in pod.status.conditions or []
        if condition.status != "True"
    ]
    for status in [
        *(pod.status.init_container_statuses or []),
        *(pod.status.container_statuses or []),
    ]:
        state = {key: value for key, value in status.state.to_dict().items() if value}
        lines.append(f"  {status.name}: {status.restart_count} restarts, {state}")
    return "\n".join(lines) + "\n"


def happened(event: Any) -> str:
    """One line: when, what, to whom."""
    when = event.last_timestamp or event.event_time or event.metadata.creation_timestamp
    about = f"{event.involved_object.kind}/{event.involved_object.name}"
    return (
        f"{when} {event.metadata.namespace} {event.type} {about} {event.reason}: {event.message}\n"
    )


def save_log(core: Any, pod: Any, container: str, previous: bool, folder: Path) -> None:
    """The log's end as a file; nothing where the container has not run."""
    name, namespace = pod.metadata.name, pod.metadata.namespace
    try:
        text = core.read_namespaced_pod_log(
            name, namespace, container=container, previous=previous, tail_lines=LINES
        )
    except ApiException:
        return
    suffix = ".previous" if previous else ""
    (folder / f"{namespace}.{name}.{container}{suffix}.log").write_text(text)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
