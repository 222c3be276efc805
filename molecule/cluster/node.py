# SPDX-License-Identifier: GPL-3.0-or-later
"""The node: containerd, the control plane, kubelet and kube-proxy, each a process of the host."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

import cgroups
import network
import versions
from config import HERE, NODE_IMAGES, Cluster, ClusterError, render
from kube import Api, Json, Unavailable
from pki import CLUSTER_CA, certificate_file, key_file
from processes import (
    POLL,
    Background,
    Component,
    all_pids,
    command_line,
    inside,
    run,
    start,
    succeeds,
    wait,
)
from record import write_file

_CNI_RESULTS = Path("/var/lib/cni/results")
_POD_LOG_LINKS = Path("/var/log/containers")
_KUBECONFIGS = ("controller-manager", "scheduler", "proxy", "node")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")

# In the order in which `status` shows them.
COMPONENTS = (
    "containerd",
    "docker-registry",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "netpol",
    "keycloak",
)
PORTS = {
    2379: "etcd",
    2380: "etcd",
    6443: "kube-apiserver",
    10248: "kubelet",
    10249: "kube-proxy",
    10250: "kubelet",
    10256: "kube-proxy",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}


def containerd(cluster: Cluster) -> Component:
    config = cluster.config / "containerd.toml"
    return Component(
        "containerd",
        ("containerd", f"--config={config}", "--log-level=warn"),
        (config,),
        _outward_environment(cluster),
    )


def control_plane(cluster: Cluster, binaries: Path) -> list[Component]:
    """In the order of their start; all but etcd wait for the API server by themselves."""
    pki, config = cluster.pki, cluster.config
    etcd = Component(
        "etcd",
        (
            f"{binaries}/etcd",
            f"--data-dir={cluster.state}/etcd",
            "--listen-client-urls=http://127.0.0.1:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ),
    )
    apiserver = Component(
        "kube-apiserver",
        (
            f"{binaries}/kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            f"--advertise-address={cluster.node_address}",
            f"--service-cluster-ip-range={cluster.services}",
            "--allow-privileged=true",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--client-ca-file={pki}/{CLUSTER_CA}.crt",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-signing-key-file={pki}/service-account.key",
            f"--service-account-key-file={pki}/service-account.pub",
            f"--kubelet-certificate-authority={pki}/{CLUSTER_CA}.crt",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            # By the node's name, which nothing resolves, logs and exec would fail.
            "--kubelet-preferred-address-types=InternalIP",
            "--profiling=false",
        ),
        tuple(
            certificate_file(cluster, name)
            for name in (CLUSTER_CA, "apiserver", "apiserver-kubelet-client")
        ),
    )
    controllers = Component(
        "kube-controller-manager",
        (
            f"{binaries}/kube-controller-manager",
            f"--kubeconfig={config}/controller-manager.kubeconfig",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={pki}/service-account.key",
            f"--root-ca-file={pki}/{CLUSTER_CA}.crt",
            "--profiling=false",
        ),
        (config / "controller-manager.kubeconfig",),
    )
    scheduler = Component(
        "kube-scheduler",
        (
            f"{binaries}/kube-scheduler",
            f"--kubeconfig={config}/scheduler.kubeconfig",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            "--profiling=false",
        ),
        (config / "scheduler.kubeconfig",),
    )
    return [etcd, apiserver, controllers, scheduler]


def workers(cluster: Cluster, binaries: Path) -> list[Component]:
    """kubelet and kube-proxy; they want an API server that answers."""
    config = cluster.config
    kubelet = Component(
        "kubelet",
        (
            f"{binaries}/kubelet",
            f"--config={config}/kubelet.yaml",
            f"--kubeconfig={config}/node.kubeconfig",
            f"--hostname-override={cluster.name}",
            f"--node-ip={cluster.node_address}",
            f"--root-dir={cluster.kubelet_root}",
            f"--cert-dir={cluster.state}/kubelet-certificates",
        ),
        (config / "kubelet.yaml", config / "node.kubeconfig", certificate_file(cluster, "kubelet")),
    )
    proxy = Component(
        "kube-proxy",
        (f"{binaries}/kube-proxy", f"--config={config}/kube-proxy.yaml"),
        (config / "kube-proxy.yaml", config / "proxy.kubeconfig"),
    )
    return [kubelet, proxy]


def configure(cluster: Cluster) -> None:
    """Write the files that the components read, and give them their folders and cgroups."""
    values = cluster.placeholders()
    values["pause_image"] = versions.IMAGES["pause"]
    values["mtu"] = str(network.mtu(cluster))
    trust = cluster.config / "certs.d" / cluster.registry
    cni = cluster.config / "cni"
    for folder in (trust, cni, cluster.logs, cluster.pod_logs, cluster.volumes, cluster.home):
        folder.mkdir(parents=True, exist_ok=True)
    for template, target in (
        ("containerd.toml", cluster.config / "containerd.toml"),
        ("hosts.toml", trust / "hosts.toml"),
        ("cni.conflist", cni / "10-bridge.conflist"),
        ("kubelet.yaml", cluster.config / "kubelet.yaml"),
        ("kube-proxy.yaml", cluster.config / "kube-proxy.yaml"),
    ):
        write_file(target, render(HERE / "config" / template, values))
    write_file(cluster.kubeconfig, kubeconfig(cluster, "admin"), 0o600)
    for user in _KUBECONFIGS:
        path = cluster.config / f"{user}.kubeconfig"
        write_file(path, kubeconfig(cluster, user), 0o600)
    _mount_kubelet_root(cluster)
    cgroups.make(cluster)


def kubeconfig(cluster: Cluster, user: str) -> str:
    """A kubeconfig that needs no other file."""
    return render(
        HERE / "config/kubeconfig.yaml",
        {
            **cluster.placeholders(),
            "user": user,
            "authority_data": _base64(certificate_file(cluster, CLUSTER_CA)),
            "certificate_data": _base64(certificate_file(cluster, user)),
            "key_data": _base64(key_file(cluster, user)),
        },
    )


def start_all(cluster: Cluster, components: Iterable[Component]) -> list[str]:
    """Start what is not running as it should; the names of those."""
    return [
        component.name
        for component in components
        if start(cluster, component, before=partial(_prepare_start, cluster, component.name))
    ]


def wait_for_containerd(cluster: Cluster) -> None:
    wait(
        cluster,
        "answer from containerd",
        lambda: _listens(cluster.containerd_socket) and succeeds(*_ctr(cluster, "version")),
        seconds=30,
        needs=["containerd"],
    )


def wait_for_api(cluster: Cluster, api: Api) -> None:
    wait(cluster, "API server", api.is_ready, seconds=90, needs=["etcd", "kube-apiserver"])


def wait_for_node(cluster: Cluster, api: Api, since: float = 0) -> None:
    """``since`` is when a kubelet was started (Unix time): what an older one said is stale."""
    wait(
        cluster,
        "node that is Ready",
        lambda: node_is_ready(cluster, api, since),
        seconds=90,
        needs=["kube-apiserver", "containerd", "kubelet"],
    )


def node_is_ready(cluster: Cluster, api: Api, since: float = 0) -> bool:
    """Whether the kubelet said so, and did that at ``since`` or later."""
    try:
        node = api.get(f"/api/v1/nodes/{cluster.name}")
    except Unavailable:
        return False
    return any(
        one["type"] == "Ready"
        and one["status"] == "True"
        and datetime.fromisoformat(one["lastHeartbeatTime"]).timestamp() >= int(since)
        for one in node["status"].get("conditions") or []
    )


def missing_images(cluster: Cluster, archives: Mapping[str, Path]) -> list[str]:
    """Names of the images to import: not there, or made anew since."""
    present = run(*_ctr(cluster, "images", "list", "-q")).split()
    came_from = _imported(cluster)
    return [
        name
        for name in NODE_IMAGES
        if versions.IMAGES[name] not in present or came_from.get(name) != str(archives[name])
    ]


def import_image(cluster: Cluster, archive: Path) -> Background:
    """Start an import; note it with ``imported`` when it is finished."""
    return Background(*_ctr(cluster, "images", "import", str(archive)))


def imported(cluster: Cluster, name: str, archive: Path) -> None:
    """Remember which archive an image of containerd came from."""
    content = {**_imported(cluster), name: str(archive)}
    write_file(_imported_file(cluster), json.dumps(content, indent=2) + "\n")


def namespace_problem(cluster: Cluster) -> str | None:
    """Whether pods depend on /run/netns, which `podman run` with a network mounts over."""
    for _, result in _all_cni_results():
        outside = [place for place in _sandboxes(result) if not place.is_relative_to(cluster.run)]
        if result.get("networkName") == cluster.label and outside:
            return (
                f"A pod's network namespace lies in {outside[0]}, outside of {cluster.run}: a"
                f" 'podman run' with a bridge network would keep pods from being removed."
                f" containerd does not follow netns_mounts_under_state_dir; is it older than 1.6?"
            )
    return None


def shims(cluster: Cluster) -> list[int]:
    """containerd's processes that hold a pod each; they outlive it."""
    address = str(cluster.containerd_socket)
    found = []
    for number in all_pids():
        words = command_line(number)
        if words and Path(words[0]).name.startswith("containerd-shim") and address in words:
            found.append(number)
    return found


