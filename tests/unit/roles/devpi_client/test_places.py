# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the files of a workstation are: on Linux and on macOS, for one user and for all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[4]
ROLE = CHECKOUT / "roles/devpi_client"

HOSTS: dict[str, dict[str, Any]] = {
    "linux": {"kernel": "Linux"},
    "linux-all": {"kernel": "Linux", "devpi_client_scope": "system"},
    "mac": {"kernel": "Darwin", "home": "/Users/alice", "devpi_client_pip_legacy_enabled": True},
    "mac-all": {"kernel": "Darwin", "devpi_client_scope": "system"},
}

PLAYBOOK = """
- name: Show the places of each host
  hosts: workstations
  gather_facts: false
  vars_files:
    - "{{ role }}/vars/main/checks.yaml"
    - "{{ role }}/vars/main/cluster.yaml"
    - "{{ role }}/vars/main/files.yaml"
    - "{{ role }}/vars/main/install.yaml"
    - "{{ role }}/vars/main/places.yaml"
  tasks:
    - name: Be on that system
      ansible.builtin.set_fact:
        system: "{{ kernel }}"
        user_id: alice
        user_dir: "{{ home | default('/home/alice') }}"
        cacheable: true
    - name: Show the places
      ansible.builtin.debug:
        msg:
          home: "{{ __devpi_client_real_home }}"
          command: "{{ __devpi_client_command }}"
          venv: "{{ __devpi_client_venv }}"
          lock: "{{ __devpi_client_lock }}"
          becomes: "{{ __devpi_client_becomes }}"
          problems: "{{ __devpi_client_home_problems }}"
          fish: "{{ __devpi_client_places.fish }}"
          pip: "{{ __devpi_client_pip_files | map(attribute='path') }}"
          pip_instead: "{{ __devpi_client_pip_files[0].instead }}"
          uv: "{{ __devpi_client_uv_file.path }}"
          pdm: "{{ __devpi_client_pdm_file.path }}"
          poetry: "{{ __devpi_client_places.poetry | default('') }}"
          shells: "{{ __devpi_client_loaders | map(attribute='path') }}"
          rivals: "{{ __devpi_client_rivals }}"
"""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the role makes of each host, in one run of Ansible."""
    folder = tmp_path_factory.mktemp("places")
    # The defaults of the role stand below the host's variables, as in a real run.
    local = yaml.safe_load((ROLE / "defaults/main.yaml").read_text()) | {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "domain_name": "example.com",
        "role": str(ROLE),
    }
    (folder / "hosts.json").write_text(
        json.dumps({"workstations": {"hosts": HOSTS, "vars": local}, "devpi": {"hosts": {"c": {}}}})
    )
    (folder / "play.yaml").write_text(PLAYBOOK)
    ended = subprocess.run(
        [Path(sys.prefix) / "bin/ansible-playbook", "-i", "hosts.json", "play.yaml"],
        cwd=folder,
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    shown = json.loads(ended.stdout)["plays"][0]["tasks"][-1]["hosts"]
    return {host: result["msg"] for host, result in shown.items()}


def test_a_users_files_on_linux(places: dict[str, dict[str, Any]]) -> None:
    assert places["linux"] == {
        "home": "/home/alice",
        "command": "/home/alice/.local/bin/devpi",
        "venv": "/home/alice/.local/share/devpi/venv",
        "lock": ["flock", "/home/alice/.local/share/devpi"],
        "becomes": False,
        "problems": [],
        "fish": ".config/fish/conf.d/devpi.fish",
        "pip": [".config/pip/pip.conf"],
        "pip_instead": "",
        "uv": ".config/uv/uv.toml",
        "pdm": ".config/pdm/config.toml",
        "poetry": ".config/pypoetry/config.toml",
        "shells": [".bashrc", ".zshrc"],
        "rivals": [".config/pip/pip.conf", ".pip/pip.conf", ".config/uv/uv.toml"],
    }


def test_everybodys_files_on_linux(places: dict[str, dict[str, Any]]) -> None:
    assert places["linux-all"] == {
        "home": "/",
        "command": "/usr/local/bin/devpi",
        "venv": "/usr/local/lib/devpi/venv",
        "lock": ["flock", "/usr/local/lib/devpi"],
        "becomes": True,
        "problems": [],
        "fish": "etc/fish/conf.d/devpi.fish",
        "pip": ["etc/pip.conf"],
        "pip_instead": "",
        "uv": "etc/uv/uv.toml",
        "pdm": "etc/xdg/pdm/config.toml",
        "poetry": "",
        "shells": ["etc/profile.d/devpi.sh", "etc/bash.bashrc", "etc/zsh/zshrc", "etc/zshrc"],
        "rivals": ["etc/pip.conf", "etc/uv/uv.toml"],
    }


def test_a_users_files_on_macos(places: dict[str, dict[str, Any]]) -> None:
    mac = places["mac"]
    assert (mac["home"], mac["lock"], mac["problems"]) == ("/Users/alice", [], [])
    assert mac["pip"] == [".config/pip/pip.conf", ".pip/pip.conf"]
    assert mac["pip_instead"] == "Library/Application Support/pip/pip.conf"
    assert mac["uv"] == ".config/uv/uv.toml"
    assert mac["pdm"] == "Library/Application Support/pdm/config.toml"
    assert mac["poetry"] == "Library/Application Support/pypoetry/config.toml"
    assert mac["shells"] == [".bashrc", ".bash_profile", ".zshrc"]
    assert mac["pip_instead"] in mac["rivals"]


def test_everybodys_files_on_macos(places: dict[str, dict[str, Any]]) -> None:
    mac = places["mac-all"]
    assert mac["command"] == "/usr/local/bin/devpi"
    assert mac["pip"] == ["Library/Application Support/pip/pip.conf"]
    assert mac["uv"] == "etc/uv/uv.toml"
    assert mac["shells"] == ["etc/bashrc", "etc/zshrc"]
    assert mac["rivals"] == ["Library/Application Support/pip/pip.conf", "etc/uv/uv.toml"]
