# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pods may ask, where policies are enforced; who may ask them is in test_dashboard."""

from __future__ import annotations

import json

from kubernetes import client

from .test_dashboard import run_in

PROBE = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def reached(place):
    try:
        socket.create_connection(place, timeout=4).close()
    except TimeoutError:
        return False
    return True
places = json.loads(sys.argv[1])
print(*ThreadPoolExecutor(8).map(reached, map(tuple, places)))
"""
# From the server's pod; a mirror is fetched from by test_clients as well.
PLACES = {
    ("pypi.org", 443): True,
    ("kubernetes.default.svc", 443): False,
    ("ephemeral-redis", 6379): False,
    ("oauth2-proxy", 80): False,
    # Its own Service leads back to the pod from outside.
    ("devpi", 3141): False,
}


def test_the_server_reaches_upstream_indexes_alone(core: client.CoreV1Api) -> None:
    (pod,) = core.list_namespaced_pod("devpi", label_selector="app=devpi").items
    asked = ["python3", "-c", PROBE, json.dumps(list(PLACES))]
    reached = run_in(core, pod.metadata.name, "server", asked).split()
    assert dict(zip(PLACES, reached, strict=True)) == {
        place: str(expected) for place, expected in PLACES.items()
    }


def test_every_pod_is_held_both_ways(core: client.CoreV1Api) -> None:
    policies = client.NetworkingV1Api(core.api_client).list_namespaced_network_policy("devpi").items
    held = {
        (key, value)
        for policy in policies
        if set(policy.spec.policy_types) == {"Ingress", "Egress"}
        for key, value in policy.spec.pod_selector.match_labels.items()
    }
    for pod in core.list_namespaced_pod("devpi").items:
        assert held & set(pod.metadata.labels.items()), pod.metadata.name
