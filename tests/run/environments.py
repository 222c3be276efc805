# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments, made once per content of the requirements files and kept in the cache.

As a program it makes the checkout's own: ``.venv`` (a link into the cache) and
``.cache/collections`` (where Ansible finds this checkout as thinkube.devpi). Standard library only:
it runs before there is any environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
REQUIREMENTS = (CHECKOUT / "requirements.txt", CHECKOUT / "requirements-test.txt")
COLLECTIONS = CHECKOUT / ".cache" / "collections"


class EnvironmentFailed(Exception):
    """An environment can't be made; the text says what to do."""


def cache_root() -> Path:
    """What all checkouts of this user share: ``$THINKUBE_DEVPI_CACHE`` or the XDG place."""
    given = os.environ.get("THINKUBE_DEVPI_CACHE")
    if given:
        return Path(given).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "thinkube-devpi"


def ensure(python: Path, requirements: tuple[Path, ...] = REQUIREMENTS) -> Path:
    """The folder of an environment of this interpreter that holds exactly these requirements.

    Scripts in an environment carry its path, so it is made in place: under a lock, and counted as
    made when pip has finished.
    """
    identity = hashlib.sha256(describe(python).encode())
    for file in requirements:
        identity.update(file.read_bytes())
    folder = cache_root() / "venv" / identity.hexdigest()[:16]
    finished = folder / "finished"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            print(
                f"Making {folder} from {', '.join(file.name for file in requirements)}", flush=True
            )
            provide_ensurepip(python)
            run([str(python), "-m", "venv", str(folder)])
            files = [part for file in requirements for part in ("--requirement", str(file))]
            # Ansible is ten thousand files, of which a run imports few.
            pip = [
                str(folder / "bin" / "python"),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-compile",
            ]
            run([*pip, *files])
            compile_all(folder)
            finished.touch()
    return folder


def compile_all(folder: Path) -> None:
    """Write the bytecode that pip was told to leave out, but for collections: they are mostly data.

    Where PYTHONDONTWRITEBYTECODE is set, importing would never write it, and each module call of
    Ansible would compile the kubernetes client anew (5 s).
    """
    python = str(folder / "bin" / "python")
    without_collections = ["-x", "/ansible_collections/"]
    run([python, "-m", "compileall", "-q", "-j", "0", *without_collections, str(folder / "lib")])


def describe(python: Path) -> str:
    """What tells one interpreter from another: version, build, place."""
    script = "import sys; print(sys.version, sys.base_prefix)"
    return subprocess.run(
        [str(python), "-c", script], check=True, capture_output=True, text=True
    ).stdout


def find_python(version: str) -> Path | None:
    """An interpreter of ``version`` (``3.13``) that starts: from PATH, else from pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    on_path = shutil.which(f"python{version}")
    candidates = [Path(on_path)] if on_path else []
    candidates += sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    for candidate in candidates:
        # pyenv's shims are on PATH for versions that are not switched on: they only print an error.
        test = subprocess.run(
            [str(candidate), "-c", "import venv"], check=False, capture_output=True
        )
        if test.returncode == 0:
            return candidate
    return None


def provide_ensurepip(python: Path) -> None:
    """Debian's Python comes without the module that venv needs; install it where we may."""
    if has_ensurepip(python):
        return
    package = f"{python.name}-venv" if python.name != "python" else "python3-venv"
    install_debian(package)
    if not has_ensurepip(python):
        raise EnvironmentFailed(
            f"{python} can't make virtual environments: the module ensurepip is missing. "
            f"On Debian: apt-get install {package}"
        )


def install_debian(*packages: str) -> None:
    """Install Debian packages where we may; elsewhere leave it to the one who asked to complain."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        run(["apt-get", "update", "--quiet=2"])
        run(["apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", *packages])


def has_ensurepip(python: Path) -> bool:
    test = [str(python), "-c", "import ensurepip"]
    return subprocess.run(test, check=False, capture_output=True).returncode == 0


def run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    except subprocess.CalledProcessError as failure:
        raise EnvironmentFailed(
            f"'{' '.join(command)}' ended with {failure.returncode}; its own words stand above."
        ) from failure


def link(name: Path, target: Path) -> None:
    """Let ``name`` be a symbolic link to ``target``; replaced in one step."""
    name.parent.mkdir(parents=True, exist_ok=True)
    if name.is_symlink() and name.readlink() == target:
        return
    beside = name.with_name(f"{name.name}.{os.getpid()}")
    beside.symlink_to(target)
    beside.replace(name)


def main() -> int:
    try:
        link(CHECKOUT / ".venv", ensure(Path(sys.executable)))
    except EnvironmentFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    link(COLLECTIONS / "ansible_collections" / "thinkube" / "devpi", CHECKOUT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
