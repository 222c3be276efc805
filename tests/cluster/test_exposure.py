# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts by a Gateway and by Routes, and back by an ingress, as all other tests have them."""

from __future__ import annotations

import base64
import http.client
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from kubernetes import client
from kubernetes.dynamic import DynamicClient, exceptions
from playwright.sync_api import Page

from .conftest import Cluster, Playbooks, Workstation, wait_until
from .test_bad_input import said
from .test_dashboard import DEVPIS, FORGED, PATHS, ask, page, people, picture, sign_in
from .uploads import check_all_clients, package

__all__ = ["package", "page", "people"]

GATEWAY = ("-e", "gateway_name=thinkube-gateway", "-e", "gateway_namespace=gateway-system")
KINDS = {
    "Ingress": "networking.k8s.io/v1",
    "Middleware": "traefik.io/v1alpha1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "Route": "route.openshift.io/v1",
    "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
}
HOSTS = ("devpi-api-ingress", "devpi-http-ingress")
REDIRECT = "devpi-https-redirect"
BY_INGRESS = {("Ingress", name) for name in (*HOSTS, REDIRECT)} | {("Middleware", REDIRECT)}
BY_GATEWAY = {("HTTPRoute", name) for name in (*HOSTS, REDIRECT)}
BY_ROUTE = {("Route", name) for name in HOSTS} | {
    ("Role", "devpi-router"),
    ("RoleBinding", "devpi-router"),
}


@pytest.fixture
def dynamic(core: client.CoreV1Api, tmp_path: Path) -> DynamicClient:
    """A client that has not yet seen which kinds there are."""
    return DynamicClient(core.api_client, cache_file=str(tmp_path / "kinds"))


def exposed(dynamic: DynamicClient) -> set[tuple[str, str]]:
    """Kind and name of all in devpi's namespace that has to do with its hosts."""
    found = set()
    for kind, api_version in KINDS.items():
        try:
            resource = dynamic.resources.get(api_version=api_version, kind=kind)
        except exceptions.ResourceNotFoundError:
            continue
        found |= {(kind, one.metadata.name) for one in resource.get(namespace="devpi").items}
    return found


def secrets(core: client.CoreV1Api) -> set[str]:
    return {one.metadata.name for one in core.list_namespaced_secret("devpi").items}


def over_http(url: str) -> tuple[int, str | None]:
    """Status and Location of the same URL without TLS."""
    host = urlsplit(url)
    connection = http.client.HTTPConnection(str(host.hostname), timeout=30)
    connection.request("GET", f"{host.path}?{host.query}")
    answer = connection.getresponse()
    return answer.status, answer.headers["Location"]


def test_an_ingress_does_not_answer_without_tls(cluster: Cluster) -> None:
    for base in (cluster.api_url, cluster.dashboard_url):
        url = f"{base}/root/stable?x=1"
        assert over_http(url) == (301, url)


