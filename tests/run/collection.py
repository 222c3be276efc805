# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as a user gets it: built, installed into an empty path, called by name."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path

from commands import Failed, call, project_files
from environments import CHECKOUT

# Built by ansible-galaxy itself.
ADDED = {"MANIFEST.json", "FILES.json"}


def collection() -> None:
    """Build, check the contents, install, and have the playbooks found and parsed."""
    with tempfile.TemporaryDirectory(prefix="thinkube-devpi-") as folder:
        scratch = Path(folder)
        archive = build(scratch)
        check_contents(archive)
        installed = {"ANSIBLE_COLLECTIONS_PATH": str(scratch / "collections")}
        into = ["--offline", "--collections-path", str(scratch / "collections")]
        call(["ansible-galaxy", "collection", "install", *into, str(archive)], extra=installed)
        names = [f"thinkube.devpi.{playbook.stem}" for playbook in playbooks()]
        call(["ansible-playbook", "--syntax-check", *names], cwd=scratch, extra=installed)


def build(folder: Path) -> Path:
    """The archive that would be published."""
    call(["ansible-galaxy", "collection", "build", "--force", "--output-path", str(folder)])
    (archive,) = folder.glob("thinkube-devpi-*.tar.gz")
    return archive


def playbooks() -> list[Path]:
    """All playbooks, the numbered ones and their aliases."""
    return sorted((CHECKOUT / "playbooks").glob("*.yaml"))


def check_contents(archive: Path) -> None:
    """Nothing gets into the archive that does not belong to the project, and all that runs does."""
    with tarfile.open(archive) as tar:
        inside = {member.name for member in tar.getmembers() if member.isfile()}
    ours = {str(path) for path in project_files()}
    strangers = sorted(inside - ours - ADDED)
    if strangers:
        raise Failed(f"build_ignore in galaxy.yml lets through: {', '.join(strangers)}")
    needed = {
        name for name in ours if name.split("/")[0] in {"meta", "playbooks", "plugins", "roles"}
    }
    if needed - inside:
        raise Failed(f"missing in the archive: {', '.join(sorted(needed - inside))}")
