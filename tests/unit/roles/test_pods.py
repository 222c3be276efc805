# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods as a security reviewer and a cluster's administrator want them: what they may, and where."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Each, Manifest, Render, Values

ROLES_WITH_PODS = ("devpi_server", "devpi_init", "devpi_valkey", "devpi_oauth2_proxy")
PLACED: dict[str, Any] = {
    "devpi_node_selector": {"disk": "fast"},
    "devpi_tolerations": [{"key": "packages", "operator": "Exists", "effect": "NoSchedule"}],
    "devpi_affinity": {"podAntiAffinity": {}},
    "devpi_priority_class": "important",
    "devpi_image_pull_secrets": [{"name": "mirror"}],
    "devpi_pod_labels": {"team": "packages", "app": "stolen"},
    "devpi_pod_annotations": {"note": "ours", "checksum/config": "stolen"},
}
DNS = {("UDP", 53), ("TCP", 53), ("UDP", 5353), ("TCP", 5353)}


def workload(rendered: dict[str, Manifest]) -> Manifest:
    (found,) = [item for item in rendered.values() if item["kind"] in {"Deployment", "Job"}]
    return found


def pod_of(manifest: Manifest) -> dict[str, Any]:
    return dict(manifest["spec"]["template"]["spec"])


@pytest.mark.parametrize("role", ROLES_WITH_PODS)
def test_a_pod_may_nothing_that_it_does_not_need(render: Render, role: str) -> None:
    pod = pod_of(workload(render(role)))
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & pod.keys()
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["runAsGroup"] == security["fsGroup"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
    for volume in pod["volumes"]:
        assert volume.keys() <= {"name", "persistentVolumeClaim", "emptyDir", "secret", "configMap"}
        assert volume.get("secret", {}).get("defaultMode", 0o440) == 0o440


@pytest.mark.parametrize("role", ["devpi_server", "devpi_valkey", "devpi_oauth2_proxy"])
def test_every_container_that_serves_is_probed(render: Render, role: str) -> None:
    for container in pod_of(workload(render(role)))["containers"]:
        assert "livenessProbe" in container
        # devpi-server has no door of its own: it is ready when its front is.
        assert container["name"] == "server" or "readinessProbe" in container


def test_the_front_alone_makes_its_pod_ready(render: Render) -> None:
    server, front = pod_of(workload(render("devpi_server")))["containers"]
    # Each would be told of by the kubelet's next look at the pod, and not at once.
    assert not {"startupProbe", "readinessProbe"} & server.keys()
    assert "--start-period=600" in server["livenessProbe"]["exec"]["command"]
    probe = front["readinessProbe"]
    path, _, wait = probe["httpGet"]["path"].partition("?wait=")
    assert path == "/+front/ready"
    assert probe["periodSeconds"] <= int(wait) < probe["timeoutSeconds"]


@pytest.mark.parametrize("role", ROLES_WITH_PODS)
def test_pods_go_where_the_inventory_wants_them(render: Render, role: str) -> None:
    manifest = workload(render(role, **PLACED))
    pod, metadata = pod_of(manifest), manifest["spec"]["template"]["metadata"]
    assert pod["nodeSelector"] == {"disk": "fast"}
    assert pod["tolerations"] == PLACED["devpi_tolerations"]
    assert pod["affinity"] == {"podAntiAffinity": {}}
    assert pod["priorityClassName"] == "important"
    assert pod["imagePullSecrets"] == [{"name": "harbor-pull-secret"}, {"name": "mirror"}]
    assert metadata["labels"]["team"] == "packages"
    assert metadata["annotations"]["note"] == "ours"
    # What makes it ours, and what restarts it, stays ours.
    untouched = workload(render(role))
    selector = untouched["spec"].get("selector", {}).get("matchLabels", {})
    assert selector.items() <= metadata["labels"].items()
    if role in {"devpi_valkey", "devpi_oauth2_proxy"}:
        assert metadata["annotations"]["checksum/config"] != "stolen"
    assert (
        not {"nodeSelector", "tolerations", "affinity", "priorityClassName"}
        & pod_of(untouched).keys()
    )


def test_the_pods_of_the_proxy_keep_apart(render: Render) -> None:
    one, three = (
        pod_of(render("devpi_oauth2_proxy", devpi_oauth2_proxy_replicas=count)["deployment"])
        for count in (1, 3)
    )
    assert "topologySpreadConstraints" not in one
    (spread,) = three["topologySpreadConstraints"]
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    assert spread["labelSelector"] == {"matchLabels": {"app": "oauth2-proxy"}}


def test_every_object_has_what_the_inventory_wants_and_keeps_its_own(values: Values) -> None:
    def objects(**given: Any) -> list[dict[str, Any]]:
        own = {"labels": {"app": "devpi"}, "annotations": {"devpi.thinkube.io/stage": "two"}}
        rendered = [
            {"kind": "Deployment", "metadata": {"name": "devpi", **own}},
            {"kind": "Secret", "metadata": {"name": "devpi-root"}, "data": {"labels": "x"}},
        ]
        found = values("devpi", ["__devpi_objects"], __devpi_rendered=rendered, **given)
        return list(found["__devpi_objects"])

    deployment, secret = objects(
        devpi_labels={"team": "packages", "app": "stolen"},
        devpi_annotations={"note": "ours", "devpi.thinkube.io/stage": "one"},
    )
    assert deployment["metadata"]["labels"] == {"team": "packages", "app": "devpi"}
    assert deployment["metadata"]["annotations"] == {
        "note": "ours",
        "devpi.thinkube.io/stage": "two",
    }
    assert secret["metadata"] == {
        "name": "devpi-root",
        "labels": {"team": "packages", "app": "stolen"},
        "annotations": {"note": "ours", "devpi.thinkube.io/stage": "one"},
    }
    assert secret["data"] == {"labels": "x"}
    assert objects()[1]["metadata"] == {"name": "devpi-root"}


# What the problem says -> the input that it is about.
WRONG: dict[str, dict[str, Any]] = {
    "devpi_labels, devpi_pod_labels or devpi_node_selector": {"devpi_labels": {"team": True}},
    'holds {"a b": "c"}': {"devpi_pod_labels": {"a b": "c"}},
    'holds {"disk": "not fast"}': {"devpi_node_selector": {"disk": "not fast"}},
    'holds {"note": 3}': {"devpi_annotations": {"note": 3}},
    'holds {"no/te/s": "x"}': {"devpi_pod_annotations": {"no/te/s": "x"}},
    "no such PriorityClass": {"devpi_priority_class": "nosuch"},
    "from 0 to 99": {"devpi_server_min_free": 100},
    "such as [443]": {"devpi_server_upstream_ports": [70000]},
    "such as ['10.0.0.0/8']": {"devpi_server_upstream_networks": ["10.0.0.1"]},
}


def test_what_kubernetes_or_the_cluster_would_not_take_is_named(each: Each) -> None:
    names = ["__devpi_problems", "__devpi_server_problems"]
    found = each("devpi_server", {said: (names, given) for said, given in WRONG.items()})
    for said, problems in found.items():
        (problem,) = [*problems[names[0]], *problems[names[1]]]
        assert said in problem


def test_nothing_is_wrong_with_the_defaults_nor_with_what_is_right(each: Each) -> None:
    names = ["__devpi_problems", "__devpi_server_problems"]
    known = {"__devpi_found": {"priority_class": [{"metadata": {"name": "important"}}]}}
    right = {**PLACED, **known, "devpi_labels": {"example.com/team": "", "team": "a.b_c-d"}}
    found = each("devpi_server", {"defaults": (names, {}), "right": (names, right)})
    assert [problems[name] for problems in found.values() for name in names] == [[]] * 4


@pytest.mark.parametrize("role", ["devpi_server", "devpi_valkey", "devpi_oauth2_proxy"])
def test_no_drain_waits_for_a_pod_that_is_alone(render: Render, role: str) -> None:
    rendered = render(role)
    budget = rendered["budget"]["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budget["selector"] == rendered["deployment"]["spec"]["selector"]


# --- who may be asked ----------------------------------------------------------------------------


def ports(rule: dict[str, Any]) -> set[tuple[str, int]]:
    return {(port["protocol"], port["port"]) for port in rule["ports"]}


@pytest.mark.parametrize("role", ROLES_WITH_PODS)
def test_every_pod_is_held_both_ways(render: Render, role: str) -> None:
    rendered = render(role)
    policy = rendered["policy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    labels = workload(rendered)["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    # A rule without ports would be for all of them.
    assert all(rule["ports"] for rule in policy.get("egress", []))


def test_the_server_asks_dns_and_upstream_indexes_alone(render: Render) -> None:
    dns, upstream = render("devpi_server")["policy"]["spec"]["egress"]
    assert ports(dns) == DNS
    assert ports(upstream) == {("TCP", 443)}
    assert "to" not in upstream


def test_declared_mirrors_are_within_reach(render: Render) -> None:
    mirrors = {
        f"root/{number}": {"type": "mirror", "mirror_url": url}
        for number, url in enumerate(
            [
                "https://mirror.example.com:8443/simple/",
                "http://plain.example.com/simple/",
                "https://user:secret@private.example.com/simple/",
            ]
        )
    }
    given = {"devpi_indexes": mirrors, "devpi_server_upstream_networks": ["10.0.0.0/8"]}
    _, upstream = render("devpi_server", **given)["policy"]["spec"]["egress"]
    assert ports(upstream) == {("TCP", 80), ("TCP", 443), ("TCP", 8443)}
    assert upstream["to"] == [{"ipBlock": {"cidr": "10.0.0.0/8"}}]


def test_a_server_without_upstream_fetches_nothing(render: Render) -> None:
    (dns,) = render("devpi_server", devpi_server_upstream_ports=[])["policy"]["spec"]["egress"]
    assert ports(dns) == DNS


@pytest.mark.parametrize(
    ("given", "seconds"), [({}, 300), ({"devpi_server_rollout_timeout": "500"}, 800)]
)
def test_the_job_has_its_time_after_that_of_the_server(
    render: Render, given: dict[str, str], seconds: int
) -> None:
    """As a text: so is what -e gives."""
    job = workload(render("devpi_init", **given))
    assert job["spec"]["activeDeadlineSeconds"] == seconds


def test_the_job_asks_devpi_alone(render: Render) -> None:
    policy = render("devpi_init")["policy"]["spec"]
    dns, devpi = policy["egress"]
    assert ports(dns) == DNS
    assert ports(devpi) == {("TCP", 8080)}
    assert devpi["to"] == [{"podSelector": {"matchLabels": {"app": "devpi"}}}]
    assert "ingress" not in policy


def try_of_the_job(*states: dict[str, Any]) -> dict[str, Any]:
    """A pod of the Job with the states of its containers."""
    return {"status": {"containerStatuses": [{"state": state} for state in states]}}


GOOD, BAD = {"terminated": {"exitCode": 0}}, {"terminated": {"exitCode": 1}}
TRIES: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "ended with 0": ([try_of_the_job(GOOD)], True),
    "ended with 1": ([try_of_the_job(BAD)], False),
    "goes on": ([try_of_the_job({"running": {}})], False),
    "one container goes on": ([try_of_the_job(GOOD, {"running": {}})], False),
    "evicted before it started": ([{"status": {"phase": "Failed"}}], False),
    "no pod yet": ([], False),
}


def test_the_job_need_not_be_asked_after_a_first_try_that_ended_well(each: Each) -> None:
    name = "__devpi_init_first_try_has_succeeded"
    given = {
        case: ([name], {"__devpi_init_tries": {"resources": pods}})
        for case, (pods, _well) in TRIES.items()
    }
    found = each("devpi_init", given)
    assert {case: values[name] for case, values in found.items()} == {
        case: well for case, (_pods, well) in TRIES.items()
    }
