# SPDX-License-Identifier: GPL-3.0-or-later
"""Every manifest against the Kubernetes schema, and what the design promises about them."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import kubernetes_validate
import pytest

from .conftest import NEW_KEYS, Each, Objects, Render, Values

KUBERNETES = "1.34"
ELSEWHERE = ("gateway.networking.k8s.io/v1", "route.openshift.io/v1", "traefik.io/v1alpha1")

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


PROVED = {"__devpi_init_has_proved": True}


def containers(deployment: dict[str, Any]) -> list[dict[str, Any]]:
    pod = deployment["spec"]["template"]["spec"]
    return [*pod.get("initContainers", []), *pod["containers"]]


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}


@pytest.mark.parametrize("role", ANSWERS)
def test_manifests_are_strictly_valid(objects: Objects, role: str) -> None:
    rendered = objects(role, **ANSWERS[role])
    assert rendered
    for manifest in rendered:
        # Other kinds are not Kubernetes' own: the API server checks them in the tests on a cluster.
        if not manifest["apiVersion"].endswith(ELSEWHERE):
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


@pytest.mark.parametrize(
    "role", ["devpi_valkey", "devpi_oauth2_proxy", "devpi_server", "devpi_init"]
)
def test_a_removal_has_read_nothing(objects: Objects, role: str) -> None:
    names = [one["metadata"]["name"] for one in objects(role, **ANSWERS[role])]
    removed = objects(role, **ANSWERS[role], devpi_state="absent", __devpi_found={})
    assert [one["metadata"]["name"] for one in removed] == names


@pytest.mark.parametrize(
    "role", ["devpi_server", "devpi_init", "devpi_valkey", "devpi_oauth2_proxy"]
)
def test_images_are_pinned_and_pods_hold_no_secret_value(render: Render, role: str) -> None:
    for name, manifest in render(role, **ANSWERS[role]).items():
        if manifest["kind"] not in {"Deployment", "Job"}:
            continue
        for container in containers(manifest):
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
    stage = {"metadata": {"annotations": {"devpi.thinkube.io/stage": "two"}}}
    found = {"deployment": [stage], **NEW_KEYS}
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
    return {"kept_secrets": {"devpi-root": data}, **NEW_KEYS}


@pytest.mark.parametrize(
    ("found", "previous"),
    [
        ({"kept_secrets": {}, **NEW_KEYS}, None),
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


LOCKED_OUT = {"__devpi_init_is_locked_out": True, "devpi_root_password_reset": True}


@pytest.mark.parametrize(
    ("given", "resets"),
    [
        ({"__devpi_found": kept("old one"), **LOCKED_OUT}, True),
        ({"__devpi_found": kept("correct horse"), **LOCKED_OUT}, True),
        ({"__devpi_found": kept("correct horse", reset="true")}, True),
        ({"__devpi_found": kept("correct horse", reset="true"), **PROVED}, False),
        ({"__devpi_found": kept("correct horse"), **LOCKED_OUT, **PROVED}, False),
        ({"__devpi_found": kept("old one"), "devpi_root_password_reset": True}, False),
    ],
    ids=["and rotates", "same", "was cut off", "proved", "proved in this run", "not locked out"],
)
def test_a_reset_stays_in_the_secret_until_it_is_proved(
    render: Render, values: Values, given: dict[str, Any], resets: bool
) -> None:
    data = render("devpi_server", **given)["root-secret"]["data"]
    assert base64.b64decode(data["password"]).decode() == "correct horse"
    assert ("reset" in data) is resets
    if resets:
        assert "previous" not in data
        # It makes a new key, which ends all logins and replaces the pod, at stage one already.
        names = ["__devpi_server_ends_sessions", "__devpi_server_is_due"]
        found = values("devpi_server", names, devpi_server_stage="one", **given)
        assert found == dict.fromkeys(names, True)


def test_the_token_key_is_made_once(render: Render, values: Values) -> None:
    found = {"kept_secrets": {"devpi-token-key": {"token-key": "a2V5"}}, **NEW_KEYS}
    first = render("devpi_server")["token-key-secret"]["data"]["token-key"]
    assert first == NEW_KEYS["new_token_key"]
    made = values("devpi_server", ["__devpi_server_new_token_key"]).values()
    assert [len(base64.b64decode(key)) for key in made] == [64]
    again = render("devpi_server", __devpi_found=found)["token-key-secret"]
    assert again["data"]["token-key"] == "a2V5"


PEOPLE = {"ann": {"email": "ann@example.com", "password": "x3cr3t"}, "bob": None}
PASSWORDS = base64.b64encode(b'{"ann": "x3cr3t"}').decode()


def test_passwords_of_users_are_in_the_secret_alone(render: Render) -> None:
    rendered = render("devpi_init", devpi_users=PEOPLE)
    assert rendered["users-secret"]["data"] == {"passwords.json": PASSWORDS}
    program = rendered["program"]["data"]
    assert json.loads(program["wanted.json"])["users"] == {
        "ann": {"email": "ann@example.com"},
        "bob": None,
    }
    assert "x3cr3t" not in str(rendered)


def test_the_program_is_all_that_it_imports(render: Render) -> None:
    files = render("devpi_init")["program"]["data"]
    imported = set(re.findall(r"^from \.(\w+) import", "\n".join(files.values()), re.MULTILINE))
    imported |= set(re.findall(r"^from _devpi\.(\w+) import", files["converge.py"], re.MULTILINE))
    assert {f"{name}.py" for name in imported} | {"__init__.py"} == files.keys() - {
        "converge.py",
        "wanted.json",
    }
    job = render("devpi_init")["job"]["spec"]["template"]["spec"]
    mounted = {item["key"]: item["path"] for item in job["volumes"][0]["configMap"]["items"]}
    assert mounted.keys() == files.keys()
    assert mounted["plan.py"] == "_devpi/plan.py"


PROVED = {"proved": "dHJ1ZQ=="}
# Users, the Secret that is there, whether it is as wanted, and whether a Job has brought it.
KEPT: dict[str, tuple[Any, dict[str, str], bool, bool]] = {
    "none": ({}, {}, True, True),
    "no password": ({"ann": None}, {}, True, True),
    "first": (PEOPLE, {}, False, False),
    "another": (PEOPLE, {"passwords.json": "b3RoZXI=", **PROVED}, False, False),
    "cut off": (PEOPLE, {"passwords.json": PASSWORDS}, True, False),
    "done": (PEOPLE, {"passwords.json": PASSWORDS, **PROVED}, True, True),
    "taken out": ({}, {"passwords.json": PASSWORDS, **PROVED}, False, True),
}


def test_passwords_of_users_are_proved_once(each: Each) -> None:
    names = ["__devpi_init_user_passwords_are_kept", "__devpi_init_user_passwords_are_proved"]
    given = {
        case: (names, {"devpi_users": users, **kept_users(secret)})
        for case, (users, secret, _, _) in KEPT.items()
    }
    found = each("devpi_init", given)
    assert {case: tuple(found[case].values()) for case in KEPT} == {
        case: (is_kept, is_proved) for case, (_, _, is_kept, is_proved) in KEPT.items()
    }


def kept_users(secret: Any) -> dict[str, Any]:
    return {"__devpi_found": {"kept_secrets": {"devpi-users": secret} if secret else {}}}


def test_published_names(objects: Objects) -> None:
    names = {
        manifest["metadata"]["name"]
        for role, answers in ANSWERS.items()
        for manifest in objects(role, **answers)
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
        "devpi-users",
        "devpi-api-ingress",
        "devpi-http-ingress",
        "devpi-auth",
        "devpi-https-redirect",
        "devpi-router",
        "oauth2-proxy",
        "ephemeral-redis",
        "thinkube-service-config",
        "devpi-build-env",
        "devpi-discovery",
    }


def test_two_installations_in_one_namespace_share_no_name(objects: Objects) -> None:
    def names(**variables: Any) -> set[str]:
        return {
            manifest["metadata"]["name"]
            for role, answers in ANSWERS.items()
            if role != "devpi_namespace"
            for manifest in objects(role, **answers, **variables)
        }

    assert names() & names(devpi_name="team") == set()
