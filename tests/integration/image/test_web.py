# SPDX-License-Identifier: GPL-3.0-or-later
"""The web host: who gets in, what is shown, and that nothing is written or run there."""

from __future__ import annotations

import io
import json
import re
import secrets
import zipfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest
from containers import Answer, Container, Pod, ask, free_port, listens, login

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
DASHBOARD = "https://devpi.example.org"
API = "https://devpi-api.example.org"
RELEASE = "/root/stable/thinkube-probe/1.0+local"
PAGES = [
    "/",
    "/root",
    "/root/stable",
    "/root/stable/thinkube-probe",
    RELEASE,
    f"{RELEASE}/+d/index.html",
    "/root/stable/+simple/thinkube-probe/",
    "/+search?query=probe",
    "/+searchhelp",
    "/+status",
]
NAMES_OTHER_HOSTS = {
    "X-Outside-Url": "https://evil.example.org",
    "X-Forwarded-Host": "evil.example.org",
    "X-Forwarded-Proto": "gopher",
    "Host": "evil.example.org",
}


@dataclass
class Web:
    """A front with both hosts, and packages behind it."""

    api: int
    port: int
    key: str
    front: Container
    server: Container
    auth: Mapping[str, str]

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """As the login proxy hands on what a browser asks for."""
        given = {"Accept": BROWSER, "X-Devpi-Front-Key": self.key, **(headers or {})}
        return ask(self.port, path, method, given, body)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, image: str) -> Iterator[Web]:
    pod = Pod(tmp_path_factory.mktemp("web") / "pod", image)
    key = secrets.token_urlsafe(32)
    pod.secret("root", "web-key", f"{key}\n")
    variables = {
        "DEVPI_FRONT_WEB_PORT": str(free_port()),
        "DEVPI_FRONT_DASHBOARD_URL": DASHBOARD,
        "DEVPI_FRONT_WEB_KEY_FILE": "/etc/devpi/root/web-key",
    }
    pod.init()
    with pod.server(DEVPISERVER_OUTSIDE_URL=API) as server, pod.front(**variables) as front:
        token = json.loads(login(pod.port).body)["result"]["password"]
        auth = {"X-Devpi-Auth": b64encode(f"root:{token}".encode()).decode()}
        fill(pod.port, auth)
        yield Web(pod.port, int(variables["DEVPI_FRONT_WEB_PORT"]), key, front, server, auth)


def fill(port: int, auth: Mapping[str, str]) -> None:
    """An index on PyPI with a release and its documentation."""
    made = ask(port, "/root/stable", "PUT", auth, b'{"bases": ["root/pypi"]}')
    assert made.status == 200, made.body
    info = "thinkube_probe-1.0+local.dist-info"
    metadata = "Metadata-Version: 2.1\nName: thinkube-probe\nVersion: 1.0+local\n"
    wheel = archive({f"{info}/METADATA": metadata, f"{info}/WHEEL": "Wheel-Version: 1.0\n"})
    documentation = archive({"index.html": "<script src=x.js></script>", "x.js": "alert(1)"})
    name = "thinkube_probe-1.0+local"
    upload(port, auth, "file_upload", f"{name}-py3-none-any.whl", wheel)
    upload(port, auth, "doc_upload", f"{name}.doc.zip", documentation)


