# SPDX-License-Identifier: GPL-3.0-or-later
"""Single sign-on: who may reach whom, with what, and that nothing of it is there when it is off."""

from __future__ import annotations

import base64
import json
import tomllib
from typing import Any

import pytest
import yaml

from .conftest import NEW_KEYS, ROLES, Manifest, Render, Values

PASSWORD = "v" * 64
COOKIE_SECRET = "c" * 32
FRONT_KEY = "f" * 64
CLIENT_SECRET = "client secret/+"
SECRETS = (PASSWORD, COOKIE_SECRET, FRONT_KEY, CLIENT_SECRET)

OFF = {"oauth2_proxy_enabled": False}


def encoded(**data: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "oauth2-proxy"},
        "data": {
            key.replace("_", "-"): base64.b64encode(value.encode()).decode()
            for key, value in data.items()
        },
    }


KEPT = {
    "__devpi_found": {
        "valkey_secret": [encoded(password=PASSWORD)],
        "oauth2_proxy_secret": [
            encoded(client_secret=CLIENT_SECRET, cookie_secret=COOKIE_SECRET, front_key=FRONT_KEY)
        ],
        "kept_secrets": {"oauth2-proxy": encoded(front_key=FRONT_KEY)["data"]},
        **NEW_KEYS,
    }
}


def plain(secret: Manifest) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def pod(deployment: Manifest) -> dict[str, Any]:
    return dict(deployment["spec"]["template"]["spec"])


