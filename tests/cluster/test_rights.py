# SPDX-License-Identifier: GPL-3.0-or-later
"""An installer who is no administrator of the cluster, with the rights that the docs name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, utils

from .conftest import CHECKOUT, Cluster, Playbooks

NAME = "devpi-installer"
RIGHTS = CHECKOUT / "docs/examples/installer-rights.yaml"


@pytest.fixture
def installer(
    cluster: Cluster, core: client.CoreV1Api, namespace: str, tmp_path: Path
) -> tuple[str, ...]:
    """Arguments of a run as a ServiceAccount that may do what it likes in its namespace only."""
    metadata = {"name": namespace}
    core.create_namespace({"metadata": metadata})
    core.create_namespaced_service_account(namespace, {"metadata": {"name": NAME}})
    bind(core, "admin", namespace, namespace)
    token = core.create_namespaced_service_account_token(NAME, namespace, {"spec": {}})
    kubeconfig = yaml.safe_load(cluster.kubeconfig.read_text())
    kubeconfig["users"][0]["user"] = {"token": token.status.token}
    file = tmp_path / "kubeconfig"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(kubeconfig))
    variables = {
        "kubeconfig": file,
        "devpi_namespace": namespace,
        "devpi_create_namespace": "false",
        "devpi_api_hostname": f"other.{cluster.domain}",
        # The client at Keycloak is the other installation's.
        "oauth2_proxy_enabled": "false",
    }
    return tuple(part for pair in variables.items() for part in ("-e", "{}={}".format(*pair)))


@pytest.fixture
def rights(
    cluster: Cluster, core: client.CoreV1Api, installer: tuple[str, ...], namespace: str
) -> Iterator[None]:
    """Those of the example, with the name of this cluster's certificate in place of its own."""
    secret = f"{cluster.domain.replace('.', '-')}-tls"
    wanted: Any = yaml.safe_load(RIGHTS.read_text().replace("example-com-tls", secret))
    utils.create_from_dict(core.api_client, wanted)
    access = client.RbacAuthorizationV1Api(core.api_client)
    bind(core, NAME, namespace)
    bind(core, NAME, namespace, "default", kind="Role")
    yield
    access.delete_cluster_role_binding(NAME)
    access.delete_namespaced_role_binding(NAME, "default")
    access.delete_cluster_role(NAME)
    access.delete_namespaced_role(NAME, "default")


def bind(
    core: client.CoreV1Api,
    role: str,
    namespace: str,
    where: str | None = None,
    kind: str = "ClusterRole",
) -> None:
    """Give a role to the ServiceAccount of ``namespace``: in one namespace, or everywhere."""
    access = client.RbacAuthorizationV1Api(core.api_client)
    body = {
        "metadata": {"name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
    }
    if where is None:
        access.create_cluster_role_binding(body)
    else:
        access.create_namespaced_role_binding(where, body)


def test_a_question_that_is_refused_is_named(
    playbooks: Playbooks, installer: tuple[str, ...]
) -> None:
    run = playbooks.run("10_deploy", *installer)
    assert run.code != 0
    assert run.changed == 0
    # The namespace itself is read first, and may be.
    assert "The cluster refuses what has to be known before the first write" in run.output
    assert "cannot get resource 'secrets' in API group '' in the namespace 'default'" in run.output


@pytest.mark.usefixtures("rights")
def test_the_rights_of_the_example_are_enough(
    playbooks: Playbooks, installer: tuple[str, ...], apps: client.AppsV1Api, namespace: str
) -> None:
    playbooks.run("10_deploy", *installer).succeeded()
    (server,) = apps.list_namespaced_deployment(namespace).items
    assert server.status.available_replicas == 1
    playbooks.run("10_deploy", *installer).unchanged()
    playbooks.run("19_rollback", *installer, "--limit", "devpi:localhost").succeeded()
    assert not apps.list_namespaced_deployment(namespace).items
