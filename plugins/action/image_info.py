# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask a registry for an image, by skopeo.

Not by ``ansible.builtin.command``: making and starting that module takes longer than the question.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.thinkube.devpi.plugins.plugin_utils.in_process import plain

Result = dict[str, Any]

# What registries say of an image that they do not have, as skopeo passes it on.
UNKNOWN = re.compile(r"(manifest|name) unknown|reading manifest .*not found", re.IGNORECASE)
DEADLINE = 60


class ActionModule(ActionBase):  # type: ignore[misc]
    """Whether the image is there, and its digest."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> Result:
        """``exists`` and ``digest``, or the ``trouble`` with a registry that can't be asked.

        Trouble is no failure: the task hides its password by ``no_log``, and the reason with it.
        """
        result: Result = super().run(tmp, task_vars)
        _validation, asked = self.validate_argument_spec(
            {
                "name": {"type": "str", "required": True},
                "authfile": {"type": "str", "required": True, "no_log": True},
                "ca_bundle": {"type": "path"},
                "plain_http": {"type": "bool", "default": False},
            },
        )
        answer = {"name": asked["name"], "exists": False, "digest": "", "trouble": ""}
        return result | answer | ask(plain(asked))


def ask(asked: Mapping[str, Any]) -> Result:
    """What is to be said of the image; one question tests name, TLS and login too.

    The digest is that of the registry's own text, since an image may be a list without this
    machine's platform. The login goes by standard input, so that it is in no argument list and no
    file. skopeo is a Go program, which trusts SSL_CERT_FILE besides the system's folder of
    certificates.
    """
    verify = "false" if asked.get("plain_http") else "true"
    login = ["--authfile", "/dev/stdin"]
    command = ["skopeo", "inspect", "--raw", f"--tls-verify={verify}", *login]
    trust = {"SSL_CERT_FILE": asked["ca_bundle"]} if asked["ca_bundle"] else {}
    try:
        done = subprocess.run(
            [*command, f"docker://{asked['name']}"],
            input=asked["authfile"].encode(),
            env=os.environ | trust,
            timeout=DEADLINE,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        return {"trouble": "skopeo is not on PATH"}
    except subprocess.TimeoutExpired:
        return {"trouble": f"no answer within {DEADLINE} s"}
    if done.returncode == 0:
        return {"exists": True, "digest": f"sha256:{hashlib.sha256(done.stdout).hexdigest()}"}
    said = re.sub("(?s).*msg=", "", done.stderr.decode(errors="replace")).strip()
    return {} if UNKNOWN.search(said) else {"trouble": said}
