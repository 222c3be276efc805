# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pki
import pytest
from config import Cluster

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    cluster = Cluster("unit", 5, tmp_path_factory.mktemp("state"))
    pki.ensure(cluster)
    return cluster


def verify(cluster: Cluster, name: str, issuer: str, *options: str) -> bool:
    authority, certificate = (pki.certificate_file(cluster, one) for one in (issuer, name))
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", *options, "-CAfile", authority, certificate],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


@pytest.mark.parametrize("wanted", pki.certificates(Cluster("unit", 5, Path("/x"))), ids=str)
def test_certificates_verify_against_their_authority_only(
    cluster: Cluster, wanted: pki.Certificate
) -> None:
    wrong = pki.CLUSTER_CA if wanted.issuer == pki.PUBLIC_CA else pki.PUBLIC_CA
    assert verify(cluster, wanted.name, wanted.issuer)
    assert not verify(cluster, wanted.name, wrong)


def test_servers_and_clients_are_not_each_other(cluster: Cluster) -> None:
    assert verify(cluster, "apiserver", pki.CLUSTER_CA, "-purpose", "sslserver")
    assert not verify(cluster, "apiserver", pki.CLUSTER_CA, "-purpose", "sslclient")
    assert verify(cluster, "admin", pki.CLUSTER_CA, "-purpose", "sslclient")
    assert not verify(cluster, "admin", pki.CLUSTER_CA, "-purpose", "sslserver")


def test_the_wildcard_is_for_the_domain_and_what_is_below(cluster: Cluster) -> None:
    def holds_for(name: str) -> bool:
        return verify(cluster, "wildcard", pki.PUBLIC_CA, "-verify_hostname", name)

    assert holds_for("unit.thinkube.test")
    assert holds_for("devpi.unit.thinkube.test")
    assert not holds_for("thinkube.test")


def test_the_trusted_authority_is_good_for_its_domain_only(cluster: Cluster) -> None:
    foreign = pki.Certificate("foreign", pki.PUBLIC_CA, "x", alternatives=("DNS:pypi.org",))
    pki._ensure_certificate(cluster.pki, foreign)
    assert not verify(cluster, "foreign", pki.PUBLIC_CA)


def test_keys_are_private_and_a_second_run_changes_nothing(cluster: Cluster) -> None:
    keys = list(cluster.pki.glob("*.key"))
    assert len(keys) > len(pki.certificates(cluster)) - 1
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    before = {path: path.read_bytes() for path in cluster.pki.iterdir()}
    pki.ensure(cluster)
    assert before == {path: path.read_bytes() for path in cluster.pki.iterdir()}


def test_a_pair_that_was_interrupted_is_made_anew(cluster: Cluster) -> None:
    (cluster.pki / "proxy.json").unlink()
    pki.certificate_file(cluster, "proxy").write_text("")
    pki.ensure(cluster)
    assert verify(cluster, "proxy", pki.CLUSTER_CA)


def test_the_bundle_holds_the_system_and_ours(cluster: Cluster) -> None:
    bundle = cluster.ca_bundle.read_text()
    assert bundle.endswith(cluster.ca.read_text())
    assert bundle.count("BEGIN CERTIFICATE") > 1
