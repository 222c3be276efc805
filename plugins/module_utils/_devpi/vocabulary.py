# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What devpi 7 calls otherwise than devpi 6.

PRIVATE to the collection. Everything else here speaks the words of devpi 6; declarations and
servers may use either. As devpi-server 7.0.0b4 has it (``model/local.py``, ``model/remote.py``).
"""

from __future__ import annotations

import typing as t

from .errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    Settings = Mapping[str, t.Any]

_TYPES = {"stage": "local", "mirror": "remote"}
_KEYS = {
    "mirror_cache_expiry": "remote_refresh_delay",
    "mirror_no_project_list": "remote_no_project_list",
    "mirror_url": "remote_url",
    "mirror_use_external_urls": "remote_use_external_urls",
    "mirror_web_url_fmt": "remote_web_url_fmt",
    "mirror_whitelist": "project_inheritance_rules",
    "mirror_whitelist_inheritance": "trust_inheritance_rules_from",
}
_VALUES: dict[str, list[tuple[t.Any, t.Any]]] = {
    "type": list(_TYPES.items()),
    "mirror_whitelist": [([], ["block type:remote if local_exists"]), (["*"], ["allow all"])],
    "mirror_whitelist_inheritance": [("intersection", "none"), ("union", "type:not remote")],
}


def in_words_of_6(settings: Settings) -> dict[str, t.Any]:
    """Return settings with the words of devpi 6 for those of devpi 7; others stay as they are."""
    names = {seven: six for six, seven in _KEYS.items()}
    result: dict[str, t.Any] = {}
    for name, value in settings.items():
        key = names.get(name, name)
        if key in result or (key != name and key in settings):
            raise InputError(
                f"{key!r} and {_KEYS[key]!r} are both given",
                "they are the same in devpi 6 and devpi 7",
                "Keep one",
            )
        values = _VALUES.get(key, []) if key != name or key == "type" else []
        result[key] = next((six for six, seven in values if seven == value), value)
    return result


def in_words_of_7(settings: Settings) -> dict[str, t.Any]:
    """Return settings with the words of devpi 7 for those of devpi 6; others stay as they are."""
    result: dict[str, t.Any] = {}
    for key, value in settings.items():
        values = _VALUES.get(key, [])
        known = [seven for six, seven in values if six == value]
        if key == "mirror_whitelist" and not known:
            raise InputError(
                f"mirror_whitelist is {value!r}",
                "devpi 7 has such a list for each project instead",
                "Write [] or ['*'] here, and set 'inheritance_rules' of these projects",
            )
        result[_KEYS.get(key, key)] = known[0] if known else value
    return result
