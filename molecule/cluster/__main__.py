# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Kubernetes on this machine: ``python3 molecule/cluster {up,down,status} [--name NAME]``.

``up`` brings it to its state from wherever it is, ``down`` removes all of it, both at any time.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import addons
import binaries
import cgroups
import images
import keycloak
import keycloak_program
import keycloak_realm
import machine
import names
import network
import node
import pki
import preflight
import processes
import record
import registry
from config import ADMIN, DEFAULT_NAME, REALM, Cluster, ClusterError, state_folder
from kube import Api
from progress import Progress, duration

EXIT_INTERRUPTED = 130
MIB = 1024**2


def main() -> int:
    """Exit code: 0, 1 for an error or an unhealthy cluster, 2 for a wrong call, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="molecule/cluster", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status"))
    parser.add_argument("--name", default=DEFAULT_NAME, help="which cluster (default: %(default)s)")
    parser.add_argument(
        "--leftovers", action="store_true", help="status: list what 'down' would have to remove"
    )
    arguments = parser.parse_args()
    # As an interrupt from the keyboard, so that `finally` and `with` do their work.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        preflight.check_inputs(arguments.name)
        if arguments.command == "up":
            return up(arguments.name, Progress())
        if arguments.command == "down":
            return down(arguments.name, Progress())
        return leftovers(arguments.name) if arguments.leftovers else status(arguments.name)
    except (ClusterError, binaries.BuildError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. 'up' goes on from here, 'down' removes all of it.", file=sys.stderr)
        return EXIT_INTERRUPTED


def up(name: str, progress: Progress) -> int:
    """From nothing, a part, or a running cluster to one that is ready."""
    with record.cluster_lock(name):
        preflight.check(name, progress)
        programs = binaries.ensure(progress)
        archives = images.ensure(programs, progress)
        distribution = keycloak_program.ensure(progress)
        machine.prepare()
        cluster = record.claim(name, network.free_slots())
        with progress.step(f"network ({cluster.network}), certificates, configuration"):
            resolvers = _configure(cluster, distribution, progress)
        started = _start(cluster, programs, archives, distribution, resolvers, progress)
        if problem := node.namespace_problem(cluster):
            raise ClusterError(problem)
        names.write_inventory(cluster)
        _link_programs(cluster, programs)
    if not started:
        progress.note(f"The cluster '{name}' was running already; nothing had to be started.")
    print(_summary(cluster, progress))
    return 0


def _configure(cluster: Cluster, distribution: Path, progress: Progress) -> list[str]:
    """Everything that the components read. Returns the name servers that DNS forwards to."""
    network.up(cluster)
    cluster.config.mkdir(parents=True, exist_ok=True)
    resolvers = network.write_resolv_conf(cluster)
    for server in network.silent_resolvers(cluster, resolvers):
        progress.note(
            f"The name server {server} does not answer from the cluster: pods will not find names"
            f" outside of it. Does a firewall here drop what comes from {cluster.network}?"
        )
    pki.ensure(cluster)
    node.configure(cluster)
    registry.configure(cluster)
    keycloak.configure(cluster, distribution)
    names.enter(cluster)
    return resolvers


def _start(
    cluster: Cluster,
    programs: Path,
    archives: dict[str, Path],
    distribution: Path,
    resolvers: list[str],
    progress: Progress,
) -> list[str]:
    """Start what does not run, in the order in which one needs the other; names of those."""
    api = Api.of(cluster)
    control = node.control_plane(cluster, programs)
    definitions = addons.Definitions(cluster, programs, api)
    with ExitStack() as stack:
        with progress.step("containerd, registry, etcd, API server, and Keycloak beside them"):
            first = [node.containerd(cluster), registry.component(cluster), *control[:2]]
            started = node.start_all(cluster, first)
            # It takes the longest to start; only the last step wants it.
            if keycloak.begin(cluster, distribution):
                started.append("keycloak")
            node.wait_for_containerd(cluster)
            imports = [
                (name, stack.enter_context(node.import_image(cluster, archives[name])))
                for name in node.missing_images(cluster, archives)
            ]
            registry.wait_until_up(cluster)
            node.wait_for_api(cluster, api)
        with progress.step("controllers, scheduler, kubelet, proxy, policies"):
            rest = [*control[2:], *node.workers(cluster, programs)]
            began = time.time()
            started += node.start_all(cluster, [*rest, addons.policy_enforcer(cluster)])
            definitions.begin(stack)
            node.wait_for_node(cluster, api, since=began if "kubelet" in started else 0)
        if imports:
            with progress.step(f"images of the add-ons: {', '.join(name for name, _ in imports)}"):
                for name, command in imports:
                    command.finish()
                    node.imported(cluster, name, archives[name])
        for name in registry.missing_images(cluster, archives):
            with progress.step(f"pushing the image {name} into the registry"):
                registry.push(cluster, name, archives[name])
        with progress.step("add-ons: DNS, storage, ingress"):
            definitions.finish()
            addons.apply_addons(cluster, programs, resolvers)
            addons.wait_for_addons(cluster, api)
        with progress.step("Keycloak, its realm and accounts"):
            keycloak.wait_until_up(cluster)
            keycloak_realm.ensure(cluster)
    api.close()
    return started


def down(name: str, progress: Progress) -> int:
    """Remove the cluster, whatever there is of it; with nothing there it says so."""
    if problem := record.ownership_problem(name):
        raise ClusterError(problem)
    with record.cluster_lock(name):
        found = record.find(name)
        # What is shared bears the name, so it can be found even without a record of the rest.
        cluster = found or Cluster(name, 0, state_folder(name))
        if found is None and not list(_leftovers(cluster)):
            record.remove_run_folders(name)
            print(f"There is no cluster '{name}', and nothing is left of one.")
            return 0
        with progress.step(f"ending the processes of the cluster '{name}'"):
            processes.stop(cluster, processes.recorded_names(cluster), patience=0)
            node.kill_pods(cluster)
        with progress.step("mounts, network, names"):
            node.unmount(cluster)
            node.remove(cluster)
            network.down(cluster)
            names.remove(cluster)
            registry.remove(cluster)
            machine.restore(leaving=name)
        with progress.step(f"files in {cluster.state}"):
            _remove_files(cluster)
            left = list(_leftovers(cluster))
    for line in left:
        print(f"left: {line}", file=sys.stderr)
    print(f"The cluster '{name}' is gone ({duration(progress.elapsed)}).")
    return 1 if left else 0


def status(name: str) -> int:
    """One line per part; 0 when all of them are healthy."""
    cluster = record.find(name)
    if cluster is None:
        print(f"There is no cluster '{name}'. Make it: python3 molecule/cluster up --name {name}")
        return 1
    healthy = True
    for part, problem in _health(cluster):
        healthy = healthy and problem is None
        print(f"{'ok  ' if problem is None else 'DOWN'}  {part}{f': {problem}' if problem else ''}")
    used = processes.memory(all_processes(cluster)) / MIB
    print(f"memory      {used:.0f} MiB (proportional set size of all processes and pods)")
    print(_addresses(cluster))
    return 0 if healthy else 1


def leftovers(name: str) -> int:
    """List what ``down`` would have to remove; 0 when there is nothing."""
    cluster = record.find(name) or Cluster(name, 0, state_folder(name))
    found = list(_leftovers(cluster))
    print("\n".join(found) if found else f"Nothing is left of a cluster '{name}'.")
    return 1 if found else 0


def all_processes(cluster: Cluster) -> set[int]:
    """Components, shims and what runs in pods."""
    components = (processes.pid(cluster, name) for name in processes.recorded_names(cluster))
    running = {number for number in components if number is not None}
    return running | set(node.shims(cluster)) | set(cgroups.processes(cluster))


def _health(cluster: Cluster) -> Iterator[tuple[str, str | None]]:
    for name in node.COMPONENTS:
        number = processes.pid(cluster, name)
        yield name, None if number else "does not run"
    yield "network", None if network.is_up(cluster) else "namespace or interface is missing"
    api = Api.of(cluster) if (cluster.pki / "admin.json").exists() else None
    ready = api is not None and api.is_ready()
    yield "API", None if ready else f"{cluster.server} does not answer"
    if api is not None and ready:
        yield "node", None if node.node_is_ready(cluster, api) else "is not Ready"
        missing = addons.unavailable(api)
        yield "add-ons", f"not ready: {', '.join(missing)}" if missing else None
    else:
        yield "node", "not known without the API"
        yield "add-ons", "not known without the API"
    served = addons.ingress_answers(cluster)
    yield "ingress", None if served else f"http://{cluster.node_address} does not answer"
    resolved = network.is_up(cluster) and addons.dns_answers(cluster)
    yield "DNS", None if resolved else f"{cluster.dns_address} does not answer"
    answers = cluster.admin_password.exists() and registry.answers(cluster)
    yield "registry", None if answers else f"https://{cluster.registry} does not let us in"
    keycloak_problem = None if keycloak.answers(cluster) else "does not answer"
    yield cluster.keycloak_url, keycloak_problem
    yield "names", None if names.are_entered(cluster) else "not in /etc/hosts"


def _leftovers(cluster: Cluster) -> Iterator[str]:
    for name in processes.recorded_names(cluster):
        if number := processes.pid(cluster, name):
            yield f"process {number} ({name})"
    sources: tuple[Callable[[Cluster], Iterator[str]], ...] = (
        node.leftovers,
        network.leftovers,
        names.leftovers,
        registry.leftovers,
    )
    for source in sources:
        yield from source(cluster)
    if machine.is_changed():
        yield "sysctls and folders of this machine as the clusters needed them"
    for path in _own_files(cluster):
        yield f"file {path}"


def _own_files(cluster: Cluster) -> list[Path]:
    """What lies in the cluster's folders, other clusters' below the demo's left out."""
    return [
        path
        for folder in (cluster.state, cluster.run)
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if cluster.owns(path)
    ]


