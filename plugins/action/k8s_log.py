# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""kubernetes.core.k8s_log without a process of its own."""

from __future__ import annotations

from typing import Any

from ansible_collections.thinkube.devpi.plugins.plugin_utils.in_process import (
    CONNECTION,
    ArgumentSpec,
    InProcessAction,
)

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.service import K8sService
    from ansible_collections.kubernetes.core.plugins.modules.k8s_log import (
        argspec,
        execute_module,
    )
except ImportError:
    pass  # InProcessAction says so.


class ActionModule(InProcessAction):
    """Reads the log of a pod."""

    options = (
        *CONNECTION,
        *("namespace", "name", "label_selectors", "all_containers", "tail_lines"),
    )

    @staticmethod
    def argument_spec() -> ArgumentSpec:
        """All options of kubernetes.core.k8s_log."""
        spec: ArgumentSpec = argspec()
        return spec

    @staticmethod
    def work(module: Any, client: Any) -> None:
        """Read it."""
        module.exit_json(**execute_module(K8sService(client, module), module.params))
