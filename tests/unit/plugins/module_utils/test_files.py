# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a user's text, and that the way back leads to the same bytes."""

from __future__ import annotations

import configparser
import dataclasses
import json

import pytest
from ansible_collections.thinkube.devpi.plugins.module_utils._files import (
    Found,
    Kept,
    Wanted,
    digest,
    is_edited,
    planned,
    restored,
    without_credentials,
)

PIP = Wanted("pip.conf", "ini", values={"global": {"index-url": "https://ours/", "timeout": "60"}})
PYPIRC = Wanted(
    ".pypirc",
    "ini",
    values={
        "distutils": {"index-servers": ["pypi", "devpi"]},
        "devpi": {"repository": "https://ours/", "username": "root"},
    },
)
PDM = Wanted("pdm.toml", "toml", values={"pypi": {"url": "https://ours/", "ca_certs": "/a b"}})
UV = Wanted("uv.toml", "block", content='[[index]]\nname = "devpi"\n')
FISH = Wanted("devpi.fish", "file", content="ours\n")
ONCE = Wanted(".devpi.ini", "once", content="[devpi]\n")

TEXTS = [
    "",
    "\n",
    "no newline at the end",
    "[global]\nindex-url = https://theirs/\n",
    "[global]\nindex_url: https://theirs/\n# why\ntimeout=5",
    "[install]\nuser = true\n\n[global]\ntrusted-host =\n  one\n  two\nindex-url =\n  a/\n",
    "; comment\r\n[global]\r\nproxy = p\r\n",
    "bytes that are no UTF-8: \udcff\n",
    "[distutils]\nindex-servers=\n  private\n  pypi\n\n[private]\npassword = p",
    '[pypi]\nurl = "https://theirs/"\nlist = [\n  "a",\n]\n',
]


def kept(wanted: Wanted, original: str | None) -> tuple[Kept, str]:
    text = planned(wanted, original)
    found = Found() if original is None else Found(original, 0o600)
    return Kept(wanted.form, found, digest(text), wanted.values), text


@pytest.mark.parametrize("wanted", [PIP, PYPIRC, PDM, UV, FISH], ids=lambda wanted: wanted.path)
@pytest.mark.parametrize("original", [None, *TEXTS])
def test_the_way_back_leads_to_the_same_text(wanted: Wanted, original: str | None) -> None:
    record, text = kept(wanted, original)
    assert restored(record, Found(text, 0o644)) == record.original


@pytest.mark.parametrize("wanted", [PIP, PYPIRC, PDM, UV, FISH], ids=lambda wanted: wanted.path)
@pytest.mark.parametrize("original", [None, *TEXTS])
def test_a_second_time_changes_nothing(wanted: Wanted, original: str | None) -> None:
    text = planned(wanted, original)
    assert planned(wanted, text) == text


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        (None, "[global]\nindex-url = https://ours/\ntimeout = 60\n"),
        (
            "[global]\nproxy = p\n[list]\nuser = true\n",
            "[global]\nproxy = p\nindex-url = https://ours/\ntimeout = 60\n[list]\nuser = true\n",
        ),
        (
            "[global]\nIndex_URL =\n  https://theirs/\ntimeout: 5\nproxy = p\n",
            "[global]\nindex-url = https://ours/\ntimeout = 60\nproxy = p\n",
        ),
        (
            "[install]\ntimeout = 5\n",
            "[install]\ntimeout = 5\n\n[global]\nindex-url = https://ours/\ntimeout = 60\n",
        ),
    ],
    ids=["no file", "other keys", "the same keys", "another section"],
)
def test_keys_stand_in_their_section_once(original: str | None, expected: str) -> None:
    assert planned(PIP, original) == expected


