# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from devpi_image.defaults import SERVER_DEFAULTS
from devpi_image.disk import Disk
from devpi_image.doors import Door
from devpi_image.errors import Refused
from devpi_image.passwords import Source
from devpi_image.plans import Execute, Front, Health, Init, Plan, Server, Web
from devpi_image.resolve import resolve
from devpi_image.settings import server_variables
from fake_disk import EMPTY, FakeDisk


def resolved(environment: dict[str, str], arguments: Sequence[str], disk: Disk = EMPTY) -> Plan:
    return resolve(environment, arguments, disk)


def server(environment: dict[str, str], *options: str) -> Server:
    plan = resolved(environment, ["server", *options])
    assert isinstance(plan, Server)
    return plan


def front(**environment: str) -> Front:
    plan = resolved(environment, ["front"])
    assert isinstance(plan, Front)
    return plan


def init(environment: dict[str, str]) -> Init:
    plan = resolved(environment, ["init"])
    assert isinstance(plan, Init)
    return plan


def test_the_server_by_itself_has_its_socket() -> None:
    plan = server({})
    own = {"serverdir": "/data/server", "unix-socket": "/run/devpi/devpi.sock"}
    assert plan.command == ("/opt/devpi/bin/devpi-server",)
    assert plan.environment == server_variables({**SERVER_DEFAULTS, **own})
    assert plan.serverdir == Path("/data/server")
    assert plan.doors == (Door(path=Path("/run/devpi/devpi.sock")),)


def test_what_is_given_wins_over_the_defaults() -> None:
    given = {"DEVPISERVER_RESTRICT_MODIFY": "root,admin", "DEVPISERVER_UNIX_SOCKET": "/run/x.sock"}
    plan = server(given, "--debug")
    assert plan.environment["DEVPISERVER_RESTRICT_MODIFY"] == "root,admin"
    assert plan.environment["DEVPISERVER_DEBUG"] == "true"
    assert plan.doors == (Door(path=Path("/run/x.sock")),)


def test_a_replica_promises_no_metadata_unless_told_to() -> None:
    name, primary = "DEVPISERVER_ENABLE_CORE_METADATA", {"DEVPISERVER_PRIMARY_URL": "https://one"}
    assert server({}).environment[name] == "true"
    assert server({name: "false"}).environment[name] == "false"
    assert name not in server(primary).environment
    assert server({**primary, name: "true"}).environment[name] == "true"


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
    plan = resolved({name: "secret"}, [command])
    assert isinstance(plan, Server | Front)
    assert name not in plan.environment


def test_where_the_front_listens_is_not_told_the_server() -> None:
    for given in (["--host=0.0.0.0", "--port", "80"], ["--listen", "*:80"]):
        told = server({}, *given).environment.keys()
        assert not {"DEVPISERVER_HOST", "DEVPISERVER_PORT", "DEVPISERVER_LISTEN"} & told


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
    name = "DEVPISERVER_ROOT_PASSWD"
    assert init({f"{name}_FILE": "/etc/p"}).passwords.root == (
        Source(f"{name}_FILE", Path("/etc/p")),
    )
    assert init({name: "p"}).passwords.root == (Source(name, "p"),)
    plan = init({name: "p"})
    assert not plan.passwords.user
    assert not any("PASSW" in name for name in plan.environment)
    assert not init({}).passwords.root
    assert not init({}).invents


def test_health_asks_where_it_runs() -> None:
    assert resolved({"DEVPISERVER_UNIX_SOCKET": "/x.sock"}, ["health"]) == Health(
        (Path("/x.sock"),)
    )
    said = FakeDisk(said={"doors": [["127.0.0.1", 8000], ["/run/devpi/devpi.sock"]]})
    expected = (("127.0.0.1", 8000), Path("/run/devpi/devpi.sock"))
    assert resolved({}, ["health"], said) == Health(expected)
    for given in (["--start-period=9"], ["--start-period", "9"]):
        assert resolved({}, ["health", *given], said) == Health(expected, start_period=9)


@pytest.mark.parametrize("given", ["--start-period", "--start-period=1m", "--start-period=-1", "9"])
def test_health_takes_seconds_alone(given: str) -> None:
    with pytest.raises(Refused, match=f"--start-period=SECONDS and nothing else, .*: {given}"):
        resolved({}, ["health", given])


def test_anything_else_is_executed_with_what_it_needs() -> None:
    given = {"DEVPI_INDEX": "root/stable", "DEVPI_ANYTHING": "of the user's own"}
    assert resolved(given, ["devpi", "use"]) == Execute(("devpi", "use"), given)


@pytest.mark.parametrize(
    ("environment", "disk", "place"),
    [
        ({}, EMPTY, "/data/server"),
        ({"DEVPI_SERVERDIR": "/srv/old"}, EMPTY, "/srv/old"),
        ({}, FakeDisk(data=frozenset({Path("/data/devpi")})), "/data/devpi"),
        ({}, FakeDisk(said={"serverdir": "/given/as/argument"}), "/given/as/argument"),
    ],
)
def test_a_program_of_devpi_finds_the_data(
    environment: dict[str, str], disk: FakeDisk, place: str
) -> None:
    plan = resolved(environment, ["devpi-export", "/backup"], disk)
    expected = {"DEVPISERVER_SERVERDIR": place}
    assert plan == Execute(("/opt/devpi/bin/devpi-export", "/backup"), expected, Path(place))


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
        ("front", "DEVPI_FRONT_MIN_FREE", "101"),
        ("front", "DEVPI_FRONT_TRUSTED_PROXIES", "everyone"),
    ],
)
def test_a_wrong_value_is_named(command: str, name: str, value: str) -> None:
    with pytest.raises(Refused, match=name):
        resolved({name: value}, [command])


@pytest.mark.parametrize("command", ["front", "init"])
def test_commands_take_no_arguments(command: str) -> None:
    with pytest.raises(Refused, match="takes no arguments"):
        resolved({}, [command, "--debug"])
