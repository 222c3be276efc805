# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods of a test's own, in namespaces of its own, from the image that the cluster has already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes import client

from .conftest import wait_until

PULL = "harbor-pull-secret"
ENDED = {"Succeeded", "Failed"}


@contextmanager
def namespace(core: client.CoreV1Api, name: str) -> Iterator[str]:
    """A namespace that can pull devpi's image, and that is gone afterwards."""
    core.create_namespace({"metadata": {"name": name}})
    try:
        pull = core.read_namespaced_secret(PULL, "devpi")
        body = {"metadata": {"name": PULL}, "type": pull.type, "data": pull.data}
        core.create_namespaced_secret(name, body)
        wait_until(lambda: has_account(core, name), 30)
        yield name
    finally:
        core.delete_namespace(name)
        wait_until(
            lambda: name not in {it.metadata.name for it in core.list_namespace().items}, 120
        )


def has_account(core: client.CoreV1Api, name: str) -> bool:
    """Whether the cluster has made the account that pods of a namespace run as."""
    accounts = core.list_namespaced_service_account(name).items
    return "default" in {one.metadata.name for one in accounts}


def image(core: client.CoreV1Api) -> str:
    """That of the running server: it has Python, and a shell."""
    deployment = client.AppsV1Api(core.api_client).read_namespaced_deployment("devpi", "devpi")
    return str(deployment.spec.template.spec.containers[0].image)


def start(core: client.CoreV1Api, where: str, name: str, **pod: Any) -> None:
    """Start a pod of one container; what is not about the container is about the pod."""
    of_container = {"args", "command", "env_from", "env", "volume_mounts"}
    container = {key: pod.pop(key) for key in of_container & pod.keys()}
    labels = pod.pop("labels", {})
    core.create_namespaced_pod(
        where,
        client.V1Pod(
            metadata=client.V1ObjectMeta(name=name, labels=labels),
            spec=client.V1PodSpec(
                containers=[client.V1Container(name="main", image=image(core), **container)],
                image_pull_secrets=[client.V1LocalObjectReference(name=PULL)],
                restart_policy="Never",
                **pod,
            ),
        ),
    )


def phase(core: client.CoreV1Api, where: str, name: str) -> str:
    return str(core.read_namespaced_pod(name, where).status.phase)


def finished(core: client.CoreV1Api, where: str, name: str) -> str:
    """The log of a pod that has to succeed."""
    wait_until(lambda: phase(core, where, name) in ENDED, 240)
    log = str(core.read_namespaced_pod_log(name, where))
    assert phase(core, where, name) == "Succeeded", log
    return log
