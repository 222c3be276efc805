# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry with login, as a process of the test's own; with TLS unless that is taken from it."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from containers import SYSTEM_CA, eventually, free_port, listens, podman, run

PASSWORD = 'pa ss:w$rd"ö'


@dataclass
class Registry:
    """Name, the file that its certificate is trusted by, and one with the login."""

    host: str
    ca: Path
    authfile: Path

    def manifest(self, reference: str) -> dict[str, Any]:
        """What it says of an image."""
        trust = {"SSL_CERT_FILE": str(self.ca)}
        login = ["--authfile", self.authfile]
        command = ["/usr/bin/skopeo", "inspect", "--raw", *login, f"docker://{reference}"]
        found: dict[str, Any] = json.loads(run(command, env=trust))
        return found

    def platforms(self, reference: str) -> list[str]:
        """Of an image with a list, in the order of their names."""
        listed = [entry["platform"] for entry in self.manifest(reference)["manifests"]]
        return sorted(f"{platform['os']}/{platform['architecture']}" for platform in listed)


@contextmanager
def serving(folder: Path, *, plain: bool = False) -> Iterator[Registry]:
    """A registry that keeps its images below a folder; those that podman has of it go with it."""
    host = f"127.0.0.1:{free_port()}"
    certificate = ["-days", "1", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    out = ["-keyout", folder / "key", "-out", folder / "ca.crt"]
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *certificate, *out])
    bundle = folder / "bundle.crt"
    system = SYSTEM_CA.read_text() if SYSTEM_CA.exists() else ""
    bundle.write_text(system + (folder / "ca.crt").read_text())
    hashed = subprocess.run(
        ["htpasswd", "-iBn", "admin"], input=PASSWORD, text=True, capture_output=True, check=True
    )
    (folder / "htpasswd").write_text(hashed.stdout)
    login = b64encode(f"admin:{PASSWORD}".encode()).decode()
    authfile = folder / "auth.json"
    authfile.write_text(json.dumps({"auths": {host: {"auth": login}}}))
    tls = {"certificate": str(folder / "ca.crt"), "key": str(folder / "key")}
    settings = {
        "version": 0.1,
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
        },
        "http": {
            "addr": host,
            **({} if plain else {"tls": tls}),
        },
        "auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}},
    }
    (folder / "config.yml").write_text(yaml.safe_dump(settings))
    with (folder / "log").open("w") as log:
        started = subprocess.Popen(
            ["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log
        )
    try:
        eventually(lambda: listens(int(host.split(":")[1])), "the registry listens")
        yield Registry(host, bundle, authfile)
    finally:
        started.terminate()
        started.wait()
        for name in podman("images", "--format={{.Repository}}:{{.Tag}}").split():
            if name.startswith(host):
                podman("rmi", "--force", name)