def archive(files: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as written:
        for name, text in files.items():
            written.writestr(name, text)
    return content.getvalue()


def upload(port: int, auth: Mapping[str, str], action: str, file: str, content: bytes) -> None:
    fields = {":action": action, "name": "thinkube-probe", "version": "1.0+local"}
    lines = [
        f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    lines.append(f'--cut\r\nContent-Disposition: form-data; name="content"; filename="{file}"\r\n')
    body = "".join(lines).encode() + b"\r\n" + content + b"\r\n--cut--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=cut", **auth}
    answer = ask(port, "/root/stable/", "POST", headers, body)
    assert answer.status == 200, answer.body


def links(page: bytes) -> list[str]:
    """What a page leads to, loads or sends its forms to on any host."""
    return re.findall(r"""(?:href|src|action|url)=["']?(https?://[^"'> ]+)""", page.decode())


@pytest.mark.parametrize("path", ["/", "/+static/x", RELEASE, "/+front/ready", "/+login"])
@pytest.mark.parametrize("change", ["none", "empty", "other", "case", "longer", "shorter"])
def test_only_the_login_proxy_gets_in(web: Web, path: str, change: str) -> None:
    given = {
        "none": None,
        "empty": "",
        "other": secrets.token_urlsafe(32),
        "case": web.key.swapcase(),
        "longer": f"{web.key}x",
        "shorter": web.key[:-1],
    }[change]
    headers = {} if given is None else {"X-Devpi-Front-Key": given}
    answer = ask(web.port, path, headers={**headers, **web.auth})
    assert answer.status == 403
    assert answer.body == b"Only the login proxy of https://devpi.example.org comes in here.\n"
    assert not [name for name in answer.headers if name.lower().startswith("x-devpi")]


def test_the_key_is_in_no_log(web: Web) -> None:
    assert web.ask("/root").status == 200
    assert ask(web.port, "/", headers={"X-Devpi-Front-Key": f"{web.key}x"}).status == 403
    assert "GET /root " in web.front.log
    assert web.key not in web.front.log + web.server.log


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("claims", [{}, NAMES_OTHER_HOSTS])
def test_pages_lead_to_the_dashboard_only(web: Web, path: str, claims: dict[str, str]) -> None:
    answer = web.ask(path, headers=claims)
    assert (answer.status, answer.content_type) == (200, "text/html; charset=UTF-8")
    # The page of the status tells the server's own outside-url, as a link.
    elsewhere = ("https://pypi.org/", *([API] if path == "/+status" else []))
    ours = [link for link in links(answer.body) if not link.startswith(elsewhere)]
    assert all(link.startswith(f"{DASHBOARD}/") for link in ours)
    if "+simple" not in path:
        assert f"{DASHBOARD}/+search" in ours
    assert b"evil" not in answer.body
    assert (API.encode() in answer.body) == (path == "/+status")


@pytest.mark.parametrize("claims", [{}, NAMES_OTHER_HOSTS])
def test_redirects_and_the_api_name_the_dashboard(web: Web, claims: dict[str, str]) -> None:
    for path, target in {
        "/root/": "/root",
        "/root/stable/": "/root/stable",
        "/root/stable/+simple/thinkube-probe": "/root/stable/+simple/thinkube-probe/",
        f"{RELEASE}/+doc/": f"{RELEASE}/+doc/index.html",
    }.items():
        answer = web.ask(path, headers=claims)
        assert (answer.status, unquote(answer.headers["Location"])) == (302, DASHBOARD + target)
    for path in ("/+api", "/root/+api", "/root/stable/+api"):
        result = json.loads(web.ask(path, headers=claims).body)["result"]
        assert result["login"] == f"{DASHBOARD}/+login"
        assert "evil" not in json.dumps(result)
    assert json.loads(ask(web.api, "/+api").body)["result"]["login"] == f"{API}/+login"


def test_everybody_is_anonymous(web: Web) -> None:
    asked = [ask(web.api, "/+api", headers=web.auth), web.ask("/+api", headers=web.auth)]
    known = [json.loads(answer.body)["result"]["authstatus"][0] for answer in asked]
    assert known == ["ok", "noauth"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/someone"),
        ("PUT", "/root/other"),
        ("PATCH", "/root/stable"),
        ("DELETE", "/root/stable"),
        ("DELETE", RELEASE),
        ("POST", "/root/stable/"),
        ("POST", "/root/stable"),
        ("POST", RELEASE),
        ("POST", "/root/stable/+f/refresh"),
        ("POST", "/root/pypi/refresh"),
        ("POST", "/root/pypi/+simple/refresh"),
        ("POST", "/+login"),
        ("POST", "/%2blogin"),
        ("PUSH", "/root/stable"),
        ("OPTIONS", "/"),
        ("TRACE", "/"),
    ],
)
def test_nothing_is_written(web: Web, method: str, path: str) -> None:
    answer = web.ask(path, method, {**web.auth, "Content-Type": "application/json"}, b"{}")
    assert answer.status == 405
    assert not answer.headers["X-Devpi-Uuid"]
    assert web.ask(RELEASE).status == 200
    if method != "TRACE":
        assert answer.headers["Allow"] == "GET, HEAD"
        assert b"devpi-api.example.org" in answer.body


@pytest.mark.parametrize(
    "path", ["/root/pypi/itsdangerous/refresh", "/root/stable/+simple/itsdangerous/refresh"]
)
def test_the_form_that_asks_pypi_again(web: Web, path: str) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = web.ask(path, "POST", form, b"refresh=Refresh")
    assert answer.status == 302
    assert answer.headers["Location"].startswith(f"{DASHBOARD}/root/")


@pytest.mark.parametrize(
    "path",
    [
        "/+login",
        "/+logout",
        "/+authcheck",
        "/+changelog/0",
        "/+changelog/0-",
        "/root/+token-create",
        "/root/+tokens",
        "/root/stable/+status",
        "/root/stable/thinkube-probe/+d/index.html",
        "/%2blogin",
        "//+login",
        "/x/../+login",
        "/x/%2e%2e/+authcheck",
        "/root%2f+tokens",
        "/root/stable/+simple/../../../+changelog/0",
        "/+static/../+changelog/0",
        "/+front/ready",
    ],
)
def test_no_spelling_opens_what_is_closed(web: Web, path: str) -> None:
    answer = web.ask(path, headers={"Accept": "application/json"})
    assert (answer.status, answer.content_type) == (404, "text/plain")
    assert not answer.headers["X-Devpi-Uuid"]


