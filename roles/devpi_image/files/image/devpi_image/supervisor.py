# SPDX-License-Identifier: GPL-3.0-or-later
"""Services, kept running inside their container.

A container that ends takes the whole pod out of its Service for 1 s, then 12 s, then longer; a
server that is started again in place is away for the 2 s of its start. As process 1 it also
collects orphans and turns the signal that stops a container into the one the service wants.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from devpi_image.log import say
from devpi_image.plans import RestartLimit
from devpi_image.rewrite import Rewrite, Rewriter

_STOP = {signal.SIGTERM, signal.SIGINT}
_WATCHED = _STOP | {signal.SIGCHLD}
_POLL = 0.02
_PAUSE = 1.0
_LONGEST_NEED = 4.0
_STANDARD_ERROR = 2


@dataclass(frozen=True)
class Service:
    """A program that is to be kept running.

    `answers` says whether it serves; `served` is called when it does so for the first time, and
    `prepare` before each start. When all is to stop, it goes on while it `is_needed`, but for 4
    seconds at most; asked by `stop_signal`, it has `patience` seconds to end with one of the
    `clean_codes`. Its standard error goes through `rewrite`, if there is one.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    stop_signal: signal.Signals
    clean_codes: frozenset[int]
    patience: float
    answers: Callable[[], bool]
    served: Callable[[], None] = lambda: None
    prepare: Callable[[], None] = lambda: None
    is_needed: Callable[[], bool] = lambda: False
    rewrite: Rewrite | None = None


def gives_up(ends: Sequence[float], now: float, limit: RestartLimit) -> bool:
    """Whether the service ended too often, by the times (s) of its ends until `now`."""
    return len([end for end in ends if now - end <= limit.seconds]) > limit.ends


def supervise(services: Sequence[Service], limit: RestartLimit) -> int:
    """Run the services until they are stopped or one ends for good; the container's exit code.

    They are stopped in their order, one after the other.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    dead: dict[int, int] = {}
    runners = [_Runner(service, limit, dead) for service in services]
    for runner in runners:
        runner.start()
    while True:
        event = _next_signal(_POLL if any(runner.is_watched for runner in runners) else None)
        if event in _STOP:
            return _stop(runners)
        dead.update(_buried())
        for runner in runners:
            if runner.pid in dead and (end := runner.ended(dead[runner.pid])) is not None:
                _stop(runners)
                return end
        # Numbers of processes come again.
        dead.clear()
        for runner in runners:
            runner.tend()


@dataclass
class _Runner:
    """A service and what has become of it; without a `pid` it is not running.

    All share the exit codes of the `dead`, by process: who waits buries those of the others too.
    """

    service: Service
    limit: RestartLimit
    dead: dict[int, int]
    pid: int | None = None
    started: float = 0.0
    serves: bool = False
    ends: list[float] = field(default_factory=list)
    again_at: float | None = None
    rewriter: Rewriter | None = None

    @property
    def is_watched(self) -> bool:
        """Whether something is due that no signal tells of."""
        return not self.serves or self.again_at is not None

    def start(self) -> None:
        self.service.prepare()
        self.started, self.again_at, self.serves = time.monotonic(), None, False
        self.rewriter = Rewriter(self.service.rewrite) if self.service.rewrite else None
        to_rewriter = (
            [(os.POSIX_SPAWN_DUP2, self.rewriter.target, _STANDARD_ERROR)] if self.rewriter else []
        )
        self.pid = os.posix_spawn(
            self.service.command[0],
            self.service.command,
            self.service.environment,
            file_actions=to_rewriter,
            setsigmask=(),
            setsigdef=(*_STOP, signal.SIGPIPE),
            setpgroup=0,
        )
        if self.rewriter:
            self.rewriter.handed_over()

    def tend(self) -> None:
        """Start it again when that is due, and see whether it serves."""
        if self.again_at is not None and time.monotonic() >= self.again_at:
            self.start()
        elif self.pid is not None and not self.serves and self.service.answers():
            self.serves = True
            say(f"{self.service.name} answers after {time.monotonic() - self.started:.1f} s")
            self.service.served()

    def ended(self, code: int) -> int | None:
        """Note that it ended by itself; the container's exit code if that was for good."""
        self._sweep()
        self._finish_lines()
        self.pid = None
        name, served = self.service.name, self.serves
        if not self.ends and not served:
            # Nothing that a second try would mend: its own message stands above this line.
            say(f"{name} ended with {code} before it had answered once")
            return code or 1
        self.ends.append(time.monotonic())
        if gives_up(self.ends, time.monotonic(), self.limit):
            say(f"{name} ended {len(self.ends)} times, giving up")
            return code or 1
        say(f"{name} ended with {code}, starting it again")
        self.again_at = time.monotonic() + (0 if served else _PAUSE)
        return None

    def stop(self) -> int:
        """Stop it and wait for that; 0 if it went well."""
        if self.pid is None:
            return 0
        code = self._await_end(self.pid, time.monotonic() + _LONGEST_NEED, self.service.is_needed)
        if code is None:
            os.kill(self.pid, self.service.stop_signal)
            code = self._await_end(self.pid, time.monotonic() + self.service.patience)
        name = self.service.name
        if code is None:
            # A server that is busy with PyPI's list of names listens to nobody for 20 s. What it
            # has answered is committed; the next pod waits for the end of this one.
            say(f"{name} did not stop within {self.service.patience} s and was killed")
            os.kill(self.pid, signal.SIGKILL)
            self._await_end(self.pid, None)
            self._sweep()
            self._finish_lines()
            return 0
        self._finish_lines()
        clean = code in self.service.clean_codes
        say(f"{name} is stopped" if clean else f"{name} ended with {code}")
        return 0 if clean else code or 1

    def _sweep(self) -> None:
        """Kill what it has left: nginx' workers live on without it, and keep its port."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _finish_lines(self) -> None:
        """Have its last words stand above what is said of its end."""
        if self.rewriter:
            self.rewriter.finish()

    def _await_end(
        self, pid: int, deadline: float | None, waits: Callable[[], bool] = lambda: True
    ) -> int | None:
        """Its exit code; None at the deadline, or when it is no longer to be waited for."""
        while (
            pid not in self.dead and (deadline is None or time.monotonic() < deadline) and waits()
        ):
            _next_signal(_POLL)
            self.dead.update(_buried())
        return self.dead.get(pid)


def _stop(runners: Sequence[_Runner]) -> int:
    """Stop all of them; the first exit code that is not 0."""
    codes = [runner.stop() for runner in runners]
    return next((code for code in codes if code), 0)


def _next_signal(seconds: float | None) -> int | None:
    if seconds is None:
        return signal.sigwait(_WATCHED)
    info = signal.sigtimedwait(_WATCHED, seconds)
    return None if info is None else info.si_signo


def _buried() -> Iterator[tuple[int, int]]:
    """The dead processes, orphans too, with their exit codes (128 + n for signal n)."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        end = os.waitstatus_to_exitcode(status)
        yield pid, end if end >= 0 else 128 - end