@pytest.mark.parametrize(
    ("original", "servers"),
    [
        (None, ["pypi", "devpi"]),
        ("[pypi]\nusername = __token__\n", ["pypi", "devpi"]),
        ("[distutils]\nindex-servers = private\n", ["private", "pypi", "devpi"]),
        ("[distutils]\nindex-servers=\n\tpypi\n\tprivate", ["pypi", "private", "devpi"]),
        ("[distutils]\nindex-servers: devpi pypi\n", ["devpi", "pypi"]),
    ],
)
def test_a_list_of_words_is_extended(original: str | None, servers: list[str]) -> None:
    read = configparser.RawConfigParser()
    read.read_string(planned(PYPIRC, original))
    assert read.get("distutils", "index-servers").split() == servers
    assert dict(read["devpi"]) == {"repository": "https://ours/", "username": "root"}


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        (None, {"pypi": {"url": "https://ours/", "ca_certs": "/a b"}}),
        (
            '[pypi]\nurl="https://theirs/"\nlist = [\n"a",\n]\n[x]\ny = 1\n',
            {"pypi": {"url": "https://ours/", "ca_certs": "/a b", "list": ["a"]}, "x": {"y": 1}},
        ),
    ],
)
def test_strings_stand_in_their_table(original: str | None, expected: dict[str, object]) -> None:
    tomllib = pytest.importorskip("tomllib")
    assert tomllib.loads(planned(PDM, original)) == expected


def test_a_block_changes_in_its_place() -> None:
    before = planned(UV, "before\n") + "after\n"
    changed = planned(dataclasses.replace(UV, content=r"a \1 backslash" + "\n"), before)
    assert changed == (
        "before\n# BEGIN thinkube.devpi\na \\1 backslash\n# END thinkube.devpi\nafter\n"
    )


@pytest.mark.parametrize(
    ("wanted", "original", "edit", "left"),
    [
        (PIP, None, "[install]\nuser = true\n", "[install]\nuser = true\n"),
        (
            PIP,
            "[global]\nindex-url = https://theirs/\n",
            "proxy = p\n",
            "[global]\nindex-url = https://theirs/\nproxy = p\n",
        ),
        (UV, None, "[pip]\nstrict = true\n", "[pip]\nstrict = true\n"),
        (UV, "a = 1\n", "# more\n", "a = 1\n# more\n"),
        (PDM, None, "[x]\ny = 1\n", "[x]\ny = 1\n"),
        (
            PDM,
            '[pypi]\nurl = "https://theirs/"\n',
            "[x]\n",
            '[pypi]\nurl = "https://theirs/"\n[x]\n',
        ),
        (PYPIRC, None, "password = p\n", "[devpi]\npassword = p\n"),
        (
            PYPIRC,
            "[distutils]\nindex-servers =\n  private\n",
            "[private]\n",
            "[distutils]\nindex-servers =\n  private\n\n[private]\n",
        ),
    ],
)
def test_what_the_user_added_since_stays(
    wanted: Wanted, original: str | None, edit: str, left: str
) -> None:
    record, text = kept(wanted, original)
    assert restored(record, Found(text + edit, 0o600)) == Found(left, 0o600)


def test_a_key_that_the_user_took_over_stays() -> None:
    record, text = kept(PIP, None)
    mine = text.replace("https://ours/", "https://mine/")
    assert restored(record, Found(mine, 0o644)).text == "[global]\nindex-url = https://mine/\n"


def test_a_file_that_the_user_removed_stays_away() -> None:
    record, _ = kept(PIP, "[global]\n")
    assert restored(record, Found()) == Found()


def test_a_file_made_once_is_left_to_the_user() -> None:
    assert planned(ONCE, "theirs\n") == "theirs\n"
    record, text = kept(ONCE, None)
    assert restored(record, Found(text, 0o600)) == Found()
    assert restored(record, Found("edited\n", 0o600)) == Found("edited\n", 0o600)


def test_an_interrupted_write_is_no_edit() -> None:
    record, _ = kept(FISH, "theirs\n")
    assert not is_edited(record, Found("theirs\n", 0o600))
    assert is_edited(record, Found("edited\n", 0o600))


def test_a_link_in_the_place_of_our_file_comes_back() -> None:
    link = Found("", None, "../pipx/devpi")
    record = Kept("file", link, digest("ours\n"))
    assert restored(record, Found("ours\n", 0o755)) == link


def test_the_record_keeps_everything() -> None:
    record, _ = kept(PIP, TEXTS[-1])
    assert Kept.load(json.loads(json.dumps(dataclasses.asdict(record)))) == record


def test_a_diff_shows_no_credentials() -> None:
    text = "index-url = https://alice:s3cret@host/+simple/ and https://host/a@b"
    assert without_credentials(text) == (
        "index-url = https://***@host/+simple/ and https://host/a@b"
    )
    text = "[a]\npassword: s3cret\n password=s3cret \nusername = password\npypi-token.a = 's3cret'"
    assert without_credentials(text) == (
        "[a]\npassword: ***\n password=***\nusername = password\npypi-token.a = ***"
    )