@pytest.mark.parametrize(
    ("path", "same"),
    [
        ("/root/stable/thinkube-probe/1.0%2Blocal", RELEASE),
        ("/root%2fstable", "/root/stable"),
        ("/%2bstatus", "/+status"),
        ("//root/./stable", "/root/stable"),
    ],
)
def test_other_spellings_are_the_same_page(web: Web, path: str, same: str) -> None:
    title = re.compile(rb"<title>.*</title>", re.DOTALL)
    pages = [web.ask(path), web.ask(same)]
    assert [page.status for page in pages] == [200, 200]
    assert title.findall(pages[0].body) == title.findall(pages[1].body) != []


@pytest.mark.parametrize("path", [*PAGES, "/nosuch", "/+nosuch", "/+api"])
def test_pages_are_guarded(web: Web, path: str) -> None:
    headers = web.ask(path).headers
    policy = headers["Content-Security-Policy"].split("; ")
    assert "frame-ancestors 'none'" in policy
    assert ("script-src 'self'" in policy) == ("+d" not in path)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers.get_all("Cache-Control") == ["private, no-cache"]
    assert headers["Expires"] is None


def test_what_a_page_loads_is_there(web: Web) -> None:
    loaded = re.findall(rb'(?:href|src)="([^"]+/\+static[^"]+)"', web.ask(PAGES[5]).body)
    types = {web.ask(link.decode().removeprefix(DASHBOARD)).content_type for link in loaded}
    assert {kind.split(";")[0] for kind in types} >= {"text/css", "text/javascript"}


def test_uploaded_documentation_runs_no_script(web: Web) -> None:
    frame = unquote(web.ask(f"{RELEASE}/+d/index.html").body.decode())
    assert f'src="{DASHBOARD}{RELEASE}/+doc/index.html"' in frame
    for name, kind in {"index.html": "text/html", "x.js": "text/javascript"}.items():
        answer = web.ask(f"{RELEASE}/+doc/{name}")
        assert (answer.status, answer.content_type.split(";")[0]) == (200, kind)
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'none'" in policy
        assert "sandbox " in policy
        assert "allow-scripts" not in policy
        assert "frame-ancestors 'self'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"].startswith("private, ")


def test_a_file_is_downloaded_and_kept_by_its_browser_only(web: Web) -> None:
    [link] = [link for link in links(web.ask(RELEASE).body) if ".whl" in link]
    path = link.split("#")[0].removeprefix(DASHBOARD)
    answer = web.ask(path)
    assert (answer.status, answer.body[:2]) == (200, b"PK")
    assert re.fullmatch(r"private, max-age=\d{6,}, immutable", answer.headers["Cache-Control"])
    assert "script-src 'none'" in answer.headers["Content-Security-Policy"]
    assert web.ask(path, "HEAD").headers["Content-Length"] == str(len(answer.body))
    gone = web.ask(f"{path}x")
    assert (gone.status, gone.headers["Cache-Control"]) == (404, "private, no-cache")


def test_the_search_says_that_there_is_none(web: Web) -> None:
    page = web.ask("/+search?query=probe").body
    assert b"No search available" in page
    assert b"did not match anything" in page


def test_while_devpi_is_away_a_page_waits_for_it(pod: Pod, other_port: int) -> None:
    variables = {
        "DEVPI_FRONT_WEB_PORT": str(other_port),
        "DEVPI_FRONT_DASHBOARD_URL": DASHBOARD,
    }
    with pod.front(**variables):
        answers = [ask(other_port, path) for path in ("/root/stable", f"{RELEASE}/+doc/x.html")]
    for answer in answers:
        assert (answer.status, answer.content_type) == (503, "text/html")
        assert int(answer.headers["Retry-After"]) > 0
        assert b'http-equiv="refresh"' in answer.body
        assert "sandbox" not in answer.headers["Content-Security-Policy"]


def test_without_a_port_there_is_no_web_host(pod: Pod, other_port: int) -> None:
    variables = {
        "DEVPI_FRONT_WEB_PORT": "",
        "DEVPI_FRONT_DASHBOARD_URL": DASHBOARD,
        "DEVPI_FRONT_WEB_KEY_FILE": "/nosuch",
    }
    with pod.front(**variables) as front:
        nginx = front.child("nginx")
        assert listening(nginx) == {pod.port}
    with pod.front(DEVPI_FRONT_WEB_PORT=str(other_port), DEVPI_FRONT_DASHBOARD_URL=DASHBOARD) as it:
        assert listening(it.child("nginx")) == {pod.port, other_port}
    assert not listens(other_port)


def listening(pid: int) -> set[int]:
    """TCP ports at which that process listens."""
    sockets = {str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        int(local.split(":")[1], 16)
        for _, local, _, state, *_, inode in (row[:10] for row in rows)
        if state == "0A" and f"socket:[{inode}]" in sockets
    }
