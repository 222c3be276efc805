# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's programs, compiled from Go modules: ``ensure()`` gives the folder that has them.

Each program is built once, into a part of its own, so that an interrupted build goes on with the
program it was at. ``go/cluster`` is the module of all programs but Traefik, which wants a newer
Kubernetes client; ``go/traefik`` is laid over Traefik's own module to leave out what costs most.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cache
import versions
from config import ClusterError
from progress import Progress

GO = Path(__file__).resolve().parent / "go"
CLUSTER = GO / "cluster"
TRAEFIK = GO / "traefik"

# Without inlining the compiler needs a third less time. The same flags everywhere, or the programs
# do not share the packages that they have in common.
FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly", "-gcflags=all=-l")

KUBE_NAMES = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)

GIB = 1024**3


class BuildError(ClusterError):
    """The programs cannot be built; the message says what is missing or what the compiler said."""


@dataclass(frozen=True)
class Program:
    """One file to build: ``package`` of the module in the folder ``module``."""

    name: str
    package: str
    module: Path = CLUSTER
    variables: tuple[str, ...] = ()
    """Linker settings of the form ``import/path.variable=value``."""
    share: float = 0.0
    """What it takes of the time and disk of a build from nothing, between 0 and 1."""

    @property
    def linking(self) -> str:
        """The flags of the linker: no symbols, and the variables."""
        return " ".join(("-s -w", *(f"-X {variable}" for variable in self.variables)))

    @property
    def inputs(self) -> tuple[str | Path, ...]:
        """All that decides what comes out, but for the version of Go."""
        settings = " ".join((self.name, self.package, *FLAGS, self.linking))
        if self.module == TRAEFIK:
            return settings, versions.TRAEFIK_SUM, TRAEFIK
        own = [self.module / self.package] if self.package.startswith("./") else []
        return settings, self.module / "go.mod", self.module / "go.sum", *own

    @property
    def key(self) -> str:
        """A name for what comes out."""
        return f"{self.name}-{cache.digest(*self.inputs)}"

    @property
    def part(self) -> Path:
        """Where the finished program is kept, in a folder that holds nothing else."""
        return cache.root() / "binaries" / self.key / self.name


_KUBERNETES_VERSION = "k8s.io/component-base/version"
_OAUTH2_PROXY = "github.com/oauth2-proxy/oauth2-proxy/v7"

# The longest first: while it compiles, the modules of the others are downloaded.
PROGRAMS = (
    Program(
        "kube-bundle",
        "./kube-bundle",
        variables=(
            f"{_KUBERNETES_VERSION}.gitVersion=v{versions.KUBERNETES}",
            f"{_KUBERNETES_VERSION}.gitMajor={versions.KUBERNETES.split('.')[0]}",
            f"{_KUBERNETES_VERSION}.gitMinor={versions.KUBERNETES.split('.')[1]}",
            f"{_KUBERNETES_VERSION}.gitTreeState=clean",
        ),
        share=0.65,
    ),
    Program("pause", "./pause"),
    Program("coredns", "./coredns", share=0.03),
    Program(
        "oauth2-proxy",
        _OAUTH2_PROXY,
        variables=(f"{_OAUTH2_PROXY}/pkg/version.VERSION=v{versions.OAUTH2_PROXY}",),
        share=0.04,
    ),
    Program(
        "local-path-provisioner",
        "github.com/rancher/local-path-provisioner",
        variables=(f"main.VERSION=v{versions.LOCAL_PATH_PROVISIONER}",),
        share=0.03,
    ),
    Program(
        "traefik",
        "./cmd/traefik",
        module=TRAEFIK,
        variables=(f"github.com/traefik/traefik/v3/pkg/version.Version={versions.TRAEFIK}",),
        share=0.25,
    ),
)

# Folder below crds/ -> module, its sum, and the files in it.
CRDS = {
    "gateway-api": (
        f"sigs.k8s.io/gateway-api@v{versions.GATEWAY_API}",
        versions.GATEWAY_API_SUM,
        "config/crd/standard/*.yaml",
    ),
    "traefik": (
        f"github.com/traefik/traefik/v3@v{versions.TRAEFIK}",
        versions.TRAEFIK_SUM,
        "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml",
    ),
    "openshift": (
        f"github.com/openshift/api@v{versions.OPENSHIFT_API}",
        versions.OPENSHIFT_API_SUM,
        "route/v1/zz_generated.crd-manifests/routes-TechPreviewNoUpgrade.crd.yaml",
    ),
}
# Only there for tests to apply: with Routes a cluster would look like an OpenShift.
NOT_APPLIED = ("openshift",)


