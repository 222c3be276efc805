# SPDX-License-Identifier: GPL-3.0-or-later
"""The web UI as people see it: signed in, refused, signed out; and closed to everybody else."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from kubernetes import client
from kubernetes.stream import stream
from playwright.sync_api import Page

from . import browser
from .conftest import CHECKOUT, Cluster, Playbooks, scaled_to_nothing, wait_until

SCREENSHOTS = CHECKOUT / "test-artifacts" / "screenshots"
# What devpi says and neither the proxy nor Keycloak nor the ingress does.
DEVPIS = ("devpi-server", "root/pypi", "x-devpi", "projectname", '"type":')


@pytest.fixture
def page(cluster: Cluster, tmp_path: Path) -> Iterator[Page]:
    with browser.opened(tmp_path, cluster.state / "ca.crt") as opened:
        yield opened


@pytest.fixture(scope="module")
def people(cluster: Cluster) -> dict[str, str]:
    """Passwords of Keycloak's users."""
    accounts = json.loads((cluster.state / "keycloak-users.json").read_text())
    return {name: account["password"] for name, account in accounts.items()}


def sign_in(page: Page, cluster: Cluster, name: str, password: str, path: str = "/") -> None:
    """From the dashboard to Keycloak's form and back."""
    page.goto(cluster.dashboard_url + path)
    assert urlsplit(page.url).hostname == f"keycloak.{cluster.domain}"
    page.fill("#username", name)
    page.fill("#password", password)
    page.click("#kc-login")


def picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_a_member_signs_in_looks_around_and_signs_out(
    cluster: Cluster, people: dict[str, str], page: Page
) -> None:
    hosts: set[str | None] = set()
    sign_in(page, cluster, "developer", people["developer"])
    page.wait_for_url(f"{cluster.dashboard_url}/")
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    assert page.title().startswith("devpi")
    picture(page, "dashboard")
    page.click("a:has-text('stable')")
    page.wait_for_url(f"{cluster.dashboard_url}/root/stable")
    picture(page, "index")
    page.goto(f"{cluster.dashboard_url}/+search?query=flask")
    assert page.locator("input[name=query]").count() >= 1
    assert hosts == {urlsplit(cluster.dashboard_url).hostname}
    page.goto(f"{cluster.dashboard_url}/oauth2/sign_out")
    page.goto(f"{cluster.dashboard_url}/root/stable")
    # Keycloak's own session is over as well: it asks for the password again.
    assert page.locator("#password").is_visible()


def test_somebody_else_is_refused(cluster: Cluster, people: dict[str, str], page: Page) -> None:
    sign_in(page, cluster, "stranger", people["stranger"])
    page.wait_for_load_state()
    picture(page, "refused")
    assert urlsplit(page.url).hostname == urlsplit(cluster.dashboard_url).hostname
    assert "403" in page.content()
    assert not any(word in page.content() for word in DEVPIS)


def test_a_lost_session_store_costs_a_new_login(
    cluster: Cluster,
    people: dict[str, str],
    page: Page,
    core: client.CoreV1Api,
) -> None:
    sign_in(page, cluster, "developer", people["developer"])
    page.wait_for_url(f"{cluster.dashboard_url}/")
    core.delete_collection_namespaced_pod(
        "devpi", label_selector="app=ephemeral-redis", grace_period_seconds=0
    )
    wait_until(lambda: page.goto(cluster.dashboard_url).status == 200, 60)
    # Keycloak still knows the person, and sends them back without a question.
    assert page.title().startswith("devpi")


def ask(cluster: Cluster, path: str, **headers: str) -> tuple[int, str]:
    """Status and all that an anonymous request to the dashboard is answered, headers too."""
    trusted = ssl.create_default_context(cafile=str(cluster.ca_bundle))
    host = str(urlsplit(cluster.dashboard_url).hostname)
    connection = http.client.HTTPSConnection(host, context=trusted, timeout=30)
    connection.putrequest("GET", path)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, f"{answer.headers}\n{answer.read().decode(errors='replace')}"


FORGED = {
    "nothing": {},
    "a cookie": {"Cookie": "__Host-_oauth2_proxy=forged; _oauth2_proxy=forged"},
    "a user": {
        "X_Forwarded_User": "developer",
        "X_Auth_Request_User": "developer",
        "X_Forwarded_Email": "developer@example.com",
        "X_Forwarded_Groups": "devpi-users",
    },
    "a host": {
        "X_Forwarded_Host": "devpi",
        "X_Forwarded_Proto": "http",
        "X_Outside_Url": "http://x",
    },
    "an address": {"X_Forwarded_For": "127.0.0.1", "X_Real_IP": "127.0.0.1"},
    "a key": {"X_Devpi_Front_Key": "0" * 64, "Authorization": "Basic cm9vdDpyb290"},
}
PATHS = (
    "/",
    "/root/stable",
    "/root/pypi/+simple/flask/",
    "/+api",
    "/+status",
    "/+search?query=x",
    "/%2bapi",
    "//root/stable",
    "/oauth2/../root/stable",
    "/oauth2/%2e%2e/+status",
    "/ping/../+api",
    "/root/stable/+simple/;/oauth2/start",
)


@pytest.mark.parametrize("forged", FORGED)
def test_nobody_without_a_session_sees_a_byte_of_devpi(cluster: Cluster, forged: str) -> None:
    for path in PATHS:
        status, said = ask(cluster, path, **FORGED[forged])
        assert status in {302, 400, 401, 403, 404}, (path, status)
        assert not any(word in said.lower() for word in DEVPIS), (path, said)


