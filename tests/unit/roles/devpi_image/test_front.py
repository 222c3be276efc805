# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from devpi_image.errors import Refused
from devpi_image.front import (
    DEFAULT_HEADERS,
    LOGIN_HEADERS,
    PAGES_SOCKET,
    REMOVED_HEADERS,
    configuration,
    header_rules,
    read_key,
    read_rules,
)
from devpi_image.plans import Front, Standalone
from devpi_image.resolve import resolve
from fake_disk import EMPTY


def rendered(rules: dict[str, str] | None = None, *, ipv6: bool = False, **environment: str) -> str:
    plan = resolve(environment, ["front"], EMPTY)
    assert isinstance(plan, Front)
    return configuration(
        plan, DEFAULT_HEADERS if rules is None else rules, Path("/tmp/work"), ipv6=ipv6
    )


KEY = "0123456789abcdefABCDEF_=+/-01234"
WEB = {
    "DEVPI_FRONT_WEB_PORT": "8081",
    "DEVPI_FRONT_DASHBOARD_URL": "https://devpi.example.org:444",
}


def rendered_web(
    rules: dict[str, str] | None = None, *, ipv6: bool = False, key: str | None = None
) -> str:
    """The server of the web host, without what stands before it."""
    plan = resolve(WEB, ["front"], EMPTY)
    assert isinstance(plan, Front)
    given = DEFAULT_HEADERS if rules is None else rules
    text = configuration(plan, given, Path("/tmp/work"), ipv6=ipv6, web_key=key)
    return text[text.index("# The web host") :]


def set_headers(text: str) -> dict[str, str]:
    """What a host sets on all that it hands on, which stands before its first location."""
    host = re.split(r"^ *# (?:The (?:API|web) host|One host).*", text, flags=re.MULTILINE)[-1]
    pairs = re.findall(r'proxy_set_header (\S+) (?:"(.*)"|\S+);', host[: host.index("location")])
    assert len(pairs) == len({name.lower() for name, _ in pairs})
    return dict(pairs)


def listens(text: str) -> list[str]:
    """Where the hosts listen, without the server between cache and devpi."""
    return [door for door in re.findall(r"listen (.*);", text) if PAGES_SOCKET not in door]


def test_no_place_in_the_template_is_left() -> None:
    assert "{{" not in rendered()
    assert "{{" not in rendered(**WEB)


def test_what_is_put_in_is_indented_like_its_place() -> None:
    text = rendered(**WEB, DEVPI_FRONT_TRUSTED_PROXIES="10.0.0.0/8 fd00::/8")
    assert "\n    set_real_ip_from 10.0.0.0/8;\n    set_real_ip_from fd00::/8;\n" in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_there_is_no_web_host_unless_it_has_a_port() -> None:
    text = rendered(DEVPI_FRONT_DASHBOARD_URL="https://devpi.example.org")
    assert listens(text) == ["8080"]
    assert listens(rendered(**WEB)) == ["8080", "8081"]
    assert "listen [::]:8081;" in rendered_web(ipv6=True)


def test_the_web_host_says_who_it_is_whatever_the_rules_say() -> None:
    rules = dict.fromkeys((*DEFAULT_HEADERS, "X-Outside-URL", "X-More"), "evil")
    headers = set_headers(rendered_web(header_rules(rules)))
    assert headers["Host"] == headers["X-Forwarded-Host"] == "devpi.example.org:444"
    assert headers["X-Forwarded-Proto"] == "https"
    assert headers["X-Outside-Url"] == "https://devpi.example.org:444"
    assert headers["X-More"] == headers["X-Real-IP"] == "evil"


def test_the_web_host_hands_on_no_login() -> None:
    headers = set_headers(rendered_web(key=KEY))
    assert {name: headers[name] for name in LOGIN_HEADERS} == dict.fromkeys(LOGIN_HEADERS, "")
    api = set_headers(rendered())
    assert not {"Authorization", "X-Devpi-Auth"} & api.keys()


def test_the_web_host_asks_for_its_key_if_it_has_one() -> None:
    assert rendered_web(key=KEY).count(f'if ($http_x_devpi_front_key != "{KEY}") {{') == 1
    assert "return 403" not in rendered_web()
    assert "$http_x_devpi_front_key" not in rendered_web()


