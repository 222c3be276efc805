# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a name server (argument: its IPv4 address) for the root zone; exit code 0 when it answers."""

from __future__ import annotations

import socket
import sys

# A standard query with recursion wanted (RFC 1035, 4.1): one question, the root's NS records.
QUERY = bytes.fromhex("7464 0100 0001 0000 0000 0000 00 0002 0001")
TRIES = 2
SECONDS = 1.5


def answers(server: str) -> bool:
    """Whether any reply comes back; also a refusal shows that the way is open."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(SECONDS)
        for _ in range(TRIES):
            try:
                connection.sendto(QUERY, (server, 53))
                return connection.recv(512)[:2] == QUERY[:2]
            except OSError:
                continue
    return False


if __name__ == "__main__":
    sys.exit(not answers(sys.argv[1]))
