# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""kubernetes.core.k8s_info without a process of its own."""

from __future__ import annotations

from typing import Any

from ansible_collections.thinkube.devpi.plugins.plugin_utils.in_process import (
    CONNECTION,
    ArgumentSpec,
    InProcessAction,
)

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.service import K8sService
    from ansible_collections.kubernetes.core.plugins.modules.k8s_info import (
        argspec,
        execute_module,
    )
except ImportError:
    pass  # InProcessAction says so.


class ActionModule(InProcessAction):
    """Reads objects."""

    options = (
        *CONNECTION,
        *("api_version", "kind", "name", "namespace", "label_selectors", "field_selectors"),
    )

    @staticmethod
    def argument_spec() -> ArgumentSpec:
        """All options of kubernetes.core.k8s_info."""
        spec: ArgumentSpec = argspec()
        return spec

    @staticmethod
    def work(module: Any, client: Any) -> None:
        """Find the objects."""
        execute_module(module, K8sService(client, module))
