# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what the image holds as CycloneDX 1.5: Debian's packages and Python's distributions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

_FIELDS = "${Package}\t${Version}\t${Architecture}\t${db:Status-Status}\n"


def main() -> None:
    """Write the document to standard output, the same for the same packages."""
    json.dump(document([*debian(), *python()]), sys.stdout, indent=1)
    print()


def document(components: list[dict[str, Any]]) -> dict[str, Any]:
    """A bill of these components. https://cyclonedx.org/docs/1.5/json/"""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": "devpi", "bom-ref": "image"}},
        "components": sorted(components, key=lambda component: str(component["purl"])),
    }


def debian() -> Iterator[dict[str, Any]]:
    """What dpkg has installed."""
    listed = subprocess.run(
        ["/usr/bin/dpkg-query", "--show", f"--showformat={_FIELDS}"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    system = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if line
    )
    distribution = f"{system['ID']}-{system.get('VERSION_ID', '')}".replace('"', "")
    for name, version, architecture, status in (line.split("\t") for line in listed.splitlines()):
        if status == "installed":
            where = f"?arch={architecture}&distro={distribution}"
            yield _component(name, version, f"pkg:deb/debian/{name}@{quote(version)}{where}")


def python() -> Iterator[dict[str, Any]]:
    """What is installed where this Python looks."""
    for found in distributions():
        name = found.metadata["Name"].lower().replace("_", "-")
        yield _component(name, found.version, f"pkg:pypi/{name}@{quote(found.version)}")


def _component(name: str, version: str, purl: str) -> dict[str, Any]:
    return {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}


if __name__ == "__main__":
    main()
