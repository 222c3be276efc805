# SPDX-License-Identifier: GPL-3.0-or-later
"""Homes on disk: the tree before and after is compared, whatever happened in between."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from ansible_collections.thinkube.devpi.plugins.module_utils._files import Found, Wanted
from ansible_collections.thinkube.devpi.plugins.module_utils._home import (
    LONGEST_DIFF,
    Change,
    Home,
    Record,
    carry_out,
    find_rivals,
    plan,
)

RECORD = ".local/share/devpi/files.json"
FILES = [
    Wanted(".local/bin/devpi", "file", content="#!/bin/sh\n", mode=0o755),
    Wanted(".config/pip/pip.conf", "ini", values={"global": {"index-url": "https://ours/"}}),
    Wanted(".config/uv/uv.toml", "block", content="[[index]]\n"),
    Wanted(".devpi.ini", "once", content="[devpi]\n", mode=0o600),
]

Tree = dict[str, tuple[int, str | bytes | None]]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a private pip.conf, dotfiles that uv's file is a link to, and devpi by pipx."""
    for folder in (".config/pip", ".config/uv", ".local/bin", "dotfiles"):
        (tmp_path / folder).mkdir(parents=True)
    pip = tmp_path / ".config/pip/pip.conf"
    pip.write_text("[global]\nindex-url = https://me:pw@theirs/\n")
    pip.chmod(0o600)
    (tmp_path / "dotfiles/uv.toml").write_text("offline = false\n")
    (tmp_path / ".config/uv/uv.toml").symlink_to("../../dotfiles/uv.toml")
    (tmp_path / ".local/bin/devpi").symlink_to("/nowhere/pipx/devpi")
    return Home(str(tmp_path))


def tree(home: Home) -> Tree:
    entries: Tree = {}
    for path in sorted(home.root.rglob("*")):
        name = str(path.relative_to(home.root))
        if path.is_symlink():
            entries[name] = (0, str(path.readlink()))
        else:
            entries[name] = (path.stat().st_mode, path.read_bytes() if path.is_file() else None)
    return entries


def backup(path: str) -> str:
    shutil.copy(path, path + "~")
    return path + "~"


def bring(
    home: Home, wanted: list[Wanted], directories: tuple[str, ...] = ()
) -> tuple[list[str], list[str]]:
    before = Record.parse(home.read(RECORD, "file").text)
    changes, after = plan(home, before, wanted, list(directories), RECORD)
    backups = carry_out(home, RECORD, changes, before, after, backup=backup)
    return [change.path for change in changes if change.before != change.after], backups


def test_everything_comes_back(home: Home) -> None:
    before = tree(home)
    assert bring(home, FILES, (".devpi/client",))[0] == [file.path for file in FILES]
    assert (home.root / ".devpi/client").is_dir()
    assert (home.root / ".config/uv/uv.toml").is_symlink()
    assert (home.root / ".local/bin/devpi").stat().st_mode & 0o777 == 0o755
    assert (home.root / ".config/pip/pip.conf").stat().st_mode & 0o777 == 0o600
    assert (home.root / RECORD).stat().st_mode & 0o777 == 0o600
    written = tree(home)
    assert bring(home, FILES, (".devpi/client",)) == ([], [])
    assert tree(home) == written
    bring(home, [])
    assert tree(home) == before
    assert bring(home, []) == ([], [])


def test_an_empty_home_is_empty_again(tmp_path: Path) -> None:
    home = Home(str(tmp_path))
    bring(home, FILES)
    bring(home, [])
    assert tree(home) == {}


def test_a_file_that_is_no_longer_wanted_goes(home: Home) -> None:
    before = tree(home)
    bring(home, FILES)
    changed, _ = bring(home, FILES[:1])
    assert sorted(changed) == [".config/pip/pip.conf", ".config/uv/uv.toml", ".devpi.ini"]
    assert tree(home)[".config/pip/pip.conf"] == before[".config/pip/pip.conf"]


def test_a_key_that_is_no_longer_wanted_goes(home: Home) -> None:
    pip = Wanted(".config/pip/pip.conf", "ini", values={"global": {"timeout": "60", "cert": "/ca"}})
    bring(home, [pip])
    path = home.root / ".config/pip/pip.conf"
    path.write_text(path.read_text() + "proxy = p\n")
    bring(home, [Wanted(pip.path, "ini", values={"global": {"timeout": "60"}})])
    assert "cert" not in path.read_text()
    bring(home, [])
    assert path.read_text() == "[global]\nindex-url = https://me:pw@theirs/\nproxy = p\n"


def test_an_edit_of_the_users_file_is_no_change_and_stays(home: Home) -> None:
    bring(home, FILES)
    path = home.root / ".config/pip/pip.conf"
    path.write_text(path.read_text() + "proxy = p\n")
    assert bring(home, FILES) == ([], [])
    bring(home, [])
    assert path.read_text() == "[global]\nindex-url = https://me:pw@theirs/\nproxy = p\n"


def test_an_edit_of_our_file_is_copied_before_it_goes(home: Home) -> None:
    bring(home, FILES)
    path = home.root / ".local/bin/devpi"
    path.write_text("edited\n")
    changed, backups = bring(home, FILES)
    assert changed == [".local/bin/devpi"]
    assert [Path(copy).read_text() for copy in backups] == ["edited\n"]


