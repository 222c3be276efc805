# SPDX-License-Identifier: GPL-3.0-or-later
"""What 17_configure_discovery tells others: builds, programs that look for devpi, code-server."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from kubernetes.stream import stream

from . import scratch
from .conftest import Cluster, Playbooks, wait_until

# The image has no pip: its newest wheel is run as it comes from the index.
INSTALL = r"""
import os, pathlib, re, subprocess, sys
from urllib.parse import urljoin
from urllib.request import urlopen
page = os.environ["PIP_INDEX_URL"] + "pip/"
links = re.findall(r'href="([^"#]*/pip-([0-9.]+)-py3-none-any.whl)', urlopen(page).read().decode())
link = max(links, key=lambda link: [int(part) for part in link[1].split(".")])[0]
wheel = pathlib.Path("/tmp", link.rpartition("/")[2])
wheel.write_bytes(urlopen(urljoin(page, link)).read())
install = ["install", "--no-cache-dir", "--disable-pip-version-check", "--target", "/tmp/installed"]
subprocess.run([sys.executable, f"{wheel}/pip", *install, "idna"], check=True)
sys.path.insert(0, "/tmp/installed")
import idna
print("installed", idna.__file__)
"""
# Knows the label and nothing else.
FIND = r"""
import json, os, pathlib, ssl, subprocess, sys
from urllib.request import Request, urlopen
account = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
trusted = ssl.create_default_context(cafile=account / "ca.crt")
login = {"Authorization": "Bearer " + (account / "token").read_text()}
def read(path):
    request = Request("https://kubernetes.default.svc" + path, headers=login)
    return json.load(urlopen(request, context=trusted))
(found, *_) = read("/api/v1/configmaps?labelSelector=thinkube.io/service-name=devpi")["items"]
offered = {key: value for key, value in found["data"].items() if key.isupper()}
if "DEVPI_CA_CONFIG_MAP" in offered:
    namespace = found["metadata"]["namespace"]
    bundle = read(f"/api/v1/namespaces/{namespace}/configmaps/{offered['DEVPI_CA_CONFIG_MAP']}")
    pathlib.Path("/tmp/ca.crt").write_text(bundle["data"]["ca-bundle.crt"])
    offered |= {"PIP_CERT": "/tmp/ca.crt", "SSL_CERT_FILE": "/tmp/ca.crt"}
