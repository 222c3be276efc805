# SPDX-License-Identifier: GPL-3.0-or-later
"""Two authorities and their certificates, by the openssl program.

The one that people and pods trust (``ca.crt``) signs nothing but the wildcard certificate and is
limited to the cluster's domain; the cluster's own components have another.
"""

from __future__ import annotations

import json
import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config import Cluster, ClusterError
from processes import run
from record import write_file

DAYS = 3650
PUBLIC_CA = "ca"
CLUSTER_CA = "cluster-ca"


@dataclass(frozen=True)
class Certificate:
    """What a certificate says; ``issuer`` is the name of another one, itself for an authority."""

    name: str
    issuer: str
    common_name: str
    organization: str = ""
    alternatives: tuple[str, ...] = ()
    """Of the forms ``DNS:name`` and ``IP:address``: a server's."""
    permitted: str = ""
    """The only domain that an authority may sign for; empty for any."""

    @property
    def is_authority(self) -> bool:
        return self.issuer == self.name

    @property
    def subject(self) -> str:
        organization = f"/O={self.organization}" if self.organization else ""
        return f"{organization}/CN={self.common_name}"

    def extensions(self) -> Iterator[str]:
        """As ``openssl req -addext`` takes them (x509v3_config(5))."""
        # Python from 3.13 on refuses certificates without the two identifiers.
        yield "subjectKeyIdentifier=hash"
        if self.is_authority:
            yield "basicConstraints=critical,CA:TRUE,pathlen:0"
            yield "keyUsage=critical,keyCertSign,cRLSign"
            if self.permitted:
                yield f"nameConstraints=critical,permitted;DNS:{self.permitted}"
            return
        yield "authorityKeyIdentifier=keyid:always"
        yield "basicConstraints=critical,CA:FALSE"
        yield "keyUsage=critical,digitalSignature"
        yield f"extendedKeyUsage={'serverAuth' if self.alternatives else 'clientAuth'}"
        if self.alternatives:
            yield f"subjectAltName={','.join(self.alternatives)}"


def certificates(cluster: Cluster) -> list[Certificate]:
    """All of them, authorities first."""
    label, domain, node = cluster.label, cluster.domain, cluster.node_address
    api_names = (
        "DNS:localhost", "DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc",
        "DNS:kubernetes.default.svc.cluster.local",
        f"IP:{cluster.api_service_address}", f"IP:{node}", "IP:127.0.0.1",
    )  # fmt: skip

    def client(name: str, common_name: str, organization: str = "") -> Certificate:
        return Certificate(name, CLUSTER_CA, common_name, organization)

    return [
        Certificate(PUBLIC_CA, PUBLIC_CA, f"{label} CA", permitted=domain),
        Certificate(CLUSTER_CA, CLUSTER_CA, f"{label} cluster CA"),
        Certificate(
            "wildcard", PUBLIC_CA, domain, alternatives=(f"DNS:{domain}", f"DNS:*.{domain}")
        ),
        Certificate("apiserver", CLUSTER_CA, "kube-apiserver", alternatives=api_names),
        Certificate(
            "kubelet", CLUSTER_CA, "kubelet", alternatives=(f"DNS:{cluster.name}", f"IP:{node}")
        ),
        client("admin", "admin", "system:masters"),
        client("apiserver-kubelet-client", "kube-apiserver", "system:masters"),
        client("controller-manager", "system:kube-controller-manager"),
        client("scheduler", "system:kube-scheduler"),
        client("proxy", "system:kube-proxy"),
        client("node", f"system:node:{cluster.name}", "system:nodes"),
    ]


def ensure(cluster: Cluster) -> None:
    """Have all keys (0600) and certificates, and the files that others read."""
    cluster.pki.mkdir(mode=0o700, parents=True, exist_ok=True)
    (cluster.pki / "openssl.cnf").write_text("[req]\ndistinguished_name = name\n[name]\n")
    for certificate in certificates(cluster):
        _ensure_certificate(cluster.pki, certificate)
    _ensure_service_account_key(cluster.pki)
    authority = certificate_file(cluster, PUBLIC_CA).read_text()
    write_file(cluster.ca, authority)
    write_file(cluster.ca_bundle, _system_bundle().rstrip() + "\n" + authority)


def certificate_file(cluster: Cluster, name: str) -> Path:
    return cluster.pki / f"{name}.crt"


def key_file(cluster: Cluster, name: str) -> Path:
    return cluster.pki / f"{name}.key"


def _ensure_certificate(folder: Path, wanted: Certificate) -> None:
    description = folder / f"{wanted.name}.json"
    says = json.dumps([wanted.subject, wanted.issuer, *wanted.extensions()], indent=2)
    if description.exists() and description.read_text() == says:
        return
    key, certificate = folder / f"{wanted.name}.key", folder / f"{wanted.name}.crt"
    signer: list[str | Path] = []
    if not wanted.is_authority:
        signer = [
            "-CA", folder / f"{wanted.issuer}.crt", "-CAkey", folder / f"{wanted.issuer}.key",
        ]  # fmt: skip
    # openssl makes a key file 0600 by itself.
    run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-config", folder / "openssl.cnf", "-subj", wanted.subject, "-days", str(DAYS),
        "-keyout", key, "-out", certificate, *signer,
        *(word for extension in wanted.extensions() for word in ("-addext", extension)),
    )  # fmt: skip
    # Last, so that a pair that was interrupted halfway is made anew.
    description.write_text(says)


def _ensure_service_account_key(folder: Path) -> None:
    private, public = folder / "service-account.key", folder / "service-account.pub"
    if not public.exists():
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private)
        run("openssl", "ec", "-in", private, "-pubout", "-out", f"{public}.new")
        shutil.move(f"{public}.new", public)


def _system_bundle() -> str:
    """What programs of this machine trust, a company's own authority included."""
    path = ssl.get_default_verify_paths().cafile
    if path is None:
        raise ClusterError(
            "This machine has no file of trusted certificates (/etc/ssl/certs/ca-certificates.crt)."
            " Install the package ca-certificates, or name a file in SSL_CERT_FILE."
        )
    return Path(path).read_text()
