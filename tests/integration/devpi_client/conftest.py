# SPDX-License-Identifier: GPL-3.0-or-later
"""A devpi-server behind TLS with a CA of its own, and scratch homes that the playbook configures.

The server's programs come from the environment that runs the tests, or from the one that
DEVPI_SERVER_PREFIX names. Packages come from PyPI through the server, as on a real workstation.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[3]
PLAYBOOK = CHECKOUT / "playbooks/15_configure_cli.yaml"
PREFIX = Path(os.environ.get("DEVPI_SERVER_PREFIX", sys.prefix))
ROOT_PASSWORD = "a root password"
TOOLS = ("uv", "twine", "poetry", "pdm", "pipx")
START_TIMEOUT = 60.0

# What this machine says to pip, uv and requests is not what a workstation would.
FOREIGN = re.compile(r"PIP_|UV_|DEVPI|(REQUESTS|CURL)_CA_BUNDLE|SSL_CERT|VIRTUAL_ENV|XDG_|PYTHON")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def make_certificates(folder: Path) -> None:
    """`host.crt` for localhost, signed by `ca.crt`, and `other.crt`, a CA that signed nothing."""
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout"]
    for name in ("ca", "other"):
        subject = ["-subj", f"/CN={name} of a test", "-days", "2"]
        openssl(folder, "req", "-x509", *key, f"{name}.key", *subject, "-out", f"{name}.crt")
    openssl(folder, "req", *key, "host.key", "-subj", "/CN=localhost", "-out", "host.csr")
    (folder / "host.ext").write_text("subjectAltName=DNS:localhost\n")
    signer = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "host.ext"]
    openssl(folder, "x509", "-req", "-in", "host.csr", *signer, "-days", "2", "-out", "host.crt")


def openssl(folder: Path, *arguments: str) -> None:
    run(["openssl", *arguments], cwd=folder)


def run(*command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    arguments = [argument for part in command for argument in part]
    return subprocess.run(arguments, check=True, capture_output=True, text=True, **options)


@dataclass
class TlsFront:
    """Ends TLS for a server on loopback."""

    port: int
    backend: int
    folder: Path
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def start(self) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.folder / "host.crt", self.folder / "host.key")
        serve = asyncio.start_server(self.connect, "127.0.0.1", self.port, ssl=context)
        self.loop.run_until_complete(serve)
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_connection("127.0.0.1", self.backend)
        await asyncio.gather(copy(reader, behind[1]), copy(behind[0], writer))

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@dataclass(frozen=True)
class Server:
    url: str
    plain_url: str
    certificates: Path

    @property
    def ca(self) -> Path:
        return self.certificates / "ca.crt"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A devpi-server with index root/stable, behind https://localhost."""
    folder = tmp_path_factory.mktemp("server")
    make_certificates(folder)
    backend, port = free_port(), free_port()
    at = [f"--serverdir={folder / 'data'}"]
    environment = {**os.environ, "DEVPISERVER_ROOT_PASSWD": ROOT_PASSWORD}
    run([str(PREFIX / "bin/devpi-init")], at, env=environment)
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [
                PREFIX / "bin/devpi-server",
                *at,
                f"--port={backend}",
                f"--outside-url=https://localhost:{port}",
                "--restrict-modify=root",
                "--argon2-memory-cost=65536",
                "--argon2-time-cost=1",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    front = TlsFront(port, backend, folder)
    try:
        plain = f"http://localhost:{backend}"
        wait_for(f"{plain}/+api", process, folder / "server.log")
        make_stable(plain)
        front.start()
        yield Server(f"https://localhost:{port}", plain, folder)
    finally:
        front.stop()
        process.terminate()
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"devpi-server does not answer:\n{log.read_text()}")


def make_stable(url: str) -> None:
    """Make root/stable, and have root/pypi ask for projects by their names, as the image has it."""
    login = ask(url, "POST", "/+login", {"user": "root", "password": ROOT_PASSWORD})
    token = f"root:{login['result']['password']}"
    ask(url, "PATCH", "/root/pypi", ["mirror_no_project_list=true"], token)
    ask(url, "PUT", "/root/stable", {"bases": ["root/pypi"], "volatile": False}, token)