print("found", *offered)
subprocess.run([sys.executable, "-c", sys.argv[1]], env=os.environ | offered, check=True)
"""
MOUNTED = {
    "volumes": [
        client.V1Volume(
            name="ca", config_map=client.V1ConfigMapVolumeSource(name="devpi-ca-bundle")
        )
    ],
    "volume_mounts": [client.V1VolumeMount(name="ca", mount_path="/etc/devpi")],
}
HOME = "/home/thinkube"
ENV = f"{HOME}/.config/thinkube/service-env-cs"
UPLOADERS = "x3cr3t-of-the-uploader"
# What another service offers, as a shell must not take it.
NASTY = "it's $HOME; `id`"


@pytest.fixture
def place(core: client.CoreV1Api) -> Iterator[str]:
    with scratch.namespace(core, "devpi-told") as name:
        yield name


@pytest.fixture
def given(tmp_path: Path) -> Any:
    """Arguments of a playbook with these variables, from a file."""

    def arguments(**variables: Any) -> list[str]:
        file = tmp_path / "given.yaml"
        file.write_text(yaml.safe_dump(variables))
        return ["-e", f"@{file}"]

    return arguments


def test_a_build_elsewhere_installs_by_its_environment(
    cluster: Cluster, playbooks: Playbooks, core: client.CoreV1Api, place: str, given: Any
) -> None:
    playbooks.run(
        "17_configure_discovery", *given(devpi_discovery_build_namespaces=[place])
    ).succeeded()
    source = client.V1EnvFromSource(
        config_map_ref=client.V1ConfigMapEnvSource(name="devpi-build-env")
    )
    scratch.start(
        core, place, "build", command=["python3", "-c", INSTALL], env_from=[source], **MOUNTED
    )
    log = scratch.finished(core, place, "build")
    assert f"Looking in indexes: {cluster.simple_url}" in log
    assert "installed /tmp/installed/idna" in log


@pytest.fixture
def reader(core: client.CoreV1Api, place: str) -> Iterator[str]:
    """An account that may read ConfigMaps, and nothing else."""
    rbac = client.RbacAuthorizationV1Api(core.api_client)
    core.create_namespaced_service_account(place, {"metadata": {"name": "reader"}})
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}
    with bound(rbac, place, "reader", [rule]):
        yield "reader"


@pytest.fixture
def installer(core: client.CoreV1Api, place: str) -> Iterator[str]:
    """An account with rights in one namespace alone, but for seeing that it is there."""
    rbac = client.RbacAuthorizationV1Api(core.api_client)
    core.create_namespaced_service_account(place, {"metadata": {"name": "installer"}})
    within = {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["*"]}
    rbac.create_namespaced_role(place, {"metadata": {"name": "installer"}, "rules": [within]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "installer"}
    subject = {"kind": "ServiceAccount", "name": "installer", "namespace": place}
    binding = {"metadata": {"name": "installer"}, "roleRef": role, "subjects": [subject]}
    rbac.create_namespaced_role_binding(place, binding)
    rule = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]}
    with bound(rbac, place, "installer", [rule | {"resourceNames": [place]}]):
        yield "installer"


@contextmanager
def bound(rbac: Any, place: str, account: str, rules: list[dict[str, Any]]) -> Iterator[None]:
    """An account has these rights in all of the cluster."""
    name = f"{place}-{account}"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    subject = {"kind": "ServiceAccount", "name": account, "namespace": place}
    named = {"metadata": {"name": name}}
    rbac.create_cluster_role(named | {"rules": rules})
    try:
        rbac.create_cluster_role_binding(named | {"roleRef": role, "subjects": [subject]})
        yield
    finally:
        rbac.delete_cluster_role(name)
        rbac.delete_cluster_role_binding(name)


def test_a_program_that_knows_the_label_installs(
    cluster: Cluster, playbooks: Playbooks, core: client.CoreV1Api, place: str, reader: str
) -> None:
    playbooks.run("17_configure_discovery").succeeded()
    command = ["python3", "-c", FIND, INSTALL]
    scratch.start(core, place, "program", command=command, service_account_name=reader)
    log = scratch.finished(core, place, "program")
    assert f"Looking in indexes: {cluster.simple_url}" in log
    assert "installed /tmp/installed/idna" in log


def test_an_uploaders_password_is_where_it_was_asked_for_and_nowhere_else(
    playbooks: Playbooks, core: client.CoreV1Api, place: str, given: Any
) -> None:
    def run(**variables: Any) -> Any:
        own = {"devpi_namespace": place, "devpi_discovery_username": "ci"}
        users = {"devpi_users": {"ci": {"password": UPLOADERS}}}
        arguments = given(**(own | users | variables))
        done = playbooks.run("17_configure_discovery", "-vvv", "--diff", *arguments).succeeded()
        assert UPLOADERS not in done.output
        assert base64.b64encode(UPLOADERS.encode()).decode() not in done.output
        return done

    def offered() -> Any:
        data = core.read_namespaced_config_map("thinkube-service-config", place).data
        return yaml.safe_load(data["service.yaml"])["service"]["environment_variables"][-1]

    assert run().changed > 0
    reference = offered()["valueFrom"]["secretKeyRef"]
    secret = core.read_namespaced_secret(reference["name"], reference["namespace"])
    assert base64.b64decode(secret.data[reference["key"]]).decode() == UPLOADERS
    assert run().changed == 0

    warned = run(devpi_discovery_password_in_clear=True)
    assert "knows the password of ci" in warned.output
    assert offered() == {"name": "DEVPI_PASSWORD", "value": UPLOADERS}
    assert run(devpi_discovery_password_in_clear=True).changed == 0
    # Asked for no more, it is out of there again.
    assert run().changed > 0
    assert "valueFrom" in offered()

    def has_login() -> bool:
        found = core.list_namespaced_secret(place).items
        return "devpi-discovery" in {one.metadata.name for one in found}

    assert has_login()
    assert run(devpi_discovery_username="root").changed > 0
    assert not has_login()
    assert offered()["valueFrom"]["secretKeyRef"]["name"] == "devpi-root"
    assert run(devpi_discovery_username="root").changed == 0
    run()
    assert has_login()
    run(devpi_state="absent")
    assert not has_login()


def said_by(core: client.CoreV1Api, place: str, pod: str, command: list[str]) -> str:
    return str(
        stream(
            core.connect_get_namespaced_pod_exec,
            pod,
            place,
            container="main",
            command=command,
            stdout=True,
            stderr=True,
        )
    )


@pytest.fixture
def code_server(core: client.CoreV1Api, place: str) -> str:
    """A pod that stands in for code-server, beside a service that offers a variable."""
    offered = [{"name": "OTHER_NOTE", "value": NASTY}]
    text = yaml.safe_dump({"service": {"environment_variables": offered}})
    other = {
        "metadata": {"name": "other", "labels": {"thinkube.io/managed": "true"}},
        "data": {"service.yaml": text},
    }
    core.create_namespaced_config_map(place, other)
    scratch.start(
        core,
        place,
        "code-server",
        labels={"app": "code-server"},
        command=["sh", "-c", f"echo 'alias ll=ls' > {HOME}/.bashrc; exec sleep 3600"],
        volumes=[client.V1Volume(name="home", empty_dir=client.V1EmptyDirVolumeSource())],
        volume_mounts=[client.V1VolumeMount(name="home", mount_path=HOME)],
        security_context=client.V1PodSecurityContext(
            run_as_user=1000, run_as_group=1000, fs_group=1000
        ),
        termination_grace_period_seconds=0,
    )
    wait_until(lambda: scratch.phase(core, place, "code-server") == "Running", 120)
    return "code-server"


def test_the_shells_of_code_server_know_all_services(
    cluster: Cluster,
    playbooks: Playbooks,
    core: client.CoreV1Api,
    place: str,
    code_server: str,
    given: Any,
) -> None:
    def ask(script: str) -> str:
        return said_by(core, place, code_server, ["bash", "-c", f"cd {HOME}; {script}"])

    def run(*arguments: str, **variables: Any) -> Any:
        own = {
            "devpi_namespace": place,
            "devpi_index_name": "scratch",
            "devpi_discovery_code_server_namespace": place,
        }
        return playbooks.run("17_configure_discovery", *arguments, *given(**own, **variables))

    files = "find . -type f -printf '%m %p\\n' | sort"
    before = ask(files)
    assert run("--check").succeeded().changed > 0
    assert ask(files) == before

    asked = {"devpi_discovery_code_server_password": True}
    first = run("-vvv", "--diff", **asked).succeeded()
    assert first.changed > 0
    assert "service-env-cs.fish" in first.output
    for word in (cluster.password, NASTY):
        assert word not in first.output
        assert base64.b64encode(word.encode()).decode() not in first.output
    found = ask(files)
    assert f"600 {ENV}.sh".replace(HOME, ".") in found
    assert f"600 {ENV}.fish".replace(HOME, ".") in found
    shown = ask(f'HOME={HOME}; . ~/.bashrc; alias ll; printf \'%s\\n\' "$DEVPI_URL" "$OTHER_NOTE"')
    assert shown.splitlines() == ["alias ll='ls'", cluster.api_url, NASTY]
    assert f"export DEVPI_PASSWORD={shlex.quote(cluster.password)}" in ask(f"cat {ENV}.sh")
    assert run(**asked).succeeded().changed == 0
    # Not asked for any more, the password is no longer there.
    assert run().succeeded().changed > 0
    assert cluster.password not in ask(f"cat {ENV}.sh {ENV}.fish")

    # Of services that go their variables go, and only theirs.
    assert "root/scratch" in ask(f"cat {ENV}.sh")
    assert run(devpi_state="absent").succeeded().changed > 0
    left = ask(f"cat {ENV}.sh")
    assert "root/scratch" not in left
    assert "OTHER_NOTE" in left


def test_without_code_server_the_run_says_so_and_goes_on(
    playbooks: Playbooks, place: str, given: Any
) -> None:
    own = {"devpi_namespace": place, "devpi_discovery_code_server_namespace": place}
    run = playbooks.run("17_configure_discovery", *given(**own)).succeeded()
    assert f"No pod of code-server is running in namespace {place}" in run.output


def test_rights_in_one_namespace_are_enough(
    cluster: Cluster,
    playbooks: Playbooks,
    core: client.CoreV1Api,
    place: str,
    installer: str,
    given: Any,
    tmp_path: Path,
) -> None:
    body = {"spec": {"expirationSeconds": 600}}
    token = core.create_namespaced_service_account_token(installer, place, body).status.token
    settings = yaml.safe_load(cluster.kubeconfig.read_text())
    settings["users"] = [{"name": settings["users"][0]["name"], "user": {"token": token}}]
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(settings))
    own = {"devpi_namespace": place, "kubeconfig": str(kubeconfig)}
    run = playbooks.run("17_configure_discovery", *given(**own)).succeeded()
    assert "No pod of code-server is running in namespace code-server" in run.output
    assert core.read_namespaced_config_map("thinkube-service-config", place)
