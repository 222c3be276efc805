# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from devpi_image.errors import Refused
from devpi_image.plans import Execute, Front, Health, Init, Server, Web
from devpi_image.resolve import SERVER_DEFAULTS, resolve


def server(environment: dict[str, str], *arguments: str) -> Server:
    plan = resolve(environment, arguments)
    assert isinstance(plan, Server)
    return plan


def front(**environment: str) -> Front:
    plan = resolve(environment, ["front"])
    assert isinstance(plan, Front)
    return plan


@pytest.mark.parametrize("arguments", [[], ["server"]])
def test_no_command_is_the_server(arguments: list[str]) -> None:
    plan = server({}, *arguments)
    assert plan.command == ("/opt/devpi/bin/devpi-server",)
    assert plan.environment == {**SERVER_DEFAULTS, "DEVPISERVER_SERVERDIR": "/data/server"}
    assert (plan.serverdir, plan.socket) == (Path("/data/server"), Path("/run/devpi/devpi.sock"))


@pytest.mark.parametrize("arguments", [["server", "--debug"], ["--debug"]])
def test_options_go_to_the_server(arguments: list[str]) -> None:
    assert server({}, *arguments).command == ("/opt/devpi/bin/devpi-server", "--debug")


def test_what_is_given_wins_over_the_defaults() -> None:
    given = {"DEVPISERVER_RESTRICT_MODIFY": "root,admin", "DEVPISERVER_UNIX_SOCKET": "/run/x.sock"}
    plan = server(given)
    assert plan.environment["DEVPISERVER_RESTRICT_MODIFY"] == "root,admin"
    assert plan.socket == Path("/run/x.sock")


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    plan = server({"DEVPISERVER_OUTSIDE_URL": "", "DEVPISERVER_RESTRICT_MODIFY": "", "LANG": ""})
    assert "DEVPISERVER_OUTSIDE_URL" not in plan.environment
    assert plan.environment["DEVPISERVER_RESTRICT_MODIFY"] == "root"
    assert plan.environment["LANG"] == ""


def test_a_service_named_devpi_is_no_setting() -> None:
    links = {"DEVPI_PORT": "tcp://10.0.0.1:3141", "DEVPISERVER_SERVERDIR": "udp://10.0.0.1:1"}
    plan = server(links)
    assert "DEVPI_PORT" not in plan.environment
    assert plan.serverdir == Path("/data/server")


@pytest.mark.parametrize(
    "name",
    [
        "DEVPISERVER_ROOT_PASSWD",
        "DEVPISERVER_ROOT_PASSWD_HASH",
        "DEVPISERVER_ROOT_PASSWD_FILE",
        "DEVPISERVER_ROOT_PASSWORD",
        "DEVPI_PASSWORD",
        "DEVPI_PASSWORD_FILE",
        "DEVPI_ROOT_PASSWORD",
    ],
)
@pytest.mark.parametrize("command", ["server", "front"])
def test_no_password_reaches_a_service(name: str, command: str) -> None:
    plan = resolve({name: "secret"}, [command])
    assert isinstance(plan, Server | Front)
    assert name not in plan.environment


def test_where_the_front_listens_is_not_told_the_server() -> None:
    plan = server(
        {"DEVPISERVER_HOST": "0.0.0.0", "DEVPISERVER_PORT": "80", "DEVPISERVER_LISTEN": "*:80"}
    )
    assert (
        not {"DEVPISERVER_HOST", "DEVPISERVER_PORT", "DEVPISERVER_LISTEN"} & plan.environment.keys()
    )


def test_one_bundle_is_trusted_by_all() -> None:
    assert server({"SSL_CERT_FILE": "/ca"}).environment["REQUESTS_CA_BUNDLE"] == "/ca"
    both = {"SSL_CERT_FILE": "/ca", "REQUESTS_CA_BUNDLE": "/other"}
    assert server(both).environment["REQUESTS_CA_BUNDLE"] == "/other"
    assert "REQUESTS_CA_BUNDLE" not in server({}).environment


def test_the_token_key_is_a_file() -> None:
    plan = server({"DEVPI_TOKEN_KEY_FILE": "/etc/key"})
    assert plan.token_key == Path("/etc/key")
    assert server({}).token_key is None


def test_init_takes_the_password_from_one_place() -> None:
    from_file = resolve({"DEVPISERVER_ROOT_PASSWD_FILE": "/etc/p"}, ["init"])
    assert from_file == Init(Path("/data/server"), Path("/etc/p"), {})
    assert resolve({"DEVPISERVER_ROOT_PASSWD": "p"}, ["init"]) == Init(
        Path("/data/server"), "p", {}
    )
    assert resolve({}, ["init"]) == Init(Path("/data/server"), None, {})
    with pytest.raises(Refused, match="both set"):
        resolve(
            {"DEVPISERVER_ROOT_PASSWD": "p", "DEVPISERVER_ROOT_PASSWD_FILE": "/etc/p"}, ["init"]
        )