def _remove_files(cluster: Cluster) -> None:
    # The records last: as long as they are there, a second `down` knows what to do.
    last = [cluster.state / "cluster.json", cluster.record]
    for path in [path for path in _own_files(cluster) if path not in last] + last:
        if path.is_dir() and not path.is_symlink():
            _remove_tree(path)
        else:
            path.unlink(missing_ok=True)
    for folder in (cluster.state, cluster.state.parent, cluster.state.parent.parent):
        if folder.name not in (cluster.name, "clusters", ".local-cluster"):
            break
        try:
            folder.rmdir()
        except OSError:
            break
    record.remove_run_folders(cluster.name)


def _remove_tree(folder: Path) -> None:
    # What a test was about to remove when it was cut off may go at the same time.
    while folder.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)


def _link_programs(cluster: Cluster, programs: Path) -> None:
    link = cluster.state / "bin"
    if not link.is_symlink() or link.readlink() != programs:
        link.unlink(missing_ok=True)
        link.symlink_to(programs)


def _summary(cluster: Cluster, progress: Progress) -> str:
    return f"Ready after {duration(progress.elapsed)}.\n{_addresses(cluster)}"


def _addresses(cluster: Cluster) -> str:
    return "\n".join(
        [
            f"domain      {cluster.domain} ({cluster.node_address})",
            f"registry    https://{cluster.registry} (user {ADMIN}, password in"
            f" {cluster.admin_password})",
            f"Keycloak    {cluster.keycloak_url} (user {ADMIN}, the same password; realm {REALM},"
            f" its users in {cluster.keycloak_users})",
            f"trust       {cluster.ca}",
            f"inventory   {cluster.inventory}",
            f"kubeconfig  {cluster.kubeconfig}",
            f"kubectl     {cluster.state / 'bin/kubectl'}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
