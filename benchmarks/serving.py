# SPDX-License-Identifier: GPL-3.0-or-later
"""``python benchmarks/serving.py``: how fast packages are served, by us and by others.

devpi-server by itself, the front before it, proxpi, pypiserver and nginx with the same answers as
static files, on loopback, side by side. Needed: ``make venv``; as root it installs wrk and nginx.
Writes a table, and with ``--plot`` a PNG.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
for folder in ("tests/run", "tests/unit/roles/devpi_image", "tests/integration/front"):
    sys.path.insert(0, str(CHECKOUT / folder))
sys.path.insert(0, str(CHECKOUT / "roles/devpi_image/files/image"))

from debian import provide  # noqa: E402
from environments import ensure  # noqa: E402
from units import IMAGE_REQUIREMENTS  # noqa: E402

PEERS = CHECKOUT / "benchmarks/requirements.txt"
# Before `sites` reads it.
os.environ.setdefault(
    "DEVPI_SERVER_PREFIX", str(ensure(Path(sys.executable), (IMAGE_REQUIREMENTS,)))
)

import cold  # noqa: E402
import httpx  # noqa: E402
import resolving  # noqa: E402
from devpi_image.front import NGINX  # noqa: E402
from figures import DEVPI, OURS, PYPI, STATIC, Figures, Goal, missed, table  # noqa: E402
from idle import await_idle  # noqa: E402
from occupied import peak  # noqa: E402
from rivals import COLD, INDEX, Mirrored, Rival, alone, proxpi, pypiserver, seed, static  # noqa: E402
from sites import PIP, PREFIX, Admin, initialise, running, wheel  # noqa: E402
from upstream import serving  # noqa: E402

MEMORY = "memory of the front's processes at {} clients"


@dataclass(frozen=True)
class Work:
    """What clients ask for again and again; goals are ratios to devpi alone and to static files."""

    title: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    revalidates: bool = False
    uploads: bool = False
    over_devpi: float = 0
    over_static: float = 0


GZIP = (("Accept", PIP["Accept"]), ("User-Agent", PIP["User-Agent"]), ("Accept-Encoding", "gzip"))
WORKS = (
    Work("small page", "small", GZIP, over_devpi=100, over_static=0.5),
    Work("numpy-sized page", "huge", GZIP, over_devpi=500),
    Work("the same, revalidated", "huge", GZIP, revalidates=True, over_devpi=1500),
    Work("small page, one upload a second", "small", GZIP, uploads=True, over_devpi=25),
    Work("wheel, 0.5 MB", "wheel", over_devpi=10, over_static=0.9),
    Work("wheel, 17 MB", "large", over_static=0.9),
    Work("tail of a wheel", "wheel", (("Range", "bytes=-65536"),), over_devpi=20),
)


def rate(rival: Rival, work: Work, clients: int, seconds: float) -> float:
    """Requests a second, by wrk; an answer that is none raises."""
    await_idle()
    url = rival.url + rival.paths[work.path]
    headers = dict(work.headers)
    first = httpx.get(url, headers=headers, trust_env=False, timeout=120)
    first.raise_for_status()
    if work.revalidates and "ETag" in first.headers:
        headers["If-None-Match"] = first.headers["ETag"]
    given = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    counts = ["-t1", f"-c{clients}", f"-d{seconds:g}s", "--timeout=60s"]
    output = subprocess.run(
        ["wrk", *counts, *given, url], check=True, capture_output=True, text=True
    ).stdout
    if "Non-2xx" in output:
        raise RuntimeError(f"{rival.name}, {work.title}:\n{output}")
    found = re.search(r"Requests/sec:\s+([0-9.]+)", output)
    assert found, output
    return float(found[1])


@contextmanager
def uploads(urls: dict[str, str], rival: Rival) -> Iterator[None]:
    """One upload a second to the index that is read, while the block runs."""
    over = threading.Event()

    def work() -> None:
        with httpx.Client(base_url=urls[rival.name], trust_env=False, timeout=60) as client:
            root = Admin(client)
            while not over.wait(1):
                root.upload(INDEX, "uploaded", f"{time.time_ns()}")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def goals(clients: list[int]) -> Iterator[Goal]:
    """Of all works, and of what they may cost."""
    for number in clients:
        for work in WORKS:
            row = f"{work.title}, {number} clients"
            yield Goal(row, DEVPI, at_least=work.over_devpi)
            yield Goal(row, STATIC, at_least=work.over_static)
        yield Goal(MEMORY.format(number), at_most=64)


def warm(rivals: list[Rival], nginx: int, asked: argparse.Namespace) -> tuple[Figures, Figures]:
    """Requests a second of all works, the rivals taking turns within a round; and the memory."""
    figures, memory = Figures("requests/s"), Figures("MiB")
    for round_ in range(asked.rounds):
        for clients in asked.clients:
            with peak(nginx) as found:
                for work in WORKS:
                    measure(figures, work, rivals, clients, asked.seconds)
            memory.add(MEMORY.format(clients), OURS, max(found))
        print(f"round {round_ + 1}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    return figures, memory


def measure(
    figures: Figures, work: Work, rivals: list[Rival], clients: int, seconds: float
) -> None:
    """One work, of all rivals that can do it."""
    urls = {rival.name: rival.url for rival in rivals}
    for rival in rivals:
        if work.path not in rival.paths or (work.uploads and rival.name not in (OURS, DEVPI)):
            continue
        with uploads(urls, rival) if work.uploads else ExitStack():
            took = rate(rival, work, clients, seconds)
        figures.add(f"{work.title}, {clients} clients", rival.name, took)


def measured_on(peers: Path) -> str:
    """Machine and versions."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    nginx = subprocess.run([NGINX, "-v"], capture_output=True, text=True, check=True).stderr
    return ", ".join(
        [
            f"{os.cpu_count()} cores ({cpu[1] if cpu else os.uname().machine})",
            f"Linux {os.uname().release}",
            nginx.strip().rpartition(" ")[2].replace("/", " "),
            *versions(PREFIX, "devpi-server"),
            *versions(peers, "proxpi", "pypiserver"),
            *versions(Path(sys.prefix), "uv", "pip"),
        ]
    )


