# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/image.md and the examples beside it, against the image."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from devpi_image.options import WITHOUT_EFFECT, variable
from devpi_image.places import KNOWN as PLACES
from devpi_image.unpack import _ARCHIVES
from devpi_image.variables import KNOWN

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "image.md").read_text()
EXAMPLES = DOCS / "examples"
PIP_ENV = DOCS.parent / "roles/devpi_client/files/devpi-pip-env"
PYPI = "https://pypi.org/simple/"


def test_the_tables_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location(
        "image_tables", DOCS.parent / "tests/run/image_tables.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.with_tables(PAGE) == PAGE


def test_the_page_names_what_there_is() -> None:
    named = set(re.findall(r"\bDEVPI(?:SERVER)?_[A-Z0-9_]+[A-Z]\b", PAGE))
    assert named - KNOWN <= {"DEVPI_URL"}
    said = {name for name in KNOWN if name in named}
    unsaid = {name for name in KNOWN - said if not name.endswith("_FILE")}
    gone = {variable(name) for name in (*WITHOUT_EFFECT, "replica-cert")}
    clients = {name for name in unsaid if re.search("URL|USERNAME|CLIENTDIR|_VERSION", name)}
    assert unsaid - gone - clients == set()
    assert [place for place in PLACES if f"`{place}`" not in PAGE] == []
    assert [end for end in _ARCHIVES if f"`{end}`" not in PAGE] == [
        ".tgz",
        ".tbz2",
        ".txz",
        ".tzst",
    ]


@pytest.mark.parametrize("name", ["compose.yaml", "stack.yaml"])
def test_examples_give_the_password_by_a_secret(name: str) -> None:
    document = yaml.safe_load((EXAMPLES / name).read_text())
    assert set(document) == {"services", "volumes", "secrets"}
    (service,) = document["services"].values()
    assert set(service["environment"]) <= KNOWN
    (secret,) = service["secrets"]
    assert secret in document["secrets"]
    assert service["environment"] == {"DEVPISERVER_ROOT_PASSWD_FILE": f"/run/secrets/{secret}"}


@pytest.mark.skipif(not shutil.which("docker"), reason="there is no docker")
def test_docker_reads_the_stack() -> None:
    command = ["docker", "stack", "config", "--compose-file", str(EXAMPLES / "stack.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (service,) = yaml.safe_load(done.stdout)["services"].values()
    assert [secret["source"] for secret in service["secrets"]] == ["devpi_root_password"]


def test_the_build_in_a_cluster_is_that_of_the_role() -> None:
    documents = yaml.safe_load((EXAMPLES / "buildconfig.yaml").read_text())["items"]
    stream, build = (document for document in documents if document)
    spec = build["spec"]
    strategy = spec["strategy"]["dockerStrategy"]
    source = DOCS.parent / spec["source"]["contextDir"] / strategy["dockerfilePath"]
    (base,) = strategy["buildArgs"]
    assert f"ARG {base['name']}={base['value']}\n" in source.read_text()
    assert spec["output"]["to"]["name"] == f"{stream['metadata']['name']}:latest"
    # A Secret that is named, and not a word of it.
    webhook = next(entry["github"] for entry in spec["triggers"] if entry["type"] == "GitHub")
    assert set(webhook) == {"secretReference"}


@pytest.mark.parametrize(
    ("arguments", "index"),
    [
        ([], "https://pypi.org/simple/"),
        ([""], "https://pypi.org/simple/"),
        (["http://127.0.0.1:9/root/public/+simple/"], "https://pypi.org/simple/"),
        (["not a url"], "https://pypi.org/simple/"),
    ],
)
def test_without_devpi_a_build_goes_on_with_pypi(arguments: list[str], index: str) -> None:
    (command,) = re.findall(
        r"^RUN (.*)$", (EXAMPLES / "Containerfile.cached").read_text(), re.MULTILINE
    )
    install = "pip install --no-cache-dir -r requirements.txt"
    assert command.endswith(install)
    ended = command.replace(install, f'echo "${{PIP_INDEX_URL:-{PYPI}}}"')
    ended = ended.replace("/usr/local/bin/devpi-pip-env", str(PIP_ENV))
    environment = {"PATH": os.environ["PATH"], "INDEX": "".join(arguments)}
    done = subprocess.run(
        ["sh", "-c", ended], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{index}\n"
