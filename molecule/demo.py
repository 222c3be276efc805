# SPDX-License-Identifier: GPL-3.0-or-later
"""``make demo``: the real 00_install on a cluster of its own, or on one that exists.

Standard library only; ansible-playbook comes from the environment of ``make venv``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
STATE = CHECKOUT / ".local-cluster"
# The domain of the driver's cluster `demo`.
DOMAIN = "thinkube.test"
# What the inventory takes the password from.
VARIABLE = "ADMIN_PASSWORD"


class DemoError(Exception):
    """What the user has to do before the demo can go on."""


def main() -> int:
    """0 when devpi is installed; otherwise what failed has been printed."""
    arguments = argparse.ArgumentParser(prog="make demo", description=__doc__)
    arguments.add_argument("--kubeconfig", type=Path, help="use this cluster; builds none")
    arguments.add_argument("--inventory", type=Path, help="what to install there")
    asked = arguments.parse_args()
    try:
        if asked.kubeconfig:
            on_existing_cluster(asked.kubeconfig.absolute(), asked.inventory)
        elif asked.inventory:
            raise DemoError("INVENTORY is given but no KUBECONFIG: make demo KUBECONFIG=/path ...")
        else:
            on_local_cluster()
    except DemoError as error:
        print(f"make demo: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as failure:
        print(f"make demo: {failure.cmd[0]} failed, its messages stand above.", file=sys.stderr)
        return failure.returncode if failure.returncode > 0 else 1
    except KeyboardInterrupt:
        print("make demo: interrupted; `make demo` again goes on.", file=sys.stderr)
        return 130
    return 0


def on_local_cluster() -> None:
    """Bring the cluster up, install, tell how to use it."""
    subprocess.run([sys.executable, "molecule/cluster", "up"], check=True, cwd=CHECKOUT)
    password = (STATE / "admin-password").read_text().rstrip("\n")
    install(STATE / "inventory", password, [])
    print(how_to_use(DOMAIN))


def on_existing_cluster(kubeconfig: Path, inventory: Path | None) -> None:
    """Install on a cluster that is there, from an inventory that is there."""
    if not kubeconfig.is_file():
        raise DemoError(f"KUBECONFIG={kubeconfig} is not a file.")
    if inventory is None:
        raise DemoError(
            "which names and registry should your cluster's devpi have? Copy inventory.example,"
            " set at least domain_name (and harbor_registry, if it is not harbor.<domain_name>),"
            f" then: make demo KUBECONFIG={kubeconfig} INVENTORY=/path/of/the/copy"
        )
    if not inventory.exists():
        raise DemoError(f"INVENTORY={inventory} does not exist.")
    password = os.environ.get(VARIABLE)
    if not password:
        raise DemoError(
            f"{VARIABLE} is empty. It becomes the password of devpi's root and opens the registry:"
            f" read -rs {VARIABLE} && export {VARIABLE}"
        )
    install(inventory.absolute(), password, ["--extra-vars", f"kubeconfig={kubeconfig}"])


def install(inventory: Path, password: str, more: list[str]) -> None:
    """Run 00_install; the password goes by the environment, never by argv."""
    subprocess.run(
        ["ansible-playbook", "--inventory", str(inventory), *more, "playbooks/00_install.yaml"],
        check=True,
        cwd=CHECKOUT,
        env={
            **os.environ,
            VARIABLE: password,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache" / "collections"),
            "ANSIBLE_HOME": str(CHECKOUT / ".cache" / "ansible"),
        },
    )


def how_to_use(domain: str) -> str:
    """The last screen of the demo."""
    api = f"https://devpi-api.{domain}"
    bundle = STATE / "ca-bundle.crt"
    return f"""
devpi is up.

  web UI      https://devpi.{domain}
  sign in     user developer (stranger is refused), passwords in {STATE / "keycloak-users.json"}
  API         {api}
  log in      user root, password in {STATE / "admin-password"}
  trust       {bundle}

  install     python3 -m venv /tmp/try
              env PIP_CERT={bundle} REQUESTS_CA_BUNDLE={bundle} \\
                /tmp/try/bin/pip install --index-url {api}/root/stable/+simple/ flask
  look        {STATE / "bin" / "kubectl"} --kubeconfig {STATE / "kubeconfig"} -n devpi get pods
  stop        make demo-down
"""


if __name__ == "__main__":
    sys.exit(main())
