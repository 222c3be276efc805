# SPDX-License-Identifier: GPL-3.0-or-later
"""The web UI as people see it: signed in, refused, signed out; and closed to everybody else."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kubernetes import client
from kubernetes.stream import stream
from playwright.sync_api import Page

from . import browser
from .conftest import CHECKOUT, Cluster, Playbooks, Workstation, scaled_to_nothing, wait_until
from .uploads import check_all_clients, package

__all__ = ["package"]

SCREENSHOTS = CHECKOUT / "test-artifacts" / "screenshots"
# What devpi says and neither the proxy nor Keycloak nor the ingress does.
DEVPIS = ("devpi-server", "root/pypi", "x-devpi", "projectname", '"type":')


# Ways in which the login can stand in front of the pages: what the installer gives for them. The
# default comes last and stays.
ASKED = {"devpi_sso_mode": "annotations", "devpi_ingress_namespace": "traefik"}
WAYS = {
    "asked by nginx": ASKED | {"devpi_exposure_ingress_class": "nginx"},
    "asked by Traefik": ASKED,
    "in the path": {},
}


@pytest.fixture(
    scope="module",
    params=[
        "asked by nginx",
        pytest.param("asked by Traefik", marks=pytest.mark.long),
        "in the path",
    ],
)
def way(request: pytest.FixtureRequest, playbooks: Playbooks) -> str:
    """Each way in turn, as 10_deploy makes it of the one before."""
    name = str(request.param)
    given = ("-e", json.dumps(WAYS[name]))
    playbooks.run("10_deploy", *given).succeeded()
    playbooks.run("10_deploy", *given).unchanged()
    return name


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


def cookies(page: Page, cluster: Cluster) -> str:
    """What the browser sends to the dashboard, for a request of our own."""
    kept = page.context.cookies(cluster.dashboard_url)
    return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in kept)


def picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_a_member_signs_in_looks_around_and_signs_out(
    way: str, cluster: Cluster, people: dict[str, str], page: Page
) -> None:
    hosts: set[str | None] = set()
    # Back to what was asked for, whatever is in it.
    asked_for = "/+search?query=a%26b&page=1"
    sign_in(page, cluster, "developer", people["developer"], asked_for)
    page.wait_for_url(f"{cluster.dashboard_url}{asked_for}")
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    page.goto(cluster.dashboard_url)
    assert page.title().startswith("devpi")
    picture(page, "dashboard")
    page.click("a:has-text('stable')")
    page.wait_for_url(f"{cluster.dashboard_url}/root/stable")
    picture(page, "index")
    page.goto(f"{cluster.dashboard_url}/+search?query=flask")
    assert page.locator("input[name=query]").count() >= 1
    assert hosts == {urlsplit(cluster.dashboard_url).hostname}
    session = cookies(page, cluster)
    page.goto(f"{cluster.dashboard_url}/oauth2/sign_out")
    page.goto(f"{cluster.dashboard_url}/root/stable")
    # Keycloak's own session is over as well: it asks for the password again.
    assert page.locator("#password").is_visible()
    # And whoever kept the cookie has nothing of it.
    assert ask(cluster, "/", Cookie=session)[0] == 302


def test_somebody_else_is_refused(
    way: str, cluster: Cluster, people: dict[str, str], page: Page
) -> None:
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
    # What an ingress controller tells the proxy, and what a proxy tells a controller.
    "a question": {
        "X_Original_Url": "https://elsewhere/oauth2/start",
        "X_Forwarded_Uri": "/oauth2/start",
        "X_Forwarded_Method": "OPTIONS",
        "X_Auth_Request_Redirect": "/oauth2/auth",
    },
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
    "/oauth2/auth",
    "/oauth2/%61uth",
)


@pytest.mark.parametrize("forged", FORGED)
def test_nobody_without_a_session_sees_a_byte_of_devpi(
    way: str, cluster: Cluster, forged: str
) -> None:
    for path in PATHS:
        status, said = ask(cluster, path, **FORGED[forged])
        assert status in {302, 400, 401, 403, 404}, (path, status)
        assert not any(word in said.lower() for word in DEVPIS), (path, said)


def test_what_a_client_says_of_itself_and_of_the_host_counts_for_nothing(
    way: str, cluster: Cluster, people: dict[str, str], page: Page, core: client.CoreV1Api
) -> None:
    """Signed in, with another's name and another host: devpi names the dashboard and nobody."""
    sign_in(page, cluster, "developer", people["developer"])
    page.wait_for_url(f"{cluster.dashboard_url}/")
    session = cookies(page, cluster)
    claims = {**FORGED["a user"], **FORGED["a host"], **FORGED["a key"]}
    status, said = ask(cluster, "/+api", Cookie=session, Accept="application/json", **claims)
    assert status == 200
    result = json.loads(said.partition("\n\n")[2])["result"]
    assert result["login"] == f"{cluster.dashboard_url}/+login"
    assert result["authstatus"] == ["noauth", "", []]
    # Nor does a browser that has signed in learn the key of the web door.
    secret = core.read_namespaced_secret("oauth2-proxy", "devpi").data["front-key"]
    key = base64.b64decode(secret).decode()
    for path in (*PATHS, "/oauth2/%73tart", "/oauth2/x", "/oauth2x", "/oauth2/userinfo", "/ping"):
        assert key not in ask(cluster, path, Cookie=session)[1], path


