# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user then does with real pip, uv, twine, poetry, pdm, pipx and devpi, as the docs say."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from .conftest import (
    CHECKOUT,
    ROOT_PASSWORD,
    Pair,
    Server,
    Workstation,
    assert_comes_back,
    make_wheel,
)

# How each tool uploads, and where it takes name and password from.
UPLOADS: dict[str, tuple[list[str], Mapping[str, str]]] = {
    "twine": (["upload", "--non-interactive", "-r", "devpi"], {"TWINE_PASSWORD": ROOT_PASSWORD}),
    "uv": (
        ["publish", "--index", "devpi"],
        {"UV_PUBLISH_USERNAME": "root", "UV_PUBLISH_PASSWORD": ROOT_PASSWORD},
    ),
    "poetry": (
        ["publish", "--no-interaction", "-r", "devpi"],
        {
            "POETRY_HTTP_BASIC_DEVPI_USERNAME": "root",
            "POETRY_HTTP_BASIC_DEVPI_PASSWORD": ROOT_PASSWORD,
        },
    ),
    "pdm": (["publish", "--no-build", "-r", "devpi"], {"PDM_PUBLISH_PASSWORD": ROOT_PASSWORD}),
}
TAKES_FILES = {"twine", "uv"}
OWN = "devpi-client-test-own"


