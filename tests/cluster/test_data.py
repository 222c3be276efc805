# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that was uploaded is lost: a pod that goes, a rollback, an installation after it."""

from __future__ import annotations

import json
import secrets
import ssl
import urllib.request
import zipfile
from pathlib import Path

from kubernetes import client

from .conftest import Cluster, Playbooks, Workstation, wait_until
from .uploads import upload_by_twine


def make_wheel(folder: Path, name: str) -> Path:
    """The smallest wheel that an index takes."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "ANSWER = 42\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tags)
        wheel.writestr(f"{info}/RECORD", "")
    return path


def upload(cluster: Cluster, workstation: Workstation, name: str) -> str:
    """Upload a package of a name that no earlier run has used; the name."""
    name += secrets.token_hex(3)
    upload_by_twine(cluster, workstation, make_wheel(workstation.home, name))
    return name


def is_served(cluster: Cluster, name: str) -> bool:
    request = urllib.request.Request(
        f"{cluster.simple_url}{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    trusted = ssl.create_default_context(cafile=str(cluster.ca_bundle))
    try:
        with urllib.request.urlopen(request, context=trusted, timeout=10) as answer:
            return len(json.load(answer)["files"]) == 1
    except OSError:
        return False


def test_a_deleted_pod_costs_no_data(
    cluster: Cluster, workstation: Workstation, core: client.CoreV1Api
) -> None:
    name = upload(cluster, workstation, "beforethepodwent")
    before = core.list_namespaced_pod("devpi", label_selector="app=devpi").items
    for pod in before:
        core.delete_namespaced_pod(pod.metadata.name, "devpi")
    wait_until(
        lambda: {pod.metadata.name for pod in before}.isdisjoint(
            pod.metadata.name
            for pod in core.list_namespaced_pod("devpi", label_selector="app=devpi").items
        ),
        60,
    )
    wait_until(lambda: is_served(cluster, name), 120)


def names_in(core: client.CoreV1Api, apps: client.AppsV1Api) -> dict[str, set[str]]:
    """What is in the namespace, by kind, without what Kubernetes puts there."""
    found = {
        "Pod": core.list_namespaced_pod("devpi").items,
        "Deployment": apps.list_namespaced_deployment("devpi").items,
        "Service": core.list_namespaced_service("devpi").items,
        "Secret": core.list_namespaced_secret("devpi").items,
        "ConfigMap": core.list_namespaced_config_map("devpi").items,
        "PersistentVolumeClaim": core.list_namespaced_persistent_volume_claim("devpi").items,
    }
    return {
        kind: {item.metadata.name for item in items} - {"kube-root-ca.crt"}
        for kind, items in found.items()
    }


def test_rollback_keeps_the_data_and_an_installation_finds_it(
    cluster: Cluster,
    playbooks: Playbooks,
    workstation: Workstation,
    core: client.CoreV1Api,
    apps: client.AppsV1Api,
) -> None:
    name = upload(cluster, workstation, "beforetherollback")
    playbooks.run("19_rollback").succeeded()
    assert names_in(core, apps) == {
        "Pod": set(),
        "Deployment": set(),
        "Service": set(),
        "Secret": {"devpi-root", "devpi-token-key"},
        "ConfigMap": set(),
        "PersistentVolumeClaim": {"devpi-data-pvc"},
    }
    playbooks.run("19_rollback").unchanged()
    playbooks.run("00_install").succeeded()
    wait_until(lambda: is_served(cluster, name), 60)


def test_a_namespace_of_ours_goes_with_its_data_when_asked(
    cluster: Cluster, playbooks: Playbooks, core: client.CoreV1Api, namespace: str
) -> None:
    other = (
        "-e",
        f"devpi_namespace={namespace}",
        "-e",
        f"devpi_api_hostname=other.{cluster.domain}",
        # The client at Keycloak is the other installation's.
        "-e",
        "oauth2_proxy_enabled=false",
    )
    playbooks.run("10_deploy", *other).succeeded()
    clusters_only = ("--limit", "devpi:localhost")
    playbooks.run(
        "19_rollback", *other, *clusters_only, "-e", "devpi_storage_remove=true"
    ).succeeded()
    assert namespace not in {item.metadata.name for item in core.list_namespace().items}


def test_a_namespace_that_others_made_is_never_removed(
    playbooks: Playbooks, core: client.CoreV1Api, namespace: str
) -> None:
    body = client.V1Namespace(metadata=client.V1ObjectMeta(name=namespace))
    core.create_namespace(body)
    removed = ("-e", f"devpi_namespace={namespace}", "-e", "devpi_storage_remove=true")
    removed += ("-e", "oauth2_proxy_enabled=false")
    playbooks.run("19_rollback", *removed, "--limit", "devpi:localhost").succeeded()
    assert core.read_namespace(namespace).status.phase == "Active"
