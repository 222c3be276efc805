# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that talk to a devpi have in common: connection, errors, differences.

PRIVATE to the collection.
"""

from __future__ import annotations

import re
import typing as t
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ._devpi.api import Api, Patience
from ._devpi.errors import DevpiError, InputError
from ._devpi.plan import ROTATE
from ._devpi.steps import bring, find_steps

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ._devpi.api import Transport
    from ._devpi.model import State
    from ._devpi.plan import Action

    Result = dict[str, t.Any]

CONNECTION: dict[str, dict[str, t.Any]] = {
    "url": {"type": "str", "required": True},
    "login_user": {"type": "str", "default": "root"},
    "login_password": {"type": "str", "no_log": True},
    "login_token": {"type": "str", "no_log": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 60},
    "retries": {"type": "int", "default": 4},
}
ONE_LOGIN = [("login_password", "login_token")]


def transport(timeout: float, ca_path: str | None) -> Transport:
    """Return a transport (see _devpi/api.py) on Ansible's own; it follows no redirect.

    ``timeout`` is in seconds. TLS is verified, with the system's authorities or those in
    ``ca_path``.
    """

    def send(
        method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            answer = open_url(
                url,
                data=body,
                headers=dict(headers),
                method=method,
                timeout=timeout,
                ca_path=ca_path,
                follow_redirects="no",
                http_agent="thinkube.devpi",
            )
            return answer.status, dict(answer.headers.items()), answer.read()
        except HTTPError as error:
            return error.code, dict(error.headers.items()), error.read()
        except URLError as error:
            # Which of them a second try may help is seen from the cause alone.
            raise error.reason if isinstance(error.reason, OSError) else error from error
        except HTTPException as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    return send


def connect(module: AnsibleModule) -> Api:
    """Return the server that the module's options name, logged in if they hold a login.

    :raises DevpiError: if the options are wrong, or the server refuses the login
    """
    options = module.params
    url = options["url"]
    if not url.startswith(("http://", "https://")) or urlsplit(url).username is not None:
        raise InputError(
            f"url is {url!r}",
            "it is not the URL of a server, or it holds a login",
            "Write one such as 'https://devpi-api.example.com', and the login into login_user"
            " and login_password",
        )
    api = Api(
        url,
        transport(options["timeout"], options["ca_path"]),
        patience=Patience(attempts=1 + options["retries"]),
    )
    if options["login_token"]:
        api.use_token(options["login_user"], options["login_token"])
    elif options["login_password"]:
        api.login(options["login_user"], options["login_password"])
    return api


def run(
    work: Callable[[AnsibleModule], Result],
    spec: Mapping[str, t.Any],
    mutually_exclusive: Sequence[tuple[str, ...]] = (),
    **further: t.Any,
) -> None:
    """Do a module's work, and end the module with its result or its error.

    ``spec`` are the module's own options and ``further`` other arguments of AnsibleModule; the
    connection's and check mode are added.
    """
    module = AnsibleModule(
        {**CONNECTION, **spec},
        supports_check_mode=True,
        mutually_exclusive=[*ONE_LOGIN, *mutually_exclusive],
        **further,
    )
    try:
        result = work(module)
    except DevpiError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


def converge(
    module: AnsibleModule,
    api: Api,
    wanted: State,
    passwords: Mapping[str, str],
    current: State | None = None,
) -> Result:
    """Bring the server to the wanted state, or in check mode only say what would be done.

    ``current`` is the server's state where it has been read already.

    :returns: ``changed``, ``steps`` and ``diff``
    """
    hide_logins(module, wanted)
    steps = find_steps(api, wanted, passwords, current)
    if not module.check_mode:
        bring(api, wanted, passwords, steps)
    return {
        "changed": bool(steps),
        "steps": [step.as_dict() for step in steps],
        "diff": [difference(step) for step in steps],
    }


def hide_logins(module: AnsibleModule, wanted: State) -> None:
    """Keep the password in a mirror's URL out of everything that the module says."""
    for index in wanted.indexes.values():
        url = urlsplit(index.settings.get("mirror_url") or "")
        if url.password:
            module.no_log_values.add(re.sub(r"^[^:]*:", "", url.netloc.rpartition("@")[0]))


def difference(step: Action) -> Result:
    """Return a step as Ansible shows differences; values of passwords are no part of it."""
    printable = step.as_dict()
    before, after = printable["before"], printable["after"]
    if step.action == ROTATE:
        before, after = {"password": "another"}, {"password": "as given"}
    header = step.subject
    return {
        "before_header": header,
        "after_header": header,
        "before": before or {},
        "after": after or {},
    }