def folder() -> Path:
    """Where ``ensure()`` puts, or has put, the programs."""
    keys = [program.key for program in PROGRAMS]
    return cache.root() / "binaries" / cache.digest(Path(__file__), repr(CRDS), *keys)


def program(name: str) -> Program:
    """The program of this name."""
    return next(program for program in PROGRAMS if program.name == name)


def missing() -> list[Program]:
    """The programs that still have to be compiled."""
    return [program for program in PROGRAMS if not program.part.is_file()]


def problems() -> list[str]:
    """What stands in the way of building what is missing, each with what to do about it."""
    if folder().is_dir():
        return []
    wanted = go_wanted()
    found = go_found()
    if found is None:
        return [f"Go is not installed; {wanted} or newer is needed (https://go.dev/dl/)."]
    if _numbers(found) < _numbers(wanted):
        return [f"Go {found} is too old; {wanted} or newer is needed (https://go.dev/dl/)."]
    return list(_disk_problems(sum(program.share for program in missing())))


def ensure(progress: Progress) -> Path:
    """Build what is missing; the folder has the programs, links for KUBE_NAMES, and ``crds/``.

    Raises BuildError, before anything is downloaded if Go or disk space is missing.
    """
    target = folder()
    if target.is_dir():
        return target
    if found := problems():
        raise BuildError("\n".join(found))
    with cache.builder(target.parent, progress):
        if target.is_dir():
            return target
        _build_missing(target.parent, progress)
        with progress.step("putting the programs together"):
            _assemble(target)
    return target


def go_wanted() -> str:
    """The oldest Go that the modules accept, such as ``1.26.0``."""
    directive = re.search(r"^go (\S+)$", (CLUSTER / "go.mod").read_text(), re.MULTILINE)
    assert directive is not None
    return directive[1]


def go_found() -> str | None:
    """The Go that would build the modules, such as ``1.26.8``; None without one.

    Go may fetch a newer one of itself here if it is set up so (GOTOOLCHAIN).
    """
    try:
        # Inside the module a Go that is too old may only say that it is.
        for place in (CLUSTER, Path("/")):
            reply = subprocess.run(
                ["go", "env", "GOVERSION"],
                cwd=place,
                env=_environment(),
                text=True,
                capture_output=True,
                check=False,
            )
            if reply.returncode == 0 and reply.stdout.strip():
                return reply.stdout.strip().removeprefix("go").split()[0]
    except FileNotFoundError:
        pass
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _disk_problems(share: float) -> Iterator[str]:
    """Compare free space with what a build from nothing takes, times the ``share`` to be built."""
    needs: dict[int, tuple[Path, float]] = {}
    reply = go("env", "-json", "GOMODCACHE", "GOCACHE", cwd=CLUSTER)
    places = {name: Path(value) for name, value in json.loads(reply).items()}
    places["cache"] = cache.root()
    for name, place in places.items():
        device = _existing(place).stat().st_dev
        first, need = needs.get(device, (place, 0.0))
        needs[device] = first, need + versions.BUILD_DISK_GIB[name] * share
    for place, need in needs.values():
        have = shutil.disk_usage(_existing(place)).free / GIB
        if have < need:
            yield (
                f"Too little disk for the build: {need:.1f} GiB are needed on the file system of "
                f"{place}, {have:.1f} GiB are free. Free some, or point GOCACHE, GOMODCACHE and "
                "THINKUBE_DEVPI_CACHE to a larger one."
            )


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


