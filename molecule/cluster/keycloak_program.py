# SPDX-License-Identifier: GPL-3.0-or-later
"""Keycloak's distribution, fetched by Maven and prepared once: ``ensure()`` gives its folder.

Preparing is what Keycloak calls its build: it saves each start half of its time.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

import cache
import versions
from config import ClusterError
from progress import Progress

_ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{versions.KEYCLOAK}:zip"
_PLUGIN = f"org.apache.maven.plugins:maven-dependency-plugin:{versions.MAVEN_DEPENDENCY_PLUGIN}"
# A database in files; what else is fixed in a build stays at its defaults.
_BUILD = ("build", "--db=dev-file")


def folder() -> Path:
    """Where ``ensure()`` puts, or has put, the distribution."""
    key = cache.digest(_ARTIFACT, versions.KEYCLOAK_SHA256, *_BUILD)
    return cache.root() / "keycloak" / key


def is_there() -> bool:
    """Whether neither Maven nor the network is needed for it any more."""
    return folder().is_dir()


def ensure(progress: Progress) -> Path:
    """Fetch and prepare it unless that was done. Raises ClusterError, with Maven's own words."""
    target = folder()
    if target.is_dir():
        return target
    with cache.builder(target.parent, progress):
        if target.is_dir():
            return target
        with cache.workspace(target.parent) as workspace:
            with progress.step(f"downloading Keycloak {versions.KEYCLOAK} (150 MiB)"):
                archive = _download(workspace)
            with (
                progress.step(f"preparing Keycloak {versions.KEYCLOAK}"),
                cache.new_folder(target) as new,
            ):
                _unpack(archive, new)
                _run(*command(new, new, _BUILD), cwd=workspace)
    return target


def command(program: Path, home: Path, arguments: Sequence[str]) -> tuple[str, ...]:
    """A call of the distribution in ``program`` with the configuration and data in ``home``.

    As its own ``kc.sh`` does it, but within 256 MiB of heap and with the quick compiler only: it
    shares the machine with a cluster that starts, and does not run for long.
    """
    opened = ("java.util", "java.util.concurrent", "java.security")
    return (
        "java",
        "-Xms64m",
        "-Xmx256m",
        "-XX:MaxMetaspaceSize=256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        # Its file in /tmp would outlive a process that is killed.
        "-XX:-UsePerfData",
        f"-Djava.io.tmpdir={home / 'tmp'}",
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home}/conf",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
        "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
        "-Dpicocli.disable.closures=true",
        "-Dfile.encoding=UTF-8",
        "-Duser.language=en",
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in opened),
        "-cp",
        f"{program}/lib/quarkus-run.jar",
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
        *arguments,
    )


def _download(workspace: Path) -> Path:
    """The zip, by Maven with this machine's settings; its own repository stays as it is."""
    _run(
        "mvn", "--batch-mode", "--quiet", f"-Dmaven.repo.local={workspace}/repository",
        f"{_PLUGIN}:copy", f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={workspace}",
        cwd=workspace,
    )  # fmt: skip
    (archive,) = workspace.glob("*.zip")
    with archive.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != versions.KEYCLOAK_SHA256:
        raise ClusterError(
            f"Maven gave a {_ARTIFACT} with the SHA-256 {found}, which is not the expected"
            f" {versions.KEYCLOAK_SHA256}. Ask who runs the repository that it comes from."
        )
    return archive


def _unpack(archive: Path, target: Path) -> None:
    """Without the folder that all of it lies in."""
    with zipfile.ZipFile(archive) as zipped:
        for entry in zipped.infolist():
            entry.filename = entry.filename.partition("/")[2]
            if entry.filename:
                zipped.extract(entry, target)
    (target / "tmp").mkdir()


def _run(*words: str, cwd: Path) -> None:
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={"HOME": str(Path.home()), **os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        raise ClusterError(f"'{words[0]}' could not be run: {error.strerror}") from error
    if done.returncode != 0:
        said = "\n".join(f"    {line}" for line in done.stdout.strip().splitlines()[-15:])
        raise ClusterError(
            f"Keycloak {versions.KEYCLOAK} can't be had: '{words[0]}' failed"
            f" ({done.returncode}):\n{said}\n  Behind a proxy or a mirror Maven needs its"
            f" settings.xml."
        )
