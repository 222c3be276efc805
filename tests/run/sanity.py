# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-test sanity`` on what would be published, with nothing but a package index.

ansible-test wants to sit in ``ansible_collections/<namespace>/<name>`` inside git, keeps its own
environments in the home folder, and hides pip's environment variables from pip. It also downloads
get-pip.py from a host of its own; a file of that name in its cache is taken instead.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import ansible_test
from collection import build
from commands import Failed, call
from environments import CHECKOUT, cache_root

GET_PIP = Path(__file__).with_name("get_pip.py")
VENV = CHECKOUT / ".venv"


def sanity() -> None:
    """Run every sanity test with the Python that runs this."""
    home = cache_root() / "ansible-test"
    tree = CHECKOUT / ".cache" / "sanity" / "ansible_collections" / "thinkube" / "devpi"
    unpack(tree)
    place_get_pip(home / ".ansible" / "test" / "cache")
    configuration = home / ".config" / "pip" / "pip.conf"
    write_pip_configuration(configuration)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    try:
        call(
            ["ansible-test", "sanity", "--local", "--python", python, "--color", "no"],
            cwd=tree,
            extra={"HOME": str(home)},
        )
    finally:
        # It may hold the credentials of an index.
        configuration.unlink()


def unpack(tree: Path) -> None:
    """The built collection as a git repository of its own."""
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="thinkube-devpi-") as folder:
        shutil.unpack_archive(build(Path(folder)), tree)
    subprocess.run(["git", "init", "--quiet", str(tree)], check=True)


def place_get_pip(cache: Path) -> None:
    """Put our get-pip where this version of ansible-test looks for its own."""
    source = Path(ansible_test.__path__[0]) / "_internal" / "python_requirements.py"
    version = re.search(r"\bpip='([0-9.]+)'", source.read_text())
    if version is None:
        raise Failed(f"{source} does not say which pip it starts with")
    cache.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(GET_PIP, cache / f"get_pip_{version[1].replace('.', '_')}.py")


def write_pip_configuration(file: Path) -> None:
    """Pip's effective settings as a file, the only form in which they reach ansible-test's pip."""
    listing = subprocess.run(
        [str(VENV / "bin" / "pip"), "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    section = {
        name: dict(re.findall(rf"^{name}\.([a-z-]+)='(.*)'$", listing, re.MULTILINE))
        for name in ("global", ":env:")
    }
    settings = {**section["global"], **section[":env:"]}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as text:
        text.write("[global]\n")
        text.writelines(f"{name} = {value}\n" for name, value in settings.items())
