# SPDX-License-Identifier: GPL-3.0-or-later
"""How long runs take on a cluster that is up: ``rerun.py [--state FOLDER] [--rounds N] [--first]``.

``-e NAME=VALUE`` reaches every playbook and stays the state of the installation.

Without ``--first``: an empty play, a ``10_deploy`` and a ``00_install`` that find nothing to do,
and ``kubectl apply --server-side`` of the same manifests, one after the other in each round, so
that a busy machine burdens all alike; then the share of each role in one more ``00_install``.

With ``--first``: ``10_deploy`` into a namespace that is not there (the registry has the image),
against kubectl with the same manifests: stage one until Ready, the Job until Complete, stage two
until Ready, added up.

"The same manifests" are the objects that the playbook applied, read from the cluster and cut down
to the fields that it set (see applied.py). That they are the same is proved before anything is
timed: kubectl applies them, and not one resourceVersion moves.

Exit code 0 when all goals are reached, 1 when one is missed or something can't be measured.
Standard library only; the programs are those of ``make venv``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import applied
import first
import shares
from target import CHECKOUT, EMPTY_PLAY, BenchmarkError, Target, Timed, versions

# At most so many times the first row.
GOALS = {"no-op 10_deploy": 15.0, "no-op 00_install": 30.0, "first 10_deploy": 1.5}

Measured = dict[str, list[float]]


def main() -> int:
    """Measure and print; see above for the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--state", type=Path, default=CHECKOUT / ".local-cluster")
    parser.add_argument("--namespace", default="devpi", help="where devpi is (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--first", action="store_true")
    parser.add_argument("-e", dest="variables", metavar="NAME=VALUE", action="append", default=[])
    asked = parser.parse_args()
    target = Target(asked.state.resolve(), tuple(asked.variables))
    try:
        if not (target.state / "kubeconfig").is_file():
            raise BenchmarkError(f"{target.state} is not the folder of a cluster: make demo")
        reached = firsts(target, asked.rounds) if asked.first else reruns(target, asked)
    except BenchmarkError as error:
        print(f"rerun.py: {error}", file=sys.stderr)
        return 1
    return 0 if reached else 1


def reruns(target: Target, asked: argparse.Namespace) -> bool:
    """Print the table of runs that change nothing, and that of the roles."""
    say("bringing the installation to the state of this checkout")
    target.play("00_install")
    manifests = same_manifests(target, asked.namespace)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as empty_play:
        empty_play.write(EMPTY_PLAY)
        empty_play.flush()
        rows: dict[str, Callable[[], Timed]] = {
            "empty play": lambda: target.play(Path(empty_play.name)),
            "no-op 10_deploy": lambda: target.play("10_deploy"),
            "no-op 00_install": lambda: target.play("00_install"),
            f"kubectl apply of {len(manifests)} objects": lambda: target.apply(manifests),
        }
        measured = rounds(rows, asked.rounds)
    reached = print_table(measured)
    print_shares(target.play("00_install", ANSIBLE_STDOUT_CALLBACK=shares.CALLBACK))
    return reached


def same_manifests(target: Target, namespace: str) -> list[applied.Manifest]:
    """What the playbook applied; BenchmarkError if applying it by kubectl is a change."""
    before = target.objects(namespace)
    manifests = applied.manifests(before)
    target.apply(manifests)
    moved = versions(before).items() ^ versions(target.objects(namespace)).items()
    if moved:
        names = ", ".join(sorted({name for name, _ in moved}))
        raise BenchmarkError(f"kubectl changed what the playbook had applied: {names}")
    return manifests


def rounds(rows: dict[str, Callable[[], Timed]], count: int) -> Measured:
    """Seconds of each row, all rows in each round; BenchmarkError if one changes something."""
    measured: Measured = {name: [] for name in rows}
    for number in range(1, count + 1):
        for name, once in rows.items():
            timed = once()
            if timed.changed:
                raise BenchmarkError(f"{name} was to change nothing: changed={timed.changed}")
            measured[name].append(timed.seconds)
        say(f"round {number} of {count}: {', '.join(f'{s[-1]:.1f} s' for s in measured.values())}")
    return measured


def firsts(target: Target, count: int) -> bool:
    """Print the table of first deployments."""
    say("bringing the image of this checkout into the registry")
    target.play("10_deploy")
    kubectl, playbook = "kubectl apply to Ready", "first 10_deploy"
    measured: Measured = {
        name: [] for name in (kubectl, "  of it stage one", "  Job", "  stage two", playbook)
    }
    for number in range(1, count + 1):
        played, stages = first.measure(target)
        figures = (stages.seconds, stages.one, stages.job, stages.two, played)
        for row, seconds in zip(measured.values(), figures, strict=True):
            row.append(seconds)
        say(f"round {number} of {count}: {played:.1f} s, kubectl {stages.seconds:.1f} s")
    return print_table(measured)


def print_table(measured: Measured) -> bool:
    """Medians, extremes and how often the first row fits in; whether all goals are reached."""
    unit = median(next(iter(measured.values())))
    width = max(map(len, measured))
    print(f"\n{'seconds':<{width}}  median     min     max   ratio  goal")
    reached = True
    for name, seconds in measured.items():
        ratio, goal = median(seconds) / unit, GOALS.get(name)
        missed = goal is not None and ratio > goal
        reached = reached and not missed
        verdict = "" if goal is None else f"<= {goal:g}{' MISSED' if missed else ''}"
        print(f"{name:<{width}} {row(seconds)} {ratio:7.2f}  {verdict}".rstrip())
    return reached


def row(seconds: Sequence[float]) -> str:
    return " ".join(f"{value:7.2f}" for value in (median(seconds), min(seconds), max(seconds)))


def print_shares(run: Timed) -> None:
    """The roles of one run, and the tasks that took longest."""
    tasks = list(shares.tasks(run.output))
    print(f"\n{'share in one no-op 00_install':<32} seconds      %  tasks")
    for role, share in shares.shares(tasks, run.seconds).items():
        part = 100 * share.seconds / run.seconds
        print(f"{role:<32} {share.seconds:7.2f} {part:6.1f} {share.tasks:6}")
    print("\nlongest tasks")
    for task in sorted(tasks, key=lambda task: -task.seconds)[:12]:
        print(f"{task.seconds:7.2f}  {task.role}: {task.name.rpartition(' : ')[2]}")


def say(line: str) -> None:
    """Progress, apart from the tables; with the load, since a busy machine spreads the figures."""
    print(f"{line} (load {os.getloadavg()[0]:.1f})", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