@pytest.mark.parametrize("text", [KEY, f"{KEY}\n"])
def test_a_key_is_read_with_or_without_its_end_of_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    assert read_key(tmp_path / "key") == KEY


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "which is empty"),
        (b"\n", "which is empty"),
        (KEY[:-1].encode(), "at least 32 letters"),
        (f"{KEY}\n\n".encode(), "holds no key"),
        (f'{KEY}"; return 200'.encode(), "holds no key"),
        (f"{KEY}$host".encode(), "holds no key"),
        (f"{KEY} ".encode(), "holds no key"),
        (f"{KEY}ü".encode(), "holds no key"),
        (KEY.encode() + b"\xff", "holds no key"),
    ],
)
def test_a_key_that_is_none(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(Refused, match=f"DEVPI_FRONT_WEB_KEY_FILE names .*{says}") as refused:
        read_key(tmp_path / "key")
    assert KEY[:-1] not in str(refused.value)


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        read_key(tmp_path / "key")


def test_settings_arrive() -> None:
    text = rendered(
        DEVPI_FRONT_API_PORT="8000",
        DEVPI_FRONT_MAX_BODY_SIZE="123",
        DEVPI_FRONT_TIMEOUT="77",
        DEVPI_FRONT_LOGIN_RATE="9r/m",
        DEVPI_FRONT_LOGIN_BURST="4",
        DEVPI_FRONT_TRUSTED_PROXIES="10.0.0.0/8",
        DEVPISERVER_UNIX_SOCKET="/run/devpi/other.sock",
    )
    for directive in (
        "listen 8000;",
        "client_max_body_size 123;",
        "proxy_read_timeout 77s;",
        "rate=9r/m;",
        "burst=4 nodelay;",
        "set_real_ip_from 10.0.0.0/8;",
        "server unix:/run/devpi/other.sock ",
        'map "" $front_served { default "/run/devpi/served"; }',
    ):
        assert directive in text
    assert "[::]" not in text
    assert "listen [::]:8000;" in rendered(ipv6=True, DEVPI_FRONT_API_PORT="8000")


def test_a_page_is_half_of_its_age_as_it_was_and_half_renewed_behind_its_readers() -> None:
    text = rendered(DEVPI_FRONT_PAGE_AGE="31", DEVPI_FRONT_CACHE_SIZE="100")
    assert '"max-age=16, stale-while-revalidate=15"' in text
    assert '$front_fresh { default "16"; }' in text
    assert "max_size=100m " in text


def test_files_come_from_the_disk_where_that_is_known() -> None:
    text = rendered(DEVPI_FRONT_SERVERDIR="/data/server")
    assert 'root "/data/server/+files";' in text
    assert '$front_files { default "/data/server/+files"; }' in text
    assert '$front_files { default ""; }' in rendered()
    assert 'root "/data/server/+files";' in rendered_whole()
    with pytest.raises(Refused, match="Write the path of devpi's server directory"):
        rendered(DEVPI_FRONT_SERVERDIR="/data/$host")


def test_room_is_kept_on_the_volume_where_that_is_asked_for() -> None:
    text = rendered(DEVPI_FRONT_SERVERDIR="/data/server", DEVPI_FRONT_MIN_FREE="10")
    assert '$front_volume { default "/data/server"; }' in text
    assert '$front_min_free { default "10"; }' in text
    assert "Less than 10 % of the volume is free" in text
    assert '$front_min_free { default "0"; }' in rendered_whole()


def test_everything_is_written_below_one_folder() -> None:
    places = re.findall(r"^\s*(?:pid|\w+_temp_path) (\S+);", rendered(), re.MULTILINE)
    assert len(places) == 6
    assert all(place.startswith("/tmp/work/") for place in places)


def test_a_browser_goes_to_the_dashboard_or_is_told() -> None:
    with_dashboard = rendered(DEVPI_FRONT_DASHBOARD_URL="https://devpi.example.org")
    assert with_dashboard.count("return 302 https://devpi.example.org$request_uri;") == 2
    without = rendered(DEVPI_FRONT_API_HOST="devpi-api.example.org")
    assert "return 302" not in without
    assert 'return 404 "devpi-api.example.org serves Python packages' in without


@pytest.mark.parametrize("name", [*REMOVED_HEADERS, "X-Outside-URL"])
def test_headers_that_mislead_devpi_are_removed_whatever_the_rules_say(name: str) -> None:
    text = rendered(header_rules({name: "https://devpi.example.org"}))
    assert {*re.findall(rf"(?i)proxy_set_header {name} (.*);", text)} == {'""'}
    assert name.lower() in {header.lower() for header in set_headers(text)}


def test_rules_replace_the_defaults_whatever_their_spelling() -> None:
    rules = header_rules(
        {"X-Real-Ip": "$remote_addr", "x-forwarded-proto": "https\n", "X-More": 'a"b\\'}
    )
    assert rules == {**DEFAULT_HEADERS, "X-Forwarded-Proto": "https", "X-More": 'a"b\\'}
    assert 'proxy_set_header X-More "a\\"b\\\\";' in rendered(rules)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x"),
        ("cookie", "x"),
        ("X-Devpi-Front-Key", "x"),
        ("X_Real_IP", "x"),
        ("X-A; x", "x"),
        ("X-A", "one\ntwo"),
        ("X-A", "café"),
        ("X-A", "$http_x_forwarded_for"),
        ("X-A", "${proxy_add_x_forwarded_for}"),
        ("X-A", "costs 5 $"),
    ],
)
def test_a_rule_that_cannot_be_meant(name: str, value: str) -> None:
    with pytest.raises(Refused, match="header rule"):
        header_rules({name: value})


