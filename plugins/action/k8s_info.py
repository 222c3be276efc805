# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""kubernetes.core.k8s_info without a process of its own, and able to wait for an end."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.thinkube.devpi.plugins.plugin_utils.in_process import (
    CONNECTION,
    ArgumentSpec,
    InProcessAction,
    Result,
)
from ansible_collections.thinkube.devpi.plugins.plugin_utils.settled import settled

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.service import K8sService
    from ansible_collections.kubernetes.core.plugins.modules.k8s_info import (
        argspec,
        execute_module,
    )
except ImportError:
    pass  # InProcessAction says so.

# Seconds between two looks, each of which is one request.
PAUSE = 0.3


class ActionModule(InProcessAction):
    """Reads objects."""

    options = (
        *CONNECTION,
        *("api_version", "kind", "name", "namespace", "label_selectors", "field_selectors"),
        "settle_timeout",
    )

    @staticmethod
    def argument_spec() -> ArgumentSpec:
        """All options of kubernetes.core.k8s_info, and the one of ours."""
        spec: ArgumentSpec = argspec()
        return spec | {"settle_timeout": {"type": "int", "default": 0}}

    @staticmethod
    def work(module: Any, client: Any) -> None:
        """Find the objects."""
        execute_module(module, K8sService(client, module))

    def outcome(self) -> Result:
        """Asked anew until then: a task's own ``until`` shows each look as a failure."""
        seconds = int(self._task.args.get("settle_timeout", 0))
        deadline = time.monotonic() + seconds
        while True:
            result = super().outcome()
            if result.get("failed") or not seconds:
                return result
            moving = [one for one in result["resources"] if not settled(one)]
            if not moving:
                return result
            if time.monotonic() >= deadline:
                names = ", ".join(f"{one['kind']} {one['metadata']['name']}" for one in moving)
                return result | {"failed": True, "msg": f"{names}: not done after {seconds} s"}
            time.sleep(PAUSE)
