# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, find and end the cluster's processes, and only those.

A process is known by its pid *and* start time, recorded by the process itself before it becomes
the program: neither a killed driver nor a reused pid can make us lose or hit the wrong one.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from config import Cluster, ClusterError

POLL = 0.1
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LOG_TAIL = 12


@dataclass(frozen=True)
class Component:
    """A long-running process; it is started anew when its command or a file it read changed."""

    name: str
    command: tuple[str, ...]
    reads: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr((self.command, sorted(self.environment.items()))).encode())
        for path in self.reads:
            digest.update(path.read_bytes())
        return digest.hexdigest()


def run(*command: str | Path, text: str | None = None) -> str:
    """Run a command to its end and return its standard output; ``text`` is its standard input.

    Secrets go through ``text``: the command line shows in an error.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, input=text, text=True, capture_output=True, check=False)
    except OSError as error:
        raise ClusterError(f"'{words[0]}' could not be run: {error.strerror}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise ClusterError(f"'{' '.join(words)}' failed: {said}")
    return done.stdout


def succeeds(*command: str | Path) -> bool:
    """Whether a command ends with exit code 0; its output is dropped."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode == 0


def inside(cluster: Cluster, *command: str | Path) -> tuple[str, ...]:
    """The command, to be run in the cluster's network namespace.

    Not ``ip netns exec``: that makes a mount namespace too, and the kubelet's volume mounts would
    not reach containerd.
    """
    return ("nsenter", f"--net={cluster.netns}", *(str(word) for word in command))


class Background:
    """A command that runs beside other work; used as a context, it never outlives the block."""

    def __init__(self, *command: str | Path) -> None:
        self._command = [str(word) for word in command]
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    def finish(self) -> None:
        """Wait for the end; ClusterError when the command failed."""
        said, _ = self._process.communicate()
        if self._process.returncode != 0:
            raise ClusterError(f"'{' '.join(self._command)}' failed: {said.strip()}")


def start(
    cluster: Cluster, component: Component, before: Callable[[], None] = lambda: None
) -> bool:
    """Have the component running as described; tells whether it had to be started.

    ``before`` is done when it does not run and is about to.
    """
    fingerprint = component.fingerprint()
    recorded = _recorded(cluster, component.name)
    if recorded is not None and _is_alive(recorded):
        if recorded.get("fingerprint") == fingerprint:
            return False
        stop(cluster, [component.name])
    before()
    log = cluster.logs / f"{component.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    record = _record_file(cluster, component.name)
    record.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        subprocess.Popen(
            inside(cluster, *component.command),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": _PATH, **component.environment},
            start_new_session=True,
            # Safe beside the progress thread: the function takes no lock that it could hold.
            preexec_fn=lambda: _record_self(record, fingerprint),  # noqa: PLW1509
        )
    return True


def stop(cluster: Cluster, names: Iterable[str], patience: float = 5.0) -> None:
    """End components together: SIGTERM, after ``patience`` seconds SIGKILL. 0 kills at once."""
    records = {name: _recorded(cluster, name) for name in names}
    alive = {name: record for name, record in records.items() if record and _is_alive(record)}
    for record in alive.values():
        _signal(record, signal.SIGTERM if patience else signal.SIGKILL)
    if patience and not _gone(alive.values(), patience):
        for record in alive.values():
            _signal(record, signal.SIGKILL)
    if not _gone(alive.values(), 5.0):
        left = [name for name, record in alive.items() if _is_alive(record)]
        raise ClusterError(f"{', '.join(left)} did not end after SIGKILL; is the disk hanging?")
    for name in records:
        _record_file(cluster, name).unlink(missing_ok=True)


def pid(cluster: Cluster, name: str) -> int | None:
    """Process id of a running component."""
    record = _recorded(cluster, name)
    return int(record["pid"]) if record and _is_alive(record) else None


def recorded_names(cluster: Cluster) -> list[str]:
    """Components that were started at some time and not stopped since."""
    return sorted(path.stem for path in (cluster.run / "processes").glob("*.json"))


def wait(
    cluster: Cluster,
    what: str,
    holds: Callable[[], bool],
    *,
    seconds: float,
    needs: Iterable[str] = (),
    explain: Callable[[], str] | None = None,
) -> None:
    """Wait until ``holds()``; end early, with the log's last lines, when a component died.

    ``explain`` says after the time what is missing, instead of the components' logs.
    """
    needed = tuple(needs)
    deadline = time.monotonic() + seconds
    while not holds():
        for name in needed:
            if pid(cluster, name) is None:
                raise ClusterError(
                    f"{name} ended while waiting for {what}.{log_tail(cluster, name)}"
                )
        if time.monotonic() > deadline:
            why = explain() if explain else "".join(log_tail(cluster, name) for name in needed)
            raise ClusterError(f"No {what} within {seconds:.0f} s.{why}")
        time.sleep(POLL)


def log_tail(cluster: Cluster, name: str) -> str:
    """The last lines of a component's log, for an error message."""
    path = cluster.logs / f"{name}.log"
    if not path.exists():
        return ""
    lines = path.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
    return "\n".join([f"\n  last lines of {path}:", *(f"    {line}" for line in lines)])


def all_pids() -> Iterator[int]:
    """Every process of the machine that we can see."""
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def command_line(number: int) -> list[str]:
    """Arguments of a process; empty for a kernel thread or one that ended."""
    try:
        return Path(f"/proc/{number}/cmdline").read_text(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def memory(pids: Iterable[int]) -> int:
    """Proportional set size of the processes together, in bytes."""
    return sum(_pss(number) for number in pids)


def _pss(number: int) -> int:
    try:
        for line in Path(f"/proc/{number}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _record_file(cluster: Cluster, name: str) -> Path:
    return cluster.run / "processes" / f"{name}.json"


def _record_self(record: Path, fingerprint: str) -> None:
    number = os.getpid()
    content = {
        "pid": number,
        "start": _start_time(number),
        "boot": _boot(),
        "fingerprint": fingerprint,
    }
    fresh = record.with_suffix(".new")
    fresh.write_text(json.dumps(content))
    fresh.rename(record)


def _recorded(cluster: Cluster, name: str) -> dict[str, str] | None:
    try:
        content: dict[str, str] = json.loads(_record_file(cluster, name).read_text())
    except FileNotFoundError:
        return None
    return content


def _is_alive(record: Mapping[str, str]) -> bool:
    started = _start_time(int(record["pid"]))
    return started is not None and started == record["start"] and record["boot"] == _boot()


def _signal(record: Mapping[str, str], number: signal.Signals) -> None:
    if _is_alive(record):
        try:
            os.kill(int(record["pid"]), number)
        except ProcessLookupError:
            pass


def _gone(records: Iterable[Mapping[str, str]], seconds: float) -> bool:
    waiting = list(records)
    deadline = time.monotonic() + seconds
    while any(_is_alive(record) for record in waiting):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL / 2)
    return True


def _start_time(number: int) -> str | None:
    """Field 22 of ``/proc/<pid>/stat``; None for a process that ended or is a zombie."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
