# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import addons
import config
import keycloak
import pytest
import versions
import yaml
from config import Cluster

DEMO = Cluster("demo", 7, Path("/srv/project/.local-cluster"))
OTHER = Cluster("test-default", 8, DEMO.state / "clusters/test-default")


def test_only_the_demo_has_the_plain_domain() -> None:
    assert DEMO.domain == "thinkube.test"
    assert OTHER.domain == "test-default.thinkube.test"
    assert DEMO.tls_secret == "thinkube-test-tls"
    assert OTHER.registry == "harbor.test-default.thinkube.test"


def test_addresses_follow_from_the_slot() -> None:
    assert [str(DEMO.host_address), str(DEMO.node_address)] == ["10.213.7.1", "10.213.7.2"]
    assert [str(DEMO.registry_address), str(DEMO.keycloak_address)] == ["10.213.7.3", "10.213.7.4"]
    assert str(DEMO.pods) == "10.214.7.0/24"
    assert DEMO.dns_address in DEMO.services


@pytest.mark.parametrize("name", ["a", "demo", "a-name-of-thirty-characters-12", "x" * 30])
def test_an_interface_name_fits_the_kernel(name: str) -> None:
    assert config.is_name(name)
    assert len(Cluster(name, 1, Path("/x")).interface) <= 15


def test_long_names_have_interfaces_of_their_own() -> None:
    names = ["a-long-name-one", "a-long-name-two"]
    assert len({Cluster(name, 1, Path("/x")).interface for name in names}) == 2


@pytest.mark.parametrize("name", ["", "Demo", "1st", "a_b", "a-", "-a", "a.b", "../x", "x" * 31])
def test_what_can_not_be_a_name(name: str) -> None:
    assert not config.is_name(name)


def test_the_demo_does_not_own_what_lies_in_other_clusters_folders() -> None:
    assert DEMO.owns(DEMO.state / "kubelet/pods")
    assert DEMO.owns(Path("/run/thinkube-devpi/demo/netns"))
    assert not DEMO.owns(OTHER.state / "kubelet")
    assert not DEMO.owns(Path("/run/thinkube-devpi/demo-2/netns"))
    assert OTHER.owns(OTHER.state / "kubelet")


def test_state_folders() -> None:
    assert config.state_folder("demo", Path("/p")) == Path("/p/.local-cluster")
    assert config.state_folder("x", Path("/p")) == Path("/p/.local-cluster/clusters/x")


VALUES = {
    **DEMO.placeholders(),
    **addons.manifest_values(DEMO, ["192.0.2.53"]),
    "pause_image": "pause",
    "mtu": "1400",
    "user": "u",
    "authority_data": "a",
    "certificate_data": "c",
    "key_data": "k",
    "http_secret": "s",
    "admin": "boss",
    "admin_password": "p",
}


@pytest.mark.parametrize(
    "template",
    [*(config.HERE / "config").iterdir(), *(config.HERE / "manifests").iterdir()],
    ids=lambda path: path.name,
)
def test_templates_know_their_placeholders_and_their_format(template: Path) -> None:
    text = config.render(template, VALUES)
    assert "${" not in text
    match template.suffix:
        case ".yaml":
            assert all(yaml.safe_load_all(text))
        case ".toml":
            assert tomllib.loads(text)
        case ".conflist":
            assert json.loads(text)
        case suffix:
            assert suffix in {".nft", ".conf"}


def test_the_inventory_holds_what_users_need_and_no_secret() -> None:
    hosts = yaml.safe_load(config.render(config.HERE / "config/inventory-hosts.yaml", VALUES))
    groups = hosts["all"]["children"]
    assert list(groups["devpi"]["hosts"]) == ["demo"]
    assert groups["devpi_clients"]["hosts"]["demo-workstation"] == {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "devpi_client_home": "/srv/project/.local-cluster/home",
    }
    variables = yaml.safe_load(config.render(config.HERE / "config/inventory-all.yaml", VALUES))
    version = versions.OAUTH2_PROXY
    assert variables == {
        "domain_name": "thinkube.test",
        "kubeconfig": "/srv/project/.local-cluster/kubeconfig",
        "devpi_ca_bundle": "/srv/project/.local-cluster/ca-bundle.crt",
        "devpi_image_base": "harbor.thinkube.test/library/debian:trixie-slim",
        "devpi_oauth2_proxy_image": f"harbor.thinkube.test/library/oauth2-proxy:v{version}",
        "devpi_valkey_image": "harbor.thinkube.test/library/valkey:trixie",
        "keycloak_url": "https://keycloak.thinkube.test",
        "keycloak_realm": "thinkube",
        "devpi_oauth2_proxy_allowed_groups": ["devpi-users"],
    }


def test_the_corefile_has_names_and_resolvers() -> None:
    manifests = yaml.safe_load_all(config.render(config.HERE / "manifests/20-coredns.yaml", VALUES))
    corefile = next(one for one in manifests if one["kind"] == "ConfigMap")["data"]["Corefile"]
    assert "10.213.7.3 harbor.thinkube.test\n" in corefile
    assert "forward . 192.0.2.53\n" in corefile


def test_every_deployment_is_waited_for_and_every_image_is_imported() -> None:
    deployments, images = set(), set()
    for file in (config.HERE / "manifests").iterdir():
        for one in yaml.safe_load_all(config.render(file, VALUES)):
            if one["kind"] == "Deployment":
                deployments.add((one["metadata"]["namespace"], one["metadata"]["name"]))
                containers = one["spec"]["template"]["spec"]["containers"]
                images |= {container["image"] for container in containers}
    assert deployments == set(addons.DEPLOYMENTS)
    assert images <= {versions.IMAGES[name] for name in config.NODE_IMAGES}


def test_definition_names_are_those_of_custom_resources_only() -> None:
    text = (
        "apiVersion: x\nkind: CustomResourceDefinition\nmetadata:\n  annotations:\n    name: no\n"
        "  name: routes.example.org\nspec:\n  names:\n    kind: Route\n"
        "---\nkind: ValidatingAdmissionPolicy\nmetadata:\n  name: safe.example.org\n"
    )
    assert addons.definition_names(text) == {"routes.example.org"}


def test_the_service_of_keycloak_leads_to_its_process() -> None:
    text = config.render(config.HERE / "manifests/50-keycloak.yaml", VALUES)
    service, endpoints, ingress = yaml.safe_load_all(text)
    assert "selector" not in service["spec"]
    assert endpoints["metadata"]["labels"]["kubernetes.io/service-name"] == "keycloak"
    assert endpoints["endpoints"][0]["addresses"] == ["10.213.7.4"]
    assert {port["port"] for port in endpoints["ports"]} == set(keycloak.PORTS)
    assert ingress["spec"]["tls"][0]["hosts"] == ["keycloak.thinkube.test"]
    assert ingress["spec"]["tls"][0]["secretName"] == DEMO.tls_secret
    assert ingress["metadata"]["namespace"] in addons.WITH_CERTIFICATE
