# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""kubernetes.core.k8s_exec without a process of its own.

Not by that module's code: it imports every typed API of the kubernetes client, which takes 3 s.
The one that has exec takes 0.4 s still, as much as a play that does nothing.
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
    from kubernetes.client.exceptions import ApiException
    from kubernetes.dynamic.exceptions import DynamicApiError
    from kubernetes.stream import stream
except ImportError:
    pass  # InProcessAction says so.


class ActionModule(InProcessAction):
    """Runs a command in a container of a pod."""

    options = (*CONNECTION, "namespace", "pod", "container", "command", "stdin")

    @staticmethod
    def argument_spec() -> ArgumentSpec:
        """Those of kubernetes.core.k8s_exec, whose container is optional, and standard input."""
        spec: ArgumentSpec = dict(AUTH_ARG_SPEC)
        for name in ("namespace", "pod", "container", "command"):
            spec[name] = {"type": "str", "required": True}
        spec["stdin"] = {"type": "str", "no_log": True}
        return spec

    @staticmethod
    def work(module: Any, client: Any) -> None:
        """Wait for the command's end; its exit code is for the task to judge."""
        asked = module.params
        path = f"/api/v1/namespaces/{asked['namespace']}/pods/{asked['pod']}/exec"
        query = [("container", asked["container"]), ("stdout", "true"), ("stderr", "true")]
        if asked["stdin"] is not None:
            query.append(("stdin", "true"))
        query += [("command", word) for word in shlex.split(asked["command"])]
        try:
            session = stream(Exec(client.client).connect, path, query, _preload_content=False)
        except (ApiException, DynamicApiError) as failure:
            module.fail_json(msg=f"No exec in pod {asked['pod']}: {failure.reason}")
        if asked["stdin"] is not None:
            session.write_stdin(asked["stdin"])
        session.run_forever()
        module.exit_json(
            changed=True,
            rc=session.returncode,
            stdout=session.read_stdout(),
            stderr=session.read_stderr(),
        )


class Exec:
    """What ``stream`` asks of an API that the client has types for, by the dynamic client."""

    def __init__(self, client: Any) -> None:
        self.api_client = client.client
        self._client = client

    def connect(self, path: str, query: list[tuple[str, str]], **_options: Any) -> Any:
        """The open connection: ``stream`` puts its own transport under this request."""
        return self._client.request("get", path, query_params=query, serialize=False)
