# SPDX-License-Identifier: GPL-3.0-or-later
"""Large files pass the front and the proxy in pieces: neither holds one in its memory."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import ssl
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from kubernetes import client

from . import browser
from .conftest import CHECKOUT, Cluster, Workstation
from .test_dashboard import sign_in
from .test_runs import api, log_in
from .uploads import upload_by_twine

sys.path.append(str(CHECKOUT / "benchmarks"))
from used import peaks

MIB = 1024**2
SIZE = int(os.environ.get("DEVPI_TEST_LARGE_MIB", "128")) * MIB
MOST_GROWTH = 64 * MIB
NAME = "large"
WATCHED = ("front", "oauth2-proxy")


@pytest.fixture(scope="module")
def index(cluster: Cluster) -> Iterator[str]:
    """An index that may be removed again with what it holds."""
    token = log_in(cluster, cluster.password)["result"]["password"]
    login = {"X-Devpi-Auth": base64.b64encode(f"root:{token}".encode()).decode()}
    with api(cluster) as devpi:
        made = devpi.put("/root/large", json={"bases": [], "volatile": True}, headers=login)
        assert made.status_code == 200, made.text
        yield "root/large"
        assert devpi.delete("/root/large", headers=login, timeout=300).status_code in {200, 201}


@pytest.fixture(scope="module")
def containers(core: client.CoreV1Api) -> dict[str, str]:
    """Name of each container -> its id."""
    return {
        status.name: status.container_id.rpartition("/")[2]
        for pod in core.list_namespaced_pod("devpi").items
        for status in pod.status.container_statuses
        if status.state.running
    }


def make_wheel(folder: Path) -> Path:
    """A wheel that nothing on the way can make smaller."""
    path = folder / f"{NAME}-1.0-py3-none-any.whl"
    info = f"{NAME}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
        with wheel.open(f"{NAME}.bin", "w", force_zip64=True) as content:
            for _ in range(SIZE // MIB):
                content.write(os.urandom(MIB))
    return path


def digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def digest_at(url: str, cluster: Cluster, cookies: dict[str, str]) -> str:
    """Of a download that is thrown away."""
    state = hashlib.sha256()
    trusted = ssl.create_default_context(cafile=str(cluster.ca_bundle))
    with httpx.stream("GET", url, verify=trusted, cookies=cookies, timeout=120) as answer:
        assert answer.status_code == 200, url
        for piece in answer.iter_raw(MIB):
            state.update(piece)
    return state.hexdigest()


def signed_in(cluster: Cluster, home: Path) -> dict[str, str]:
    """The dashboard's cookies of somebody who may come in."""
    accounts = json.loads((cluster.state / "keycloak-users.json").read_text())
    with browser.opened(home, cluster.state / "ca.crt") as page:
        sign_in(page, cluster, "developer", accounts["developer"]["password"])
        page.wait_for_url(f"{cluster.dashboard_url}/")
        cookies = page.context.cookies(cluster.dashboard_url)
    return {cookie["name"]: cookie["value"] for cookie in cookies}


def test_a_large_file_grows_neither_the_front_nor_the_proxy(
    cluster: Cluster, workstation: Workstation, containers: dict[str, str], index: str
) -> None:
    wheel = make_wheel(workstation.home)
    cookies = signed_in(cluster, workstation.home)
    with peaks(containers) as reading:
        before = reading.now()
        upload_by_twine(cluster, workstation, wheel, index=index)
        with api(cluster) as devpi:
            accepted = {"Accept": "application/vnd.pypi.simple.v1+json"}
            page = devpi.get(f"/{index}/+simple/{NAME}/", headers=accepted)
        (file,) = page.json()["files"]
        at_api = str(page.url.join(file["url"])).partition("#")[0]
        assert digest_at(at_api, cluster, {}) == digest(wheel)
        at_dashboard = at_api.replace(cluster.api_url, cluster.dashboard_url)
        assert digest_at(at_dashboard, cluster, cookies) == digest(wheel)
    grown = {name: peak - before[name] for name, peak in reading.peaks.items()}
    print({name: f"{size / MIB:.0f} MiB" for name, size in grown.items()})
    assert max(grown[name] for name in WATCHED) <= MOST_GROWTH
