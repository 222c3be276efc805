# SPDX-License-Identifier: GPL-3.0-or-later
"""The login that an ingress controller asks for: how it is told to, and how that is proved."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import ROLES, Each, Manifest, Objects, Variables
from .test_exposure import (
    BOTH,
    GATEWAY,
    HTTPS,
    INGRESSES,
    ISSUER,
    NONE,
    OFF,
    REDIRECT,
    TRAEFIK,
    TRAEFIKS,
    Answers,
    by_kind,
    cluster,
    gateway,
    gone,
    kinds,
)

ASKED: Variables = {"devpi_sso_mode": "annotations", "devpi_ingress_namespace": "ingress"}
BY_NGINX: Variables = {**ASKED, "devpi_exposure_ingress_class": "nginx"}
NGINX = {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}
HAPROXY = {"metadata": {"name": "haproxy"}, "spec": {"controller": "haproxy.org/ingress"}}
MIDDLEWARE = ("Middleware", "devpi-auth")
LOGIN = ("Ingress", "devpi-oauth2-ingress")
AUTH = "nginx.ingress.kubernetes.io/auth-"
MIDDLEWARES = "traefik.ingress.kubernetes.io/router.middlewares"


def asking(**answers: Any) -> Variables:
    """A cluster with three controllers, the default one Traefik with its own definitions."""
    usual = {
        "ingress_classes": [TRAEFIK, NGINX, HAPROXY],
        "ingress_namespace": [{"metadata": {"name": "ingress"}}],
    }
    return cluster(**(usual | answers))


def leads(ingress: Manifest) -> tuple[str, str, str, str]:
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    service = path["backend"]["service"]
    return rule["host"], path["path"], service["name"], service["port"]["name"]


def questions(ingress: Manifest) -> Variables:
    """What tells a controller to ask."""
    annotations: Variables = ingress["metadata"]["annotations"]
    return {
        key: value
        for key, value in annotations.items()
        if key.startswith(AUTH) or key == MIDDLEWARES
    }


# --- the objects ---------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [ASKED, BY_NGINX], ids=["Traefik", "nginx"])
def test_pages_come_from_the_server_and_the_login_from_the_proxy(
    objects: Objects, given: Variables
) -> None:
    ingresses = by_kind(objects("devpi_exposure", **asking(), **given))["Ingress"]
    del ingresses[REDIRECT]
    assert {name: leads(one) for name, one in ingresses.items()} == {
        "devpi-api-ingress": ("devpi-api.example.com", "/", "devpi", "http"),
        "devpi-http-ingress": ("devpi.example.com", "/", "devpi", "web"),
        "devpi-oauth2-ingress": ("devpi.example.com", "/oauth2", "oauth2-proxy", "http"),
    }
    pages, login = ingresses["devpi-http-ingress"], ingresses["devpi-oauth2-ingress"]
    for part in ("ingressClassName", "tls"):
        assert pages["spec"][part] == login["spec"][part]
    assert questions(login) == {}
    assert questions(ingresses["devpi-api-ingress"]) == {}


def test_nginx_annotations_ask_the_proxy_that_has_the_key(objects: Objects) -> None:
    rendered = by_kind(objects("devpi_exposure", **asking(), **BY_NGINX))
    asked = questions(rendered["Ingress"]["devpi-http-ingress"])
    headers = asked.pop(f"{AUTH}response-headers").split(",")
    assert asked == {
        f"{AUTH}url": "http://oauth2-proxy.devpi.svc.cluster.local:4181/oauth2/auth",
        f"{AUTH}signin": "https://devpi.example.com/oauth2/sign_in?rd=$escaped_request_uri",
    }
    # In place of what a client says in them.
    assert {
        "X-Devpi-Front-Key",
        "X-Forwarded-User",
        "X-Auth-Request-User",
        "X-Auth-Request-Groups",
        "Cookie",
        "Authorization",
    } <= set(headers)


def test_traefiks_own_class_asks_by_a_middleware(objects: Objects) -> None:
    rendered = by_kind(objects("devpi_exposure", **asking(), **ASKED))
    middleware = rendered["Middleware"]["devpi-auth"]
    forward = middleware["spec"]["forwardAuth"]
    assert forward["address"] == "http://oauth2-proxy.devpi.svc.cluster.local:4181/"
    assert forward["trustForwardHeader"] is False
    assert {"X-Devpi-Front-Key", "X-Auth-Request-User"} <= set(forward["authResponseHeaders"])
    assert questions(rendered["Ingress"]["devpi-http-ingress"]) == {
        MIDDLEWARES: "devpi-devpi-auth@kubernetescrd"
    }


def test_another_installation_asks_its_own_proxy(objects: Objects) -> None:
    rendered = by_kind(objects("devpi_exposure", **asking(), **ASKED, devpi_name="team"))
    forward = rendered["Middleware"]["team-auth"]["spec"]["forwardAuth"]
    assert forward["address"] == "http://team-oauth2-proxy.devpi.svc.cluster.local:4181/"
    assert questions(rendered["Ingress"]["team-http-ingress"]) == {
        MIDDLEWARES: "devpi-team-auth@kubernetescrd"
    }


def test_annotations_of_the_inventory_do_not_open_the_dashboard(objects: Objects) -> None:
    mine = {f"{AUTH}url": "http://mine", MIDDLEWARES: "mine-first@kubernetescrd"}
    by_nginx, by_traefik = (
        questions(
            by_kind(objects("devpi_exposure", **asking(), **mode, devpi_exposure_annotations=mine))[
                "Ingress"
            ]["devpi-http-ingress"]
        )
        for mode in (BY_NGINX, ASKED)
    )
    assert ":4181/" in by_nginx[f"{AUTH}url"]
    assert by_traefik[MIDDLEWARES] == "mine-first@kubernetescrd,devpi-devpi-auth@kubernetescrd"


def test_one_ingress_of_a_host_has_the_issuer(objects: Objects) -> None:
    rendered = by_kind(objects("devpi_exposure", **asking(), **BY_NGINX, **ISSUER))["Ingress"]
    pages, login = rendered["devpi-http-ingress"], rendered["devpi-oauth2-ingress"]
    assert "cert-manager.io/cluster-issuer" in pages["metadata"]["annotations"]
    assert "cert-manager.io/cluster-issuer" not in login["metadata"]["annotations"]
    assert pages["spec"]["tls"] == login["spec"]["tls"]


# --- what is brought, and what goes ---------------------------------------------------------------

TEMPLATES = ["ingresses.yaml.j2", "redirect-ingress.yaml.j2"]
CHANGES: dict[str, tuple[Variables, set[tuple[str, str]], list[str]]] = {
    "by Traefik": (ASKED, set(), ["auth-middleware.yaml.j2", *TEMPLATES]),
    "by nginx": (BY_NGINX, TRAEFIKS | {MIDDLEWARE}, ["ingresses.yaml.j2"]),
    "in the path": ({}, {MIDDLEWARE, LOGIN}, TEMPLATES),
    "no dashboard": (OFF, {MIDDLEWARE, LOGIN, ("Ingress", "devpi-http-ingress")}, TEMPLATES),
    "off, mode given": (
        {**ASKED, **OFF},
        {MIDDLEWARE, LOGIN, ("Ingress", "devpi-http-ingress")},
        TEMPLATES,
    ),
}
EVERYTHING = kinds(Ingress=[*BOTH, LOGIN[1], REDIRECT], Middleware=[MIDDLEWARE[1], REDIRECT])


@pytest.fixture(scope="module")
def changed(each: Each) -> Answers:
    names = ["__devpi_exposure_leftovers", "__devpi_exposure_manifests"]
    cases = {
        case: (names, asking(exposures=EVERYTHING) | given) for case, (given, *_) in CHANGES.items()
    }
    absent: Variables = {"devpi_state": "absent", "__devpi_exposures": EVERYTHING}
    cases["absent"] = (names[:1], absent)
    return each("devpi_exposure", cases)


@pytest.mark.parametrize("case", CHANGES)
def test_what_asks_is_brought_and_what_asked_before_goes(changed: Answers, case: str) -> None:
    _, leftovers, templates = CHANGES[case]
    assert set(gone(changed[case])) == leftovers
    assert changed[case]["__devpi_exposure_manifests"] == templates


def test_all_goes(changed: Answers) -> None:
    assert set(gone(changed["absent"])) == INGRESSES | TRAEFIKS | {MIDDLEWARE, LOGIN}


# --- wrong inputs --------------------------------------------------------------------------------

HAPROXYS: Variables = {"devpi_exposure_ingress_class": "haproxy"}
# Variables, what the cluster answers, and words of the one problem; None where there is none.
INPUTS: dict[str, tuple[Variables, Variables, str | None]] = {
    "Traefik": ({}, {}, None),
    "nginx": (BY_NGINX, {"exposures": kinds("Ingress")}, None),
    "said to ask": (
        {**HAPROXYS, "devpi_exposure_asking_controllers": ["haproxy.org/ingress"]},
        {},
        None,
    ),
    "does not ask": (HAPROXYS, {}, "class 'haproxy' is of controller 'haproxy.org/ingress', which"),
    "unknown class": ({"devpi_exposure_ingress_class": "x"}, {}, "cluster knows only traefik"),
    "no class": ({}, {"ingress_classes": [NGINX]}, "the cluster has no default IngressClass"),
    "none": (NONE, {}, "exposed by kind 'none' (devpi_expose says so)"),
    "gateway": (
        GATEWAY,
        {"gateways": [gateway(HTTPS)]},
        "exposed by kind 'gateway' (devpi_exposure_gateway_name names it)",
    ),
    "no definitions": ({}, {"exposures": kinds("Ingress")}, "does not know that kind"),
    "no such namespace": ({}, {"ingress_namespace": []}, "and the cluster has no such namespace"),
}


@pytest.fixture(scope="module")
def problems(each: Each) -> Answers:
    name = "__devpi_exposure_problems"
    return each(
        "devpi_exposure",
        {
            case: ([name], asking(**answers) | ASKED | given)
            for case, (given, answers, _) in INPUTS.items()
        },
    )


@pytest.mark.parametrize("case", INPUTS)
def test_a_cluster_that_does_not_ask_is_named(problems: Answers, case: str) -> None:
    said = INPUTS[case][2]
    found = problems[case]["__devpi_exposure_problems"]
    assert len(found) == (said is not None)
    assert (said or "") in " ".join(found)


def test_the_namespace_of_who_asks_is_required(each: Each) -> None:
    name = "__devpi_problems"
    mode = {"devpi_sso_mode": "annotations"}
    cases: dict[str, Variables] = {
        "missing": mode,
        "no name": {**mode, "devpi_ingress_namespace": "Ingress Nginx"},
        "given": ASKED,
        "in the path": {},
        "off": {**mode, **OFF},
        "absent": {**mode, "devpi_state": "absent"},
    }
    answers = each("devpi", {case: ([name], given) for case, given in cases.items()})
    wrong = {case: answer[name] for case, answer in answers.items() if answer[name]}
    assert wrong.keys() == {"missing", "no name"}
    for (said,) in wrong.values():
        assert "Write the one of the ingress controller's pods, such as ingress-nginx" in said


# --- the proof -----------------------------------------------------------------------------------

FRONT = ROLES / "devpi_image/files/image/devpi_image/front.py"
FRONTS_WORDS = "Only the login proxy of https://devpi.example.com comes in here."

# What somebody who has not signed in is answered; whether that is a refusal, or the server.
ANSWERS: dict[str, tuple[Variables, bool, bool]] = {
    "issuer": ({"status": 302, "location": "https://sso.example.com/auth?x"}, True, False),
    "login": ({"status": 302, "location": "https://devpi.example.com/oauth2/sign_in"}, True, False),
    "401": ({"status": 401, "content": "Unauthorized"}, True, False),
    "403": ({"status": 403, "content": "<form>Sign in</form>"}, True, False),
    "the proxy in the path": ({"status": 200, "content": "OK"}, False, False),
    "page": ({"status": 302, "location": "https://devpi.example.com/x"}, False, False),
    "relative": ({"status": 302, "location": "/root/stable"}, False, False),
    "nowhere": ({"status": 302}, False, False),
    "not there yet": ({"status": 404, "content": "404 page not found"}, False, False),
    "no proxy": ({"status": 503}, False, False),
    "no host": ({"status": -1, "content": "", "msg": "Name not known"}, False, False),
    "the front": ({"status": 403, "content": FRONTS_WORDS}, False, True),
    "devpi": ({"status": 200, "x_devpi_api_version": "2"}, False, True),
    "devpi's redirect": (
        {"status": 302, "location": "https://x/", "x_devpi_api_version": "2"},
        False,
        True,
    ),
}

NOT_REFUSED = {
    "no host": "The answer was -1: Name not known",
    "the front": "The controller of class traefik (traefik.io/ingress-controller) led to",
}


@pytest.fixture(scope="module")
def judged(each: Each) -> Answers:
    names = [f"__devpi_exposure_{what}" for what in ("was_refused", "was_let_through")]
    said = ["__devpi_exposure_not_refused"]
    return each(
        "devpi_exposure",
        {
            case: (
                names + (said if case in NOT_REFUSED else []),
                asking() | ASKED | {"__devpi_exposure_anonymous": answer},
            )
            for case, (answer, *_) in ANSWERS.items()
        },
    )


@pytest.mark.parametrize("case", ANSWERS)
def test_what_counts_as_a_refusal(judged: Answers, case: str) -> None:
    _, refused, let_through = ANSWERS[case]
    assert judged[case]["__devpi_exposure_was_refused"] is refused
    assert judged[case]["__devpi_exposure_was_let_through"] is let_through


def test_what_was_not_refused_is_said(judged: Answers) -> None:
    assert "Only the login proxy of {dashboard_url}" in FRONT.read_text()
    for case, words in NOT_REFUSED.items():
        said = judged[case]["__devpi_exposure_not_refused"]
        assert "at https://devpi.example.com, so the dashboard host was taken away again" in said
        assert words in said
        assert "Write devpi_sso_mode: proxy" in said
