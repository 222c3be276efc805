# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens without a server: what derived ones look like, and what is no token.

That a server takes them is shown in tests/integration/devpi_server.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.errors import InputError
from ansible_collections.thinkube.devpi.plugins.module_utils._devpi.tokens import (
    Token,
    derive,
    limits_of,
)

LONG = "indexes=" + ",".join(f"root/index-{number}" for number in range(30))


def packet(kind: int, data: bytes) -> bytes:
    size = len(data)
    length = bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])
    return bytes([kind]) + length + data


def token(*caveats: str, prefix: str = "devpi-") -> str:
    """As the format's description has it; the key is 32 times a zero."""
    signature = hmac.digest(bytes(32), b"ann-abcdefgh", hashlib.sha256)
    body = b"\x02" + packet(2, b"ann-abcdefgh") + b"\0"
    for caveat in caveats:
        signature = hmac.digest(signature, caveat.encode(), hashlib.sha256)
        body += packet(2, caveat.encode()) + b"\0"
    body += b"\0" + packet(6, signature)
    return prefix + base64.urlsafe_b64encode(body).rstrip(b"=").decode()


@pytest.mark.parametrize("prefix", ["devpi-", ""])
@pytest.mark.parametrize("first", [(), ("allowed=upload",), ("allowed=upload", LONG)])
def test_a_derived_token_has_the_restrictions_of_both(first: tuple[str, ...], prefix: str) -> None:
    more = {"projects": "a,b", "expires": "1800000000"}
    expected = token(*first, "expires=1800000000", "projects=a,b", prefix=prefix)
    assert derive(token(*first, prefix=prefix), more) == expected


def test_derived_twice() -> None:
    once = derive(token(), {"indexes": LONG.partition("=")[2]})
    assert derive(once, {"allowed": "upload"}) == token(LONG, "allowed=upload")


@pytest.mark.parametrize(
    "text",
    ["", "devpi-", "devpi-AQID", "secret password", token()[:-9], "devpi-Ag", "devpi-AgL_"],
)
def test_what_is_no_token_is_not_repeated(text: str) -> None:
    with pytest.raises(InputError, match="this is no token of devpi-tokens") as refused:
        derive(text, {"allowed": "upload"})
    assert text in ("", "devpi-") or text not in str(refused.value)


def test_limits() -> None:
    options = {"allowed": ["upload", "pkg_read"], "indexes": [], "projects": ["a"]}
    assert limits_of(options) == {"allowed": "pkg_read,upload", "projects": "a"}
    token = Token("x", {"allowed": "upload", "expires": "100"})
    assert token.limits() == {"allowed": "upload"}
    assert (token.is_good_until(99), token.is_good_until(100)) == (True, False)
    assert Token("x", {"expires": "never"}).is_good_until(1e12)
    assert Token("x", {}).is_good_until(1e12)
