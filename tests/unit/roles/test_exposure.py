# SPDX-License-Identifier: GPL-3.0-or-later
"""How the hosts are exposed: the kind that is chosen, its objects, what goes, and wrong inputs."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from .conftest import Each, Manifest, Objects, Variables

Answers = dict[str, dict[str, Any]]

OFF: Variables = {"oauth2_proxy_enabled": False}
IS_DEFAULT = {"ingressclass.kubernetes.io/is-default-class": "true"}
TRAEFIK = {
    "metadata": {"name": "traefik", "annotations": IS_DEFAULT},
    "spec": {"controller": "traefik.io/ingress-controller"},
}
OTHER = {"metadata": {"name": "other"}, "spec": {"controller": "example.com/other"}}
ALL = {"namespaces": {"from": "All"}}
HTTP = {"name": "http", "protocol": "HTTP", "allowedRoutes": ALL}
HTTPS = {"name": "https", "protocol": "HTTPS", "hostname": "*.example.com", "allowedRoutes": ALL}
GATEWAY: Variables = {"gateway_name": "thinkube-gateway", "gateway_namespace": "gateway-system"}
INGRESS: Variables = {"devpi_expose": "ingress"}
ROUTE: Variables = {"devpi_expose": "route"}
NONE: Variables = {"devpi_expose": "none"}
ISSUER: Variables = {"devpi_exposure_issuer_name": "letsencrypt"}
OWN: Variables = {"devpi_namespace_tls_source_name": ""}
BOTH = ("devpi-api-ingress", "devpi-http-ingress")
REDIRECT = "devpi-https-redirect"
MANAGED = {"app.kubernetes.io/managed-by": "thinkube.devpi"}


def gateway(*listeners: Variables) -> Manifest:
    return {
        "metadata": {"name": "thinkube-gateway", "namespace": "gateway-system"},
        "spec": {"listeners": list(listeners)},
    }


def secret(**labels: str) -> Manifest:
    return {
        "type": "kubernetes.io/tls",
        "metadata": {"name": "devpi-tls-secret", "labels": labels},
        "data": {"tls.crt": encoded("chain"), "tls.key": encoded("secret key")},
    }


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def kinds(*known: str, **objects: list[str]) -> Variables:
    """The kinds that a cluster knows, with names of what is there."""
    found = {kind: [] for kind in known} | objects
    return {
        kind: [{"kind": kind, "metadata": {"name": name, "namespace": "devpi"}} for name in names]
        for kind, names in found.items()
    }


OPENSHIFT = {"exposures": kinds("Ingress", "Route")}


def cluster(**answers: Any) -> Variables:
    """What is read: by default a cluster with Gateway API and Traefik, and nothing of ours yet."""
    usual = {
        "exposures": kinds("Ingress", "Middleware", "HTTPRoute"),
        "ingress_classes": [TRAEFIK, OTHER],
        "gateways": [gateway(HTTP, HTTPS)],
        "certificate": [],
    }
    copied = {"devpi_namespace_tls_source_name": "example-com-tls"}
    return copied | {"__devpi_found": usual | answers}


def by_kind(rendered: list[Manifest]) -> dict[str, dict[str, Manifest]]:
    """`{kind: {name: object}}`."""
    found: dict[str, dict[str, Manifest]] = {}
    for one in rendered:
        found.setdefault(one["kind"], {})[one["metadata"]["name"]] = one
    return found


# --- which kind ----------------------------------------------------------------------------------

KINDS: dict[str, tuple[Variables, str, str]] = {
    "default class": (cluster(), "ingress", "it is the default class of the cluster"),
    "class": ({"devpi_exposure_ingress_class": "other"}, "ingress", "_ingress_class names it"),
    "gateway": (GATEWAY, "gateway", "devpi_exposure_gateway_name names it"),
    "gateway before class": (
        {**GATEWAY, "devpi_exposure_ingress_class": "other"},
        "gateway",
        "devpi_exposure_gateway_name names it",
    ),
    "ingress by name": ({**GATEWAY, **INGRESS}, "ingress", "devpi_expose says so"),
    "none by name": ({**GATEWAY, **NONE}, "none", "devpi_expose says so"),
    "OpenShift": (cluster(**OPENSHIFT), "route", "the cluster has them"),
    "OpenShift, class": (
        {**cluster(**OPENSHIFT), "devpi_exposure_ingress_class": "other"},
        "ingress",
        "devpi_exposure_ingress_class names it",
    ),
    "OpenShift, gateway": ({**cluster(**OPENSHIFT), **GATEWAY}, "gateway", "names it"),
}


@pytest.fixture(scope="module")
def chosen(each: Each) -> Answers:
    names = ["__devpi_exposure_kind", "__devpi_exposure_said"]
    return each(
        "devpi_exposure", {case: (names, cluster() | given) for case, (given, *_) in KINDS.items()}
    )


@pytest.mark.parametrize("case", KINDS)
def test_the_kind_is_what_is_asked_for_else_what_the_cluster_has(
    chosen: Answers, case: str
) -> None:
    _, kind, reason = KINDS[case]
    assert chosen[case]["__devpi_exposure_kind"] == kind
    assert reason in chosen[case]["__devpi_exposure_said"]


# --- the objects ---------------------------------------------------------------------------------


def test_ingresses_lead_the_api_to_the_server_and_the_dashboard_to_the_proxy(
    objects: Objects,
) -> None:
    given: Variables = {"devpi_max_body_size": 7, "devpi_request_timeout": 8}
    rendered = by_kind(objects("devpi_exposure", **cluster(), **given))
    redirect = rendered["Ingress"].pop(REDIRECT)
    leads = {}
    for name, ingress in rendered["Ingress"].items():
        (rule,) = ingress["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        leads[name] = (rule["host"], path["path"], path["backend"]["service"])
        assert ingress["spec"]["ingressClassName"] == "traefik"
        (tls,) = ingress["spec"]["tls"]
        assert tls == {"hosts": [rule["host"]], "secretName": "devpi-tls-secret"}
        annotations = ingress["metadata"]["annotations"]
        assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == "7"
        assert annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"] == "8"
        assert annotations["nginx.ingress.kubernetes.io/force-ssl-redirect"] == "true"
        assert annotations["traefik.ingress.kubernetes.io/router.tls"] == "true"
    http = {"port": {"name": "http"}}
    assert leads == {
        "devpi-api-ingress": ("devpi-api.example.com", "/", {"name": "devpi", **http}),
        "devpi-http-ingress": ("devpi.example.com", "/", {"name": "oauth2-proxy", **http}),
    }
    # Traefik's own class reads no annotation for it. Only at the entry point without TLS.
    assert "tls" not in redirect["spec"]
    assert redirect["metadata"]["annotations"] == {
        "traefik.ingress.kubernetes.io/router.entrypoints": "web",
        "traefik.ingress.kubernetes.io/router.middlewares": f"devpi-{REDIRECT}@kubernetescrd",
    }
    assert [rule["host"] for rule in redirect["spec"]["rules"]] == [
        host for host, *_ in leads.values()
    ]
    assert rendered["Middleware"][REDIRECT]["spec"]["redirectScheme"]["scheme"] == "https"


def test_httproutes_take_the_listener_with_tls_and_the_other_one_redirects(
    objects: Objects,
) -> None:
    routes = by_kind(objects("devpi_exposure", **cluster(), **GATEWAY))["HTTPRoute"]
    redirect = routes.pop(REDIRECT)
    leads = {}
    for name, route in routes.items():
        assert route["spec"]["parentRefs"] == [
            {"name": "thinkube-gateway", "namespace": "gateway-system", "sectionName": "https"}
        ]
        (rule,) = route["spec"]["rules"]
        leads[name] = (route["spec"]["hostnames"], rule["backendRefs"])
        # 300 s for an answer, and 2 GiB at 1 MiB/s.
        assert rule["timeouts"] == {"request": "2348s"}
    assert leads == {
        "devpi-api-ingress": (["devpi-api.example.com"], [{"name": "devpi", "port": 3141}]),
        "devpi-http-ingress": (["devpi.example.com"], [{"name": "oauth2-proxy", "port": 80}]),
    }
    assert [ref["sectionName"] for ref in redirect["spec"]["parentRefs"]] == ["http"]
    assert redirect["spec"]["hostnames"] == ["devpi-api.example.com", "devpi.example.com"]
    (rule,) = redirect["spec"]["rules"]
    (to_https,) = rule["filters"]
    assert to_https["requestRedirect"] == {"scheme": "https", "statusCode": 301}
    assert "backendRefs" not in rule


def test_the_longest_transfer_has_no_more_digits_than_its_format(objects: Objects) -> None:
    rendered = objects("devpi_exposure", **cluster(), **GATEWAY, devpi_max_body_size=2**40)
    (rule,) = by_kind(rendered)["HTTPRoute"]["devpi-api-ingress"]["spec"]["rules"]
    assert rule["timeouts"] == {"request": "99999s"}


def test_routes_name_the_secret_that_the_router_may_read(objects: Objects) -> None:
    rendered = by_kind(objects("devpi_exposure", **cluster(**OPENSHIFT), devpi_request_timeout=8))
    leads = {}
    for name, route in rendered["Route"].items():
        spec = route["spec"]
        leads[name] = (spec["host"], spec["to"]["name"], spec["port"]["targetPort"])
        assert spec["tls"] == {
            "termination": "edge",
            "insecureEdgeTerminationPolicy": "Redirect",
            "externalCertificate": {"name": "devpi-tls-secret"},
        }
        timeout = {"haproxy.router.openshift.io/timeout": "8s"}
        assert route["metadata"]["annotations"] == timeout
    assert leads == {
        "devpi-api-ingress": ("devpi-api.example.com", "devpi", "http"),
        "devpi-http-ingress": ("devpi.example.com", "oauth2-proxy", "http"),
    }
    (rule,) = rendered["Role"]["devpi-router"]["rules"]
    assert rule["resources"] == ["secrets"]
    assert rule["resourceNames"] == ["devpi-tls-secret"]
    (subject,) = rendered["RoleBinding"]["devpi-router"]["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "router", "namespace": "openshift-ingress"}


@pytest.mark.parametrize(
    ("given", "certificate"),
    [
        ({"devpi_exposure_route_certificate": "router"}, {}),
        (
            {"devpi_exposure_route_certificate": "inline"},
            {"certificate": "chain", "key": "secret key"},
        ),
        (ISSUER, {}),
    ],
    ids=["router", "inline", "issuer"],
)
def test_other_certificates_of_routes(
    objects: Objects, given: Variables, certificate: Variables
) -> None:
    read = cluster(**OPENSHIFT, certificate=[secret()]) | OWN
    rendered = by_kind(objects("devpi_exposure", **read, **given))
    edge = {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"}
    for route in rendered["Route"].values():
        assert route["spec"]["tls"] == edge | certificate
        annotations = route["metadata"]["annotations"]
        assert annotations.get("cert-manager.io/issuer-name") == given.get(
            "devpi_exposure_issuer_name"
        )


def test_an_issuer_makes_a_certificate_for_each_host(objects: Objects) -> None:
    for kind, annotation in (
        ("ClusterIssuer", "cert-manager.io/cluster-issuer"),
        ("Issuer", "cert-manager.io/issuer"),
    ):
        given = {**ISSUER, "devpi_exposure_issuer_kind": kind}
        ingresses = by_kind(objects("devpi_exposure", **cluster(), **given))["Ingress"]
        del ingresses[REDIRECT]
        assert {one["spec"]["tls"][0]["secretName"] for one in ingresses.values()} == {
            "devpi-tls-secret-api",
            "devpi-tls-secret-dashboard",
        }
        for one in ingresses.values():
            assert one["metadata"]["annotations"][annotation] == "letsencrypt"


def test_annotations_of_the_inventory_win(objects: Objects) -> None:
    mine = {
        "nginx.ingress.kubernetes.io/proxy-body-size": "1",
        "haproxy.router.openshift.io/timeout": "1s",
    }
    rendered = by_kind(objects("devpi_exposure", **cluster(), devpi_exposure_annotations=mine))
    for kind in ("Ingress", "HTTPRoute", "Route"):
        for name in BOTH:
            assert mine.items() <= rendered[kind][name]["metadata"]["annotations"].items()


# --- what is brought, what goes, and what becomes of the certificate ------------------------------

INGRESSES = {("Ingress", name) for name in BOTH}
TRAEFIKS = {("Ingress", REDIRECT), ("Middleware", REDIRECT)}
HTTPROUTES = {("HTTPRoute", name) for name in (*BOTH, REDIRECT)}
ROUTER_ACCESS = {("RoleBinding", "devpi-router"), ("Role", "devpi-router")}
ROUTES = ROUTER_ACCESS | {("Route", name) for name in BOTH}
EVERYTHING = kinds(
    Ingress=[*BOTH, REDIRECT, "somebody-elses"],
    Middleware=[REDIRECT],
    HTTPRoute=[*BOTH, REDIRECT],
    Route=[*BOTH],
)
FULL = cluster(exposures=EVERYTHING, certificate=[secret(**MANAGED)])
INGRESS_TEMPLATES = ["ingresses.yaml.j2", "redirect-ingress.yaml.j2"]
HTTPROUTE_TEMPLATES = ["httproutes.yaml.j2", "redirect-httproute.yaml.j2"]

# Variables; what is removed, the templates that are brought, and whether the Secret is in use.
CHANGES: dict[str, tuple[Variables, set[tuple[str, str]], list[str], bool]] = {
    "ingress": (INGRESS, HTTPROUTES | ROUTES, INGRESS_TEMPLATES, True),
    "ingress of another class": (
        {"devpi_exposure_ingress_class": "other"},
        HTTPROUTES | ROUTES | TRAEFIKS,
        ["ingresses.yaml.j2"],
        True,
    ),
    "gateway": (GATEWAY, INGRESSES | TRAEFIKS | ROUTES, HTTPROUTE_TEMPLATES, False),
    "route": (
        ROUTE,
        INGRESSES | TRAEFIKS | HTTPROUTES,
        ["router-access.yaml.j2", "routes.yaml.j2"],
        True,
    ),
    "route, router's own": (
        {**ROUTE, "devpi_exposure_route_certificate": "router"},
        INGRESSES | TRAEFIKS | HTTPROUTES | ROUTER_ACCESS,
        ["routes.yaml.j2"],
        False,
    ),
    "route, no dashboard": (
        {**ROUTE, **OFF},
        INGRESSES | TRAEFIKS | HTTPROUTES | {("Route", "devpi-http-ingress")},
        ["router-access.yaml.j2", "routes.yaml.j2"],
        True,
    ),
    "issuer": ({**INGRESS, **ISSUER}, HTTPROUTES | ROUTES, INGRESS_TEMPLATES, False),
    "no dashboard": (
        {**INGRESS, **OFF},
        HTTPROUTES | ROUTES | {("Ingress", "devpi-http-ingress")},
        INGRESS_TEMPLATES,
        True,
    ),
    "another installation": (
        {**INGRESS, "devpi_name": "team"},
        # Made before its Routes, which may then have failed: so it is not found by these.
        {("RoleBinding", "team-router"), ("Role", "team-router")},
        INGRESS_TEMPLATES,
        True,
    ),
}


@pytest.fixture(scope="module")
def changed(each: Each) -> Answers:
    names = [f"__devpi_exposure_{what}" for what in ("leftovers", "uses_secret", "unused_secret")]
    cases = {
        case: ([*names, "__devpi_exposure_manifests"], FULL | given)
        for case, (given, *_) in CHANGES.items()
    }
    cases["none"] = (names, FULL | NONE)
    cases["absent"] = (
        [names[0], names[2]],
        FULL | {"devpi_state": "absent", "__devpi_exposures": EVERYTHING},
    )
    cases["theirs"] = (names, cluster(certificate=[secret()]) | GATEWAY)
    cases["only TLS"] = (
        ["__devpi_exposure_manifests"],
        cluster(gateways=[gateway(HTTPS)]) | GATEWAY,
    )
    return each("devpi_exposure", cases)


def gone(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["kind"], one["metadata"]["name"]) for one in answer["__devpi_exposure_leftovers"]]


@pytest.mark.parametrize("case", CHANGES)
def test_a_kind_is_brought_and_the_others_go(changed: Answers, case: str) -> None:
    _, leftovers, templates, used = CHANGES[case]
    answer = changed[case]
    assert set(gone(answer)) == leftovers
    assert answer["__devpi_exposure_manifests"] == templates
    # A copy of the certificate that nothing names goes, and nothing is said of its data.
    assert answer["__devpi_exposure_uses_secret"] is used
    assert (answer["__devpi_exposure_unused_secret"] == {}) is used
    assert "data" not in answer["__devpi_exposure_unused_secret"]


@pytest.mark.parametrize("case", ["none", "absent"])
def test_all_goes(changed: Answers, case: str) -> None:
    assert set(gone(changed[case])) == INGRESSES | TRAEFIKS | HTTPROUTES | ROUTES


def test_a_secret_that_is_not_ours_stays(changed: Answers) -> None:
    assert changed["theirs"]["__devpi_exposure_unused_secret"] == {}


def test_where_no_listener_speaks_plain_http_nothing_redirects(changed: Answers) -> None:
    assert changed["only TLS"]["__devpi_exposure_manifests"] == ["httproutes.yaml.j2"]


def test_role_devpi_namespace_copies_the_certificate_where_it_is_used(each: Each) -> None:
    unused: Variables = {"__devpi_exposure_uses_secret": False}
    absent: Variables = {"devpi_state": "absent"}
    cases = {
        "alone": ({}, True),
        "used": ({"__devpi_exposure_uses_secret": True}, True),
        "unused": (unused, False),
        "own": (OWN, False),
        "absent": ({**unused, **absent}, True),
        "own, absent": ({**OWN, **absent}, False),
    }
    asked = {
        case: (["__devpi_namespace_copies"], cluster() | given)
        for case, (given, _) in cases.items()
    }
    answers = each("devpi_namespace", asked)
    assert {
        case: "tls-secret.yaml.j2" in answer["__devpi_namespace_copies"]
        for case, answer in answers.items()
    } == {case: copied for case, (_, copied) in cases.items()}


# --- wrong inputs --------------------------------------------------------------------------------

SAME = {**HTTPS, "allowedRoutes": {"namespaces": {"from": "Same"}}}
NO_GATEWAY_API = {"exposures": kinds("Ingress")}

# Variables, what the cluster answers, and words of the one problem; None where there is none.
INPUTS: dict[str, tuple[Variables, Variables, str | None]] = {
    "ingress": ({}, {}, None),
    "gateway": (
        GATEWAY,
        {
            "ingress_classes": [],
            "gateway_api": [{"gateway.networking.k8s.io/bundle-version": "v1.6.1"}],
        },
        None,
    ),
    "route": (ROUTE, OPENSHIFT, None),
    "none": (NONE, {"exposures": {}, "ingress_classes": []}, None),
    "issuer": (
        ISSUER,
        {"issuers": {"ClusterIssuer": [{"metadata": {"name": "letsencrypt"}}]}},
        None,
    ),
    "own Secret": (OWN, {"certificate": [secret()]}, None),
    "no class": (INGRESS, {"ingress_classes": []}, "no default IngressClass"),
    "no default class": (INGRESS, {"ingress_classes": [OTHER]}, "It knows other."),
    "class unknown": (
        {"devpi_exposure_ingress_class": "x"},
        {},
        "is 'x', and the cluster knows only traefik, other",
    ),
    "gateway not named": ({"devpi_expose": "gateway"}, {}, "no Gateway is named"),
    "no Gateway API": (GATEWAY, NO_GATEWAY_API | {"gateways": []}, "does not know HTTPRoutes"),
    "old Gateway API": (
        GATEWAY,
        {"gateway_api": [{"gateway.networking.k8s.io/bundle-version": "v1.1.0"}]},
        "is 1.1.0, whose HTTPRoutes know no timeouts",
    ),
    "another gateway": (
        {**GATEWAY, "gateway_name": "x"},
        {},
        "is 'x', and namespace 'gateway-system' has thinkube-gateway",
    ),
    "no gateway": (GATEWAY, {"gateways": []}, "namespace 'gateway-system' has no Gateway"),
    "no TLS listener": (
        GATEWAY,
        {"gateways": [gateway(HTTP)]},
        "devpi-api.example.com and devpi.example.com from namespace 'devpi' (http: it speaks",
    ),
    "not let in": (
        GATEWAY,
        {"gateways": [gateway(SAME)]},
        "https: it takes routes of its own namespace",
    ),
    "another host": (
        {**GATEWAY, "devpi_api_hostname": "api.example.org"},
        {},
        "takes api.example.org from",
    ),
    "no such listener": (
        {**GATEWAY, "devpi_exposure_gateway_listener": "x"},
        {},
        "no listener 'x' with TLS",
    ),
    "issuer and gateway": ({**GATEWAY, **ISSUER}, {}, "listeners have its certificates"),
    "no OpenShift": (ROUTE, {}, "it is no OpenShift"),
    "no cert-manager": (ISSUER, {"issuers": {}}, "has no ClusterIssuer of cert-manager"),
    "issuer unknown": (ISSUER, {"issuers": {"ClusterIssuer": [OTHER]}}, "has other. Write the"),
    "no own Secret": (OWN, {}, "Secret 'devpi-tls-secret' of namespace"),
}


@pytest.fixture(scope="module")
def problems(each: Each) -> Answers:
    cases = {
        case: (["__devpi_exposure_problems"], cluster(**answers) | given)
        for case, (given, answers, _) in INPUTS.items()
    }
    return each("devpi_exposure", cases)


@pytest.mark.parametrize("case", INPUTS)
def test_wrong_inputs_are_named_and_right_ones_taken(problems: Answers, case: str) -> None:
    *_, words = INPUTS[case]
    found = problems[case]["__devpi_exposure_problems"]
    assert len(found) == (words is not None)
    assert words is None or words in found[0]