def test_a_mounted_configmap_is_read_without_its_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026/X-A").write_text("1")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "X-A").symlink_to("..data/X-A")
    assert read_rules(tmp_path) == {"X-A": "1"}
    assert read_rules(tmp_path / "nosuch") == {}


def rendered_whole(*arguments: str, ipv6: bool = False, **environment: str) -> str:
    plan = resolve(environment, arguments, EMPTY)
    assert isinstance(plan, Standalone)
    assert plan.front
    return configuration(plan.front, DEFAULT_HEADERS, Path("/tmp/work"), ipv6=ipv6)


def test_one_host_for_everything() -> None:
    text = rendered_whole(DEVPISERVER_MAX_REQUEST_BODY_SIZE="1000", ipv6=True)
    assert "{{" not in text
    assert listens(text) == ["3141", "[::]:3141"]
    assert text.count("server {") == 2
    assert "client_max_body_size 1000;" in text
    assert "X-Outside-Url" in set_headers(text)


@pytest.mark.parametrize(
    ("arguments", "doors"),
    [
        (["--port", "8000"], ["8000"]),
        (["--host", "127.0.0.1"], ["127.0.0.1:3141"]),
        (["--host", "::1"], ["[::1]:3141"]),
        (["--listen", "*:80", "--listen=[::1]:81"], ["80", "[::1]:81"]),
        (["--unix-socket", "/run/x.sock"], ["unix:/run/x.sock"]),
        (["--unix-socket", "/x.sock", "--port=80"], ["unix:/x.sock", "80"]),
    ],
)
def test_the_one_host_listens_where_devpi_was_told_to(
    arguments: list[str], doors: list[str]
) -> None:
    assert listens(rendered_whole(*arguments)) == doors


def test_a_trusted_proxy_of_devpi_is_one_of_the_front() -> None:
    assert "set_real_ip_from 10.0.0.0/8;" in rendered_whole(DEVPI_TRUSTED_PROXY="10.0.0.0/8")
    assert "set_real_ip_from 0.0.0.0/0;" in rendered_whole("--trusted-proxy=*")


def test_the_log_may_be_json() -> None:
    assert "access_log /dev/stdout combined;" in rendered()
    text = rendered(DEVPI_LOG_FORMAT="json")
    line = re.search("log_format lines escape=json '(.*)';", text)
    assert line
    assert json.loads(line[1])["service"] == "nginx"
    assert "access_log /dev/stdout lines;" in text


def test_limits_and_metrics_are_there_when_asked_for() -> None:
    plain = rendered()
    for directive in ("limit_conn", "zone=requests", "/metrics"):
        assert directive not in plain
    text = rendered(
        DEVPI_FRONT_CONNECTIONS="50", DEVPI_FRONT_REQUEST_RATE="9", DEVPI_FRONT_METRICS_PORT="9145"
    )
    for directive in (
        "limit_conn clients 50;",
        "zone=requests:4m rate=9r/s;",
        "limit_req zone=requests burst=18 nodelay;",
        "listen 9145;",
    ):
        assert text.count(directive) == 1
