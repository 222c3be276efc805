# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong input ends the run before its first write, with a sentence that says what to write."""

from __future__ import annotations

import json
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from .conftest import Cluster, Playbooks, Run

Variables = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Extra variables and environment of a run, and the words that its message has to hold."""

    says: tuple[str, ...]
    variables: Variables = field(default_factory=dict)
    environment: dict[str, str | None] = field(default_factory=dict)


CASES = {
    "no password": Case(
        ("ADMIN_PASSWORD is missing or empty", "Export ADMIN_PASSWORD"),
        environment={"ADMIN_PASSWORD": None},
    ),
    "empty password": Case(
        ("ADMIN_PASSWORD is missing or empty", "Export ADMIN_PASSWORD"),
        environment={"ADMIN_PASSWORD": ""},
    ),
    "kubeconfig missing": Case(
        ("kubeconfig is '/nonexistent/config'", "no such file", "Write the path"),
        {"kubeconfig": "/nonexistent/config"},
    ),
    "kubeconfig unreadable": Case(
        ("The cluster does not answer", "kubeconfig is '/etc/hostname'", "Write kubeconfig"),
        {"kubeconfig": "/etc/hostname"},
    ),
    "domain missing": Case(
        ("domain_name is ''", "which is empty", "domain_name: example.com"), {"domain_name": ""}
    ),
    "domain of the wrong type": Case(
        ("domain_name is '['example.com']'", "not a domain name"), {"domain_name": ["example.com"]}
    ),
    "switch of the wrong type": Case(
        ("devpi_create_namespace", "bool"), {"devpi_create_namespace": "perhaps"}
    ),
    "host name with a scheme": Case(
        ("devpi_api_hostname is 'https://devpi.example.com'", "without scheme"),
        {"devpi_api_hostname": "https://devpi.example.com"},
    ),
    "both hosts equal": Case(
        ("are both 'devpi.example.com'", "Write another one"),
        {
            "devpi_api_hostname": "devpi.example.com",
            "devpi_dashboard_hostname": "devpi.example.com",
        },
    ),
    "certificate not there": Case(
        ("Secret 'nosuch-tls' of namespace 'default'", "Create it"),
        {"devpi_namespace_tls_source_name": "nosuch-tls"},
    ),
    "registry refuses the login": Case(
        ("harbor.", "refuse", "harbor_password"), {"harbor_password": "not the password"}
    ),
    "registry's certificate not trusted": Case(
        ("certificate of the registry", "is not trusted", "into devpi_ca_bundle"),
        # By its address it has no certificate that holds, whatever the machine trusts.
        {"harbor_registry": "{registry_address}", "devpi_ca_bundle": "{system_bundle}"},
    ),
    "storage class unknown": Case(
        ("devpi_storage_class is 'floppy'", "local-path", "Write one of these"),
        {"devpi_storage_class": "floppy"},
    ),
    "storage size wrong": Case(
        ("devpi_storage_size is '20 GB'", "such as 20Gi"), {"devpi_storage_size": "20 GB"}
    ),
    "ingress class unknown": Case(
        ("devpi_exposure_ingress_class is 'nosuch'", "traefik"),
        {"devpi_exposure_ingress_class": "nosuch"},
    ),
    "Gateway not there": Case(
        ("devpi_exposure_gateway_name is 'nosuch'", "has thinkube-gateway", "Write the name"),
        {"gateway_name": "nosuch", "gateway_namespace": "gateway-system"},
    ),
    "no OpenShift": Case(
        ("devpi_expose is 'route'", "no OpenShift", "Write devpi_expose"),
        {"devpi_expose": "route"},
    ),
    "no cert-manager": Case(
        ("devpi_exposure_issuer_name is 'letsencrypt'", "no ClusterIssuer of cert-manager"),
        {"devpi_exposure_issuer_name": "letsencrypt"},
    ),
    "own certificate not there": Case(
        ("Secret 'devpi-tls-secret' of namespace", "Create it there"),
        {"devpi_namespace_tls_source_name": ""},
    ),
    "controller that asks in a namespace that is not there": Case(
        ("devpi_ingress_namespace is 'nosuch'", "no such namespace"),
        {"devpi_sso_mode": "annotations", "devpi_ingress_namespace": "nosuch"},
    ),
    "nobody who could ask for the login": Case(
        ("exposed by kind 'none'", "Write devpi_expose: ingress, or devpi_sso_mode: proxy"),
        {
            "devpi_sso_mode": "annotations",
            "devpi_ingress_namespace": "traefik",
            "devpi_expose": "none",
        },
    ),
    "issuer does not answer": Case(
        ("issuer 'https://127.0.0.1:1/realms/thinkube' does not answer", "keycloak_url"),
        {"keycloak_url": "https://127.0.0.1:1"},
    ),
    "realm not there": Case(
        ("realms/nosuch' is not there", "keycloak_realm"), {"keycloak_realm": "nosuch"}
    ),
    "Keycloak refuses the administrator": Case(
        ("Keycloak at", "refuses user 'admin'", "keycloak_admin_password"),
        {"keycloak_admin_password": "not the password"},
    ),
    "client of another installation": Case(
        (
            "client 'oauth2-proxy-devpi' in realm 'thinkube' belongs to",
            "into oauth2_proxy_client_id",
        ),
        {"devpi_dashboard_hostname": "other.example.com"},
    ),
    "priority class unknown": Case(
        ("devpi_priority_class is 'nosuch'", "no such PriorityClass"),
        {"devpi_priority_class": "nosuch"},
    ),
    "toleration that is none": Case(
        ("devpi_tolerations", "keyy"), {"devpi_tolerations": [{"keyy": "disk"}]}
    ),
    "label that is none": Case(
        ("devpi_labels, devpi_pod_labels", "not a label"), {"devpi_labels": {"team": "not a label"}}
    ),
    "no such host": Case(("'nosuch' matches no host",), {"devpi_hosts": "nosuch"}),
}


@pytest.fixture
def places(cluster: Cluster) -> dict[str, str]:
    """What the cases can't know: the machine's own trust, and where the registry is."""
    return {
        "system_bundle": ssl.get_default_verify_paths().cafile
        or "/etc/ssl/certs/ca-certificates.crt",
        "registry_address": socket.gethostbyname(f"harbor.{cluster.domain}"),
    }


def said(run: Run) -> str:
    """The output as one line, as Ansible breaks and quotes messages in many ways."""
    return " ".join(run.output.replace('\\"', '"').split())


@pytest.mark.parametrize("name", CASES)
def test_wrong_input_is_refused_before_the_first_write(
    playbooks: Playbooks,
    core: client.CoreV1Api,
    places: dict[str, str],
    namespace: str,
    name: str,
) -> None:
    case = CASES[name]
    variables = {"devpi_namespace": namespace} | {
        key: value.format(**places) if isinstance(value, str) else value
        for key, value in case.variables.items()
    }
    run = playbooks.run("10_deploy", "-e", json.dumps(variables), environment=case.environment)
    assert run.code != 0
    for words in case.says:
        assert words in said(run)
    assert namespace not in {item.metadata.name for item in core.list_namespace().items}
    assert run.changed == 0


def test_a_cluster_that_does_not_answer_is_named(
    cluster: Cluster, playbooks: Playbooks, tmp_path: Path
) -> None:
    settings = yaml.safe_load(cluster.kubeconfig.read_text())
    for entry in settings["clusters"]:
        entry["cluster"]["server"] = "https://127.0.0.1:1"
    elsewhere = tmp_path / "kubeconfig"
    elsewhere.write_text(yaml.safe_dump(settings))
    run = playbooks.run("10_deploy", "-e", f"kubeconfig={elsewhere}")
    assert run.code != 0
    assert f"The cluster does not answer. kubeconfig is '{elsewhere}'" in said(run)


def test_a_namespace_that_is_going_is_named(
    playbooks: Playbooks, core: client.CoreV1Api, namespace: str
) -> None:
    metadata = client.V1ObjectMeta(name=namespace)
    core.create_namespace(client.V1Namespace(metadata=metadata))
    # A finalizer that nobody answers holds the namespace where the run finds it.
    held = client.V1ConfigMap(
        metadata=client.V1ObjectMeta(name="held", finalizers=["thinkube.test/held"])
    )
    core.create_namespaced_config_map(namespace, held)
    core.delete_namespace(namespace)
    try:
        run = playbooks.run("10_deploy", "-e", f"devpi_namespace={namespace}")
    finally:
        free = {"metadata": {"finalizers": None}}
        core.patch_namespaced_config_map("held", namespace, free)
    assert run.code != 0
    assert f"Namespace '{namespace}' is being removed" in said(run)
