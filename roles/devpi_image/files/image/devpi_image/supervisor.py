# SPDX-License-Identifier: GPL-3.0-or-later
"""One service, kept running inside its container.

A container that ends takes the whole pod out of its Service for 1 s, then 12 s, then longer; a
server that is started again in place is away for the 2 s of its start. As process 1 it also
collects orphans and turns the signal that stops a container into the one the service wants.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from devpi_image.log import say
from devpi_image.plans import RestartLimit

_STOP = {signal.SIGTERM, signal.SIGINT}
_WATCHED = _STOP | {signal.SIGCHLD}
_POLL = 0.1
_PAUSE = 1.0


@dataclass(frozen=True)
class Service:
    """A program that is to be kept running.

    `answers` says whether it serves; `served` is called when it does so for the first time. Asked
    to stop by `stop_signal`, it has `patience` seconds to end with one of the `clean_codes`.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    stop_signal: signal.Signals
    clean_codes: frozenset[int]
    patience: float
    answers: Callable[[], bool]
    served: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Life:
    """How one process of the service went: its exit code (128 + n for signal n)."""

    code: int
    served: bool
    stopped: bool
    killed: bool


def gives_up(ends: Sequence[float], now: float, limit: RestartLimit) -> bool:
    """Whether the service ended too often, by the times (s) of its ends until `now`."""
    return len([end for end in ends if now - end <= limit.seconds]) > limit.ends


def supervise(service: Service, limit: RestartLimit) -> int:
    """Run the service until it is stopped or ends for good; the container's exit code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    ends: list[float] = []
    while True:
        life = _live(service)
        if life.stopped:
            if life.killed:
                say(f"{service.name} did not stop within {service.patience} s and was killed")
                return 0
            clean = life.code in service.clean_codes
            say(f"{service.name} is stopped" if clean else f"{service.name} ended with {life.code}")
            return 0 if clean else life.code or 1
        if not ends and not life.served:
            # Nothing that a second try would mend: its own message stands above this line.
            say(f"{service.name} ended with {life.code} before it had answered once")
            return life.code or 1
        ends.append(time.monotonic())
        if gives_up(ends, time.monotonic(), limit):
            say(f"{service.name} ended {len(ends)} times, giving up")
            return life.code or 1
        say(f"{service.name} ended with {life.code}, starting it again")
        if not life.served and _stop_asked(_PAUSE):
            return 0


def _live(service: Service) -> Life:
    started = time.monotonic()
    child = os.posix_spawn(
        service.command[0],
        service.command,
        service.environment,
        setsigmask=(),
        setsigdef=(*_STOP, signal.SIGPIPE),
    )
    served = killed = False
    deadline: float | None = None
    while True:
        event = _next_signal(None if served and deadline is None else _POLL)
        if event in _STOP:
            deadline = deadline or time.monotonic() + service.patience
            os.kill(child, service.stop_signal)
        if (code := _collect(child)) is not None:
            return Life(code, served, stopped=deadline is not None, killed=killed)
        if deadline is not None:
            # A server that is busy with PyPI's list of names listens to nobody for 20 s. What it
            # has answered is committed; the next pod waits for the end of this one.
            if time.monotonic() > deadline and not killed:
                killed = True
                os.kill(child, signal.SIGKILL)
        elif not served and event is None and service.answers():
            served = True
            service.served()
            say(f"{service.name} answers after {time.monotonic() - started:.1f} s")


def _next_signal(seconds: float | None) -> int | None:
    if seconds is None:
        return signal.sigwait(_WATCHED)
    info = signal.sigtimedwait(_WATCHED, seconds)
    return None if info is None else info.si_signo


def _stop_asked(seconds: float) -> bool:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if _next_signal(left) in _STOP:
            return True
    return False


def _collect(child: int) -> int | None:
    """Bury all dead processes; the exit code of `child` if it is one of them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            end = os.waitstatus_to_exitcode(status)
            code = end if end >= 0 else 128 - end
