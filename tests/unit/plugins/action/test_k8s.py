# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions that run kubernetes.core in Ansible's process, as far as no cluster is needed."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.thinkube.devpi.plugins.plugin_utils import in_process

CHECKOUT = Path(__file__).parents[4]
PLUGINS = "ansible_collections.thinkube.devpi.plugins"
# Their types are functions of kubernetes.core.
READ_BY_A_FUNCTION = {"kubeconfig", "resource_definition"}
NAMES = sorted(path.stem for path in (CHECKOUT / "plugins/action").glob("k8s*.py"))


def imported(kind: str, name: str) -> Any:
    return importlib.import_module(f"{PLUGINS}.{kind}.{name}")


@pytest.mark.parametrize("name", NAMES)
def test_the_documentation_has_the_options_that_the_action_takes(name: str) -> None:
    fragment = imported("doc_fragments", "cluster").ModuleDocFragment
    documented = {
        **yaml.safe_load(imported("modules", name).DOCUMENTATION)["options"],
        **yaml.safe_load(fragment.DOCUMENTATION)["options"],
    }
    action = imported("action", name).ActionModule
    assert set(documented) == set(action.options)
    for option, said in documented.items():
        spec = action.argument_spec()[option]
        assert said.get("default") == spec.get("default") or spec.get("default") is None
        assert said["type"] == spec.get("type", "str") or option in READ_BY_A_FUNCTION


@pytest.fixture
def cluster_that_is_gone(tmp_path: Path) -> Path:
    """A kubeconfig whose cluster refuses connections."""
    kubeconfig = tmp_path / "kubeconfig"
    named = {
        "clusters": [{"name": "gone", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "gone", "user": {"token": "very-secret"}}],
        "contexts": [{"name": "gone", "context": {"cluster": "gone", "user": "gone"}}],
        "current-context": "gone",
    }
    kubeconfig.write_text(yaml.safe_dump(named))
    return kubeconfig


def call(action: str, arguments: dict[str, Any], *more: str) -> tuple[int, str]:
    """Exit code and output of one task on localhost."""
    ansible = Path(sys.executable).with_name("ansible")
    command = [str(ansible), "localhost", "-m", f"thinkube.devpi.{action}"]
    done = subprocess.run(
        [*command, "-a", json.dumps(arguments), "-vvv", *more],
        check=False,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections"),
            "ANSIBLE_NOCOLOR": "1",
        },
    )
    return done.returncode, done.stdout + done.stderr


def test_a_cluster_that_does_not_answer_is_named(cluster_that_is_gone: Path) -> None:
    code, output = call("k8s_info", {"kubeconfig": str(cluster_that_is_gone), "kind": "Pod"})
    assert code != 0
    assert "127.0.0.1" in output
    assert "very-secret" not in output


def test_an_option_that_is_not_ours_is_refused(cluster_that_is_gone: Path) -> None:
    code, output = call("k8s_info", {"kind": "Pod", "knid": "Pod"})
    assert code != 0
    assert "Arguments of thinkube.devpi.k8s_info: knid" in output


def test_what_was_given_is_not_echoed(cluster_that_is_gone: Path) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a"},
        "data": {"a": "c2Vj"},
    }
    code, output = call(
        "k8s", {"kubeconfig": str(cluster_that_is_gone), "resource_definition": [secret]}
    )
    assert code != 0
    assert "c2Vj" not in output.partition("FAILED")[2]


def test_objects_are_shown_without_asking_the_cluster(cluster_that_is_gone: Path) -> None:
    arguments = {
        "kubeconfig": str(cluster_that_is_gone),
        "resource_definition": [{"kind": "Service", "metadata": {"name": "devpi-x"}}],
        "shown_only": True,
    }
    code, output = call("k8s", arguments, "--check", "--diff")
    assert code == 0
    assert '+    "kind": "Service"' in output
    assert "CHANGED" in output


def test_a_result_passes_what_would_catch_an_exception() -> None:
    module = in_process.InProcessModule("k8s", {}, check_mode=False, diff=False)
    module.warn("old")

    def fails_within_a_catch() -> None:
        try:
            module.fail_json(msg="no")
        except Exception:  # noqa: BLE001 - as kubernetes.core does around its calls
            pytest.fail("a result is no exception")

    with pytest.raises(in_process.Ended) as ended:
        fails_within_a_catch()
    assert ended.value.result == {"failed": True, "msg": "no", "warnings": ["old"]}


def test_kubernetes_core_takes_it_for_its_own_module() -> None:
    inner = in_process.InProcessModule("k8s", {"name": "a"}, check_mode=True, diff=True)
    module = AnsibleK8SModule(module_class=lambda: inner)
    assert module.params == {"name": "a"}
    assert module.server_side_dry_run