def _environment() -> dict[str, str]:
    cores = os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    # One compiler per core, each without garbage collection as long as there is room for that.
    limit = min(4 * GIB, memory // (cores + 1))
    return {
        "HOME": str(Path.home()),
        **os.environ,
        "CGO_ENABLED": "0",
        "GOGC": "off",
        "GOMEMLIMIT": str(limit),
        "GOWORK": "off",
    }


def go(*arguments: str, cwd: Path, temporary: Path | None = None) -> str:
    """Standard output of the go command; BuildError with the end of what it said if it fails."""
    environment = _environment()
    if temporary is not None:
        environment["GOTMPDIR"] = str(temporary)
    reply = subprocess.run(
        ["go", *arguments], cwd=cwd, env=environment, text=True, capture_output=True, check=False
    )
    if reply.returncode != 0:
        said = [line for line in reply.stderr.splitlines() if "go: downloading" not in line]
        raise BuildError(
            f"go {arguments[0]} failed ({reply.returncode}) in {cwd}:\n" + "\n".join(said[-25:])
        )
    return reply.stdout


def module_source(module: str, expected_sum: str) -> dict[str, str]:
    """``go mod download -json``: where ``module`` (path@version) lies, as ``Dir`` and ``Zip``."""
    # Outside of any module, so that none's go.mod has a say in it.
    found: dict[str, str] = json.loads(go("mod", "download", "-json", module, cwd=Path("/")))
    if found["Sum"] != expected_sum:
        raise BuildError(f"{module} has the sum {found['Sum']}, not {expected_sum}")
    return found


def _fetch(program: Program, workspace: Path) -> Path:
    """Download all that a program imports; returns the folder to build it in."""
    place = program.module
    if program.module == TRAEFIK:
        place = workspace / "traefik"
        lay_out_traefik(place)
    # Only what is imported; `go mod download` fetches three times as much.
    go("list", "-mod=readonly", "-deps", program.package, cwd=place)
    return place


def lay_out_traefik(target: Path) -> None:
    """Unpack Traefik's module to ``target`` and lay ``go/traefik`` over it."""
    module = module_source(
        f"github.com/traefik/traefik/v3@v{versions.TRAEFIK}", versions.TRAEFIK_SUM
    )
    with zipfile.ZipFile(module["Zip"]) as archive:
        prefix = f"{module['Path']}@{module['Version']}/"
        for entry in archive.infolist():
            name = entry.filename.removeprefix(prefix)
            if not name.startswith(("docs/", "integration/")) and not name.endswith("_test.go"):
                entry.filename = name
                archive.extract(entry, target)
    if (
        f"\tsigs.k8s.io/gateway-api v{versions.GATEWAY_API}\n"
        not in (target / "go.mod").read_text()
    ):
        raise BuildError(
            f"Traefik {versions.TRAEFIK} does not speak Gateway API {versions.GATEWAY_API}. "
            "Its go.mod has the version of sigs.k8s.io/gateway-api to put into versions.py."
        )
    lay_over(TRAEFIK, target)


def lay_over(upper: Path, lower: Path) -> None:
    """Put the files of ``upper`` into ``lower``; a ``stub.go`` replaces the whole Go package."""
    files = [file.relative_to(upper) for file in upper.rglob("*") if file.is_file()]
    for file in files:
        if file.name == "stub.go":
            for replaced in (lower / file).parent.glob("*.go"):
                replaced.unlink()
    for file in files:
        (lower / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(upper / file, lower / file)


def _build_missing(folder: Path, progress: Progress) -> None:
    """Compile one program after the other, and download for the next ones meanwhile."""
    with cache.workspace(folder) as workspace, ThreadPoolExecutor(max_workers=1) as downloads:
        places = {program: downloads.submit(_fetch, program, workspace) for program in missing()}
        try:
            for program, place in places.items():
                with progress.step(f"building {program.name}"):
                    _build(program, place.result(), workspace)
        finally:
            downloads.shutdown(cancel_futures=True)


def _build(program: Program, place: Path, temporary: Path) -> None:
    with cache.new_folder(program.part.parent) as part:
        output = ("-o", str(part / program.name))
        go(
            *("build", *FLAGS, "-ldflags", program.linking, *output, program.package),
            cwd=place,
            temporary=temporary,
        )


def _assemble(target: Path) -> None:
    with cache.new_folder(target) as new:
        for program in PROGRAMS:
            os.link(program.part, new / program.name)
        for name in KUBE_NAMES:
            os.link(new / "kube-bundle", new / name)
        for name, (module, module_sum, pattern) in CRDS.items():
            (new / "crds" / name).mkdir(parents=True)
            for file in sorted(Path(module_source(module, module_sum)["Dir"]).glob(pattern)):
                shutil.copyfile(file, new / "crds" / name / file.with_suffix(".yaml").name)
