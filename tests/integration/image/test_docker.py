# SPDX-License-Identifier: GPL-3.0-or-later
"""docker builds the image by the role, and both engines carry out the examples for them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dockerd
import pytest
import yaml
from alone import OFFLINE, PROBE
from conftest import stage
from containers import ended, eventually, podman, run
from dockerd import Docker
from registry import Registry
from role import play

EXAMPLES = Path(__file__).parents[3] / "docs/examples"
PODMAN_COMPOSE = "podman-compose==1.6.0"
PASSWORD = "from/a secret+file"


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    with dockerd.running(tmp_path_factory.mktemp("docker")) as running:
        yield running


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, registry: Registry, docker: Docker) -> str:
    """The name that docker has of the image, from a base that wants a login, with a plugin."""
    folder = tmp_path_factory.mktemp("built")
    base = f"{registry.host}/library/runtime:docker"
    trust = [f"--authfile={registry.authfile}", f"--cert-dir={registry.ca.parent}"]
    podman("push", "--quiet", *trust, stage("runtime"), f"docker://{base}")
    wanted: dict[str, Any] = {
        "harbor_registry": registry.host,
        "devpi_ca_bundle": str(registry.ca),
        "devpi_image_base": base,
        "devpi_image_engine": "docker",
        "devpi_image_name": "docker",
        "devpi_image_plugins": ["devpi-ldap==2.1.1"],
        "devpi_image_labels": {"team": "tools"},
        "devpi_image_sbom_folder": str(folder),
    }
    first = play(folder, environment=docker.environment, **wanted)
    assert first.code == 0, first.output
    again = play(folder, environment=docker.environment, **wanted)
    assert (again.code, again.changed, again.reference()) == (0, 0, first.reference())
    (bill,) = folder.glob("docker-6*.cdx.json")
    assert "devpi-ldap" in {part["name"] for part in json.loads(bill.read_text())["components"]}
    tag = bill.name.removeprefix("docker-").removesuffix(".cdx.json")
    return f"{registry.host}/library/docker:{tag}"


@pytest.mark.long
def test_docker_builds_with_what_is_asked_for(docker: Docker, built: str) -> None:
    (image,) = json.loads(docker("inspect", built))
    assert image["Config"]["Labels"]["team"] == "tools"
    # Options of the plugin are options of the image.
    refused = ["run", "--rm", "--network=none", "--env=DEVPISERVER_LDAP_CONFGI=/x", built]
    code, output = ended(["docker", *refused], env=os.environ | docker.environment)
    assert (code, "Is DEVPISERVER_LDAP_CONFIG meant" in output) == (2, True), output


def compose_file(folder: Path) -> Path:
    """That of the examples without a way out, since a bridge would disturb a local cluster."""
    document = yaml.safe_load((EXAMPLES / "compose.yaml").read_text())
    (service,) = document["services"].values()
    assert service.pop("ports") == ["${DEVPI_HOST_PORT:-3141}:3141"]
    service |= {"network_mode": "none", "container_name": "composed"}
    service["environment"] |= {**OFFLINE, "DEVPI_INDEX": "${FIRST_INDEX:-}"}
    file = folder / "compose.yaml"
    file.write_text(yaml.safe_dump(document))
    (folder / "devpi-root-password").write_text(f"{PASSWORD}\n")
    return file


def composed(command: list[str], file: Path, environment: Mapping[str, str]) -> None:
    """Up, used, down, and up again with what it had."""
    engine = "docker" if "DOCKER_HOST" in environment else "podman"
    known = os.environ | environment
    inside = [engine, "exec", "composed"]
    well = [*inside, "devpi-entrypoint", "health"]
    question = [*inside, "/opt/devpi/bin/python", "-c", PROBE, "http://127.0.0.1:3141", PASSWORD]
    for index in ("kept", ""):
        run([*command, "--file", file, "up", "-d"], env=known | {"FIRST_INDEX": index})
        eventually(lambda: ended(well, env=known)[0] == 0, "devpi answers", 120)
        assert run(question, env=known) == "200 200 404\n"
        run([*command, "--file", file, "down"], env=known)
    run([*command, "--file", file, "down", "--volumes"], env=known)


@pytest.mark.long
def test_the_compose_file_with_docker(tmp_path: Path, docker: Docker, built: str) -> None:
    given = docker.environment | {"DEVPI_IMAGE": built}
    composed(["docker-compose"], compose_file(tmp_path), given)


def test_the_compose_file_with_podman(tmp_path: Path, image: str) -> None:
    programs = tmp_path / "programs"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target"]
    run([*pip, programs, PODMAN_COMPOSE])
    given = {"DEVPI_IMAGE": image, "PYTHONPATH": str(programs)}
    composed([str(programs / "bin/podman-compose")], compose_file(tmp_path), given)


@pytest.mark.long
def test_docker_finds_it_healthy_and_stops_it_cleanly(docker: Docker, built: str) -> None:
    options = ["--network=none", "--read-only", "--tmpfs=/tmp", "--health-interval=1s"]
    options += [f"--env={name}={value}" for name, value in OFFLINE.items()]
    docker("run", "--detach", "--name=alone", *options, built)
    state = ["inspect", "--format={{.State.Health.Status}}", "alone"]
    eventually(lambda: docker(*state) == "healthy\n", "docker finds it healthy", 120)
    docker("stop", "alone")
    assert docker("inspect", "--format={{.State.ExitCode}}", "alone") == "0\n"


def stack_file(folder: Path, image: str) -> Path:
    """That of the examples, on the network around it: swarm's own needs vxlan of the kernel."""
    document = yaml.safe_load((EXAMPLES / "stack.yaml").read_text())
    (service,) = document["services"].values()
    assert service.pop("ports") == ["8080:3141"]
    service |= {"image": image, "networks": ["around"]}
    service["environment"] |= {**OFFLINE, "DEVPI_INDEX": "kept"}
    document["networks"] = {"around": {"external": True, "name": "host"}}
    # As the example says for Debian 12's docker.
    document["version"] = "3.8"
    file = folder / "stack.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.mark.long