def ask(url: str, method: str, path: str, body: Any, token: str = "") -> Any:
    import base64

    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        headers["X-Devpi-Auth"] = base64.b64encode(token.encode()).decode()
    request = urllib.request.Request(
        url + path, json.dumps(body).encode(), headers=headers, method=method
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@dataclass(frozen=True)
class Run:
    """How a playbook ended."""

    status: int
    output: str

    @property
    def changed(self) -> int:
        """Changed tasks of all hosts."""
        return sum(int(count) for count in re.findall(r"\bchanged=(\d+)", self.output))

    def failure(self, host: str) -> str:
        """What Ansible says of a host that failed."""
        return "\n".join(re.findall(rf"^fatal: \[{host}\].*$", self.output, re.MULTILINE))


@dataclass
class Workstation:
    """A home, and the variables that the inventory has for it."""

    home: Path
    variables: dict[str, Any]

    def configure(self, *options: str, **variables: Any) -> Run:
        """Run the playbook with an inventory of one cluster and this workstation."""
        inventory = self.home.parent / f"{self.home.name}.inventory.json"
        write_inventory(inventory, {"workstation": {**self.variables, **variables}})
        return play("-i", str(inventory), *options)

    @property
    def environment(self) -> dict[str, str]:
        """What a fresh login of its user has."""
        kept = {key: value for key, value in os.environ.items() if not FOREIGN.match(key)}
        return {**kept, "HOME": str(self.home), "PATH": f"{self.home}/.local/bin:/usr/bin:/bin"}

    def run(
        self, *command: str | Path, text: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command without a terminal; what it reads is ``text``."""
        return subprocess.run(
            command,
            input=text,
            env={**self.environment, **environment},
            cwd=self.home,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            timeout=300,
            check=False,
        )

    def fish(
        self, line: str, text: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return self.shell("fish", line, text=text, **environment)

    def shell(
        self, name: str, line: str, text: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a line in a new shell that reads what an interactive one reads."""
        interactive = [] if name == "fish" else ["-i"]
        return self.run(
            shutil.which(name) or name, *interactive, "-c", line, text=text, **environment
        )

    def tree(self) -> dict[str, tuple[int, bytes | str | None]]:
        """Every file and folder with its mode and content, but for what fish keeps for itself."""
        entries: dict[str, tuple[int, bytes | str | None]] = {}
        for path in sorted(self.home.rglob("*")):
            content: bytes | str | None = None
            if path.is_symlink():
                content = str(path.readlink())
            elif path.is_file():
                content = path.read_bytes()
            entries[str(path.relative_to(self.home))] = (path.lstat().st_mode, content)
        return entries


def write_inventory(path: Path, workstations: dict[str, dict[str, Any]]) -> None:
    """Write an inventory of one cluster and these workstations, all of them here."""
    hosts = {
        name: {"ansible_connection": "local", **variables}
        for name, variables in workstations.items()
    }
    inventory = {
        "all": {"vars": {"domain_name": "example.test"}},
        "devpi": {"hosts": {"cluster": {}}},
        "devpi_clients": {"hosts": hosts},
    }
    path.write_text(json.dumps(inventory))


def play(*options: str, inside: Sequence[str] = ()) -> Run:
    """Run 15_configure_cli, by a command that runs another one if `inside` is one."""
    environment = {key: value for key, value in os.environ.items() if not FOREIGN.match(key)}
    environment |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    if "ANSIBLE_COLLECTIONS_PATH" not in environment:
        environment["ANSIBLE_COLLECTIONS_PATH"] = str(CHECKOUT / ".cache/collections")
    ended = subprocess.run(
        [*inside, Path(sys.prefix) / "bin/ansible-playbook", PLAYBOOK, *options],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return Run(ended.returncode, ended.stdout)


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    """Real shells, installed where that can be done."""
    wanted = ("fish", "zsh", "bash", "openssl")
    missing = [name for name in wanted if not shutil.which(name)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        run(["apt-get", "-qq", "update"])
        run(["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *missing])
        missing = [name for name in wanted if not shutil.which(name)]
    if missing:
        pytest.fail(f"These tests need {' and '.join(missing)} on PATH: install that first")


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the commands of uv, twine, poetry, pdm and pipx."""
    folder = tmp_path_factory.mktemp("tools")
    run([sys.executable, "-m", "venv", str(folder)])
    # pdm 2.29 takes hishel 2, and does not work with it.
    run([str(folder / "bin/pip"), "install", "--quiet", *TOOLS, "hishel<2"])
    return folder / "bin"


@dataclass(frozen=True)
class Pair:
    """Two workstations that are configured in the same runs."""

    first: Workstation
    second: Workstation

    def configure(self, *options: str) -> Run:
        inventory = self.first.home.parent / "pair.json"
        both = {"first": self.first.variables, "second": self.second.variables}
        write_inventory(inventory, both)
        return play("-i", str(inventory), *options)


@pytest.fixture(scope="session")
def pair(server: Server, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A workstation as by default, and one with other choices; tests leave their settings alone."""
    first = new_workstation(tmp_path_factory.mktemp("first"), server)
    second = new_workstation(tmp_path_factory.mktemp("second"), server)
    second.variables |= {
        "devpi_client_installer": "uv",
        "devpi_client_pip_legacy_enabled": True,
        "devpi_client_ssl_cert_file_enabled": False,
        "devpi_client_upload_index": "alice/dev",
    }
    link_tools(first, tools, "poetry", "pdm")
    link_tools(second, tools, "uv")
    both = Pair(first, second)
    ended = both.configure()
    assert ended.status == 0, ended.output
    return both


def link_tools(workstation: Workstation, tools: Path, *names: str) -> None:
    """Let a user have these programs where users have them."""
    folder = workstation.home / ".local/bin"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).symlink_to(tools / name)


@pytest.fixture
def configured(pair: Pair) -> Workstation:
    """A workstation that the playbook has configured; tests leave its settings alone."""
    return pair.first


@pytest.fixture
def fresh(server: Server, tmp_path: Path) -> Workstation:
    """A workstation with an empty home."""
    return new_workstation(tmp_path, server)


def new_workstation(folder: Path, server: Server) -> Workstation:
    home = folder / "a home"
    home.mkdir()
    variables = {
        "devpi_client_home": str(home),
        "devpi_client_api_url": server.url,
        "devpi_client_ca_bundle": str(server.ca),
        "devpi_client_python": sys.executable,
        "ansible_python_interpreter": sys.executable,
    }
    return Workstation(home, variables)


def make_wheel(folder: Path, project: str) -> Path:
    """A package of one module, `answer = 42`."""
    name = project.replace("-", "_")
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "answer = 42\n")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(
            f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return path


def assert_comes_back(workstation: Workstation, wheel: Path, simple_url: str, folder: Path) -> None:
    """See that pip gets this wheel from an index, byte by byte."""
    project = wheel.name.partition("-")[0].replace("_", "-")
    download = ["download", "--quiet", "--no-deps", "--no-cache-dir", "--dest", folder / "back"]
    pip = [sys.executable, "-m", "pip", *download, "--index-url", simple_url, project]
    ended = workstation.run(*pip)
    assert ended.returncode == 0, ended.stdout
    assert (folder / "back" / wheel.name).read_bytes() == wheel.read_bytes()
