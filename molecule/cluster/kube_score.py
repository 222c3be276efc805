# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-score, which judges manifests: built like the cluster's programs, into the same cache."""

from __future__ import annotations

from pathlib import Path

import binaries
import cache
import versions
from progress import Progress

MODULE = f"github.com/zegl/kube-score@v{versions.KUBE_SCORE}"


def ensure(progress: Progress) -> Path:
    """The program, built if need be; BuildError with what the compiler or the network said."""
    made_of = cache.digest(MODULE, versions.KUBE_SCORE_SUM, *binaries.FLAGS)
    program = cache.root() / "binaries" / f"kube-score-{made_of}" / "kube-score"
    if program.is_file():
        return program
    with cache.builder(program.parent.parent, progress):
        if not program.is_file():
            # Its own go.mod and go.sum say what it is built of, and the sum holds these.
            source = Path(binaries.module_source(MODULE, versions.KUBE_SCORE_SUM)["Dir"])
            with cache.new_folder(program.parent) as new:
                output = str(new / program.name)
                binaries.go("build", *binaries.FLAGS, "-o", output, "./cmd/kube-score", cwd=source)
    return program
