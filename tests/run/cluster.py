# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests' own cluster: brought up beside the cheap parts, taken down whatever happens."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from commands import ARTIFACTS, Failed, call, environment, interrupt
from environments import CHECKOUT

# One cluster per checkout: the tests of one never meet those of another.
NAME = f"test-{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]}"
STATE = CHECKOUT / ".local-cluster" / "clusters" / NAME
BASE = ["--base-config", "molecule/config.yml"]
DRIVER = ["python", "molecule/cluster"]
LOG = ARTIFACTS / "cluster-up.log"


class TestCluster:
    """Use as a context: entering starts ``up`` in the background, leaving ends in ``down``."""

    def __init__(self) -> None:
        self._up: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        LOG.parent.mkdir(exist_ok=True)
        with LOG.open("wb") as log:
            # In a session of its own: an interrupt at the keyboard is ours to pass on.
            self._up = subprocess.Popen(
                [*DRIVER, "up", "--name", NAME],
                cwd=CHECKOUT,
                env=environment(CHECKOUT / ".venv"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def wait(self) -> None:
        """Return when the cluster is up; Failed with the driver's own words when it isn't."""
        assert self._up is not None
        code = self._up.wait()
        print("\n".join(LOG.read_text(errors="replace").splitlines()[-30:]), flush=True)
        if code != 0:
            raise Failed(f"the cluster did not come up, see {LOG.relative_to(CHECKOUT)}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        interrupt(self._up)
        call([*DRIVER, "down", "--name", NAME])


def molecule(scenario: str) -> None:
    """Run a scenario and then the tests on what it installed.

    The tests run beside molecule, not in its verify, so that one sees how far they are. What the
    cluster says about a failure is kept.
    """
    settings = {
        "ADMIN_PASSWORD": (STATE / "admin-password").read_text().rstrip("\n"),
        "DEVPI_TEST_CLUSTER": NAME,
        "DEVPI_TEST_STATE": str(STATE),
        "MOLECULE_GLOB": "molecule/*/molecule.yml",
    }
    try:
        # The cluster outlives the scenarios, so no scenario destroys it.
        call(
            ["molecule", *BASE, "test", "--scenario-name", scenario, "--destroy", "never"],
            extra=settings,
        )
        call(["python", "-m", "pytest", "--verbose", "tests/cluster"], extra=settings)
    except Failed:
        diagnose(ARTIFACTS / scenario)
        raise


def diagnose(folder: Path) -> None:
    """Pods' states, events and logs (no Secrets) into ``folder``."""
    script = Path(__file__).with_name("diagnose.py")
    call(["python", str(script), str(STATE / "kubeconfig"), str(folder)])
