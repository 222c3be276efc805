# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts need of Debian, installed before the first one starts.

Not by each part for itself: of two that run side by side one would find the package manager busy,
and a shell that appears in the middle of a run is a shell that 15_configure_cli has to set up.
"""

from __future__ import annotations

import shutil
from collections.abc import Set as AbstractSet
from pathlib import Path

from environments import install_debian

NGINX_LUA = "/usr/lib/nginx/modules/ngx_http_lua_module.so"
# Part -> package -> what is there when it is installed: a program, or a file.
NEEDED: dict[str, dict[str, str]] = {
    "front": {"nginx": "nginx", "libnginx-mod-http-lua": NGINX_LUA},
    "workstation": {name: name for name in ("fish", "zsh", "openssl", "curl", "wget")},
    "image": {name: name for name in ("buildah", "containerd", "docker-compose")},
    # Chromium, and the program that makes it trust an authority.
    "default": {"chromium": "chromium", "libnss3-tools": "certutil"},
    # No part: benchmarks/serving.py.
    "serving": {"wrk": "wrk", "curl": "curl", "nginx": "nginx", "libnginx-mod-http-lua": NGINX_LUA},
}


def provide(parts: AbstractSet[str]) -> None:
    """Install what is missing for these parts."""
    needed = {package: sign for part in parts for package, sign in NEEDED.get(part, {}).items()}
    missing = [package for package, sign in needed.items() if not is_there(sign)]
    if missing:
        install_debian(*sorted(missing))


def is_there(sign: str) -> bool:
    return shutil.which(sign) is not None or (sign.startswith("/") and Path(sign).exists())