@pytest.mark.parametrize("wanted", [FILES, []], ids=["present", "absent"])
# The first write is the record; killed before it, no more than empty folders are left.
@pytest.mark.parametrize("killed_at", range(2, 9))
def test_an_interrupted_run_can_be_repeated_and_undone(
    home: Home, monkeypatch: pytest.MonkeyPatch, wanted: list[Wanted], killed_at: int
) -> None:
    before = tree(home)
    if not wanted:
        bring(home, FILES)
    writes = 0
    write = Home.write

    def killed(self: Home, name: str, form: str, found: Found) -> None:
        nonlocal writes
        writes += 1
        if writes == killed_at:
            raise KeyboardInterrupt
        write(self, name, form, found)

    with monkeypatch.context() as patch:
        patch.setattr(Home, "write", killed)
        try:
            bring(home, wanted)
        except KeyboardInterrupt:
            pass
    bring(home, FILES)
    assert "https://ours/" in (home.root / ".config/pip/pip.conf").read_text()
    bring(home, [])
    assert tree(home) == before


def test_a_file_that_pip_could_not_read_is_left_alone(home: Home) -> None:
    path = home.root / ".config/pip/pip.conf"
    path.write_text("[global]\n[global]\n")
    before = tree(home)
    with pytest.raises(ValueError, match=r"pip\.conf has an error.*already exists"):
        bring(home, FILES)
    assert tree(home) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\npassword s3cret\n", "No key with a value: line 2"),
        ("password = s3cret\n", "Line 1 comes before the first section"),
    ],
)
def test_an_error_in_a_file_quotes_none_of_it(home: Home, text: str, message: str) -> None:
    (home.root / ".pypirc").write_text(text)
    pypirc = Wanted(".pypirc", "ini", values={"devpi": {"username": "root"}})
    with pytest.raises(ValueError, match=message) as raised:
        bring(home, [pypirc])
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = \n", r"pdm\.toml has an error"),
        ("pypi.verify_ssl = true\n", r"pdm\.toml says the same .* nothing was written"),
    ],
)
def test_toml_that_its_tool_could_not_read_is_not_made(home: Home, text: str, message: str) -> None:
    pytest.importorskip("tomllib")
    (home.root / "pdm.toml").write_text(text)
    before = tree(home)
    with pytest.raises(ValueError, match=message):
        bring(home, [Wanted("pdm.toml", "toml", values={"pypi": {"url": "https://ours/"}})])
    assert tree(home) == before


@pytest.mark.parametrize(
    ("blocker", "message"),
    [(".config/pip/pip.conf/", "has to be a file"), (".config/pip", "has to be a folder")],
)
def test_what_stands_in_the_way_is_named_before_the_first_write(
    tmp_path: Path, blocker: str, message: str
) -> None:
    path = tmp_path / blocker
    path.parent.mkdir(parents=True)
    if blocker.endswith("/"):
        path.mkdir()
    else:
        path.write_text("")
    home = Home(str(tmp_path))
    before = tree(home)
    with pytest.raises(ValueError, match=message):
        bring(home, FILES)
    assert tree(home) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else_is_named_before_the_first_write(home: Home) -> None:
    (home.root / ".config/uv").chmod(0o500)
    (home.root / "dotfiles").chmod(0o500)
    with pytest.raises(ValueError, match=r"uv\.toml can't be written .* let that user write"):
        bring(home, FILES)
    assert not (home.root / RECORD).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_nobody_may_enter_is_named(home: Home) -> None:
    (home.root / ".config").chmod(0)
    try:
        with pytest.raises(ValueError, match=r"pip\.conf can't be read by the user of this task"):
            bring(home, FILES)
    finally:
        (home.root / ".config").chmod(0o755)


def test_programs_are_found_where_people_have_them(home: Home) -> None:
    program = home.root / ".cargo/bin/our-uv"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    with pytest.raises(ValueError, match="no program our-uv and no program nosuch on this machine"):
        home.find_programs(["sh", "our-uv", "nosuch"])
    program.chmod(0o755)
    assert home.find_programs(["our-uv"]) == {"our-uv": str(program)}
    assert home.is_used(["nosuch", "our-uv"])
    assert home.is_used([".config/uv"])
    assert home.is_used([])
    assert not home.is_used(["nosuch", ".nosuch"])


def test_a_home_that_is_not_there_is_no_home(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not there"):
        Home(str(tmp_path / "nobody")).check()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_is_read_only_is_no_home(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="can't be written"):
        Home(str(tmp_path)).check()


def test_rivals_are_seen_as_they_will_be(home: Home) -> None:
    (home.root / ".pip").mkdir()
    (home.root / ".pip/pip.conf").write_text("[global]\nindex-url = https://theirs/\n")
    names = [".config/pip/pip.conf", ".pip/pip.conf", "nosuch"]
    pattern = "^index-url = (?!https://ours/)"
    assert find_rivals(home, [], names, pattern) == names[:2]
    changes, _ = plan(home, Record.parse(None), FILES, [], RECORD)
    assert find_rivals(home, changes, names, pattern) == names[1:2]


def test_a_diff_is_short_and_keeps_secrets() -> None:
    long = "x" * (LONGEST_DIFF + 1)
    shown = Change("f", "file", Found("https://me:pw@host/\n", 0o600), Found(long, 0o755)).diff()
    assert shown["before"] == "https://***@host/\n"
    assert shown["after"].startswith("sha256 ")
    assert shown["after_header"] == "f (mode 0755)"