def kill_pods(cluster: Cluster) -> None:
    """End shims and containers; the kubelet and containerd must not run any more."""
    for number in shims(cluster):
        _kill(number)
    deadline = time.monotonic() + 10
    while left := cgroups.processes(cluster):
        for number in left:
            _kill(number)
        if time.monotonic() > deadline:
            raise ClusterError(f"Processes of pods did not end: {left}. Is the disk hanging?")
        time.sleep(POLL / 2)


def unmount(cluster: Cluster) -> None:
    """Take away every mount in the cluster's folders but the namespace, deepest first."""
    for _ in range(10):
        mounts = [mount for mount in _mounts(cluster) if mount != cluster.netns]
        if not mounts:
            return
        for mount in sorted(mounts, key=lambda path: len(path.parts), reverse=True):
            succeeds("umount", "-l", mount)
    raise ClusterError(f"Still mounted: {', '.join(map(str, mounts))}. Run 'umount -l' on these.")


def remove(cluster: Cluster) -> None:
    """Remove what containerd and the kubelet leave outside of the cluster's folders."""
    cgroups.remove(cluster)
    for path in _stray_files(cluster):
        path.unlink(missing_ok=True)


def leftovers(cluster: Cluster) -> Iterator[str]:
    """What ``down`` would have to remove."""
    for number in shims(cluster):
        yield f"process {number} ({' '.join(command_line(number)[:1])})"
    for number in cgroups.processes(cluster):
        yield f"process {number} of a pod ({' '.join(command_line(number)[:2])})"
    for mount in _mounts(cluster):
        yield f"mount {mount}"
    for folder in cgroups.tops(cluster):
        yield f"cgroup {folder}"
    for path in _stray_files(cluster):
        yield f"file {path}"


