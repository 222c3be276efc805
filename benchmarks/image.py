# SPDX-License-Identifier: GPL-3.0-or-later
"""``python benchmarks/image.py --image I --base B``: size and start of the image, against a peer.

The peer is the same base with ``pip install devpi-server devpi-web``, built here. A start is the
time from ``podman run`` to a served ``/+api``; the peer's is that of devpi-init and devpi-server
called by hand, with 64 MiB for the token key (devpi's own 512 take 11 s). A further row has them
derive it in one pass, as the image does. Ports are free ones of the host.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/integration/image"))

from containers import SYSTEM_CA, ask, free_port, podman
from exports import write_export

PEER = "localhost/devpi-benchmark-peer:latest"
CONTAINERFILE = """
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
RUN --mount=type=secret,id=ca python3 -m venv /opt/devpi \\
 && if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \\
 && /opt/devpi/bin/pip install devpi-server==6.20.3 devpi-web==5.1.1
"""
BY_HAND = (
    # The key of the tokens lies in the directory, which devpi itself does not take.
    "rm -f /data/server/.secret;"
    " [ -e /data/server ] || /opt/devpi/bin/devpi-init --serverdir /data/server --root-passwd x;"
    " exec /opt/devpi/bin/devpi-server --serverdir /data/server --host 127.0.0.1 --port {port}"
    " --argon2-memory-cost 65536 --indexer-backend null --offline-mode"
)
MIB = 1024**2
ADDED_GOAL = 30
START_GOAL = 1.2
DEADLINE = 300


@dataclass(frozen=True)
class Size:
    """Compressed MiB: of all layers, and of those on the base."""

    total: float
    added: float


def size(image: str, base: str) -> Size:
    """As a registry would keep it."""
    layers = len(json.loads(podman("inspect", "--format={{json .RootFS.Layers}}", base)))
    with tempfile.TemporaryDirectory() as folder:
        podman("push", "--quiet", "--compress", "--remove-signatures", image, f"dir:{folder}")
        manifest = json.loads((Path(folder) / "manifest.json").read_text())
    sizes = [layer["size"] / MIB for layer in manifest["layers"]]
    return Size(sum(sizes), sum(sizes[layers:]))


def build_peer(base: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Containerfile").write_text(CONTAINERFILE)
        secret = [f"--secret=id=ca,src={SYSTEM_CA}"] if SYSTEM_CA.exists() else []
        options = ["--quiet", "--network=host", "--pull=false", f"--build-arg=BASE={base}"]
        podman("build", *options, *secret, "--tag", PEER, folder, timeout=1800)


Arguments = Callable[[int], list[str]]


def start(volume: Path, arguments: list[str], port: int) -> float:
    """Seconds until it serves."""
    name = f"devpi-benchmark-{os.getpid()}"
    options = ["--network=host", "--no-healthcheck", f"--volume={volume}:/data"]
    began = time.monotonic()
    try:
        podman("run", "--detach", "--name", name, *options, *arguments)
        while not serves(port):
            if time.monotonic() - began > DEADLINE:
                raise SystemExit(f"No answer within {DEADLINE} s:\n{podman('logs', name)}")
            time.sleep(0.02)
        return time.monotonic() - began
    finally:
        podman("rm", "--force", "--time=10", name, check=False)


def serves(port: int) -> bool:
    try:
        return ask(port, "/+api", headers={"Accept": "application/json"}).status == 200
    except (OSError, http.client.HTTPException):
        return False


def by_hand(port: int, options: str) -> list[str]:
    return ["--entrypoint=sh", PEER, "-c", BY_HAND.format(port=port) + options]


def rows(image: str) -> dict[str, Arguments]:
    """What is started, by the name of its row."""
    offline = "--env=DEVPISERVER_OFFLINE_MODE=true"
    return {
        "by hand": lambda port: by_hand(port, ""),
        "by hand, one pass": lambda port: by_hand(port, " --argon2-time-cost 1"),
        "the image": lambda port: [offline, image, "--port", str(port)],
        "the image, DEVPI_FRONT=off": lambda port: [
            offline,
            "--env=DEVPI_FRONT=off",
            image,
            "--port",
            str(port),
        ],
    }


def measure(kind: str, image: str, rounds: int, fill: Callable[[Path], None]) -> bool:
    """Print the table of one kind of volume; whether the goal is met."""
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for name, arguments in rows(image).items():
                volume = Path(folder) / f"{name}-{number}"
                volume.mkdir()
                fill(volume)
                port = free_port()
                times.setdefault(name, []).append(start(volume, arguments(port), port))
                load = os.getloadavg()[0]
                print(f"  {kind}, {name}: {times[name][-1]:.2f} s (load {load:.1f})", flush=True)
                subprocess.run(["rm", "-rf", volume], check=True)
    peer = statistics.median(times["by hand"])
    print(
        f"\n| {kind} | median s | smallest - largest | against by hand |\n| --- | --- | --- | --- |"
    )
    for name, found in times.items():
        middle = statistics.median(found)
        print(
            f"| {name} | {middle:.2f} | {min(found):.2f} - {max(found):.2f} | {middle / peer:.2f} |"
        )
    print()
    return statistics.median(times["the image"]) <= START_GOAL * peer


def filled(image: str, packages: int) -> Path:
    """A volume with that many packages, from an export."""
    folder = Path(tempfile.mkdtemp())
    (folder / "export").mkdir()
    write_export(folder / "export", packages)
    volume = folder / "volume"
    volume.mkdir()
    port = free_port()
    init = f"--volume={folder / 'export'}:/devpi-init.d:ro"
    start(volume, [init, "--env=DEVPISERVER_OFFLINE_MODE=true", image, "--port", str(port)], port)
    return volume


def main() -> int:
    """1 when a goal is missed."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--image", required=True)
    asked.add_argument("--base", required=True, help="what it was built on")
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--packages", type=int, default=1000)
    given = asked.parse_args()
    build_peer(given.base)
    sizes = {"peer": size(PEER, given.base), "the image": size(given.image, given.base)}
    print("| compressed MiB | total | added to the base |\n| --- | --- | --- |")
    for name, found in sizes.items():
        print(f"| {name} | {found.total:.1f} | {found.added:.1f} |")
    print(flush=True)
    met = [sizes["the image"].added <= ADDED_GOAL]
    met.append(measure("empty volume", given.image, given.rounds, lambda _: None))
    volume = filled(given.image, given.packages)

    def copy(target: Path) -> None:
        subprocess.run(["cp", "-a", f"{volume}/.", target], check=True)

    met.append(measure(f"{given.packages} packages", given.image, given.rounds, copy))
    subprocess.run(["rm", "-rf", volume.parent], check=True)
    print("Goals met" if all(met) else "A goal is missed", flush=True)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