def settings(rendered: dict[str, Manifest]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the proxy reads, both files."""
    data = rendered["config"]["data"]
    return tomllib.loads(data["oauth2-proxy.cfg"]), yaml.safe_load(data["alpha.yaml"])


# --- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["devpi_valkey", "devpi_oauth2_proxy", "devpi_server"])
def test_only_secrets_hold_secrets(render: Render, role: str) -> None:
    forms = {*SECRETS, *(base64.b64encode(secret.encode()).decode() for secret in SECRETS)}
    for name, manifest in render(role, **KEPT).items():
        if manifest["kind"] == "Secret":
            continue
        text = json.dumps(manifest)
        assert [form for form in forms if form in text] == [], name


def test_what_was_made_is_kept(render: Render) -> None:
    proxy = plain(render("devpi_oauth2_proxy", **KEPT)["secret"])
    assert proxy == {
        "client-secret": CLIENT_SECRET,
        "cookie-secret": COOKIE_SECRET,
        "front-key": FRONT_KEY,
    }
    store = plain(render("devpi_valkey", **KEPT)["secret"])
    assert store == {"password": PASSWORD, "auth.conf": f"requirepass {PASSWORD}\n"}


def test_what_is_not_there_is_made(render: Render, values: Values) -> None:
    names = [f"__devpi_oauth2_proxy_new_{key}" for key in ("cookie_secret", "front_key")]
    made = [*values("devpi_oauth2_proxy", names).values()]
    made += values("devpi_valkey", ["__devpi_valkey_new_password"]).values()
    assert [len(value) for value in made] == [32, 64, 64]
    assert all(value.isalnum() for value in made)
    proxy = plain(render("devpi_oauth2_proxy")["secret"])
    assert len(proxy["cookie-secret"]) == 32
    assert len(proxy["front-key"]) == 64
    assert len(plain(render("devpi_valkey")["secret"])["password"]) == 64
    assert all(value.isalnum() for value in (proxy["cookie-secret"], proxy["front-key"]))


def test_a_new_password_or_key_restarts_who_uses_it(render: Render) -> None:
    def checksums(role: str, **variables: Any) -> dict[str, str]:
        template = render(role, **variables)["deployment"]["spec"]["template"]
        return dict(template["metadata"]["annotations"])

    assert checksums("devpi_valkey", **KEPT) != checksums("devpi_valkey")
    assert checksums("devpi_oauth2_proxy", **KEPT) != checksums("devpi_oauth2_proxy")
    assert checksums("devpi_server", **KEPT) != checksums("devpi_server")
    # The roles of one run agree, whether they know it from the cluster or from one another.
    known = {"__devpi_oauth2_proxy_front_key": FRONT_KEY}
    same = {"__devpi_server_token_key": "kept"}
    assert checksums("devpi_server", **KEPT, **same) == checksums("devpi_server", **known, **same)


def test_a_given_client_secret_is_taken(render: Render) -> None:
    given = {
        "devpi_oauth2_proxy_client_managed": False,
        "devpi_oauth2_proxy_client_secret": "given",
    }
    assert (
        plain(render("devpi_oauth2_proxy", **KEPT, **given)["secret"])["client-secret"] == "given"
    )


def test_no_secret_is_an_argument(render: Render) -> None:
    for role in ("devpi_valkey", "devpi_oauth2_proxy"):
        (container,) = pod(render(role)["deployment"])["containers"]
        words = " ".join([*container.get("command", []), *container.get("args", [])])
        assert "pass" not in words
        assert "secret" not in words
        assert all("value" not in entry for entry in container.get("env", []))


# --- the session store ---------------------------------------------------------------------------


def test_the_store_keeps_nothing_and_is_bounded(render: Render) -> None:
    rendered = render("devpi_valkey", devpi_valkey_max_memory="64mb")
    lines = rendered["config"]["data"]["valkey.conf"].splitlines()
    assert 'save ""' in lines
    assert "appendonly no" in lines
    assert "maxmemory 64mb" in lines
    assert "maxmemory-policy allkeys-lru" in lines
    assert lines[-1] == "include /etc/valkey/auth/auth.conf"
    assert pod(rendered["deployment"])["securityContext"]["runAsUser"] == 999
    assert rendered["service"]["spec"]["ports"][0]["port"] == 6379


# --- who reaches whom ----------------------------------------------------------------------------


def test_only_the_proxy_reaches_the_store_and_the_web_host(render: Render) -> None:
    proxy = render("devpi_oauth2_proxy")
    labels = proxy["deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels["app"] == "oauth2-proxy"
    only = [{"podSelector": {"matchLabels": {"app": "oauth2-proxy"}}}]

    store = render("devpi_valkey")["policy"]["spec"]
    assert store["policyTypes"] == ["Ingress", "Egress"]
    assert [rule["from"] for rule in store["ingress"]] == [only]
    assert "egress" not in store

    server = render("devpi_server")["policy"]["spec"]
    rules = {rule["ports"][0]["port"]: rule.get("from") for rule in server["ingress"]}
    assert rules == {"api": None, "web": only}


def test_the_proxy_talks_to_nobody_else(render: Render) -> None:
    given = {"devpi_oauth2_proxy_keycloak_url": "https://sso.example.com:9443"}
    policy = render("devpi_oauth2_proxy", **given)["policy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [entry["port"] for rule in policy["ingress"] for entry in rule["ports"]] == [
        "http",
        "metrics",
    ]
    reached = {
        json.dumps(rule.get("to")): sorted({entry["port"] for entry in rule["ports"]})
        for rule in policy["egress"][1:]
    }
    assert reached == {
        json.dumps([{"podSelector": {"matchLabels": {"app": "ephemeral-redis"}}}]): [6379],
        json.dumps([{"podSelector": {"matchLabels": {"app": "devpi"}}}]): [8081],
        "null": [443, 8443, 9443],
    }


def test_the_ports_of_the_proxy(render: Render) -> None:
    service = render("devpi_oauth2_proxy")["service"]["spec"]
    assert {entry["name"]: entry["port"] for entry in service["ports"]} == {
        "http": 80,
        "metrics": 44180,
    }
    (container,) = pod(render("devpi_oauth2_proxy")["deployment"])["containers"]
    assert {entry["name"]: entry["containerPort"] for entry in container["ports"]} == {
        "http": 4180,
        "metrics": 44180,
    }


def test_another_installation_in_the_namespace_is_a_stranger(render: Render) -> None:
    server = render("devpi_server", devpi_name="team")["policy"]["spec"]
    assert server["ingress"][1]["from"] == [
        {"podSelector": {"matchLabels": {"app": "team-oauth2-proxy"}}}
    ]


# --- what the proxy is told ----------------------------------------------------------------------


def test_the_proxy_signs_in_at_the_realm_of_the_inventory(render: Render) -> None:
    core, alpha = settings(
        render("devpi_oauth2_proxy", keycloak_url="https://sso.example.com/", keycloak_realm="team")
    )
    (provider,) = alpha["providers"]
    issuer = "https://sso.example.com/realms/team"
    assert provider["provider"] == "keycloak-oidc"
    assert provider["oidcConfig"]["issuerURL"] == issuer
    assert provider["clientID"] == "oauth2-proxy-devpi"
    assert provider["code_challenge_method"] == "S256"
    assert provider["scope"] == "openid email profile"
    assert provider["backendLogoutURL"].startswith(f"{issuer}/protocol/openid-connect/logout?")
    assert provider["backendLogoutURL"].endswith("id_token_hint={id_token}")
    assert core["redirect_url"] == "https://devpi.example.com/oauth2/callback"


def test_the_proxy_stands_before_the_web_host(render: Render) -> None:
    _, alpha = settings(
        render("devpi_oauth2_proxy", devpi_request_timeout=77, devpi_namespace="packages")
    )
    (upstream,) = alpha["upstreamConfig"]["upstreams"]
    assert upstream["uri"] == "http://devpi.packages.svc:8081"
    assert upstream["timeout"] == "77s"


def test_no_way_around_the_login(render: Render) -> None:
    core, alpha = settings(render("devpi_oauth2_proxy", devpi_trusted_proxies=["10.9.0.0/16"]))
    assert [name for name in core if "skip_auth" in name or "skip_jwt" in name] == []
    assert "trusted_ips" not in core
    assert core["reverse_proxy"] is True
    assert core["trusted_proxy_ips"] == ["10.9.0.0/16"]
    assert [upstream["path"] for upstream in alpha["upstreamConfig"]["upstreams"]] == ["/"]


def test_the_proxy_shows_its_key_and_takes_off_what_clients_claim(render: Render) -> None:
    _, alpha = settings(render("devpi_oauth2_proxy"))
    headers = {header["name"]: header.get("values") for header in alpha["injectRequestHeaders"]}
    assert headers["X-Devpi-Front-Key"] == [
        {"secretSource": {"fromFile": "/etc/oauth2-proxy/secrets/front-key"}}
    ]
    assert headers["X-Forwarded-User"] == [{"claimSource": {"claim": "user"}}]
    # Without a value: taken off.
    for name in ("Cookie", "Authorization", "X-Forwarded-Groups", "X-Auth-Request-User"):
        assert headers[name] is None
    assert all("preserveRequestValue" not in header for header in alpha["injectRequestHeaders"])


def test_the_cookie_is_for_the_dashboard_alone(render: Render) -> None:
    core, _ = settings(render("devpi_oauth2_proxy"))
    assert core["cookie_name"].startswith("__Host-")
    assert core["cookie_domains"] == []
    assert core["cookie_secure"] is True
    assert core["cookie_httponly"] is True
    assert core["cookie_samesite"] == "lax"


def test_a_wider_cookie_is_asked_for_by_name(render: Render) -> None:
    core, _ = settings(render("devpi_oauth2_proxy", oauth2_proxy_cookie_domain="example.com"))
    assert core["cookie_domains"] == ["example.com"]
    assert core["cookie_name"].startswith("__Secure-")
    tasks = yaml.safe_load((ROLES / "devpi_oauth2_proxy/tasks/preflight.yaml").read_text())
    (warning,) = [task for task in tasks if "ansible.builtin.debug" in task]
    assert "WARNING" in warning["ansible.builtin.debug"]["msg"]
    assert "devpi_oauth2_proxy_cookie_domain | length > 0" in warning["when"]


def test_who_may_come_in(render: Render) -> None:
    core, alpha = settings(
        render(
            "devpi_oauth2_proxy",
            devpi_oauth2_proxy_allowed_groups=["developers"],
            devpi_oauth2_proxy_allowed_roles=["staff"],
            devpi_oauth2_proxy_email_domains=["example.com"],
        )
    )
    (provider,) = alpha["providers"]
    assert provider["allowedGroups"] == ["developers"]
    assert provider["keycloakConfig"]["roles"] == ["staff"]
    assert core["email_domains"] == ["example.com"]
    # Anybody may write any address into a profile: only verified ones count then.
    assert provider["oidcConfig"]["insecureAllowUnverifiedEmail"] is False


def test_a_private_authority_reaches_the_proxy(render: Render, tmp_path: Any) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    rendered = render("devpi_oauth2_proxy", devpi_ca_bundle=str(bundle))
    _, alpha = settings(rendered)
    assert alpha["providers"][0]["caFiles"] == ["/etc/oauth2-proxy/ca/ca-bundle.crt"]
    assert {"name": "ca-bundle", "configMap": {"name": "devpi-ca-bundle"}} in pod(
        rendered["deployment"]
    )["volumes"]


# --- the client at Keycloak ----------------------------------------------------------------------


def test_the_client_leaves_its_secret_to_keycloak_and_states_all_keys(values: Values) -> None:
    tasks = yaml.safe_load((ROLES / "devpi_oauth2_proxy/tasks/keep_client.yaml").read_text())
    kept, read = tasks[0]["block"]
    options = kept["community.general.keycloak_client"]
    assert "secret" not in options
    assert options["public_client"] is False
    assert options["implicit_flow_enabled"] is False
    assert options["direct_access_grants_enabled"] is False
    assert kept["no_log"] is True
    assert read["no_log"] is True

    names = [
        "__devpi_oauth2_proxy_client_mappers",
        "__devpi_oauth2_proxy_client_attributes",
        "__devpi_oauth2_proxy_redirect_url",
    ]
    found = values("devpi_oauth2_proxy", names)
    assert found["__devpi_oauth2_proxy_redirect_url"] == "https://devpi.example.com/oauth2/callback"
    attributes = found["__devpi_oauth2_proxy_client_attributes"]
    assert attributes["pkce.code.challenge.method"] == "S256"
    assert attributes["post.logout.redirect.uris"] == "https://devpi.example.com/*"
    mappers = {mapper["name"]: mapper for mapper in found["__devpi_oauth2_proxy_client_mappers"]}
    assert mappers["audience"]["config"]["included.client.audience"] == "oauth2-proxy-devpi"
    assert mappers["groups"]["config"]["full.path"] == "false"
    # What Keycloak fills in at a login would be a difference at the next run.
    assert mappers["groups"]["config"]["multivalued"] == "true"
    for mapper in mappers.values():
        assert {
            "id.token.claim",
            "access.token.claim",
            "introspection.token.claim",
            "lightweight.claim",
            "userinfo.token.claim",
        } <= mapper["config"].keys()
        assert all(isinstance(value, str) for value in mapper["config"].values())


# --- wrong inputs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"keycloak_url": "http://keycloak.example.com"}, "keycloak_url is 'http://"),
        ({"keycloak_realm": "no realm"}, "realms/no realm'"),
        ({"admin_username": ""}, "keycloak_admin_username"),
        ({"oauth2_proxy_client_id": "a b"}, "oauth2_proxy_client_id is 'a b'"),
        ({"devpi_oauth2_proxy_client_managed": False}, "devpi_oauth2_proxy_client_secret is empty"),
        (
            {"devpi_oauth2_proxy_issuer_url": "https://other.example.com"},
            "the client would be made",
        ),
        ({"oauth2_proxy_cookie_domain": "example.org"}, "devpi.example.com is not in it"),
        ({"devpi_oauth2_proxy_allowed_groups": ["a$b"]}, "dollar sign"),
        ({"devpi_oauth2_proxy_email_domains": []}, "nobody could come in"),
        ({"devpi_oauth2_proxy_cookie_refresh": 86400}, "shorter than the session"),
        (
            {
                "devpi_oauth2_proxy_provider": "oidc",
                "devpi_oauth2_proxy_allowed_roles": ["staff"],
            },
            "knows no roles",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_wrong_inputs_are_named(values: Values, given: dict[str, Any], said: str) -> None:
    problems = values(
        "devpi_oauth2_proxy",
        ["__devpi_oauth2_proxy_problems"],
        **{"keycloak_admin_password": "x", **given},
    )["__devpi_oauth2_proxy_problems"]
    assert len(problems) == 1
    assert said in problems[0]


def test_the_defaults_are_right(values: Values) -> None:
    proxy = values(
        "devpi_oauth2_proxy", ["__devpi_oauth2_proxy_problems"], keycloak_admin_password="x"
    )
    assert proxy["__devpi_oauth2_proxy_problems"] == []
    assert values("devpi_valkey", ["__devpi_valkey_problems"])["__devpi_valkey_problems"] == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 404}, "knows no such realm"),
        ({"status": 200, "json": {"issuer": "http://inside:8080"}}, "calls itself 'http://inside"),
        ({"status": 200}, "calls itself 'nothing'"),
    ],
)
def test_another_issuer_is_named(values: Values, answer: dict[str, Any], said: str) -> None:
    (problem,) = values(
        "devpi_oauth2_proxy",
        ["__devpi_oauth2_proxy_issuer_problems"],
        __devpi_oauth2_proxy_discovery=answer,
    )["__devpi_oauth2_proxy_issuer_problems"]
    assert said in problem


def clients(*redirects: str, status: int = 200) -> dict[str, Any]:
    """What Keycloak answers to the question for the client."""
    return {"status": status, "json": [{"redirectUris": list(redirects)}] if redirects else []}


OURS = "https://devpi.example.com/oauth2/callback"
OTHERS = "https://devpi.example.org/oauth2/callback"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (clients(), None),
        (clients(OURS), None),
        (clients(OTHERS, OURS), None),
        (clients(OTHERS), f"sends people back to {OTHERS}"),
        ({"status": 403, "json": {"error": "no"}}, "does not let user 'admin' see the clients"),
    ],
    ids=["none", "ours", "shared on purpose", "another's", "forbidden"],
)
def test_the_client_of_another_installation_is_not_taken(
    values: Values, answer: dict[str, Any], said: str | None
) -> None:
    name = "__devpi_oauth2_proxy_client_problems"
    problems = values("devpi_oauth2_proxy", [name], __devpi_oauth2_proxy_clients=answer)[name]
    assert len(problems) == (0 if said is None else 1)
    assert all(said in problem for problem in problems if said)


def test_a_client_that_is_ours_is_not_asked_for_again(render: Render, values: Values) -> None:
    secret = render("devpi_oauth2_proxy")["secret"]
    names = ["__devpi_oauth2_proxy_client_marked", "__devpi_oauth2_proxy_client_mark"]
    found = {"__devpi_found": {"oauth2_proxy_secret": [secret]}}
    same = values("devpi_oauth2_proxy", names, **found, devpi_dashboard_hostname="new.example.com")
    assert same[names[0]] == same[names[1]] != ""
    other = values("devpi_oauth2_proxy", names, **found, oauth2_proxy_client_id="another")
    assert other[names[0]] != other[names[1]]
    assert values("devpi_oauth2_proxy", names)[names[0]] == ""


# --- on and off ----------------------------------------------------------------------------------


@pytest.mark.parametrize("variables", [{}, OFF], ids=["on", "off"])
def test_the_server_has_a_web_host_with_single_sign_on_only(
    render: Render, variables: dict[str, Any]
) -> None:
    rendered = render("devpi_server", **variables)
    front = pod(rendered["deployment"])["containers"][1]
    environment = {entry["name"]: entry["value"] for entry in front["env"]}
    mounts = {mount["mountPath"] for mount in front["volumeMounts"]}
    volumes = [volume["name"] for volume in pod(rendered["deployment"])["volumes"]]
    ports = {entry["name"]: entry["containerPort"] for entry in front["ports"]}
    service = {entry["name"]: entry["port"] for entry in rendered["service"]["spec"]["ports"]}
    annotations = rendered["deployment"]["spec"]["template"]["metadata"]["annotations"]
    if variables == OFF:
        assert ports == {"api": 8080}
        assert service == {"http": 3141}
        assert "front-key" not in json.dumps(rendered["deployment"])
        assert "DEVPI_FRONT_WEB_PORT" not in environment
        assert environment["DEVPI_FRONT_DASHBOARD_URL"] == ""
        assert len(rendered["policy"]["spec"]["ingress"]) == 1
        return
    assert ports == {"api": 8080, "web": 8081}
    assert service == {"http": 3141, "web": 8081}
    assert environment["DEVPI_FRONT_WEB_PORT"] == "8081"
    assert environment["DEVPI_FRONT_WEB_KEY_FILE"] == "/etc/devpi/front-key/front-key"
    assert environment["DEVPI_FRONT_DASHBOARD_URL"] == "https://devpi.example.com"
    assert "/etc/devpi/front-key" in mounts
    assert "front-key" in volumes
    assert "checksum/front-key" in annotations
    # Of all that the proxy's Secret holds, the front sees its key alone.
    (volume,) = [v for v in pod(rendered["deployment"])["volumes"] if v["name"] == "front-key"]
    assert volume["secret"]["secretName"] == "oauth2-proxy"
    assert volume["secret"]["items"] == [{"key": "front-key", "path": "front-key"}]


@pytest.mark.parametrize("role", ["devpi_valkey", "devpi_oauth2_proxy"])
def test_switched_off_nothing_of_it_is_wanted(values: Values, role: str) -> None:
    assert values(role, [f"__{role}_is_wanted"]) == {f"__{role}_is_wanted": True}
    assert values(role, [f"__{role}_is_wanted"], **OFF) == {f"__{role}_is_wanted": False}
    # What is left of it is found by its Secret, and removed.
    removal = yaml.safe_load((ROLES / role / "tasks/main.yaml").read_text())[1]
    assert f"not __{role}_is_wanted and __{role}_secret != {{}}" in removal["when"]
    for task in yaml.safe_load((ROLES / role / "tasks/remove.yaml").read_text()):
        if "ansible.builtin.include_role" in task:
            assert task["vars"]["__devpi_objects_state"] == "absent"


@pytest.mark.parametrize("role", ["devpi_valkey", "devpi_oauth2_proxy"])
def test_all_manifests_can_be_rendered_to_be_removed(render: Render, role: str) -> None:
    assert render(role, **OFF, devpi_state="absent").keys() == render(role).keys()


@pytest.mark.parametrize(("variables", "web"), [({}, True), (OFF, False)], ids=["on", "off"])
def test_discovery_names_the_web_host_where_there_is_one(
    render: Render, variables: dict[str, Any], web: bool
) -> None:
    config = render("devpi_discovery", **variables)["service-config"]["data"]["service.yaml"]
    endpoints = {entry["name"] for entry in yaml.safe_load(config)["service"]["endpoints"]}
    assert endpoints == ({"web", "api"} if web else {"api"})


# --- asked by the ingress controller instead of in the path ---------------------------------------

ANNOTATIONS = {"devpi_sso_mode": "annotations", "devpi_ingress_namespace": "ingress-nginx"}
CONTROLLER = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}
}


def test_only_a_proxy_that_no_browser_reaches_hands_out_the_key(render: Render) -> None:
    rendered = render("devpi_oauth2_proxy", **ANNOTATIONS)
    _, in_path = settings(rendered)
    asked = yaml.safe_load(rendered["config"]["data"]["auth.yaml"])
    assert "injectResponseHeaders" not in in_path
    assert asked["injectResponseHeaders"] == in_path["injectRequestHeaders"][:4]
    assert asked["injectResponseHeaders"][0]["name"] == "X-Devpi-Front-Key"
    # It leads nowhere: 202 to who has signed in.
    (upstream,) = asked["upstreamConfig"]["upstreams"]
    assert (upstream["static"], upstream["staticCode"]) == (True, 202)
    assert "uri" not in upstream
    assert asked["server"]["bindAddress"] == ":4181"
    assert asked["providers"] == in_path["providers"]
    ports = {entry["name"]: entry["targetPort"] for entry in rendered["service"]["spec"]["ports"]}
    assert ports == {"http": "http", "metrics": "metrics", "auth": "auth"}


def test_both_proxies_are_the_same_program_and_each_is_probed(render: Render) -> None:
    in_path, asked = pod(render("devpi_oauth2_proxy", **ANNOTATIONS)["deployment"])["containers"]
    for container, port in ((in_path, "http"), (asked, "auth")):
        assert container["readinessProbe"]["httpGet"]["port"] == port
        assert container["livenessProbe"]["httpGet"]["port"] == port
        assert container["ports"][0]["name"] == port
    assert asked["args"][1] == "--alpha-config=/etc/oauth2-proxy/config/auth.yaml"
    assert asked["ports"] == [{"name": "auth", "containerPort": 4181, "protocol": "TCP"}]
    same = ("image", "env", "resources", "securityContext", "volumeMounts")
    assert [asked[key] for key in same] == [in_path[key] for key in same]


def test_only_the_controller_asks_and_reaches_the_web_host_beside_the_proxy(render: Render) -> None:
    proxy = render("devpi_oauth2_proxy", **ANNOTATIONS)["policy"]["spec"]["ingress"]
    assert {rule["ports"][0]["port"]: rule.get("from") for rule in proxy} == {
        "http": None,
        "auth": [CONTROLLER],
    }
    server = render("devpi_server", **ANNOTATIONS)["policy"]["spec"]["ingress"]
    assert {rule["ports"][0]["port"]: rule.get("from") for rule in server} == {
        "api": None,
        "web": [{"podSelector": {"matchLabels": {"app": "oauth2-proxy"}}}, CONTROLLER],
    }


def test_in_the_path_nothing_of_it_is_there(render: Render) -> None:
    given = {"devpi_ingress_namespace": "ingress-nginx"}
    for role in ("devpi_oauth2_proxy", "devpi_server"):
        rendered = render(role, **given)
        assert "auth.yaml" not in rendered.get("config", {"data": {}})["data"]
        assert "4181" not in json.dumps(rendered)
        assert CONTROLLER not in [
            peer for rule in rendered["policy"]["spec"]["ingress"] for peer in rule.get("from", [])
        ]
