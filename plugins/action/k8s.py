# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""kubernetes.core.k8s without a process of its own, and with the differences of every object."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.thinkube.devpi.plugins.plugin_utils.in_process import (
    CONNECTION,
    ArgumentSpec,
    InProcessAction,
    Result,
    plain,
)

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.runner import run_module
    from ansible_collections.kubernetes.core.plugins.modules.k8s import argspec
except ImportError:
    pass  # InProcessAction says so.


class ActionModule(InProcessAction):
    """Brings objects to their state."""

    options = (
        *CONNECTION,
        *("api_version", "kind", "name", "namespace", "resource_definition", "state"),
        *("apply", "server_side_apply", "delete_options", "hidden_fields"),
        *("wait", "wait_sleep", "wait_timeout"),
        "shown_only",
    )

    @staticmethod
    def argument_spec() -> ArgumentSpec:
        """All options of kubernetes.core.k8s, and the one of ours."""
        spec: ArgumentSpec = argspec()
        return spec | {"shown_only": {"type": "bool", "default": False}}

    @staticmethod
    def work(module: Any, _client: Any) -> None:
        """Apply or remove one object after the other."""
        run_module(module)

    def outcome(self) -> Result:
        """With several objects, kubernetes.core's differences lie where no callback looks."""
        if boolean(self._task.args.get("shown_only", False)):
            return self.shown()
        result = super().outcome()
        several = (result.get("result") or {}).get("results") or []
        if self._task.diff and several:
            result["diff"] = [one["diff"] for one in several if one.get("diff")]
        return result

    def shown(self) -> Result:
        """The objects as to be created, without a word to the cluster."""
        objects = plain(self._task.args)["resource_definition"]
        diff = {"diff": [{"before": {}, "after": one} for one in objects]}
        return {"changed": True} | (diff if self._task.diff else {})