def _prepare_start(cluster: Cluster, name: str) -> None:
    if name == "kube-proxy":
        # It takes chains of an earlier one for complete, which one that was killed leaves empty.
        for family in ("ip", "ip6"):
            table = f"{family} kube-proxy"
            rules = f"add table {table}\ndelete table {table}\n"
            run(*inside(cluster, "nft", "-f", "-"), text=rules)


def _outward_environment(cluster: Cluster) -> dict[str, str]:
    """containerd pulls from the internet as the host does, and from our registry directly."""
    found = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    if found:
        found["NO_PROXY"] = f"{os.environ.get('NO_PROXY', '')},.{cluster.domain},10.0.0.0/8"
    if "SSL_CERT_FILE" in os.environ:
        found["SSL_CERT_FILE"] = os.environ["SSL_CERT_FILE"]
    return found


def _imported_file(cluster: Cluster) -> Path:
    return cluster.state / "node-images.json"


def _imported(cluster: Cluster) -> dict[str, str]:
    try:
        content: dict[str, str] = json.loads(_imported_file(cluster).read_text())
    except FileNotFoundError:
        return {}
    return content


def _ctr(cluster: Cluster, *words: str) -> list[str]:
    return ["ctr", f"--address={cluster.containerd_socket}", "--namespace=k8s.io", *words]


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _mount_kubelet_root(cluster: Cluster) -> None:
    source = cluster.state / "kubelet"
    for folder in (source, cluster.kubelet_root):
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    if cluster.kubelet_root not in _mounts(cluster):
        run("mount", "--bind", source, cluster.kubelet_root)
        # Volumes that the kubelet mounts later have to reach containers that run already.
        run("mount", "--make-rshared", cluster.kubelet_root)


def _mounts(cluster: Cluster) -> list[Path]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    # The kernel writes a blank in a path as \040.
    paths = (Path(line.split()[4].encode().decode("unicode_escape")) for line in lines)
    return [path for path in paths if cluster.owns(path)]


def _stray_files(cluster: Cluster) -> list[Path]:
    return [*_cni_results(cluster), *_pod_log_links(cluster), *_shim_sockets(cluster)]


def _shim_sockets(cluster: Cluster) -> list[Path]:
    """containerd keeps the address of each shim's socket in the container's folder."""
    notes = (cluster.run / "containerd").glob("io.containerd.runtime.v2.task/k8s.io/*/address")
    sockets = (Path(note.read_text().strip().removeprefix("unix://")) for note in notes)
    return sorted({path for path in sockets if path.is_socket()})


def _cni_results(cluster: Cluster) -> list[Path]:
    """What CNI notes about each interface of a pod, the loopback ones too."""
    return [
        path
        for path, result in _all_cni_results()
        # Of a loopback interface only the namespace tells whose it is.
        if result.get("networkName") == cluster.label
        or any(place.is_relative_to(cluster.run) for place in _sandboxes(result))
    ]


def _all_cni_results() -> Iterator[tuple[Path, Json]]:
    for path in sorted(_CNI_RESULTS.glob("*")):
        try:
            yield path, json.loads(path.read_text())
        except (OSError, ValueError):
            continue


def _sandboxes(result: Json) -> list[Path]:
    """Paths of the network namespaces in a CNI result."""
    interfaces = result.get("result", {}).get("interfaces") or []
    return [Path(one["sandbox"]) for one in interfaces if one.get("sandbox")]


def _pod_log_links(cluster: Cluster) -> list[Path]:
    if not _POD_LOG_LINKS.is_dir():
        return []
    return [
        path
        for path in _POD_LOG_LINKS.iterdir()
        if path.is_symlink() and path.readlink().is_relative_to(cluster.pod_logs)
    ]


def _kill(number: int) -> None:
    try:
        os.kill(number, signal.SIGKILL)
    except ProcessLookupError:
        pass
