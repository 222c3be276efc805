# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API host tells, and what it keeps to itself."""

from __future__ import annotations

import http.client
import json
import ssl
from urllib.parse import urlsplit

import pytest
from kubernetes import client

from .conftest import Cluster

HTML = "text/html,application/xhtml+xml;q=0.9"


def ask(
    cluster: Cluster, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of one request, whose path goes out as it stands."""
    host = urlsplit(cluster.api_url).netloc
    trusted = ssl.create_default_context(cafile=str(cluster.ca_bundle))
    connection = http.client.HTTPSConnection(host, context=trusted, timeout=60)
    connection.putrequest(method, path)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    answer = connection.getresponse()
    found = {name.lower(): value for name, value in answer.getheaders()}
    return answer.status, found, answer.read().decode(errors="replace")


def test_api_names_this_host(cluster: Cluster) -> None:
    status, _, body = ask(cluster, "/+api", Accept="application/json")
    assert status == 200
    assert json.loads(body)["result"]["login"] == f"{cluster.api_url}/+login"


def test_a_client_cannot_say_who_the_host_is(cluster: Cluster) -> None:
    _, _, body = ask(
        cluster,
        "/+api",
        Accept="application/json",
        X_Outside_Url="https://evil.example",
        X_Forwarded_Host="evil.example",
    )
    assert "evil.example" not in body


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/root",
        "/root/stable",
        "/root/stable/flask",
        "/+search?query=x",
        "/%2bstatus",
        "/root/",
    ],
)
def test_a_browser_gets_no_page_of_devpi(cluster: Cluster, path: str) -> None:
    _, headers, body = ask(cluster, path, Accept=HTML)
    assert "devpi-web" not in body
    assert not headers.get("content-type", "").startswith("text/html") or "<a " not in body


@pytest.mark.parametrize(
    "path", ["/+status", "/%2Bstatus", "//+status", "/./+status", "/x/../+status", "/+status/"]
)
@pytest.mark.parametrize("accept", ["application/json", "*/*", HTML])
def test_status_is_not_for_strangers(cluster: Cluster, path: str, accept: str) -> None:
    status, _, body = ask(cluster, path, Accept=accept)
    assert status in {301, 302, 400, 403, 404}
    assert "serverdir" not in body
    assert "versioninfo" not in body


def test_a_stranger_makes_no_user(cluster: Cluster) -> None:
    status, _, _ = ask(cluster, "/mallory", method="PUT", Accept="application/json")
    assert status in {401, 403}


def test_discovery_names_the_hosts_and_no_password(
    cluster: Cluster, core: client.CoreV1Api
) -> None:
    found = core.read_namespaced_config_map("thinkube-service-config", "devpi")
    assert found.metadata.labels["thinkube.io/service-name"] == "devpi"
    assert found.data["PIP_INDEX_URL"] == cluster.simple_url
    assert cluster.password not in str(found.data)
