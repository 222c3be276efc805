# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path

import names
import network
import pytest
from config import Cluster

CLUSTER = Cluster("demo", 3, Path("/srv/.local-cluster"))


@pytest.mark.parametrize(
    ("route", "hit"),
    [
        ("10.213.3.0/24", True),
        ("10.214.3.128/25", True),
        ("10.215.0.0/16", True),
        ("10.213.4.0/24", False),
        ("10.0.0.0/8", False),
        ("192.168.0.0/24", False),
    ],
)
def test_which_routes_are_in_the_way(route: str, hit: bool) -> None:
    assert bool(network.slot_problems(3, [IPv4Network(route)])) is hit


def test_routes_are_read_from_ip() -> None:
    routes = [
        {"dst": "default", "gateway": "192.0.2.1"},
        {"dst": "192.0.2.0/24", "dev": "eth0"},
        {"type": "broadcast", "dst": "192.0.2.255"},
        {"type": "local", "dst": "192.0.2.2"},
    ]
    found = network.host_networks(json.dumps(routes))
    assert [str(one) for one in found] == ["192.0.2.0/24", "192.0.2.2/32"]
    assert network.host_networks("") == []


def test_name_servers_on_loopback_are_of_no_use_to_pods() -> None:
    text = (
        "# comment\nsearch example.org\nnameserver 127.0.0.53\nnameserver 192.0.2.53\n"
        "nameserver fe80::1%eth0\nnameserver 198.51.100.1 # second\noptions edns0\n"
    )
    assert network.nameservers(text) == ["192.0.2.53", "198.51.100.1"]
    assert network.nameservers("nameserver 127.0.0.1\n") == []


def test_listeners_are_read_from_ss() -> None:
    text = (
        'LISTEN 0 4096 10.213.1.3:443 0.0.0.0:* users:(("docker-registry",pid=11,fd=3))\n'
        'LISTEN 0 4096 *:6443 *:* users:(("kube-apiserver",pid=12,fd=7))\n'
        "LISTEN 0 4096 127.0.0.1:99 0.0.0.0:*\n"
    )
    assert network.listeners(text) == [(443, 11), (6443, 12)]


HOSTS = "127.0.0.1 localhost\n# a comment\n192.0.2.9  other   # thinkube-devpi-demo-2\n"


def test_hosts_lines_come_and_go_without_a_trace() -> None:
    once = names.with_lines(HOSTS, CLUSTER)
    assert once.startswith(HOSTS)
    assert "10.213.3.2 thinkube.test devpi.thinkube.test devpi-api.thinkube.test" in once
    assert "10.213.3.3 harbor.thinkube.test # thinkube-devpi-demo\n" in once
    assert names.with_lines(once, CLUSTER) == once
    assert names.without_lines(once, CLUSTER) == HOSTS


def test_hosts_lines_of_an_older_slot_are_replaced() -> None:
    moved = Cluster("demo", 4, CLUSTER.state)
    text = names.with_lines(names.with_lines(HOSTS, CLUSTER), moved)
    assert "10.213.3." not in text
    assert names.without_lines(text, moved) == HOSTS


def test_a_hosts_file_without_a_last_newline_keeps_its_last_line() -> None:
    text = names.with_lines("127.0.0.1 localhost", CLUSTER)
    assert text.splitlines()[0] == "127.0.0.1 localhost"


def test_a_name_with_another_address_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = tmp_path / "hosts"
    monkeypatch.setattr(names, "HOSTS", hosts)
    hosts.write_text(names.with_lines("192.0.2.1 harbor.thinkube.test # mine\n", CLUSTER))
    assert names.taken_elsewhere(CLUSTER) == ["192.0.2.1 harbor.thinkube.test # mine"]
    names.remove(CLUSTER)
    assert hosts.read_text() == "192.0.2.1 harbor.thinkube.test # mine\n"


FORWARDING = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import config, network, processes
config.RUN_ROOT = Path(sys.argv[2])
cluster = config.Cluster("unit", 9, config.RUN_ROOT)
cluster.run.mkdir(parents=True)
processes.run("iptables", "-P", "FORWARD", sys.argv[3])
rules = processes.run("iptables", "-S", "FORWARD")
for _ in range(2):
    network.up(cluster)
print(processes.run("iptables", "-S", "FORWARD").count("tkd-unit -j ACCEPT"))
assert network.is_up(cluster)
assert network.mtu(cluster) == 1500
assert network.processes_inside(cluster) == []
assert len(list(network.leftovers(cluster))) > 2
for _ in range(2):
    network.down(cluster)
assert processes.run("iptables", "-S", "FORWARD") == rules
assert list(network.leftovers(cluster)) == []
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces want root")
@pytest.mark.parametrize(("policy", "rules"), [("ACCEPT", "0"), ("DROP", "2")])
def test_a_host_that_drops_forwarded_packets_lets_ours_pass(
    tmp_path: Path, policy: str, rules: str
) -> None:
    """On a host of its own: a network namespace with nothing in it."""
    driver = Path(network.__file__).parent
    words = [sys.executable, "-c", FORWARDING, str(driver), str(tmp_path / "run"), policy]
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--propagation", "unchanged", *words],
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.strip() == rules
