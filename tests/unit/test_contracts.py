# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for the whole repository: the shape of roles and playbooks, and what must not be."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import CHECKOUT, ROLES, program

ANSIBLE_PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
role_tables = program("tests/run/role_tables.py")

PLAYBOOKS = sorted((CHECKOUT / "playbooks").glob("*.yaml"))
NUMBERED = [playbook for playbook in PLAYBOOKS if playbook.name[0].isdigit()]
# Role devpi is what the others depend on; a workstation has no cluster to share.
WITHOUT_CLUSTER = {"devpi", "devpi_client"}

# Inventory names of other installers: the value given, and the role variables that it has to reach.
SEED: dict[str, tuple[Any, ...]] = {
    "devpi_namespace": ("packages", "devpi_namespace"),
    "devpi_dashboard_hostname": ("ui.seed.example", "devpi_dashboard_hostname"),
    "devpi_api_hostname": ("api.seed.example", "devpi_api_hostname"),
    "devpi_index_name": ("main", "devpi_index_name"),
    "oauth2_proxy_enabled": (False, "__devpi_sso_enabled"),
    "harbor_registry": ("registry.seed.example:5000", "devpi_image_registry"),
    "harbor_project": ("project", "devpi_image_project"),
    "admin_username": ("boss", "devpi_image_username", "devpi_oauth2_proxy_keycloak_username"),
    "oauth2_proxy_client_id": ("seed-client", "devpi_oauth2_proxy_client_id"),
    "oauth2_proxy_cookie_domain": ("seed.example", "devpi_oauth2_proxy_cookie_domain"),
    "keycloak_url": ("https://keycloak.seed.example", "devpi_oauth2_proxy_keycloak_url"),
    "keycloak_realm": ("seed-realm", "devpi_oauth2_proxy_keycloak_realm"),
    "domain_name": ("seed.example", "devpi_domain"),
    "kubeconfig": ("/seed/admin.conf", "devpi_kubeconfig"),
    "kubectl_bin": ("/seed/kubectl", "devpi_kubectl_bin"),
    "helm_bin": ("/seed/helm", "devpi_helm_bin"),
    "app_name": ("seed", "devpi_name"),
    "tls_secret_name": ("seed-tls", "devpi_tls_secret_name"),
    "system_username": ("alice", "devpi_client_user"),
    "image_tag": ("seed-tag", "devpi_image_tag"),
    "gateway_name": ("seed-gateway", "devpi_exposure_gateway_name"),
    "gateway_namespace": ("gateway-system", "devpi_exposure_gateway_namespace"),
}

FORBIDDEN_TEXT = (
    "--tls-verify=false",
    "--extra-index-url",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "--insecure",
    "verify=False",
)


def load(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


def specs(role: Path) -> dict[str, Any]:
    return dict(load(role / "meta/argument_specs.yml")["argument_specs"])


def ansible_files() -> list[Path]:
    """Everything of roles and playbooks that Ansible runs or renders."""
    folders = [CHECKOUT / "playbooks"]
    folders += [
        role / part for role in ROLES for part in ("tasks", "templates", "defaults", "vars")
    ]
    return sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())