def versions(prefix: Path, *names: str) -> list[str]:
    """Those of packages in a virtual environment."""
    (packages,) = (prefix / "lib").glob("python*/site-packages")
    found = {one.name: one.version for one in distributions(path=[str(packages)])}
    return [f"{name} {found[name]}" for name in names]


def main() -> int:
    """0 if all goals were reached."""
    parser = argparse.ArgumentParser(prog="serving.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--crowd", type=int, default=200)
    parser.add_argument("--index", default="https://pypi.org/simple/", help="the real one")
    parser.add_argument("--plot", type=Path, help="write a PNG there")
    asked = parser.parse_args()
    provide({"serving"})
    peers = ensure(Path(sys.executable), (PEERS,))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = {COLD: wheel("cold", "1.0", 17_000_000)}
        upstream = stack.enter_context(serving(Mirrored("cold", file))).url
        site = stack.enter_context(running(initialise(folder / "initialised"), folder / "site"))
        paths = seed(site, upstream)
        ours = Rival(OURS, site.url, paths)
        rivals = [
            stack.enter_context(alone(site, paths)),
            ours,
            stack.enter_context(proxpi(folder, peers, upstream)),
            stack.enter_context(pypiserver(folder, peers)),
            stack.enter_context(static(folder, ours)),
        ]
        assert site.nginx is not None
        results = [
            *warm(rivals, site.nginx.pid, asked),
            cold.cold(rivals, upstream, asked.rounds, asked.crowd),
            resolving.resolving(rivals, asked.index, asked.rounds),
        ]
    names = [rival.name for rival in rivals]
    print(f"{measured_on(peers)}; medians of {asked.rounds}, smallest and largest\n")
    print("\n\n".join(table(figures, [*names, PYPI]) for figures in results))
    if asked.plot:
        _draw(results[0], names, asked.plot, peers)
    wanted = (*goals(asked.clients), *cold.goals(asked.crowd), *resolving.GOALS)
    said = [line for figures in results for line in missed(figures, wanted)]
    print("\n" + "\n".join(said) if said else "\nAll goals reached.")
    return int(bool(said))


def _draw(figures: Figures, names: list[str], place: Path, peers: Path) -> None:
    rows = list(dict.fromkeys(row for row, _rival in figures.rounds))
    data = {
        "rows": rows,
        "unit": figures.unit,
        "values": {name: [figures.median(row, name) for row in rows] for name in names},
    }
    program = CHECKOUT / "benchmarks/serving_plot.py"
    subprocess.run(
        [peers / "bin/python", program, place], input=json.dumps(data), text=True, check=True
    )


if __name__ == "__main__":
    sys.exit(main())
