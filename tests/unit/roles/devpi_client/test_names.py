# SPDX-License-Identifier: GPL-3.0-or-later
"""A workstation knows a cluster by its inventory variables; both must come to the same names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[4]

PLAYBOOK = """
- name: Show the names as role devpi makes them
  hosts: cluster
  gather_facts: false
  tasks:
    - name: Load the role
      ansible.builtin.include_role:
        name: thinkube.devpi.devpi
        tasks_from: check_inputs
        public: true
    - name: Show the names
      ansible.builtin.debug:
        msg:
          api: "{{ __devpi_api_url }}"
          index: "{{ __devpi_index }}"
          simple: "{{ __devpi_simple_url }}"
          dashboard: "{{ __devpi_dashboard_url if __devpi_sso_enabled else '' }}"
          bundle: "{{ devpi_ca_bundle }}"
- name: Show the names as role devpi_client makes them
  hosts: workstation
  gather_facts: false
  tasks:
    - name: Load the role
      ansible.builtin.include_role:
        name: thinkube.devpi.devpi_client
        tasks_from: preflight
        public: true
    - name: Show the names
      ansible.builtin.debug:
        msg:
          api: "{{ devpi_client_api_url }}"
          index: "{{ devpi_client_index }}"
          simple: "{{ __devpi_client_simple_url }}"
          dashboard: "{{ devpi_client_dashboard_url }}"
          bundle: "{{ devpi_client_ca_bundle }}"
"""


@pytest.mark.parametrize(
    "variables",
    [
        {"domain_name": "example.com"},
        {"domain_name": "example.com", "oauth2_proxy_enabled": False, "devpi_index_name": "prod"},
        {"devpi_domain": "example.com", "devpi_sso_enabled": False},
        {"domain_name": "example.com", "devpi_sso_enabled": False, "oauth2_proxy_enabled": True},
        {
            "domain_name": "example.com",
            "devpi_api_hostname": "packages-api.example.org",
            "devpi_dashboard_hostname": "packages.example.org",
            "devpi_ca_bundle": "bundle.pem",
        },
    ],
    ids=" ".join,
)
def test_both_roles_come_to_the_same_names(tmp_path: Path, variables: dict[str, Any]) -> None:
    if "devpi_ca_bundle" in variables:
        bundle = tmp_path / variables["devpi_ca_bundle"]
        bundle.write_text("-----BEGIN CERTIFICATE-----\n")
        variables = {**variables, "devpi_ca_bundle": str(bundle)}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {
        "devpi": {"hosts": {"cluster": {**local, "devpi_root_password": "x", **variables}}},
        "devpi_clients": {"hosts": {"workstation": local}},
    }
    (tmp_path / "hosts.json").write_text(json.dumps(inventory))
    (tmp_path / "play.yaml").write_text(PLAYBOOK)
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections"),
        **os.environ,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }
    ended = subprocess.run(
        [Path(sys.prefix) / "bin/ansible-playbook", "-i", "hosts.json", "play.yaml"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    plays = json.loads(ended.stdout)["plays"]
    of_cluster, of_workstation = (
        next(iter(play["tasks"][-1]["hosts"].values()))["msg"] for play in plays
    )
    assert of_workstation == of_cluster
