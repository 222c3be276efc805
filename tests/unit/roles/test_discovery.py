# SPDX-License-Identifier: GPL-3.0-or-later
"""What other services, builds and people in code-server are given to find devpi by."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from .conftest import ROLES, Each, Objects

SIMPLE = "https://devpi-api.example.com/root/stable/+simple/"
SCHEMAS = ROLES / "devpi_discovery/files/schemas"
ROOT = {"namespace": "devpi", "name": "devpi-root", "key": "password"}
CI = {"devpi_discovery_username": "ci", "devpi_users": {"ci": {"password": "hunter2"}}}
KNOWN = {"namespaces": [{"metadata": {"name": "ci"}}, {"metadata": {"name": "default"}}]}


def named(objects: list[dict[str, Any]], name: str) -> dict[str, dict[str, str]]:
    """The data of all objects of a name, by namespace."""
    return {
        one["metadata"]["namespace"]: one["data"]
        for one in objects
        if one["metadata"]["name"] == name
    }


def test_builds_have_nothing_but_what_pip_and_uv_read(objects: Objects) -> None:
    found = named(objects("devpi_discovery"), "devpi-build-env")
    assert found == {"devpi": {"PIP_INDEX_URL": SIMPLE, "UV_DEFAULT_INDEX": SIMPLE}}


def test_builds_elsewhere_have_it_too_and_the_authorities(objects: Objects, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.crt"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    given = {"devpi_ca_bundle": str(bundle), "devpi_discovery_build_namespaces": ["ci"]}
    made = objects("devpi_discovery", **given)
    path = "/etc/devpi/ca-bundle.crt"
    wanted = {"PIP_INDEX_URL": SIMPLE, "UV_DEFAULT_INDEX": SIMPLE}
    wanted |= {"PIP_CERT": path, "SSL_CERT_FILE": path}
    assert named(made, "devpi-build-env") == {"devpi": wanted, "ci": wanted}
    # In devpi's own namespace role devpi_namespace makes it.
    assert named(made, "devpi-ca-bundle") == {
        "ci": {"ca-bundle.crt": "-----BEGIN CERTIFICATE-----"}
    }


def test_namespaces_that_are_not_there_are_named(each: Each) -> None:
    def given(*namespaces: str, state: str = "present") -> tuple[list[str], dict[str, Any]]:
        variables = {
            "devpi_discovery_build_namespaces": [*namespaces],
            "devpi_state": state,
            "__devpi_found": KNOWN,
        }
        return ["__devpi_discovery_problems"], variables

    cases = {
        "none": given(),
        "there": given("ci"),
        "undone": given("gone", state="absent"),
        "gone": given("ci", "gone", "nowhere"),
        "own": given("devpi"),
    }
    found = {
        case: " ".join(values["__devpi_discovery_problems"])
        for case, values in each("devpi_discovery", cases).items()
    }
    assert found["none"] == found["there"] == found["undone"] == ""
    assert "names gone, nowhere, and the cluster has no such" in found["gone"]
    assert "names 'devpi', where builds have the ConfigMap anyway" in found["own"]


def schema(name: str) -> dict[str, Any]:
    return dict(json.loads((SCHEMAS / name).read_text()))


def strict(node: Any) -> Any:
    """A schema by which an object has nothing but what is described."""
    if isinstance(node, list):
        return [strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    # Below `contains` stands only what counts.
    inner = {key: value if key == "contains" else strict(value) for key, value in node.items()}
    closed = {"additionalProperties": False} if isinstance(inner.get("properties"), dict) else {}
    return inner | closed


def validate(document: Any, described_by: dict[str, Any]) -> None:
    draft = jsonschema.Draft202012Validator
    draft.check_schema(described_by)
    draft(described_by, format_checker=draft.FORMAT_CHECKER).validate(document)


def offered(made: list[dict[str, Any]]) -> dict[str, Any]:
    """The service as its ConfigMap has it."""
    ((_, data),) = named(made, "thinkube-service-config").items()
    return dict(yaml.safe_load(data["service.yaml"])["service"])


def variables(made: list[dict[str, Any]]) -> dict[str, Any]:
    return {entry.pop("name"): entry for entry in offered(made)["environment_variables"]}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"oauth2_proxy_enabled": False, "devpi_namespace": "packages", "devpi_name": "team"},
        {"devpi_ca_bundle": "/etc/hostname", "devpi_index_name": "main"},
        {"devpi_discovery_password_in_clear": True},
        CI,
    ],
    ids=["usual", "no web host", "authorities", "password in clear", "uploader"],
)
def test_everything_that_is_written_is_described(objects: Objects, given: dict[str, Any]) -> None:
    made = objects("devpi_discovery", **given)
    name = given.get("devpi_name", "devpi")
    prefix = "" if name == "devpi" else f"{name}-"
    ((_, data),) = named(made, f"{prefix}thinkube-service-config").items()
    validate(data, strict(schema("thinkube-service-config.json")))
    validate(yaml.safe_load(data["service.yaml"]), strict(schema("service.json")))
    (build,) = named(made, f"{name}-build-env").values()
    validate(build, strict(schema("devpi-build-env.json")))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda it: it.pop("scaling"), "'scaling' is a required property"),
        (lambda it: it["endpoints"][1].update(primary=True), "contain"),
        (lambda it: it["endpoints"][0].update(url="https://x.example.com/"), "does not match"),
        (lambda it: it["environment_variables"][0].update(name="A B"), "does not match"),
        (lambda it: it["environment_variables"][0].pop("value"), "is not valid under any"),
        (lambda it: it["environment_variables"][3].update(value="x"), "is valid under each"),
        (lambda it: it["environment_variables"][1].update(value=1), "is not of type 'string'"),
    ],
)
def test_the_schema_sees_a_service_that_is_wrong(
    objects: Objects, change: Any, complaint: str
) -> None:
    service = offered(objects("devpi_discovery"))
    change(service)
    with pytest.raises(jsonschema.ValidationError, match=complaint):
        validate({"service": service}, schema("service.json"))


def test_the_password_is_a_reference_and_the_rest_follows_the_inventory(objects: Objects) -> None:
    made = objects("devpi_discovery", devpi_namespace="packages", devpi_index_name="main")
    assert variables(made) == {
        "DEVPI_URL": {"value": "https://devpi-api.example.com"},
        "DEVPI_INDEX": {"value": "root/main"},
        "DEVPI_USERNAME": {"value": "root"},
        "DEVPI_PASSWORD": {"valueFrom": {"secretKeyRef": ROOT | {"namespace": "packages"}}},
    }
    assert offered(made)["scaling"]["namespace"] == "packages"
    (labels,) = (
        one["metadata"]["labels"]
        for one in made
        if one["metadata"]["name"] == "thinkube-service-config"
    )
    published = {key: value for key, value in labels.items() if key.startswith("thinkube.io/")}
    assert published == {
        "thinkube.io/managed": "true",
        "thinkube.io/service-type": "core",
        "thinkube.io/service-name": "devpi",
        "thinkube.io/component-version": "0.1.0",
    }
    assert "correct horse" not in str(made)


def test_an_uploader_stands_in_for_root(objects: Objects) -> None:
    made = objects("devpi_discovery", **CI)
    login = {
        key: base64.b64decode(text) for key, text in named(made, "devpi-discovery")["devpi"].items()
    }
    assert login == {"username": b"ci", "password": b"hunter2"}
    found = variables(made)
    assert found["DEVPI_USERNAME"] == {"value": "ci"}
    reference = ROOT | {"name": "devpi-discovery"}
    assert found["DEVPI_PASSWORD"] == {"valueFrom": {"secretKeyRef": reference}}


def test_in_clear_only_when_asked_and_then_no_diff_shows_it(objects: Objects, each: Each) -> None:
    asked = {"devpi_discovery_password_in_clear": True}
    assert variables(objects("devpi_discovery", **asked))["DEVPI_PASSWORD"] == {
        "value": "correct horse"
    }
    lists = ["__devpi_discovery_manifests", "__devpi_discovery_hidden"]
    # A difference shows what was there before, too.
    before = managed("devpi", "thinkube-service-config", DEVPI_PASSWORD="correct horse")
    cases: dict[str, dict[str, Any]] = {
        "usual": {},
        "asked for": asked,
        "no longer": {"__devpi_found": {"service_config": [before]}},
        "absent": {"devpi_state": "absent"},
    }
    found = each("devpi_discovery", {case: (lists, given) for case, given in cases.items()})
    hidden = {
        case: [
            "service-config.yaml.j2" in values[name]
            for name in ("__devpi_discovery_hidden", "__devpi_discovery_manifests")
        ]
        for case, values in found.items()
    }
    assert hidden == {
        "usual": [False, True],
        "asked for": [True, False],
        "no longer": [True, False],
        "absent": [True, False],
    }
    assert "login-secret.yaml.j2" in found["absent"]["__devpi_discovery_hidden"]


def managed(namespace: str, name: str, **offers: str) -> dict[str, Any]:
    entries = [{"name": key, "value": value} for key, value in offers.items()]
    text = yaml.safe_dump({"service": {"environment_variables": entries}})
    return {
        "metadata": {"namespace": namespace, "name": name},
        "data": {"service.yaml": text},
    }


def test_shells_are_told_of_all_services(each: Each) -> None:
    found = [
        managed(
            "devpi", "thinkube-service-config", DEVPI_URL="https://before.example.com", OLD="1"
        ),
        managed("devpi", "other", OTHER_URL="https://other.example.com"),
        managed("git", "thinkube-service-config", GIT_URL="https://git.example.com"),
    ]
    usual = {"__devpi_discovery_managed": {"resources": found}}
    cases: dict[str, dict[str, Any]] = {
        "usual": usual,
        "password": usual | CI | {"devpi_discovery_code_server_password": True},
        "absent": usual | {"devpi_state": "absent"},
        # Nobody let us read what others offer.
        "forbidden": {"__devpi_discovery_managed": {"failed": True, "msg": "Forbidden"}},
    }
    asked = ["__devpi_discovery_offered"]
    told = {
        case: values["__devpi_discovery_offered"]["variables"]
        for case, values in each(
            "devpi_discovery", {case: (asked, given) for case, given in cases.items()}
        ).items()
    }
    others = {"OTHER_URL": "https://other.example.com", "GIT_URL": "https://git.example.com"}
    ours = {
        "DEVPI_URL": "https://devpi-api.example.com",
        "DEVPI_INDEX": "root/stable",
        "DEVPI_USERNAME": "root",
    }
    assert told == {
        "usual": others | ours,
        "password": others | ours | {"DEVPI_USERNAME": "ci", "DEVPI_PASSWORD": "hunter2"},
        "absent": others,
        "forbidden": ours,
    }


def test_wrong_inputs_are_named(each: Each) -> None:
    wrong: dict[str, Any] = {
        "devpi_discovery_username": "nobody",
        "devpi_discovery_code_server_namespace": "Code Server",
        "devpi_discovery_code_server_labels": {},
        "devpi_discovery_code_server_home": "~",
    }
    asked = ["__devpi_discovery_problems"]
    cases: dict[str, tuple[list[str], dict[str, Any]]] = {
        name: (asked, {name: value}) for name, value in wrong.items()
    }
    cases["none"] = (asked, {"devpi_discovery_code_server_namespace": ""})
    for name, values in each("devpi_discovery", cases).items():
        problems = values["__devpi_discovery_problems"]
        assert len(problems) == (0 if name == "none" else 1), name
        assert all(problem.startswith(name) for problem in problems)
