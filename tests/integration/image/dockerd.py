# SPDX-License-Identifier: GPL-3.0-or-later
"""A docker of the test's own: its folders, its socket, and nothing of the machine's network.

A docker that is installed would be started with a bridge and rules for packets, which disturb the
pods of a local cluster. So Debian's package is only unpacked where the machine has none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from containers import ended, eventually, run

WITHOUT_NETWORK = (
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
    "--ip-forward=false",
    "--ip-masq=false",
    "--userland-proxy=false",
)


@dataclass(frozen=True)
class Docker:
    """How to reach it."""

    environment: dict[str, str]

    def __call__(self, *arguments: str | Path, timeout: float = 300) -> str:
        """What docker says to a command that has to succeed."""
        return run(["docker", *arguments], timeout, env=os.environ | self.environment)


@contextmanager
def running(folder: Path, *, apart: bool = False) -> Iterator[Docker]:
    """A docker until the end of the `with`; ``apart`` in a network of its own, with no way out."""
    path = os.pathsep.join([*map(str, programs(folder)), os.environ["PATH"]])
    docker = Docker({"PATH": path, "DOCKER_HOST": f"unix://{folder}/socket"})
    places = {"data-root": "data", "exec-root": "exec", "pidfile": "pid", "config-file": "config"}
    (folder / "config").write_text("{}")
    given = [f"--{option}={folder / name}" for option, name in places.items()]
    # Its mounts are seen by itself alone, and end with it.
    command = ["unshare", "--mount"]
    if apart:
        command += ["--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    command += ["dockerd", f"--host={docker.environment['DOCKER_HOST']}"]
    with (folder / "log").open("w") as log:
        started = subprocess.Popen(
            [*command, *given, "--exec-opt=native.cgroupdriver=cgroupfs", *WITHOUT_NETWORK],
            env=os.environ | docker.environment,
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: answers(docker), f"docker answers, see {folder}/log")
        yield docker
    finally:
        started.terminate()
        started.wait(60)
        shutil.rmtree(folder / "data")


def answers(docker: Docker) -> bool:
    return ended(["docker", "version"], env=os.environ | docker.environment)[0] == 0


def programs(folder: Path) -> list[Path]:
    """Folders for PATH: none where docker's server is installed."""
    if shutil.which("dockerd"):
        return []
    run(["apt-get", "download", "--quiet", "docker.io"], cwd=folder)
    (package,) = folder.glob("docker.io_*.deb")
    run(["dpkg-deb", "--extract", package, folder / "docker.io"])
    return [folder / "docker.io/usr/sbin", folder / "docker.io/usr/bin"]
