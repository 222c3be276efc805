# SPDX-License-Identifier: GPL-3.0-or-later
"""A first deployment into a namespace of its own, by the playbook and by kubectl."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import applied
from target import KINDS, BenchmarkError, Target

NAMESPACE = "devpi-benchmark"
# Two Ingresses may not share a host name; nothing of a deployment calls it.
HOST = "devpi-benchmark.invalid"
JOB = "devpi-init"
# The client at Keycloak is the installation's that is there, so this one is without sign-on.
DIFFERENT = (
    f"devpi_namespace={NAMESPACE}",
    f"devpi_api_hostname={HOST}",
    "oauth2_proxy_enabled=false",
)
PATIENCE = "--timeout=600s"


@dataclass(frozen=True)
class Stages:
    """Seconds of kubectl: apply to Ready, Job to Complete, second apply to Ready."""

    one: float
    job: float
    two: float

    @property
    def seconds(self) -> float:
        return self.one + self.job + self.two


def measure(target: Target) -> tuple[float, Stages]:
    """The playbook's seconds, then kubectl's with what the playbook applied."""
    with empty(target):
        played = target.play("10_deploy", *(part for one in DIFFERENT for part in ("-e", one)))
        objects = target.objects(NAMESPACE, f"{KINDS},job")
    with empty(target):
        return played.seconds, by_kubectl(target, applied.manifests(objects))


@contextmanager
def empty(target: Target) -> Iterator[None]:
    """No namespace of ours before and after."""
    remove = ["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait", PATIENCE]
    target.kubectl(*remove)
    try:
        yield
    finally:
        target.kubectl(*remove)


def by_kubectl(target: Target, manifests: list[applied.Manifest]) -> Stages:
    """The same objects in the same stages: all but the Job, the Job, the server's second stage."""
    jobs = [item for item in manifests if item["kind"] == "Job"]
    (server,) = [item for item in manifests if item["kind"] == "Deployment"]
    if not jobs:
        raise BenchmarkError(f"the run left no Job {JOB} in namespace {NAMESPACE}")
    others = [item for item in manifests if item not in [*jobs, server]]
    ready = ["rollout", "status", f"deployment/{server['metadata']['name']}"]
    complete = ["wait", "--for=condition=Complete", f"job/{JOB}"]
    return Stages(
        one=until(target, [*others, applied.at_stage_one(server)], ready),
        job=until(target, jobs, complete),
        two=until(target, [server], ready),
    )


def until(target: Target, manifests: list[applied.Manifest], condition: list[str]) -> float:
    """Seconds from applying until kubectl has seen the condition."""
    began = time.perf_counter()
    target.apply(manifests)
    target.kubectl("-n", NAMESPACE, *condition, PATIENCE)
    return time.perf_counter() - began
