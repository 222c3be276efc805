# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""kubernetes.core.k8s_exec without a process of its own.

Not by that module's code: it imports every typed API of the kubernetes client, which takes 3 s.
"""

from __future__ import annotations

import shlex
from typing import Any

from ansible_collections.thinkube.devpi.plugins.plugin_utils.in_process import (
    CONNECTION,
    ArgumentSpec,
    InProcessAction,
)

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
    from kubernetes.client.api.core_v1_api import CoreV1Api
    from kubernetes.client.exceptions import ApiException
    from kubernetes.stream import stream
except ImportError:
    pass  # InProcessAction says so.


class ActionModule(InProcessAction):
    """Runs a command in a container of a pod."""

    options = (*CONNECTION, "namespace", "pod", "container", "command")

    @staticmethod
    def argument_spec() -> ArgumentSpec:
        """Those of kubernetes.core.k8s_exec, of which the container is optional there."""
        spec: ArgumentSpec = dict(AUTH_ARG_SPEC)
        for name in ("namespace", "pod", "container", "command"):
            spec[name] = {"type": "str", "required": True}
        return spec

    @staticmethod
    def work(module: Any, client: Any) -> None:
        """Wait for the command's end; its exit code is for the task to judge."""
        asked = module.params
        try:
            session = stream(
                CoreV1Api(client.client.client).connect_get_namespaced_pod_exec,
                asked["pod"],
                asked["namespace"],
                container=asked["container"],
                command=shlex.split(asked["command"]),
                stdout=True,
                stderr=True,
                stdin=False,
                tty=False,
                _preload_content=False,
            )
        except ApiException as failure:
            module.fail_json(msg=f"No exec in pod {asked['pod']}: {failure.reason}")
        session.run_forever()
        module.exit_json(
            changed=True,
            rc=session.returncode,
            stdout=session.read_stdout(),
            stderr=session.read_stderr(),
        )
