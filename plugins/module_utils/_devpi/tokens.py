# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens of devpi-tokens 1.1: their restrictions, and further ones without asking the server.

PRIVATE to the collection. A token is a macaroon in its second binary format
(https://github.com/rescrv/libmacaroons/blob/master/doc/format.txt): whoever has one can add
restrictions to it, and nobody can take one away.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import typing as t
from dataclasses import dataclass

from .api import path_of
from .errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .api import Api

NEVER = "never"
_PREFIX = "devpi-"
_END, _IDENTIFIER, _SIGNATURE = 0, 2, 6


@dataclass(frozen=True)
class Token:
    """A token as the server lists it, which is without its value.

    ``restrictions`` by kind: lists with commas, ``expires`` in seconds since 1970 or ``never``.
    """

    id: str
    restrictions: Mapping[str, str]

    def is_good_until(self, moment: float) -> bool:
        """Say whether it will not have expired at a moment (seconds since 1970)."""
        expires = self.restrictions.get("expires", NEVER)
        return expires == NEVER or int(expires) > moment

    def limits(self) -> dict[str, str]:
        """Return all restrictions but the time."""
        return {key: value for key, value in self.restrictions.items() if key != "expires"}


def limits_of(options: Mapping[str, t.Any]) -> dict[str, str]:
    """Return the restrictions that ``allowed``, ``indexes`` and ``projects`` (lists) mean."""
    kinds = ("allowed", "indexes", "projects")
    return {kind: ",".join(sorted(options[kind])) for kind in kinds if options[kind]}


def tokens_of(api: Api, user: str) -> list[Token]:
    """Return the tokens of a user."""
    listed = api.call("GET", f"{path_of(user)}/+tokens")["tokens"]
    tokens = []
    for token_id, info in sorted(listed.items()):
        pairs = (restriction.partition("=") for restriction in info.get("restrictions", ()))
        tokens.append(Token(token_id, {key: value for key, _sign, value in pairs}))
    return tokens


def create_token(api: Api, user: str, limits: Mapping[str, str], expires: int | None) -> str:
    """Make a token and return its value, which nobody will tell again; None never expires."""
    wanted: dict[str, t.Any] = {kind: names.split(",") for kind, names in limits.items()}
    wanted["expires"] = NEVER if expires is None else expires
    return str(api.call("POST", f"{path_of(user)}/+token-create", wanted)["token"])


def delete_token(api: Api, user: str, token_id: str) -> None:
    """Remove a token, and with it all that are derived from it; one that is gone is no error."""
    api.delete(f"{path_of(user)}/+tokens/{token_id}")


def derive(token: str, restrictions: Mapping[str, str]) -> str:
    """Return a token that may do what ``token`` may within further restrictions.

    :raises InputError: if this is no token; the message does not hold it
    """
    prefix = _PREFIX if token.startswith(_PREFIX) else ""
    try:
        raw = _decoded(token[len(prefix) :])
        packets = list(_packets(raw))
    except (ValueError, IndexError, binascii.Error):
        packets = []
    if not packets or packets[-1][0] != _SIGNATURE:
        wrong = "this is no token of devpi-tokens"
        raise InputError("The token to derive from", wrong, "Give its whole text, 'devpi-...'")
    *kept, (_kind, signature) = packets
    # The last packet ends the list of restrictions; new ones go before it.
    kept.pop()
    for kind, value in sorted(restrictions.items()):
        caveat = f"{kind}={value}".encode()
        kept += [(_IDENTIFIER, caveat), (_END, b"")]
        signature = hmac.new(signature, caveat, "sha256").digest()
    kept += [(_END, b""), (_SIGNATURE, signature)]
    body = b"\x02" + b"".join(_packet(kind, data) for kind, data in kept)
    return prefix + base64.urlsafe_b64encode(body).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if raw[:1] != b"\x02":
        raise ValueError("another format")
    return raw


def _packets(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Return type and content of each packet after the byte with the format's version."""
    place = 1
    while place < len(raw):
        kind = raw[place]
        place += 1
        length = 0
        if kind != _END:
            length, place = _number(raw, place)
        if place + length > len(raw):
            raise ValueError("cut off")
        yield kind, raw[place : place + length]
        place += length


def _packet(kind: int, data: bytes) -> bytes:
    return bytes([kind]) if kind == _END else bytes([kind]) + _varint(len(data)) + data


def _number(raw: bytes, place: int) -> tuple[int, int]:
    """Return the number that begins at a place in seven bits a byte, and the place after it."""
    value = shift = 0
    while True:
        byte = raw[place]
        value |= (byte & 0x7F) << shift
        place += 1
        shift += 7
        if byte < 0x80:
            return value, place


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])