class TestGateway:
    """By HTTPRoutes of the cluster's Gateway."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def by_gateway(cls, cluster: Cluster, playbooks: Playbooks) -> Iterator[None]:
        try:
            run = playbooks.run("10_deploy", *GATEWAY).succeeded()
            assert "HTTPRoutes of Gateway gateway-system/thinkube-gateway" in run.output
            wait_until(lambda: ask(cluster, "/")[0] == 302, 60)
            yield
        finally:
            playbooks.run("10_deploy").succeeded()

    def test_the_objects_of_the_ingress_are_gone(
        self, dynamic: DynamicClient, core: client.CoreV1Api
    ) -> None:
        assert exposed(dynamic) == BY_GATEWAY
        # The Gateway has its own certificate.
        assert "devpi-tls-secret" not in secrets(core)

    def test_the_proof_holds(self, playbooks: Playbooks) -> None:
        run = playbooks.run("18_test").succeeded()
        assert '"Their Gateway or router takes them": "ok"' in run.output

    def test_a_member_signs_in(self, cluster: Cluster, people: dict[str, str], page: Page) -> None:
        sign_in(page, cluster, "developer", people["developer"], "/root/stable")
        page.wait_for_url(f"{cluster.dashboard_url}/root/stable")
        assert page.title() == "root/stable index"
        picture(page, "gateway")

    def test_somebody_else_is_refused(
        self, cluster: Cluster, people: dict[str, str], page: Page
    ) -> None:
        sign_in(page, cluster, "stranger", people["stranger"])
        page.wait_for_load_state()
        assert "403" in page.content()

    # Nor after logins, with which Keycloak fills in what a client leaves out.
    def test_a_second_run_changes_nothing(self, playbooks: Playbooks) -> None:
        playbooks.run("10_deploy", *GATEWAY).unchanged()

    @pytest.mark.parametrize("forged", FORGED)
    def test_nobody_without_a_session_sees_a_byte_of_devpi(
        self, cluster: Cluster, forged: str
    ) -> None:
        for path in PATHS:
            status, text = ask(cluster, path, **FORGED[forged])
            assert status in {302, 400, 401, 403, 404}, (path, status)
            assert not any(word in text.lower() for word in DEVPIS), (path, text)

    def test_nothing_answers_without_tls(self, cluster: Cluster) -> None:
        test_an_ingress_does_not_answer_without_tls(cluster)

    def test_all_clients_work(
        self, cluster: Cluster, workstation: Workstation, package: tuple[str, Path]
    ) -> None:
        check_all_clients(cluster, workstation, *package)

    def test_a_listener_that_does_not_take_us_is_named(
        self, cluster: Cluster, playbooks: Playbooks, dynamic: DynamicClient, namespace: str
    ) -> None:
        gateways = dynamic.resources.get(api_version="gateway.networking.k8s.io/v1", kind="Gateway")
        everybody = {"namespaces": {"from": "All"}}
        tls = {"protocol": "HTTPS", "port": 8443, "tls": {"certificateRefs": [{"name": "none"}]}}
        listeners: list[dict[str, Any]] = [
            {"name": "plain", "protocol": "HTTP", "port": 8000, "allowedRoutes": everybody},
            {"name": "other", "hostname": "*.example.com", "allowedRoutes": everybody, **tls},
            {"name": "own", "hostname": f"*.{cluster.domain}", **tls},
        ]
        body = {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "narrow", "namespace": "gateway-system"},
            # A class of nobody's: no controller is to serve it.
            "spec": {"gatewayClassName": "none", "listeners": listeners},
        }
        gateways.create(body=body, namespace="gateway-system")
        try:
            run = playbooks.run(
                *("10_deploy", *GATEWAY, "-e", "gateway_name=narrow"),
                *("-e", f"devpi_namespace={namespace}"),
            )
        finally:
            gateways.delete(name="narrow", namespace="gateway-system")
        assert run.code != 0
        assert run.changed == 0
        for words in (
            "Gateway 'gateway-system/narrow' has no listener with TLS that takes",
            "plain: it speaks HTTP, not HTTPS",
            "other: it serves *.example.com, not",
            "own: it takes routes of its own namespace gateway-system only",
        ):
            assert words in said(run)

    def test_rollback_removes_it(self, playbooks: Playbooks, dynamic: DynamicClient) -> None:
        # All by variables of an inventory that knows of no Gateway: what is there is found.
        playbooks.run("19_rollback", "--tags", "devpi_exposure").succeeded()
        assert exposed(dynamic) == set()


def test_back_by_an_ingress_nothing_of_the_gateway_is_left(
    cluster: Cluster, playbooks: Playbooks, dynamic: DynamicClient, core: client.CoreV1Api
) -> None:
    assert exposed(dynamic) == BY_INGRESS
    assert "devpi-tls-secret" in secrets(core)
    wait_until(lambda: ask(cluster, "/")[0] == 302, 60)
    playbooks.run("10_deploy").unchanged()


class TestRoutes:
    """By Routes, as far as the API server goes: it checks them by OpenShift's own definition."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def by_routes(cls, cluster: Cluster, playbooks: Playbooks) -> Iterator[None]:
        (definition,) = (cluster.state / "bin/crds/openshift").glob("*.yaml")
        kubectl = [str(cluster.state / "bin/kubectl"), "--kubeconfig", str(cluster.kubeconfig)]
        name = "crd/routes.route.openshift.io"
        for command in (
            ["apply", "--server-side", "--filename", str(definition)],
            ["wait", "--for", "condition=Established", "--timeout=60s", name],
        ):
            subprocess.run([*kubectl, *command], check=True)
        try:
            run = playbooks.run("10_deploy").succeeded()
            assert "the cluster has them, and nothing else is asked for" in run.output
            yield
        finally:
            playbooks.run("10_deploy", "-e", "devpi_expose=ingress").succeeded()
            subprocess.run([*kubectl, "delete", name], check=True)

    def test_the_cluster_takes_them_and_the_ingresses_are_gone(
        self, dynamic: DynamicClient
    ) -> None:
        assert exposed(dynamic) == BY_ROUTE

    def test_a_second_run_changes_nothing(self, playbooks: Playbooks) -> None:
        playbooks.run("10_deploy").unchanged()

    def test_a_key_in_a_route_is_not_shown(
        self, playbooks: Playbooks, core: client.CoreV1Api, dynamic: DynamicClient
    ) -> None:
        inline = ("-e", "devpi_exposure_route_certificate=inline")
        run = playbooks.run("10_deploy", *inline, "-vvv", "--diff").succeeded()
        encoded = core.read_namespaced_secret("devpi-tls-secret", "devpi").data["tls.key"]
        key = base64.b64decode(encoded).decode()
        routes = dynamic.resources.get(api_version="route.openshift.io/v1", kind="Route")
        for route in routes.get(namespace="devpi").items:
            assert route.spec.tls.key == key
        for form in (encoded, *key.splitlines()[1:-1]):
            assert form not in run.output
        # The router need not read the Secret any more.
        assert exposed(dynamic) == {("Route", name) for name in HOSTS}


def test_back_by_an_ingress_nothing_of_the_routes_is_left(
    playbooks: Playbooks, dynamic: DynamicClient
) -> None:
    assert exposed(dynamic) == BY_INGRESS
