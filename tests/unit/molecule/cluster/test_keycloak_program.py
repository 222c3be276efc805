# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path

import keycloak_program
import pytest
import versions
from config import ClusterError
from progress import Progress

MAVEN = """#!/bin/sh
for word; do
  case $word in
    -DoutputDirectory=*) cp {archive} "${{word#*=}}" ;;
    -Dartifact=*) echo "${{word#*=}}" >>{calls} ;;
  esac
done
"""
JAVA = """#!/bin/sh
for word; do
  case $word in -Dkc.home.dir=*) home=${word#*=} ;; esac
done
echo "${@#-*}" >"$home/lib/built"
"""


@pytest.fixture
def calls(caches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Maven that notes what it is asked for and gives a small zip, and a Java."""
    archive, calls, programs = (tmp_path / name for name in ("sample.zip", "calls", "bin"))
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("keycloak-1/", "")
        zipped.writestr("keycloak-1/lib/quarkus-run.jar", "jar")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(versions, "KEYCLOAK_SHA256", digest)
    install(programs, "mvn", MAVEN.format(archive=archive, calls=calls))
    install(programs, "java", JAVA)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    return calls


def install(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


def quiet() -> Progress:
    return Progress(io.StringIO())


def test_fetched_and_prepared_once(calls: Path, caches: Path) -> None:
    assert not keycloak_program.is_there()
    folder = keycloak_program.ensure(quiet())
    assert keycloak_program.is_there()
    assert folder == keycloak_program.folder()
    assert folder.parent == caches / "keycloak"
    assert (folder / "lib/quarkus-run.jar").read_text() == "jar"
    assert "build --db=dev-file" in (folder / "lib/built").read_text()
    assert keycloak_program.ensure(quiet()) == folder
    artifact = f"org.keycloak:keycloak-quarkus-dist:{versions.KEYCLOAK}:zip"
    assert calls.read_text().split() == [artifact]
    assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", folder.name]


def test_another_content_is_refused(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "KEYCLOAK_SHA256", "0" * 64)
    with pytest.raises(ClusterError, match="not the expected 0000"):
        keycloak_program.ensure(quiet())
    assert not keycloak_program.is_there()


def test_a_failed_download_says_what_maven_said(calls: Path, tmp_path: Path) -> None:
    install(tmp_path / "bin", "mvn", "#!/bin/sh\necho no route; exit 1\n")
    with pytest.raises(ClusterError, match=r"(?s)'mvn' failed \(1\):\n    no route.*settings.xml"):
        keycloak_program.ensure(quiet())
    assert not keycloak_program.is_there()
