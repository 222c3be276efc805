# SPDX-License-Identifier: GPL-3.0-or-later
"""``python tests/run [PART ...]``: run the named parts of the tests, or all; what make calls.

With one of the cluster's scenarios among them, the tests' own cluster is brought up beside the
other parts and taken down at the end.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import FrameType

from audit import audit
from cluster import TestCluster, molecule
from collection import collection
from commands import Failed, call
from environments import CHECKOUT
from lint import ansible_lint, mypy, ruff, yamllint
from report import Part, Result, run_all, table
from sanity import sanity
from units import front, image, kube_score, server, unit, unit_on, workstation

SCENARIOS = ("default",)
# Parts for which the cluster, or what its driver builds, has to be there.
WITH_CLUSTER = {"kube-score", "image", *SCENARIOS}


def parts(cluster: TestCluster) -> list[Part]:
    """All parts, those that fail soonest first."""
    return [
        Part("yamllint", yamllint),
        Part("ruff", ruff),
        Part("mypy", mypy),
        Part("ansible-lint", ansible_lint),
        Part("changelog", partial(call, ["antsibull-changelog", "lint"])),
        Part("audit", audit),
        Part("unit", unit),
        Part("unit-3.12", partial(unit_on, "3.12")),
        Part("unit-3.13", partial(unit_on, "3.13")),
        Part("collection", collection),
        Part("docs", docs),
        Part("sanity", sanity),
        Part("server", server),
        Part("front", front),
        Part("workstation", workstation),
        Part("cluster", cluster.wait),
        Part("kube-score", kube_score),
        Part("image", image),
        *(Part(name, partial(molecule, name), long=True) for name in SCENARIOS),
    ]


GROUPS = {"lint": ("yamllint", "ruff", "mypy", "ansible-lint", "changelog")}


def docs() -> None:
    """What ansible-doc shows of the plugins and roles is well formed."""
    checks = ["--plugin-docs", "--validate-collection-refs=self", "--skip-rstcheck"]
    call(["antsibull-docs", "lint-collection-docs", *checks, str(CHECKOUT)])


def main() -> int:
    """0 when no part failed."""
    cluster = TestCluster()
    known = parts(cluster)
    asked = argparse.ArgumentParser(prog="tests/run", description=__doc__)
    asked.add_argument("part", nargs="*", choices=[*GROUPS, *(part.name for part in known), []])
    names = expand(asked.parse_args().part)
    chosen = [part for part in known if not names or part.name in names]
    # A stop by the system ends as one by the keyboard: in the finally clauses.
    signal.signal(signal.SIGTERM, interrupted)
    began = time.monotonic()
    results: list[Result] = []
    try:
        with cluster_for(chosen, cluster):
            run_all(chosen, results)
    except Failed as why:
        results.append(Result("cluster down", 0.0, "failed", str(why)))
    except KeyboardInterrupt:
        results.append(Result("the rest", 0.0, "cut off", "the cluster has been taken down"))
    print(table(results, time.monotonic() - began), flush=True)
    return exit_code({result.outcome for result in results})


def expand(asked: list[str]) -> set[str]:
    """Part names; some bring the wait for the cluster with them."""
    names = {name for given in asked for name in GROUPS.get(given, (given,))}
    return names | {"cluster"} if names & WITH_CLUSTER else names


def exit_code(outcomes: set[str]) -> int:
    """0 when no part failed, 130 after an interrupt, as a shell says it."""
    return 130 if "cut off" in outcomes else int("failed" in outcomes)


def cluster_for(chosen: list[Part], cluster: TestCluster) -> AbstractContextManager[object]:
    """The cluster where one of the parts needs it, else nothing."""
    return cluster if any(part.name == "cluster" for part in chosen) else nullcontext()


def interrupted(_number: int, _frame: FrameType | None) -> None:
    """Handler of SIGTERM."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    os.chdir(CHECKOUT)
    sys.exit(main())
