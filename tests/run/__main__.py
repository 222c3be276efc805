# SPDX-License-Identifier: GPL-3.0-or-later
"""``python tests/run [PART ...]``: run the named parts of the tests, or all; what make calls.

With one of the cluster's scenarios among them, the tests' own cluster is brought up beside the
other parts and taken down at the end; most of these then run beside the scenario, too.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import FrameType

from audit import audit
from beside import Beside, report, wait_to_be_told
from cluster import TestCluster, molecule
from collection import collection
from commands import Failed, call
from debian import provide
from environments import CHECKOUT, EnvironmentFailed
from lint import ansible_lint, mypy, ruff, yamllint
from report import Part, Result, run_all, table
from sanity import sanity
from units import front, image, kube_score, server, unit, unit_on, workstation

SCENARIOS = ("default",)
# Parts for which the cluster, or what its driver builds, has to be there.
WITH_CLUSTER = {"kube-score", "image", *SCENARIOS}


def parts(cluster_is_up: Callable[[], None]) -> list[Part]:
    """All parts, those that fail soonest first."""
    return [
        Part("yamllint", yamllint),
        Part("ruff", ruff),
        Part("mypy", mypy),
        Part("ansible-lint", ansible_lint),
        Part("changelog", partial(call, ["antsibull-changelog", "lint"])),
        Part("audit", audit),
        Part("unit", unit),
        Part("collection", collection),
        Part("docs", docs),
        # What follows waits for it, beside it or not: from empty caches its builds need all cores.
        Part("cluster", cluster_is_up),
        Part("kube-score", kube_score, beside=True),
        Part("unit-3.12", partial(unit_on, "3.12"), beside=True),
        Part("unit-3.13", partial(unit_on, "3.13"), beside=True),
        Part("sanity", sanity, beside=True),
        Part("server", server, beside=True),
        Part("front", front, beside=True),
        Part("workstation", workstation, beside=True),
        Part("image", image, beside=True, long=True),
        *(Part(name, partial(molecule, name), long=True) for name in SCENARIOS),
    ]


GROUPS = {"lint": ("yamllint", "ruff", "mypy", "ansible-lint", "changelog")}


def docs() -> None:
    """What ansible-doc shows of the plugins and roles is well formed."""
    checks = ["--plugin-docs", "--validate-collection-refs=self", "--skip-rstcheck"]
    call(["antsibull-docs", "lint-collection-docs", *checks, str(CHECKOUT)])


def main() -> int:
    """0 when no part failed."""
    # A stop by the system ends as one by the keyboard: in the finally clauses.
    signal.signal(signal.SIGTERM, interrupted)
    began = time.monotonic()
    results: list[Result] = []
    names = [part.name for part in parts(wait_to_be_told)]
    asked = argparse.ArgumentParser(prog="tests/run", description=__doc__)
    asked.add_argument("part", nargs="*", choices=[*GROUPS, *names, []])
    asked.add_argument("--beside", action="store_true", help=argparse.SUPPRESS)
    arguments = asked.parse_args()
    chosen = expand(arguments.part) or set(names)
    try:
        if arguments.beside:
            run_beside(chosen, results)
        else:
            run_here(chosen, results)
    except (Failed, EnvironmentFailed) as why:
        results.append(Result("packages or cluster", 0.0, "failed", str(why)))
    except KeyboardInterrupt:
        results.append(Result("the rest", 0.0, "cut off"))
    print(table(results, time.monotonic() - began), flush=True)
    return exit_code({result.outcome for result in results})


def run_here(chosen: set[str], results: list[Result]) -> None:
    """The parts with these names; the cluster and a second process where there is a scenario."""
    cluster = TestCluster()

    def cluster_is_up() -> None:
        cluster.wait()
        beside.cluster_is_up()

    wanted = [part for part in parts(cluster_is_up) if part.name in chosen]
    others = [part for part in wanted if part.beside] if chosen.intersection(SCENARIOS) else []
    beside = Beside([part.name for part in others])
    provide(chosen)
    try:
        with cluster_for(chosen, cluster), beside:
            run_all([part for part in wanted if part not in others], results)
            beside.finish()
    finally:
        results += beside.rows()


def run_beside(chosen: set[str], results: list[Result]) -> None:
    """The same as the second process."""
    try:
        run_all([part for part in parts(wait_to_be_told) if part.name in chosen], results)
    finally:
        report(results)


def expand(asked: list[str]) -> set[str]:
    """Part names; some bring the wait for the cluster with them."""
    names = {name for given in asked for name in GROUPS.get(given, (given,))}
    return names | {"cluster"} if names & WITH_CLUSTER else names


def exit_code(outcomes: set[str]) -> int:
    """0 when no part failed, 130 after an interrupt, as a shell says it."""
    return 130 if "cut off" in outcomes else int("failed" in outcomes)


def cluster_for(chosen: set[str], cluster: TestCluster) -> AbstractContextManager[object]:
    """The cluster where one of the parts needs it, else nothing."""
    return cluster if "cluster" in chosen else nullcontext()


def interrupted(_number: int, _frame: FrameType | None) -> None:
    """Handler of SIGTERM."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    os.chdir(CHECKOUT)
    sys.exit(main())
