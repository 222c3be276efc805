# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run kubernetes.core's modules inside Ansible's own process.

A module is a process of its own: it starts Python, imports the kubernetes client and asks the
cluster for its resources anew, 0.7 s for each call (with the typed client: 3 s). Ansible imports an
action plugin in its main process before it forks a worker for the task, so what this file imports
is paid for once in a play, and a call costs what the cluster takes to answer.

The work is done by kubernetes.core's own code, by the entrance that it keeps for other ways of
running its modules, ``AnsibleK8SModule(module_class=...)``.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NoReturn

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

try:
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.exceptions import (
        CoreException,
    )
except ImportError as error:
    MISSING: str | None = str(error)
else:
    MISSING = None

Result = dict[str, Any]
ArgumentSpec = dict[str, dict[str, Any]]

CONNECTION = ("kubeconfig", "context")


class Ended(BaseException):
    """Carries a module's result to the plugin, past all of its ``except Exception``."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.result = result


class InProcessModule:
    """What AnsibleK8SModule asks of the AnsibleModule that it wraps."""

    def __init__(self, name: str, params: Mapping[str, Any], *, check_mode: bool, diff: bool):
        self._name = name
        self.params = dict(params)
        self.check_mode = check_mode
        self._diff = diff
        self.warnings: list[str] = []

    def exit_json(self, **result: Any) -> NoReturn:
        """End with this result and the warnings given so far."""
        raise Ended(result | ({"warnings": self.warnings} if self.warnings else {}))

    def fail_json(self, **result: Any) -> NoReturn:
        """End as failed."""
        self.exit_json(failed=True, **result)

    def warn(self, warning: str) -> None:
        """Keep a warning for the end."""
        self.warnings.append(warning)

    def deprecate(self, msg: str, **_when: Any) -> None:
        """As a warning: it is for the next maintainer of the roles, not for their users."""
        self.warn(msg)

    def debug(self, _msg: str) -> None:
        """Modules write this to the system's log; nobody reads it here."""


class InProcessAction(ActionBase):  # type: ignore[misc]
    """An action that does what a module of kubernetes.core does."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    # Those options of the module that ours takes; the others keep their defaults.
    options: tuple[str, ...]

    @staticmethod
    @abstractmethod
    def argument_spec() -> ArgumentSpec:
        """All options of the module."""

    @staticmethod
    @abstractmethod
    def work(module: Any, client: Any) -> None:
        """Do it with an AnsibleK8SModule and a K8SClient; ends in ``module.exit_json``."""

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> Result:
        """The module's result; failed with its message, or with what has to be installed."""
        result: Result = super().run(tmp, task_vars)
        if MISSING is not None:
            return result | {
                "failed": True,
                "msg": f"{MISSING}. Install what {self._task.action} needs where Ansible runs: "
                "pip install kubernetes, ansible-galaxy collection install kubernetes.core",
            }
        return result | self.outcome()

    def outcome(self) -> Result:
        """What the module ends with. No argument is echoed, since there are secrets among them."""
        spec = type(self).argument_spec()
        ours = ArgumentSpecValidator({name: spec[name] for name in self.options})
        checked = ours.validate(plain(self._task.args))
        if checked.error_messages:
            wrong = "; ".join(checked.error_messages)
            return {"failed": True, "msg": f"Arguments of {self._task.action}: {wrong}"}
        params = {name: option.get("default") for name, option in spec.items()}
        try:
            self.work_as_module(params | checked.validated_parameters)
        except Ended as ended:
            return ended.result
        raise AssertionError(f"{self._task.action} ended without a result")

    def work_as_module(self, params: Mapping[str, Any]) -> None:
        """Call ``work`` as the module's ``main`` does."""
        module = AnsibleK8SModule(
            module_class=lambda: InProcessModule(
                self._task.action,
                params,
                check_mode=self._task.check_mode,
                diff=self._task.diff,
            )
        )
        try:
            self.work(module, get_api_client(module))
        except CoreException as failure:
            module.fail_json(msg=str(failure))


def plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as a module would get them: without Ansible's marks on each value."""
    stripped: dict[str, Any] = json.loads(json.dumps(dict(arguments)))
    return stripped
