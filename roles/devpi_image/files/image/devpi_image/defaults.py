# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things are in the image, and what devpi-server is told unless somebody says otherwise."""

from __future__ import annotations

from pathlib import Path

BIN = Path("/opt/devpi/bin")
DEFAULT_BODY_SIZE = 2 * 1024**3

# Between the containers of a pod, which share this folder.
SOCKET = Path("/run/devpi/devpi.sock")
# Of this container alone: the one folder in it that any user can make, on any root file system.
PRIVATE = Path("/tmp/devpi")  # noqa: S108
STANDALONE_SOCKET = PRIVATE / "run/devpi.sock"
RUNNING = PRIVATE / "run/running.json"

SERVER_DEFAULTS = {
    # Nobody but root makes users: the API host is open for reading.
    "restrict-modify": "root",
    "unix-socket-perms": "660",
    # KiB, and how often they are gone over to derive the token key. devpi's own 512 MiB set the
    # peak memory of the whole server, and its 16 times take 11 s (0.9 s with 64 MiB); the key is
    # random, so a costly derivation protects nothing.
    "argon2-memory-cost": "65536",
    "argon2-time-cost": "1",
    # The whoosh index of all names of PyPI costs gigabytes and hours of one CPU.
    "indexer-backend": "null",
    # Seconds. devpi's own 5 are short for a large project that PyPI's CDN doesn't hold.
    "request-timeout": "30",
    # Twice what pip clients use at once on a busy day; waitress hangs when it runs out.
    "connection-limit": "500",
    "max-request-body-size": str(DEFAULT_BODY_SIZE),
    # Installers read some KB of each wheel that they consider. Says nothing of a mirror's wheels.
    "enable-core-metadata": "true",
}
# A replica that does not have a wheel yet sends it whole to who asks for its metadata.
NO_DEFAULTS_OF_REPLICAS = ("enable-core-metadata",)
