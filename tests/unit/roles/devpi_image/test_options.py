# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from devpi_image.errors import Refused
from devpi_image.options import TABLE, checked, option, parsed, variable


def test_the_table_has_the_options_of_all_programs() -> None:
    assert TABLE["restrict-modify"].commands == ("devpi-server",)
    assert TABLE["skip-import-type"].commands == ("devpi-import",)
    assert (TABLE["port"].kind, TABLE["port"].default) == ("number", 3141)
    assert TABLE["argon2-memory-cost"].help == ""
    assert {one.kind for one in TABLE.values()} == {"switch", "number", "text", "list"}


@pytest.mark.parametrize("name", TABLE)
def test_each_option_has_its_variable(name: str) -> None:
    assert option(variable(name)) == name


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], []),
        (["--port", "8000"], [("port", "8000")]),
        (["--port=8000", "--debug"], [("port", "8000"), ("debug", "true")]),
        # Compose hands over a list of one word.
        (["--port 8000 --debug"], [("port", "8000"), ("debug", "true")]),
        (["--outside-url=https://x/ y"], [("outside-url", "https://x/ y")]),
        (["-c", "/etc/devpi.yml"], [("configfile", "/etc/devpi.yml")]),
        (["--restrict-m", "root"], [("restrict-modify", "root")]),
        (["--listen=*:80", "--listen", "*:81"], [("listen", "*:80"), ("listen", "*:81")]),
        (["--replica-max-retries", "3"], [("replica-max-retries", "3")]),
    ],
)
def test_arguments(arguments: list[str], found: list[tuple[str, str]]) -> None:
    assert parsed(arguments) == found


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--prot", "80"], "no option of devpi-server. Is --port meant"),
        (["--p", "80"], "no option of devpi-server"),
        (["--port"], "needs a value"),
        (["--debug=1"], "takes no value"),
        (["root"], "'root' is no option"),
        (["-x"], "'-x' is no option"),
        (["--start"], "foreground"),
        (["--init"], "by itself"),
        (["--import", "/x"], "/devpi-init.d"),
        (["--passwd", "root"], "devpi-passwd root"),
        (["--replica-cert", "x"], "DEVPISERVER_SECRETFILE"),
        (["--root-passwd", "x"], "DEVPISERVER_ROOT_PASSWD_FILE"),
        (["--port 'x"], "can't be split"),
    ],
)
def test_arguments_that_can_not_be_meant(arguments: list[str], says: str) -> None:
    with pytest.raises(Refused, match=says):
        parsed(arguments)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("debug", "y", "true"),
        ("debug", "YES", "true"),
        ("debug", "0", "false"),
        ("port", "80", "80"),
        ("role", "replica", "replica"),
        ("theme", "/any thing", "/any thing"),
    ],
)
def test_values(name: str, text: str, value: str) -> None:
    assert checked(name, variable(name), text) == value


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("debug", "2", "Write true or false"),
        ("debug", "2", "DEVPISERVER_DEBUG is '2'"),
        ("port", "http", "whole number"),
        ("threads", "-1", "whole number"),
        ("threads", "²", "whole number"),
        ("role", "boss", "one of master, primary, replica, standalone, auto"),
    ],
)
def test_values_that_can_not_be_meant(name: str, text: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        checked(name, variable(name), text)
