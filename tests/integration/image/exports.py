# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports of a devpi-server, as devpi-export writes them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

# Of the password "from the export".
PASSWORD = "from the export"
HASH = (
    "$argon2id$v=19$m=65536,t=3,p=4$OqdU6n1vrfW+V4rROqeU0g$"
    "bbj7NY5qgHbZQVYp3CDbtg/tePELFRdjmoqKteSpfNA"
)


def write_export(folder: Path, releases: int) -> None:
    """An index with `releases` files in ten projects, and a mirror as old servers made it."""
    files: list[dict[str, Any]] = []
    projects: dict[str, dict[str, Any]] = {}
    for number in range(releases):
        name, version = f"project{number % 10}", f"1.{number // 10}"
        projects.setdefault(name, {})[version] = {"name": name, "version": version}
        path = Path("root/dev") / name / version / f"{name}-{version}.tar.gz"
        content = f"{name} {version}\n".encode() * 100
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_bytes(content)
        files.append(
            {
                "type": "releasefile",
                "projectname": name,
                "version": version,
                "relpath": str(path),
                "entrymapping": {
                    "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
                    "last_modified": "Mon, 01 Jan 2024 00:00:00 GMT",
                    "project": name,
                    "version": version,
                },
                "log": [{"what": "upload", "who": "root", "when": [2024, 1, 1, 0, 0, 0]}],
            }
        )
    stage = {"type": "stage", "volatile": True, "bases": ["root/pypi"], "acl_upload": ["root"]}
    mirror = {
        "type": "mirror",
        "volatile": False,
        "title": "PyPI",
        "mirror_url": "https://pypi.python.org/simple/",
        "mirror_web_url_fmt": "https://pypi.python.org/pypi/{name}",
    }
    document = {
        "dumpversion": "2",
        "devpi_server": "6.20.3",
        "pythonversion": [3, 13, 0, "final", 0],
        "users": {"root": {"username": "root", "pwhash": HASH}},
        "indexes": {
            "root/dev": {"indexconfig": stage, "projects": projects, "files": files},
            "root/pypi": {"indexconfig": mirror},
        },
    }
    (folder / "dataindex.json").write_text(json.dumps(document))


def contents(folder: Path) -> dict[str, Any]:
    """What an export says and holds, but for its order."""
    document = json.loads((folder / "dataindex.json").read_text())
    for index in document["indexes"].values():
        index["files"] = sorted(index.get("files", []), key=lambda file: str(file["relpath"]))
    held = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "dataindex.json"
    }
    return {"says": document, "holds": held}