def test_the_stack_with_swarm(tmp_path: Path, image: str) -> None:
    (tmp_path / "docker").mkdir()
    podman("save", "--quiet", "--output", tmp_path / "image.tar", image)
    with dockerd.running(tmp_path / "docker", apart=True) as docker:
        docker("load", "--quiet", "--input", tmp_path / "image.tar")
        docker("swarm", "init", "--advertise-addr=127.0.0.1", "--listen-addr=127.0.0.1")
        known = os.environ | docker.environment
        secret = ["docker", "secret", "create", "devpi_root_password", "-"]
        run(secret, env=known, input=f"{PASSWORD}\n")
        file = stack_file(tmp_path, image)
        deploy = ["stack", "deploy", "--resolve-image=never"]
        docker(*deploy, f"--compose-file={file}", "devpi")
        first = healthy(docker)
        assert asked(docker, first) == "200 200 404\n"
        docker("service", "update", "--quiet", "--detach", "--force", "devpi_devpi")
        eventually(lambda: healthy(docker) != first, "another container", 120)
        assert asked(docker, healthy(docker)) == "200 200 404\n"


def healthy(docker: Docker) -> str:
    """The container of the service, once docker finds it well."""
    wanted = ["--quiet", "--filter=label=com.docker.swarm.service.name=devpi_devpi"]
    eventually(lambda: docker("ps", *wanted, "--filter=health=healthy") != "", "it is well", 120)
    return docker("ps", *wanted, "--filter=health=healthy").strip()


def asked(docker: Docker, container: str) -> str:
    """What the container answers to somebody inside it."""
    python = "/opt/devpi/bin/python"
    return docker("exec", container, python, "-c", PROBE, "http://127.0.0.1:3141", PASSWORD)