def test_without_the_proxy_the_dashboard_is_closed(
    cluster: Cluster, apps: client.AppsV1Api
) -> None:
    with scaled_to_nothing(apps, "oauth2-proxy"):
        wait_until(lambda: ask(cluster, "/")[0] >= 500, 60)
        for path in PATHS:
            status, said = ask(cluster, path)
            assert status >= 400
            assert not any(word in said.lower() for word in DEVPIS)
    wait_until(lambda: ask(cluster, "/")[0] == 302, 60)


def test_the_web_host_is_closed_inside_the_cluster(
    core: client.CoreV1Api,
) -> None:
    """From the server's own pod, where no policy stands in the way, the key does."""
    program = (
        "import urllib.request as r, urllib.error as e\n"
        "try: print(r.urlopen('http://127.0.0.1:8081/', timeout=5).status)\n"
        "except e.HTTPError as error: print(error.code)\n"
    )
    (pod,) = core.list_namespaced_pod("devpi", label_selector="app=devpi").items
    said = run_in(core, pod.metadata.name, "server", ["python3", "-c", program])
    assert said.strip() == "403"


PROBE = """
import urllib.request
for port in (3141, 8081):
    try:
        print(port, urllib.request.urlopen(f"http://devpi.devpi:{port}/+api", timeout=3).status)
    except OSError as error:
        print(port, error)
"""


def test_a_policy_keeps_other_pods_out(core: client.CoreV1Api, apps: client.AppsV1Api) -> None:
    template = apps.read_namespaced_deployment("devpi", "devpi").spec.template.spec
    program = client.V1Container(
        name="probe", image=template.containers[0].image, command=["python3", "-c", PROBE]
    )
    pod = client.V1Pod(
        metadata=client.V1ObjectMeta(generate_name="probe-"),
        spec=client.V1PodSpec(
            containers=[program],
            image_pull_secrets=template.image_pull_secrets,
            restart_policy="Never",
            security_context=client.V1PodSecurityContext(run_as_user=1000, run_as_non_root=True),
        ),
    )
    name = core.create_namespaced_pod("default", pod).metadata.name
    try:
        wait_until(
            lambda: core.read_namespaced_pod(name, "default").status.phase == "Succeeded", 60
        )
        said = core.read_namespaced_pod_log(name, "default").splitlines()
    finally:
        core.delete_namespaced_pod(name, "default", grace_period_seconds=0)
    assert said[0] == "3141 200"
    assert said[1].startswith("8081 ")
    assert "timed out" in said[1]


def run_in(core: client.CoreV1Api, pod: str, container: str, command: list[str]) -> str:
    return str(
        stream(
            core.connect_get_namespaced_pod_exec,
            pod,
            "devpi",
            container=container,
            command=command,
            stdout=True,
            stderr=True,
        )
    )


def test_no_secret_is_where_it_can_be_read(
    cluster: Cluster, core: client.CoreV1Api, apps: client.AppsV1Api
) -> None:
    """In no ConfigMap, specification, annotation, event, log, argument list or readable file."""
    values = {
        base64.b64decode(value).decode()
        for name in ("oauth2-proxy", "ephemeral-redis", "devpi-root", "devpi-token-key")
        for value in core.read_namespaced_secret(name, "devpi").data.values()
    }
    assert len(values) >= 5
    forms = {
        form
        for value in values
        for form in (value, base64.b64encode(value.encode()).decode(), quote(value))
    }
    pods = core.list_namespaced_pod("devpi").items
    where: dict[str, Any] = {
        "ConfigMaps": core.list_namespaced_config_map("devpi").to_dict(),
        "pods": [pod.to_dict() for pod in pods],
        "Deployments": apps.list_namespaced_deployment("devpi").to_dict(),
        "ReplicaSets": apps.list_namespaced_replica_set("devpi").to_dict(),
        "Jobs": client.BatchV1Api(core.api_client).list_namespaced_job("devpi").to_dict(),
        "events": core.list_namespaced_event("devpi").to_dict(),
        "processes": [file.read_bytes() for file in argument_lists()],
        "logs": [
            core.read_namespaced_pod_log(pod.metadata.name, "devpi", container=container.name)
            for pod in pods
            for container in [*(pod.spec.init_containers or []), *pod.spec.containers]
        ],
    }
    found = {place for place, what in where.items() for form in forms if form in str(what)}
    assert not found


def argument_lists() -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        if process.name != str(os.getpid()) and (process / "cmdline").exists():
            yield process / "cmdline"


def test_switched_off_nothing_of_it_is_left(
    cluster: Cluster, playbooks: Playbooks, core: client.CoreV1Api, apps: client.AppsV1Api
) -> None:
    off = ("-e", "oauth2_proxy_enabled=false")
    assert playbooks.run("10_deploy", *off).succeeded().changed > 0
    try:
        found = apps.list_namespaced_deployment("devpi").items
        assert [item.metadata.name for item in found] == ["devpi"]
        ingresses = client.NetworkingV1Api(core.api_client).list_namespaced_ingress("devpi").items
        assert [item.metadata.name for item in ingresses] == ["devpi-api-ingress"]
        assert not any(word in ask(cluster, "/")[1].lower() for word in DEVPIS)
        assert playbooks.run("10_deploy", *off).succeeded().changed == 0
    finally:
        playbooks.run("10_deploy").succeeded()
    wait_until(lambda: ask(cluster, "/")[0] == 302, 60)
