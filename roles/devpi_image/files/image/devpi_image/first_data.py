# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills a new server directory, or mends passwords in one that nobody serves.

Runs in devpi's own Python. Wishes come as one JSON object by standard input, since arguments and
environments can be read by others: `serverdir`; `new` to make it; `password` or `hash` of root;
`fallback`, a password for a root that has an empty one; `user` with `user_password`; `index`;
`direct` for a root/pypi that asks for each project by its name. Prints `fallback used` when it was.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from devpi_server.init import init  # type: ignore[import-untyped,import-not-found,unused-ignore]
from devpi_server.main import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
    CommandRunner,
    Fatal,
    xom_from_config,
)

_MIRROR = {
    "mirror_url": "https://pypi.org/simple/",
    "mirror_web_url_fmt": "https://pypi.org/project/{name}/",
}


def main() -> int:
    """The exit code."""
    wish = json.load(sys.stdin)
    if wish["new"]:
        secret = [f"--root-passwd={wish['password']}"] if wish["password"] else []
        secret += [f"--root-passwd-hash={wish['hash']}"] if wish["hash"] else []
        if code := init(argv=["devpi-init", "--serverdir", wish["serverdir"], *secret]):
            return int(code)
        if not (wish["user"] or wish["index"] or wish["direct"]):
            return 0
    with CommandRunner() as runner:
        parser = runner.create_parser(description=str(__doc__), add_help=False)
        parser.add_configfile_option()
        parser.add_logging_options()
        parser.add_storage_options()
        config = runner.get_config(["first-data", "--serverdir", wish["serverdir"]], parser)
        runner.configure_logging(config.args)
        xom = xom_from_config(config)
        with xom.keyfs.write_transaction():
            adjust(xom.model, wish)
    return int(runner.return_code or 0)


def adjust(model: Any, wish: dict[str, Any]) -> None:
    """Bring users and indexes of `model` (devpi's RootModel) to what is wished for."""
    root = model.get_user("root")
    if not wish["new"]:
        if wish["password"]:
            root.modify(password=wish["password"])
        elif wish["hash"]:
            root.modify(pwhash=wish["hash"])
        elif wish["fallback"] and root.validate(""):
            root.modify(password=wish["fallback"])
            print("fallback used")
        _renew_mirror(model.getstage("root", "pypi"))
    if wish["direct"]:
        _ask_directly(model.getstage("root", "pypi"))
    owner = root
    if wish["user"]:
        owner = model.get_user(wish["user"])
        if owner is None:
            owner = model.create_user(wish["user"], password=wish["user_password"])
        else:
            owner.modify(password=wish["user_password"])
    if wish["index"] and owner.getstage(wish["index"]) is None:
        bases = ["root/pypi"] if model.getstage("root", "pypi") else []
        owner.create_stage(wish["index"], bases=bases)
        print(f"made the index {owner.name}/{wish['index']}")


def _renew_mirror(stage: Any) -> None:
    """PyPI had another address when old servers made their mirror of it."""
    if stage is not None and "pypi.python.org" in stage.ixconfig.get("mirror_url", ""):
        stage.modify(**_MIRROR)
        print("root/pypi has PyPI's current address")


def _ask_directly(stage: Any) -> None:
    """Without the list of PyPI's projects, which a first request waits for, 30 s and more.

    pip, uv and twine have no use for it: see docs/architecture.md.
    """
    if stage is not None:
        stage.modify(mirror_no_project_list=True)


if __name__ == "__main__":
    try:
        code = main()
    except Fatal as error:
        sys.exit(f"fatal: {error}")
    # All is committed, and to take down what devpi has loaded takes 0.2 s.
    sys.stdout.flush()
    os._exit(code)
