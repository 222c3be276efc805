# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-score finds nothing in the rendered manifests but what is argued here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Objects, Render
from .test_manifests import ANSWERS

CLUSTER = Path(__file__).parents[3] / "molecule" / "cluster"
BUILD = """
import sys
sys.path.insert(0, sys.argv[1])
import kube_score
from progress import Progress
print(kube_score.ensure(Progress(sys.stderr)))
"""
GOOD = 10

SERVER, STORE, PROXY = "Deployment/devpi", "Deployment/ephemeral-redis", "Deployment/oauth2-proxy"
JOB = "Job/devpi-init"
# Finding -> where it is, and why it is right there.
ARGUED: dict[str, tuple[tuple[str, ...], str]] = {
    "container-image-pull-policy": (
        (SERVER, JOB, STORE, PROXY),
        "An image by its digest, or by the tag of a release, is the same one tomorrow. Asked for at"
        " each start, it would let no pod start while the registry is away.",
    ),
    "container-ephemeral-storage-request-and-limit": (
        (SERVER, JOB, STORE, PROXY),
        "An upload passes through the front's /tmp, and the pod of the one writer would be evicted"
        " in the middle of it. The others write nothing but their logs, which the kubelet bounds.",
    ),
    "container-security-context-user-group-id": (
        (SERVER, JOB, STORE),
        "The numbers that the images have their users by: files on claims and volumes that are"
        " there belong to them. devpi_server_user and devpi_valkey_user change them.",
    ),
    "pod-probes-identical": (
        (STORE,),
        "One question, as any other would need the password, but asked with other patience: three"
        " times in six seconds takes it out of the Service, in thirty it is started anew.",
    ),
    "deployment-strategy": (
        (SERVER, STORE),
        "SQLite on one claim has one writer, and of two stores each would know half the sessions.",
    ),
    "deployment-replicas": (
        (SERVER, STORE, PROXY),
        "For the same reason. The proxy may have more: devpi_oauth2_proxy_replicas.",
    ),
}


def program() -> Path:
    """kube-score, from the cache that the cluster's programs are in."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed")
    built = subprocess.run(
        [sys.executable, "-c", BUILD, CLUSTER], check=False, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    return Path(built.stdout.strip())


def findings(manifests: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Check and object of each finding."""
    judged = subprocess.run(
        # No limit of CPU: it would slow a pod down on a node that has nothing else to do.
        [program(), "score", "--output-format=json", "--ignore-container-cpu-limit", "-"],
        input="\n---\n".join(map(json.dumps, manifests)),
        check=False,
        capture_output=True,
        text=True,
    )
    assert judged.stdout, judged.stderr
    return {
        (check["check"]["id"], f"{item['type_meta']['kind']}/{item['object_meta']['name']}")
        for item in json.loads(judged.stdout)
        for check in item["checks"]
        if not check["skipped"] and check["grade"] < GOOD
    }


def test_what_is_found_is_argued_and_what_is_argued_is_found(objects: Objects) -> None:
    manifests = [item for role in ANSWERS for item in objects(role, **ANSWERS[role])]
    argued = {(check, place) for check, (places, _) in ARGUED.items() for place in places}
    assert findings(manifests) == argued


def test_it_finds_something(render: Render) -> None:
    rendered = render("devpi_valkey")
    container = rendered["deployment"]["spec"]["template"]["spec"]["containers"][0]
    container["securityContext"] = {"privileged": True}
    found = {check for check, _ in findings(list(rendered.values()))}
    assert {"container-security-context-privileged", "pod-networkpolicy"} & found
