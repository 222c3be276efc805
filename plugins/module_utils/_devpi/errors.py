# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong between a declared state and a devpi server.

PRIVATE to the collection.
"""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s'\"]+(?=@)")


def without_credentials(text: str) -> str:
    """Return ``text`` with ``user:password`` in URLs (a mirror_url may carry one) masked."""
    return _CREDENTIALS.sub("***", text)


class DevpiError(Exception):
    """Base of all errors here; its text is one sentence or two that a person can act on."""

    def __init__(self, message: str) -> None:
        super().__init__(without_credentials(" ".join(message.split())))


class InputError(DevpiError):
    """The declared state is wrong; known before anything was written.

    ``given`` names the place and the value, ``wrong`` the reason, ``instead`` what to write.
    """

    def __init__(self, given: str, wrong: str, instead: str) -> None:
        super().__init__(f"{given}: {wrong}. {instead}.")


class UnreachableError(DevpiError):
    """The server gave no answer, also after the retries."""


class ApiError(DevpiError):
    """The server answered, but not with success; ``words`` are its own."""

    def __init__(self, method: str, url: str, status: int, words: str) -> None:
        super().__init__(f"{method} {url} was answered with {status}: {words}")
        self.status = status
        self.words = words


class LoginRefusedError(ApiError):
    """The server does not accept this user with this password."""
