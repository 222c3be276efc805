# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading kinds that a cluster may lack, from an API server of a few answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

GATEWAYS = "gateway.networking.k8s.io/v1"
ANSWERS: dict[str, Any] = {
    "/version": {"major": "1", "minor": "34"},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    f"/apis/{GATEWAYS}": {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "resources": [
            {"name": "httproutes", "kind": "HTTPRoute", "namespaced": True},
            {"name": "httproutes/status", "kind": "HTTPRoute", "namespaced": True},
            {"name": "gatewayclasses", "kind": "GatewayClass", "namespaced": False},
            {"name": "grpcroutes", "kind": "GRPCRoute", "namespaced": True},
            {"name": "tcproutes", "kind": "TCPRoute", "namespaced": True},
        ],
    },
    f"/apis/{GATEWAYS}/namespaces/devpi/httproutes": {
        "kind": "HTTPRouteList",
        "apiVersion": GATEWAYS,
        "items": [{"metadata": {"name": "one"}}],
    },
    f"/apis/{GATEWAYS}/gatewayclasses": {
        "kind": "GatewayClassList",
        "apiVersion": GATEWAYS,
        "items": [],
    },
    f"/apis/{GATEWAYS}/gatewayclasses?fieldSelector=metadata.name=one": {
        "kind": "GatewayClassList",
        "apiVersion": GATEWAYS,
        "items": [{"spec": {}}],
    },
}
REFUSED = {
    f"/apis/{GATEWAYS}/namespaces/devpi/grpcroutes": 403,
    f"/apis/{GATEWAYS}/namespaces/devpi/tcproutes": 500,
}


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = 200 if self.path in ANSWERS else REFUSED.get(self.path, 404)
        body = json.dumps(ANSWERS.get(self.path, {"message": "no such thing"})).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    named = {
        "clusters": [
            {"name": "x", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        ],
        "users": [{"name": "x", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(named))
    yield str(tmp_path / "kubeconfig")
    server.shutdown()
    server.server_close()


def read(kubeconfig: str, *kinds: str, more: str = "") -> tuple[int, str]:
    """Exit code and output of a task that shows what was found."""
    given = f"*{list(kinds)}, namespace='devpi', kubeconfig=k{more}"
    arguments = {"msg": f"{{{{ query('thinkube.devpi.k8s_by_kind', {given}) | first | to_json }}}}"}
    ansible = Path(sys.executable).with_name("ansible")
    done = subprocess.run(
        [
            str(ansible),
            "localhost",
            "-m",
            "debug",
            "-e",
            f"k={kubeconfig}",
            "-a",
            json.dumps(arguments),
        ],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # Where the client keeps which kinds it has seen.
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "TMPDIR": str(Path(kubeconfig).parent)},
    )
    return done.returncode, done.stdout


def test_kinds_that_the_cluster_shows_us_with_their_objects(kubeconfig: str) -> None:
    code, output = read(
        kubeconfig,
        f"{GATEWAYS}/HTTPRoute",
        f"{GATEWAYS}/GatewayClass",
        # A kind that we may not see, one that its API lacks, and an API that the cluster lacks.
        f"{GATEWAYS}/GRPCRoute",
        f"{GATEWAYS}/TLSRoute",
        "route.openshift.io/v1/Route",
    )
    assert code == 0, output
    assert json.loads(json.loads(output.partition(" => ")[2])["msg"]) == {
        "HTTPRoute": [{"apiVersion": GATEWAYS, "kind": "HTTPRoute", "metadata": {"name": "one"}}],
        "GatewayClass": [],
    }


def test_one_object_by_its_name(kubeconfig: str) -> None:
    code, output = read(kubeconfig, f"{GATEWAYS}/GatewayClass", more=", name='one'")
    assert code == 0, output
    assert json.loads(json.loads(output.partition(" => ")[2])["msg"])["GatewayClass"] == [
        {"apiVersion": GATEWAYS, "kind": "GatewayClass", "spec": {}}
    ]


def test_trouble_is_no_missing_kind(kubeconfig: str) -> None:
    code, output = read(kubeconfig, f"{GATEWAYS}/TCPRoute")
    assert code != 0
    assert "500" in output