def mappings(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a YAML document, however deep."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from mappings(value)
    elif isinstance(node, list):
        for value in node:
            yield from mappings(value)


def test_defaults_are_the_argument_spec(role: Path) -> None:
    options = specs(role)["main"].get("options", {})
    documented = {name: spec["default"] for name, spec in options.items() if "default" in spec}
    defaults = load(role / "defaults/main.yaml")
    # Of a wrong argument Ansible says what all defaults of the specification are, values filled in.
    secret = {name for name, spec in options.items() if spec.get("no_log")}
    filled_in = {name for name in secret if "{{" in str(defaults[name])}
    assert {name: value for name, value in defaults.items() if name not in filled_in} == documented
    for name, spec in options.items():
        assert spec.get("type"), f"{name} has no type"
        assert spec.get("description"), f"{name} has no description"
        assert spec["type"] != "list" or spec.get("elements"), f"{name}: a list of what?"
        has_default = "default" in spec or name in filled_in
        assert has_default != spec.get("required", False), f"{name}: a default, or required"
        assert name.startswith(role.name), f"{name} does not carry the role's name"


def test_every_role_has_its_files(role: Path) -> None:
    for file in ("README.md", "meta/main.yml", "meta/argument_specs.yml", "defaults/main.yaml"):
        assert (role / file).is_file(), file


def test_cluster_roles_share_the_contract(role: Path) -> None:
    dependencies = [entry["role"] for entry in load(role / "meta/main.yml")["dependencies"]]
    shared = [] if role.name in WITHOUT_CLUSTER else ["thinkube.devpi.devpi"]
    assert dependencies == shared


@pytest.mark.parametrize("role", [role for role in ROLES if role.name != "devpi"], ids=str)
def test_preflight_takes_the_same_inputs(role: Path) -> None:
    assert (role / "tasks/preflight.yaml").is_file()
    entries = specs(role)
    assert entries["preflight"].get("options") == entries["main"].get("options")


def test_the_readme_names_only_what_exists(role: Path) -> None:
    known = {name for other in ROLES for name in specs(other)["main"].get("options", {})}
    known |= {other.name for other in ROLES} | {"devpi_clients", "devpi_hosts"}
    known |= {file.stem for file in (CHECKOUT / "plugins").glob("*/*.py")}
    named = set(re.findall(r"`(devpi_[a-z0-9_]+)", (role / "README.md").read_text()))
    assert named - known == set()


@pytest.mark.parametrize("playbook", NUMBERED, ids=lambda playbook: playbook.stem)
def test_numbered_playbooks_have_an_alias_that_begins_with_a_letter(playbook: Path) -> None:
    alias = playbook.with_name(playbook.name.partition("_")[2])
    (only,) = load(alias)
    assert only["ansible.builtin.import_playbook"] == playbook.name


def test_install_is_deploy_configure_cli_and_configure_discovery() -> None:
    steps = [play["ansible.builtin.import_playbook"] for play in load(PLAYBOOKS[0])]
    assert PLAYBOOKS[0].name == "00_install.yaml"
    assert steps == ["10_deploy.yaml", "15_configure_cli.yaml", "17_configure_discovery.yaml"]


@pytest.mark.parametrize("file", ansible_files(), ids=lambda file: str(file.relative_to(CHECKOUT)))
def test_nothing_forbidden(file: Path) -> None:
    text = file.read_text()
    assert [words for words in FORBIDDEN_TEXT if words in text] == []
    if file.suffix != ".yaml":
        return
    for mapping in mappings(load(file)):
        assert "ansible.builtin.shell" not in mapping
        assert "ansible.builtin.raw" not in mapping
        assert "ignore_errors" not in mapping
        assert mapping.get("failed_when") is not False
        assert mapping.get("validate_certs") is not False
        assert mapping.get("tls_verify") is not False


def test_a_fact_is_set_in_one_place(role: Path) -> None:
    names = [
        name
        for file in (role / "tasks").rglob("*.yaml")
        for task in mappings(load(file))
        for name in task.get("ansible.builtin.set_fact", {})
    ]
    assert sorted(names) == sorted(set(names))


@pytest.fixture(scope="module")
def seed_values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The role variables as Ansible sees them in an inventory of nothing but the seed's names."""
    folder = tmp_path_factory.mktemp("seed")
    result = folder / "result.json"
    variables = [variable for _, *reached in SEED.values() for variable in reached]
    variables += ["devpi_root_password", "devpi_oauth2_proxy_keycloak_password"]
    looked_up = ", ".join(
        f"'{name}': lookup('ansible.builtin.vars', '{name}')" for name in variables
    )
    play = {
        "hosts": "seed",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": [
            {
                "ansible.builtin.copy": {
                    "content": "{{ {" + looked_up + "} | to_json }}",
                    "dest": str(result),
                    "mode": "0600",
                }
            },
        ],
    }
    (folder / "play.yaml").write_text(json.dumps([play]))
    # The defaults of the roles stand below the inventory's host variables, as in a real run.
    defaults: dict[str, Any] = load(CHECKOUT / "roles/devpi/vars/main.yaml")
    for role in ROLES:
        defaults |= load(role / "defaults/main.yaml")
    given = {name: value for name, (value, *_) in SEED.items()}
    (folder / "hosts.yaml").write_text(
        json.dumps({"all": {"vars": defaults, "hosts": {"seed": given}}})
    )
    done = subprocess.run(
        [ANSIBLE_PLAYBOOK, "-i", str(folder / "hosts.yaml"), str(folder / "play.yaml")],
        env={**os.environ, "ADMIN_PASSWORD": "correct horse", "ANSIBLE_NOCOLOR": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(result.read_text()))


def test_ansible_reads_every_file_of_tasks(tmp_path: Path) -> None:
    """A check of a playbook's syntax stops at what is included while it runs; an import is read."""
    files = sorted(file for role in ROLES for file in (role / "tasks").glob("*.yaml"))
    imports = [
        {
            "name": str(file.relative_to(CHECKOUT)),
            "ansible.builtin.import_role": {
                "name": f"thinkube.devpi.{file.parents[1].name}",
                "tasks_from": file.stem,
            },
        }
        for file in files
    ]
    play = tmp_path / "play.yaml"
    play.write_text(yaml.safe_dump([{"hosts": "localhost", "tasks": imports}]))
    done = subprocess.run(
        [ANSIBLE_PLAYBOOK, "--syntax-check", str(play)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert len(files) > len(ROLES)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", SEED)
def test_seed_inventory_names_reach_the_roles(name: str, seed_values: dict[str, Any]) -> None:
    value, *variables = SEED[name]
    assert {variable: seed_values[variable] for variable in variables} == dict.fromkeys(
        variables, value
    )


def test_the_admin_password_comes_from_the_environment(seed_values: dict[str, Any]) -> None:
    assert seed_values["devpi_root_password"] == "correct horse"
    assert seed_values["devpi_oauth2_proxy_keycloak_password"] == "correct horse"


def test_the_readme_has_the_table_of_the_variables(role: Path) -> None:
    text = (role / "README.md").read_text()
    assert role_tables.with_table(text, specs(role)["main"].get("options", {})) == text
