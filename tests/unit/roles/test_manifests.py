# SPDX-License-Identifier: GPL-3.0-or-later
"""Every manifest against the Kubernetes schema, and what the design promises about them."""

from __future__ import annotations

import base64
from typing import Any

import kubernetes_validate
import pytest

from .conftest import Render

KUBERNETES = "1.34"

TLS_SOURCE = {"type": "kubernetes.io/tls", "data": {"tls.crt": "Y2VydA==", "tls.key": "a2V5"}}
PULL_SOURCE = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "e30="}}
IS_DEFAULT = {"ingressclass.kubernetes.io/is-default-class": "true"}
INGRESS_CLASS = {"metadata": {"name": "traefik", "annotations": IS_DEFAULT}}
ANSWERS: dict[str, dict[str, Any]] = {
    "devpi_namespace": {
        "__devpi_found": {"tls_source": [TLS_SOURCE], "pull_source": [PULL_SOURCE]}
    },
    "devpi_storage": {"devpi_storage_class": "fast"},
    "devpi_valkey": {},
    "devpi_oauth2_proxy": {},
    "devpi_server": {"devpi_server_options": {"request-timeout": 60}},
    "devpi_init": {},
    "devpi_exposure": {"__devpi_found": {"ingress_classes": [INGRESS_CLASS]}},
    "devpi_discovery": {},
}


def containers(deployment: dict[str, Any]) -> list[dict[str, Any]]:
    pod = deployment["spec"]["template"]["spec"]
    return [*pod.get("initContainers", []), *pod["containers"]]


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}


@pytest.mark.parametrize("role", ANSWERS)
def test_manifests_are_strictly_valid(render: Render, role: str) -> None:
    rendered = render(role, **ANSWERS[role])
    assert rendered
    for manifest in rendered.values():
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


@pytest.mark.parametrize(
    "role", ["devpi_server", "devpi_init", "devpi_valkey", "devpi_oauth2_proxy"]
)
def test_pods_are_restricted_and_hold_no_secret_value(render: Render, role: str) -> None:
    for name, manifest in render(role, **ANSWERS[role]).items():
        if manifest["kind"] not in {"Deployment", "Job"}:
            continue
        pod = manifest["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in containers(manifest):
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            ours = role in {"devpi_server", "devpi_init"}
            assert "@sha256:" in container["image"] or not ours, name
            assert not container["image"].endswith(":latest"), name
        assert "correct horse" not in str(manifest)


def test_stage_one_has_no_outside_url_and_stage_two_names_the_api_host(render: Render) -> None:
    stages = {
        stage: environment(
            containers(render("devpi_server", devpi_server_stage=stage)["deployment"])[1]
        )
        for stage in ("one", "two")
    }
    assert "DEVPISERVER_OUTSIDE_URL" not in stages["one"]
    assert stages["two"]["DEVPISERVER_OUTSIDE_URL"] == "https://devpi-api.example.com"


def test_a_server_at_stage_two_is_not_taken_back(render: Render) -> None:
    found = {"deployment": [{"metadata": {"annotations": {"devpi.thinkube.io/stage": "two"}}}]}
    rendered = render("devpi_server", devpi_server_stage="one", __devpi_found=found)
    assert rendered["deployment"]["metadata"]["annotations"] == {"devpi.thinkube.io/stage": "two"}


def test_options_reach_devpi_server_by_its_own_variables(render: Render) -> None:
    server = containers(
        render("devpi_server", devpi_server_options={"request-timeout": 60})["deployment"]
    )[1]
    assert environment(server)["DEVPISERVER_REQUEST_TIMEOUT"] == "60"


def kept(password: str, **more: str) -> dict[str, Any]:
    data = {"password": base64.b64encode(password.encode()).decode()} | {
        key: base64.b64encode(value.encode()).decode() for key, value in more.items()
    }
    return {"kept_secrets": [{"metadata": {"name": "devpi-root"}, "data": data}]}


@pytest.mark.parametrize(
    ("found", "previous"),
    [
        ({"kept_secrets": []}, None),
        (kept("correct horse"), None),
        (kept("old one"), "old one"),
        (kept("correct horse", previous="old one"), "old one"),
    ],
    ids=["first", "same", "rotation", "rotation that was cut off"],
)
def test_the_previous_password_is_kept_until_it_is_rotated(
    render: Render, found: dict[str, Any], previous: str | None
) -> None:
    data = render("devpi_server", __devpi_found=found)["root-secret"]["data"]
    assert base64.b64decode(data["password"]).decode() == "correct horse"
    assert (base64.b64decode(data["previous"]).decode() if "previous" in data else None) == previous


def test_the_token_key_is_made_once(render: Render) -> None:
    found = {
        "kept_secrets": [{"metadata": {"name": "devpi-token-key"}, "data": {"token-key": "a2V5"}}]
    }
    first = render("devpi_server")["token-key-secret"]["data"]["token-key"]
    assert len(base64.b64decode(first)) == 64
    again = render("devpi_server", __devpi_found=found)["token-key-secret"]
    assert again["data"]["token-key"] == "a2V5"


def test_published_names(render: Render) -> None:
    names = {
        manifest["metadata"]["name"]
        for role, answers in ANSWERS.items()
        for manifest in render(role, **answers).values()
    }
    assert names == {
        "devpi",
        "devpi-tls-secret",
        "harbor-pull-secret",
        "devpi-data-pvc",
        "devpi-root",
        "devpi-token-key",
        "nginx-headers",
        "devpi-ca-bundle",
        "devpi-init",
        "devpi-api-ingress",
        "devpi-http-ingress",
        "oauth2-proxy",
        "ephemeral-redis",
        "thinkube-service-config",
    }


def test_two_installations_in_one_namespace_share_no_name(render: Render) -> None:
    def names(**variables: Any) -> set[str]:
        return {
            manifest["metadata"]["name"]
            for role, answers in ANSWERS.items()
            if role != "devpi_namespace"
            for manifest in render(role, **answers, **variables).values()
        }

    assert names() & names(devpi_name="team") == set()


def test_discovery_refers_to_the_password_and_follows_the_inventory(render: Render) -> None:
    import yaml

    config = render("devpi_discovery", devpi_namespace="packages", devpi_index_name="main")
    service = yaml.safe_load(config["service-config"]["data"]["service.yaml"])["service"]
    variables = {entry["name"]: entry for entry in service["environment_variables"]}
    assert variables["DEVPI_PASSWORD"]["value_from"] == {
        "secret_name": "devpi-root",
        "secret_key": "password",
    }
    assert variables["DEVPI_INDEX"]["value"] == "root/main"
    assert service["scaling"]["namespace"] == "packages"
    assert "correct horse" not in str(config)