def test_health_asks_the_socket() -> None:
    assert resolve({"DEVPISERVER_UNIX_SOCKET": "/x.sock"}, ["health"]) == Health(Path("/x.sock"))


def test_anything_else_is_executed_with_what_it_needs() -> None:
    plan = resolve({"DEVPISERVER_ROOT_PASSWD": "p"}, ["devpi-init", "--help"])
    assert plan == Execute(("devpi-init", "--help"), {"DEVPISERVER_ROOT_PASSWD": "p"})


def test_front_settings() -> None:
    plan = front(
        DEVPI_FRONT_API_PORT="8000",
        DEVPI_FRONT_DASHBOARD_URL="https://devpi.example.org/",
        DEVPI_FRONT_TRUSTED_PROXIES="10.1.2.3/8 fd00::1",
        DEVPI_FRONT_LOGIN_RATE="30r/m",
    )
    assert (plan.port, plan.dashboard_url, plan.login_rate) == (
        8000,
        "https://devpi.example.org",
        "30r/m",
    )
    assert plan.trusted_proxies == ("10.0.0.0/8", "fd00::1/128")
    assert front().dashboard_url == ""


def test_a_web_host_has_a_port_a_name_and_maybe_a_key() -> None:
    given = {"DEVPI_FRONT_DASHBOARD_URL": "https://devpi.example.org/"}
    key = {"DEVPI_FRONT_WEB_KEY_FILE": "/etc/devpi/web/key"}
    assert front(**given, **key).web is None
    assert front(**given, **key, DEVPI_FRONT_WEB_PORT="").web is None
    plan = front(**given, **key, DEVPI_FRONT_WEB_PORT="8081")
    assert plan.web == Web(8081, Path("/etc/devpi/web/key"))
    assert plan.dashboard_url == "https://devpi.example.org"
    open_one = front(**given, DEVPI_FRONT_WEB_PORT="8081", DEVPI_FRONT_WEB_KEY_FILE="")
    assert open_one.web == Web(8081, None)


@pytest.mark.parametrize(
    "url", ["", "https://devpi.example.org/below", "devpi.example.org", "https://a/?b"]
)
def test_a_web_host_needs_the_url_of_the_dashboard(url: str) -> None:
    with pytest.raises(Refused, match="DEVPI_FRONT_DASHBOARD_URL is"):
        front(DEVPI_FRONT_WEB_PORT="8081", DEVPI_FRONT_DASHBOARD_URL=url)


@pytest.mark.parametrize(("port", "says"), [("8080", "another port"), ("0", "whole number")])
def test_a_web_host_needs_a_port_of_its_own(port: str, says: str) -> None:
    with pytest.raises(Refused, match=f"DEVPI_FRONT_WEB_PORT is .*{says}"):
        front(DEVPI_FRONT_WEB_PORT=port, DEVPI_FRONT_DASHBOARD_URL="https://devpi.example.org")


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        ("server", "DEVPISERVER_SERVERDIR", "data"),
        ("server", "DEVPI_RESTART_LIMIT", "-1"),
        ("server", "DEVPI_RESTART_WINDOW", "0"),
        ("server", "DEVPI_STOP_PATIENCE", "1.5"),
        ("front", "DEVPI_FRONT_API_PORT", "http"),
        ("front", "DEVPI_FRONT_API_HOST", "https://x"),
        ("front", "DEVPI_FRONT_DASHBOARD_URL", "https://x/;return 200"),
        ("front", "DEVPI_FRONT_DASHBOARD_URL", "https://x/$host"),
        ("front", "DEVPI_FRONT_MAX_BODY_SIZE", "0"),
        ("front", "DEVPI_FRONT_TIMEOUT", "²"),
        ("front", "DEVPI_FRONT_LOGIN_RATE", "0r/s"),
        ("front", "DEVPI_FRONT_TRUSTED_PROXIES", "everyone"),
    ],
)
def test_a_wrong_value_is_named(command: str, name: str, value: str) -> None:
    with pytest.raises(Refused, match=name):
        resolve({name: value}, [command])


@pytest.mark.parametrize("command", ["front", "init", "health"])
def test_commands_take_no_arguments(command: str) -> None:
    with pytest.raises(Refused, match="takes no arguments"):
        resolve({}, [command, "--debug"])