@pytest.fixture(scope="session")
def own_project(pair: Pair, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A project that is in no other index than ours."""
    wheel = make_wheel(tmp_path_factory.mktemp("own"), OWN)
    arguments, environment = UPLOADS["twine"]
    ended = pair.first.run(tools / "twine", *arguments, wheel, **environment)
    assert ended.returncode == 0, ended.stdout
    return OWN


@pytest.fixture
def bundle(configured: Workstation) -> dict[str, str]:
    """What our shell files export for uv."""
    return {"SSL_CERT_FILE": f"{configured.home}/.local/share/devpi/ca-bundle.crt"}


def make_project(folder: Path, name: str, more: str = "") -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1.0"\n'
        f'requires-python = ">=3.11"\ndependencies = []\n{more}'
    )
    return folder


def documented(heading: str, server: Server) -> str:
    """The first TOML under a heading of docs/clients.md, for this server."""
    text = (CHECKOUT / "docs/clients.md").read_text().partition(f"\n## {heading}\n")[2]
    found = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert found
    return found[1].replace("https://devpi-api.example.com", server.url)


@pytest.mark.parametrize("how", ["by its settings", "as documented without them"])
def test_pip_installs_from_the_index(
    configured: Workstation, server: Server, tmp_path: Path, *, how: str, own_project: str
) -> None:
    pip = (sys.executable, "-m", "pip")
    simple = f"{server.url}/root/stable/+simple/"
    asked = configured.run(*pip, "config", "get", "global.index-url")
    assert asked.stdout.strip() == simple
    index = [] if how == "by its settings" else ["--index-url", simple]
    ended = configured.run(*pip, "install", *index, "--target", tmp_path, "iniconfig", own_project)
    assert ended.returncode == 0, ended.stdout
    assert f"Looking in indexes: {simple}" in ended.stdout
    assert (tmp_path / "iniconfig").is_dir()


def test_uv_installs_from_the_index(
    configured: Workstation,
    server: Server,
    tools: Path,
    *,
    tmp_path: Path,
    bundle: dict[str, str],
    own_project: str,
) -> None:
    install = ["pip", "install", "--verbose", "--no-cache", "--python", sys.executable]
    projects = ["--target", tmp_path, "iniconfig", own_project]
    ended = configured.run(tools / "uv", *install, *projects, **bundle)
    assert ended.returncode == 0, ended.stdout
    assert f"{server.url}/root/stable/+simple/iniconfig/" in ended.stdout
    assert "pypi.org" not in ended.stdout


@pytest.mark.parametrize("backend", ["pip", "uv"])
def test_pipx_installs_from_the_index(
    configured: Workstation,
    tools: Path,
    bundle: dict[str, str],
    *,
    tmp_path: Path,
    backend: str,
    own_project: str,
) -> None:
    ended = configured.run(
        *(tools / "pipx", "install", "--preinstall", own_project, "pkginfo"),
        **bundle,
        PIPX_DEFAULT_BACKEND=backend,
        PIPX_HOME=str(tmp_path / "pipx"),
        PIPX_BIN_DIR=str(tmp_path / "bin"),
        PIPX_MAN_DIR=str(tmp_path / "man"),
    )
    assert ended.returncode == 0, ended.stdout
    assert (tmp_path / "bin/pkginfo").exists()


def test_poetry_installs_from_the_index(
    configured: Workstation, server: Server, tools: Path, *, tmp_path: Path, own_project: str
) -> None:
    more = "[tool.poetry]\npackage-mode = false\n" + documented("poetry", server)
    project = make_project(tmp_path / "project", "with-poetry", more)
    add = ["--directory", project, "add", "--no-interaction", own_project]
    ended = configured.run(tools / "poetry", *add, POETRY_VIRTUALENVS_IN_PROJECT="true")
    assert ended.returncode == 0, ended.stdout
    assert f'url = "{server.url}/root/stable/+simple' in (project / "poetry.lock").read_text()


@pytest.mark.parametrize("where", ["home", "project"])
def test_pdm_installs_from_the_index(
    configured: Workstation,
    server: Server,
    tools: Path,
    *,
    tmp_path: Path,
    where: str,
    own_project: str,
) -> None:
    more = documented("pdm", server) if where == "project" else ""
    project = make_project(tmp_path / "project", "with-pdm", more)
    # The source of a project has the authorities of the machine: those of the process, here.
    given = {"SSL_CERT_FILE": str(server.ca), "REQUESTS_CA_BUNDLE": str(server.ca)}
    ended = configured.run(
        *(tools / "pdm", "add", "--no-self", "--project", project, own_project),
        **(given if where == "project" else {}),
    )
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("tool", UPLOADS)
def test_a_tool_uploads_by_the_name_of_the_index(
    configured: Workstation,
    server: Server,
    tools: Path,
    *,
    tmp_path: Path,
    bundle: dict[str, str],
    tool: str,
) -> None:
    name = f"devpi-client-test-{tool}"
    project = make_project(tmp_path / "project", name)
    (project / "dist").mkdir()
    wheel = make_wheel(project / "dist", name)
    arguments, environment = UPLOADS[tool]
    files = [wheel] if tool in TAKES_FILES else []
    if tool == "uv":
        environment = {**environment, **bundle}
    command = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', project, tools / tool, *arguments, *files]
    ended = configured.run(*command, **environment)
    assert ended.returncode == 0, ended.stdout
    assert ROOT_PASSWORD not in ended.stdout
    assert_comes_back(configured, wheel, f"{server.url}/root/stable/+simple/", tmp_path)


def test_the_uploads_of_another_index_have_its_owners_name(pair: Pair, server: Server) -> None:
    home = pair.second.home
    assert (
        f"repository = {server.url}/alice/dev/\nusername = alice\n"
        in (home / ".pypirc").read_text()
    )
    assert f'publish-url = "{server.url}/alice/dev/"' in (home / ".config/uv/uv.toml").read_text()
    assert not (home / ".config/pypoetry").exists()
    assert not (home / ".config/pdm").exists()


def test_the_documented_flow_of_devpi(
    configured: Workstation, server: Server, tmp_path: Path
) -> None:
    """The lines of the docs as they stand; passwords are read instead of given."""
    wheel = make_wheel(tmp_path, "devpi-client-test-flow")

    def fish(line: str, text: str = "") -> str:
        ended = configured.fish(line, text=text)
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    try:
        assert server.url in fish("devpi-env")
        fish(f"devpi use {server.url}")
        fish("devpi login root", text=f"{ROOT_PASSWORD}\n")
        fish("devpi index -c myindex bases=root/pypi")
        fish("devpi use root/myindex")
        fish(f"devpi upload {wheel}")
        assert "devpi-client-test-flow" in fish("devpi list")
        fish("devpi user -c myuser", text="a users password\n" * 2)
        assert "bases=root/pypi" in fish("devpi index -c myuser/myindex bases=root/pypi")
        fish("devpi use myuser/myindex")
    finally:
        fish(f"devpi use {server.url}/root/stable")
        fish("devpi logoff")
    assert_comes_back(configured, wheel, f"{server.url}/root/myindex/+simple/", tmp_path)
