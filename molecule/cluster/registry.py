# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry that stands in for Harbor: Debian's docker-registry with TLS and a login."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import web
from config import ADMIN, HERE, REGISTRY_IMAGES, Cluster, render
from processes import Component, run, wait
from record import write_file

# podman, skopeo and buildah look here for a registry's authority (containers-certs.d(5)).
_HOST_TRUST = Path("/etc/containers/certs.d")
_ANY_MANIFEST = (
    "application/vnd.oci.image.manifest.v1+json,"
    " application/vnd.docker.distribution.manifest.v2+json"
)
PORTS = {443: "docker-registry"}


def component(cluster: Cluster) -> Component:
    config = cluster.config / "registry.yaml"
    return Component(
        "docker-registry",
        ("docker-registry", "serve", str(config)),
        (config, cluster.config / "htpasswd", cluster.pki / "wildcard.crt"),
    )


def configure(cluster: Cluster) -> None:
    """Password, login file, configuration, and the trust of this machine's podman and skopeo."""
    if not cluster.admin_password.exists():
        write_file(cluster.admin_password, secrets.token_urlsafe(24), 0o600)
    password = cluster.admin_password.read_text()
    _write_htpasswd(cluster, password)
    _write_config(cluster)
    write_file(_auth_file(cluster), pull_config(cluster), 0o600)
    trust = _HOST_TRUST / cluster.registry
    trust.mkdir(parents=True, exist_ok=True)
    write_file(trust / "ca.crt", cluster.ca.read_text())


def pull_config(cluster: Cluster) -> str:
    """A ``.dockerconfigjson`` with the registry's login."""
    login = f"{ADMIN}:{cluster.admin_password.read_text()}"
    return json.dumps({"auths": {cluster.registry: {"auth": _base64(login)}}})


def answers(cluster: Cluster) -> bool:
    """Whether the registry lets us in, by its name and with its certificate verified."""
    return _ask(cluster, "/v2/") == 200


def wait_until_up(cluster: Cluster) -> None:
    wait(
        cluster,
        f"answer from https://{cluster.registry}",
        lambda: answers(cluster),
        seconds=30,
        needs=["docker-registry"],
    )


def missing_images(cluster: Cluster, archives: Mapping[str, Path]) -> list[str]:
    """Names of the images that have to be pushed: not there, or made anew since."""
    pushed = _pushed(cluster)
    return [
        name
        for name, reference in REGISTRY_IMAGES.items()
        if pushed.get(name) != str(archives[name]) or not _has(cluster, reference)
    ]


def push(cluster: Cluster, name: str, archive: Path) -> None:
    """Copy an image into the registry, and remember which archive it came from."""
    run(
        "skopeo", "copy", "--quiet", "--authfile", _auth_file(cluster),
        f"oci-archive:{archive}", f"docker://{cluster.registry}/{REGISTRY_IMAGES[name]}",
    )  # fmt: skip
    content = {**_pushed(cluster), name: str(archive)}
    write_file(_pushed_file(cluster), json.dumps(content, indent=2) + "\n")


def remove(cluster: Cluster) -> None:
    """Take back the trust; the images lie in the state folder."""
    trust = _HOST_TRUST / cluster.registry
    (trust / "ca.crt").unlink(missing_ok=True)
    (trust / ".ca.crt.new").unlink(missing_ok=True)
    for folder in (trust, _HOST_TRUST):
        try:
            folder.rmdir()
        except OSError:
            return


def leftovers(cluster: Cluster) -> Iterator[str]:
    """What ``down`` would have to remove."""
    if (_HOST_TRUST / cluster.registry).exists():
        yield f"trust folder {_HOST_TRUST / cluster.registry}"


def _write_htpasswd(cluster: Cluster, password: str) -> None:
    """bcrypt, the only kind that docker-registry takes; salted, so made once per password."""
    path = cluster.config / "htpasswd"
    mark = cluster.config / "htpasswd.for"
    wanted = hashlib.sha256(password.encode()).hexdigest()
    if not (path.exists() and mark.exists() and mark.read_text() == wanted):
        write_file(path, run("htpasswd", "-niB", ADMIN, text=password), 0o600)
        write_file(mark, wanted, 0o600)


def _write_config(cluster: Cluster) -> None:
    key = cluster.config / "registry.secret"
    if not key.exists():
        write_file(key, secrets.token_hex(32), 0o600)
    values = {**cluster.placeholders(), "http_secret": key.read_text()}
    text = render(HERE / "config/registry.yaml", values)
    write_file(cluster.config / "registry.yaml", text, 0o600)


def _auth_file(cluster: Cluster) -> Path:
    return cluster.config / "registry-auth.json"


def _pushed_file(cluster: Cluster) -> Path:
    return cluster.state / "registry-images.json"


def _pushed(cluster: Cluster) -> dict[str, str]:
    try:
        content: dict[str, str] = json.loads(_pushed_file(cluster).read_text())
    except FileNotFoundError:
        return {}
    return content


def _has(cluster: Cluster, reference: str) -> bool:
    name, _, tag = reference.rpartition(":")
    return _ask(cluster, f"/v2/{name}/manifests/{tag}") == 200


def _ask(cluster: Cluster, path: str) -> int | None:
    """Status of a HEAD request with our login; None without an answer."""
    login = f"{ADMIN}:{cluster.admin_password.read_text()}"
    headers = {"Authorization": f"Basic {_base64(login)}", "Accept": _ANY_MANIFEST}
    return web.status(cluster, cluster.registry, path, headers)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
