# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that this image reads besides devpi's own options: name and meaning.

A variable that is neither here nor an option of devpi is refused, as it may be a misspelt one.
"""

from __future__ import annotations

from devpi_image.options import TABLE, WITHOUT_EFFECT, variable

FIRST_START = {
    "DEVPISERVER_ROOT_PASSWD": "password of root; also `DEVPISERVER_ROOT_PASSWORD`,"
    " `DEVPI_ROOT_PASSWORD`, and `DEVPI_PASSWORD` without a `DEVPI_USER`. None of them: a random"
    " one, kept in the server directory as `.root-password`",
    "DEVPISERVER_ROOT_PASSWD_HASH": "its hash instead, as `devpi-export` writes it",
    "DEVPI_USER": "a further user; `DEVPI_PASSWORD` is this user's password then",
    "DEVPI_INDEX": "an index of that user, else of root, on `root/pypi` (`public`)",
    "DEVPI_RESET_ROOT_PASSWORD": "`true`: give root the password above on data that exist",
}
PASSWORDS = (
    "DEVPISERVER_ROOT_PASSWD",
    "DEVPISERVER_ROOT_PASSWORD",
    "DEVPI_ROOT_PASSWORD",
    "DEVPI_PASSWORD",
    "DEVPISERVER_ROOT_PASSWD_HASH",
)
STANDALONE = {
    "DEVPI_FRONT": "`off`: devpi-server by itself, without nginx before it",
    "DEVPI_EXTRA_ARGS": "further options, as after the image's name",
    "DEVPI_SERVERDIR": "for `DEVPISERVER_SERVERDIR`",
    "DEVPI_DATA_VOLUME": "folder in which `userdata` is the server directory",
    "DEVPI_PORT": "for `DEVPISERVER_PORT`; also `DEVPI_SERVER_PORT`",
    "DEVPI_OUTSIDE_URL": "for `DEVPISERVER_OUTSIDE_URL`",
    "DEVPI_TRUSTED_PROXY": "for `DEVPISERVER_TRUSTED_PROXY`",
}
RUNNING = {
    "DEVPI_TOKEN_KEY_FILE": "key of the login tokens, so that they outlive a restart (a file made"
    " in the server directory)",
    "DEVPI_RESTART_LIMIT": "how often a service may end within the window before the container"
    " gives up (5)",
    "DEVPI_RESTART_WINDOW": "that window in seconds (300)",
    "DEVPI_STOP_PATIENCE": "seconds that devpi-server has to stop before it is killed, which loses"
    " nothing that it has answered (5)",
    "DEVPI_LOG_FORMAT": "`json`: a JSON object for each line (`text`)",
}
FRONT = {
    "DEVPI_FRONT_API_PORT": "command `front`: port of the package API (8080)",
    "DEVPI_FRONT_API_HOST": "command `front`: the name it gives itself",
    "DEVPI_FRONT_DASHBOARD_URL": "command `front`: where the pages are; browsers are sent there",
    "DEVPI_FRONT_WEB_PORT": "command `front`: port of the pages, at the name of that URL",
    "DEVPI_FRONT_WEB_KEY_FILE": "command `front`: file with what the login proxy sends as"
    " `X-Devpi-Front-Key`; none: all who reach the port get in",
    "DEVPI_FRONT_MAX_BODY_SIZE": "command `front`: largest upload in bytes (2147483648)",
    "DEVPI_FRONT_TIMEOUT": "slowest answer in seconds (300)",
    "DEVPI_FRONT_LOGIN_RATE": "logins of one address; more get 429 (5r/s)",
    "DEVPI_FRONT_LOGIN_BURST": "logins that may come at once (20)",
    "DEVPI_FRONT_TRUSTED_PROXIES": "networks whose `X-Forwarded-For` names the client",
    "DEVPI_FRONT_PAGE_AGE": "seconds that a page, or that a file is there, may be behind what"
    " changes without a write through this front: a mirror (600), a"
    " replica (60)",
    "DEVPI_FRONT_CACHE_SIZE": "MiB in `/tmp` for pages (256)",
    "DEVPI_FRONT_MIN_FREE": "percent of the volume that are kept for uploads: with less, nothing"
    " more is fetched from a mirror, and who wants it gets 507 (0: all may be filled)",
    "DEVPI_FRONT_CONNECTIONS": "connections that one address may have at once; more get 429"
    " (no limit)",
    "DEVPI_FRONT_REQUEST_RATE": "requests a second of one address, twice as many at once; more get"
    " 429 (no limit)",
    "DEVPI_FRONT_METRICS_PORT": "port of `/metrics`, for Prometheus and nobody else (none)",
    "DEVPI_FRONT_SERVERDIR": "command `front`: server directory whose files it sends by itself;"
    " none: devpi sends them",
    "DEVPI_FRONT_HEADERS_DIR": "one file for each header that devpi is given"
    " (`/etc/devpi/headers`)",
}
# Read by the clients, told about the image itself, or of images before: no harm, no effect here.
_IGNORED = {
    "DEVPI_URL",
    "DEVPI_USERNAME",
    "DEVPI_CLIENTDIR",
    "DEVPI_SERVER_VERSION",
    "DEVPI_WEB_VERSION",
    "DEVPI_CLIENT_VERSION",
}

KNOWN = frozenset(
    {
        *(variable(name) for name in (*TABLE, *WITHOUT_EFFECT, "replica-cert")),
        *FIRST_START,
        *PASSWORDS,
        *(f"{name}_FILE" for name in PASSWORDS),
        *STANDALONE,
        "DEVPI_SERVER_PORT",
        *RUNNING,
        *FRONT,
        *_IGNORED,
    }
)