def test_without_the_proxy_the_dashboard_is_closed(
    way: str, cluster: Cluster, apps: client.AppsV1Api
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
for door in ("devpi.devpi:3141", "devpi.devpi:8081", "oauth2-proxy.devpi:4181"):
    try:
        print(door, urllib.request.urlopen(f"http://{door}/+api", timeout=3).status)
    except OSError as error:
        print(door, error)
"""


def test_a_policy_keeps_other_pods_out(
    way: str, core: client.CoreV1Api, apps: client.AppsV1Api
) -> None:
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
    assert said[0] == "devpi.devpi:3141 200"
    assert "timed out" in said[1]
    # In the path nothing is behind that port.
    assert "timed out" in said[2] or not WAYS[way]
    assert "200" not in said[2]


def test_all_clients_work(
    way: str, cluster: Cluster, workstation: Workstation, package: tuple[str, Path]
) -> None:
    check_all_clients(cluster, workstation, *package)


def test_a_good_installation_passes_its_test(way: str, playbooks: Playbooks) -> None:
    playbooks.run("18_test", "-e", json.dumps(WAYS[way])).succeeded()


REDIRECT = "devpi-https-redirect"


def hosts_of(core: client.CoreV1Api) -> set[str]:
    """Names of the ingresses that lead to something."""
    ingresses = client.NetworkingV1Api(core.api_client).list_namespaced_ingress("devpi").items
    return {item.metadata.name for item in ingresses} - {REDIRECT}


def test_what_is_there_is_what_this_way_needs(way: str, core: client.CoreV1Api) -> None:
    """And nothing of the ways before it."""
    networking = client.NetworkingV1Api(core.api_client)
    hosts = hosts_of(core)
    middlewares = client.CustomObjectsApi(core.api_client).list_namespaced_custom_object(
        "traefik.io", "v1alpha1", "devpi", "middlewares"
    )
    service = core.read_namespaced_service("oauth2-proxy", "devpi")
    namespaces = [
        peer.namespace_selector.match_labels["kubernetes.io/metadata.name"]
        for policy in networking.list_namespaced_network_policy("devpi").items
        for rule in policy.spec.ingress or []
        for peer in rule._from or []
        if peer.namespace_selector
    ]
    is_asked = bool(WAYS[way])
    assert hosts == {"devpi-api-ingress", "devpi-http-ingress"} | (
        {"devpi-oauth2-ingress"} if is_asked else set()
    )
    asking = {one["metadata"]["name"] for one in middlewares["items"]} - {REDIRECT}
    assert asking == ({"devpi-auth"} if way == "asked by Traefik" else set())
    assert len(service.spec.ports) == (3 if is_asked else 2)
    assert namespaces == (["traefik", "traefik"] if is_asked else [])


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


def test_a_controller_that_does_not_ask_gets_no_dashboard(
    cluster: Cluster, playbooks: Playbooks, core: client.CoreV1Api
) -> None:
    """Traefik's own class passes over nginx's annotations, whatever the inventory says of it."""
    given = ASKED | {"devpi_exposure_asking_controllers": ["traefik.io/ingress-controller"]}
    run = playbooks.run("10_deploy", "-e", json.dumps(given))
    try:
        assert run.code != 0
        assert "led to the server without asking for the login" in run.output
        assert hosts_of(core) == {"devpi-api-ingress"}
        assert not any(word in ask(cluster, "/")[1].lower() for word in DEVPIS)
    finally:
        playbooks.run("10_deploy").succeeded()
    wait_until(lambda: ask(cluster, "/")[0] == 302, 60)


def test_switched_off_nothing_of_it_is_left(
    cluster: Cluster, playbooks: Playbooks, core: client.CoreV1Api, apps: client.AppsV1Api
) -> None:
    off = ("-e", "oauth2_proxy_enabled=false")
    assert playbooks.run("10_deploy", *off).succeeded().changed > 0
    try:
        found = apps.list_namespaced_deployment("devpi").items
        assert [item.metadata.name for item in found] == ["devpi"]
        assert hosts_of(core) == {"devpi-api-ingress"}
        assert not any(word in ask(cluster, "/")[1].lower() for word in DEVPIS)
        playbooks.run("10_deploy", *off).unchanged()
    finally:
        playbooks.run("10_deploy").succeeded()
    wait_until(lambda: ask(cluster, "/")[0] == 302, 60)
