# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user's files become, and what they were: pure functions on text.

A file takes one of five forms:

- ``file``: all of it is ours.
- ``once``: made where it is missing, the user's from then on.
- ``block``: a marked block at the end of a file that may be the user's.
- ``ini``: keys in sections of a file that may be the user's, with pip's rules for names
  (https://pip.pypa.io/en/stable/topics/configuration/: ``index_url`` is ``index-url``). A list as
  value is words that the key's own list of words has to hold, as ``index-servers`` of ``.pypirc``
  (https://packaging.python.org/en/latest/specifications/pypirc/).
- ``toml``: the same for tables of strings.

``None`` in the place of a text means that there is no file. PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import typing as t

BEGIN = "# BEGIN thinkube.devpi"
END = "# END thinkube.devpi"
# Forms that are keys of ours between those of the user's.
KEYED = ("ini", "toml")

_BLOCK = re.compile(rf"^{BEGIN}\n.*?^{END}\n?", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"\[(?P<name>[^\]]+)\]")
_OPTION = re.compile(r"(?P<key>[^\s=:#;\[][^=:]*?)\s*[=:]")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_SECRETS = re.compile(
    r"^(?P<key>[ \t]*[^\s=:#;]*(?:password|token|secret)[^\s=:]*[ \t]*[=:][ \t]*)\S.*$",
    re.MULTILINE | re.IGNORECASE,
)
_INDENT = "    "

if t.TYPE_CHECKING:
    Values: t.TypeAlias = "t.Mapping[str, t.Mapping[str, str | list[str]]]"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A file as it has to be.

    ``path`` is relative to the home, ``values`` are keys by section, ``mode`` is for a file that
    we make.
    """

    path: str
    form: str
    content: str = ""
    values: Values = dataclasses.field(default_factory=dict)
    mode: int = 0o644


@dataclasses.dataclass(frozen=True)
class Found:
    """A file as it is; ``link`` is the target of a symbolic link in the place of a file of ours."""

    text: str | None = None
    mode: int | None = None
    link: str | None = None


@dataclasses.dataclass(frozen=True)
class Kept:
    """What the record holds of a file that we changed: how it was, and what we wrote."""

    form: str
    original: Found
    written: str
    values: Values = dataclasses.field(default_factory=dict)

    @classmethod
    def load(cls, data: t.Mapping[str, t.Any]) -> Kept:
        """Read what :func:`dataclasses.asdict` made of a ``Kept``."""
        return cls(**{**data, "original": Found(**data["original"])})


def digest(text: str) -> str:
    """Return the SHA-256 of a text, bytes that are not UTF-8 included (as surrogates)."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def without_credentials(text: str) -> str:
    """Return a text for a diff: no ``user:password@`` of a URL, no value of a password or token."""
    return _SECRETS.sub(r"\g<key>***", _CREDENTIALS.sub("***", text))


def planned(wanted: Wanted, base: str | None) -> str:
    """Return what a text becomes; our part, where it has one, changes in its place."""
    if wanted.form == "block":
        return _with_block(base or "", wanted.content)
    if wanted.form in KEYED:
        return _with_values(base or "", wanted)
    if wanted.form == "once" and base is not None:
        return base
    return wanted.content


def is_edited(kept: Kept, current: Found) -> bool:
    """Tell whether somebody changed a file after we wrote it; an interrupted write is no change."""
    return (
        current.text is not None
        and current != kept.original
        and digest(current.text) != kept.written
    )


def restored(kept: Kept, current: Found) -> Found:
    """Return the file without us: as it was, or the user's later changes without our part."""
    if current.text is None:
        return Found()
    if not is_edited(kept, current) or kept.form == "file":
        return kept.original
    if kept.form == "block":
        return _rest(kept, current, _BLOCK.sub("", current.text))
    if kept.form in KEYED:
        return _rest(kept, current, _without_values(kept, current.text))
    return current


def _rest(kept: Kept, current: Found, text: str) -> Found:
    """Return what is left of a file; nothing, if it was not there and nothing else is in it."""
    if kept.original.text is None and not text.strip():
        return Found()
    return dataclasses.replace(current, text=text)


def _with_block(base: str, content: str) -> str:
    block = f"{BEGIN}\n{_ended(content)}{END}\n"
    if _BLOCK.search(base):
        return _BLOCK.sub(lambda _old: block, base)
    return _ended(base) + block


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


@dataclasses.dataclass
class _Chunk:
    """A header (``key`` is empty), an option with all its lines, or another line (None)."""

    section: str
    key: str | None
    lines: list[str]


def _normal(key: str) -> str:
    return key.strip().lower().replace("_", "-")


def _chunks(text: str) -> list[_Chunk]:
    chunks: list[_Chunk] = []
    section = ""
    for line in re.findall(r"[^\n]*\n", _ended(text)):
        header = _SECTION.match(line)
        option = _OPTION.match(line)
        if header:
            section = header["name"]
            chunks.append(_Chunk(section, "", [line]))
        elif option:
            chunks.append(_Chunk(section, _normal(option["key"]), [line]))
        elif line[:1].isspace() and line.strip() and chunks and chunks[-1].key:
            chunks[-1].lines.append(line)
        else:
            chunks.append(_Chunk(section, None, [line]))
    return chunks


def _joined(chunks: t.Iterable[_Chunk]) -> str:
    return "".join(line for chunk in chunks for line in chunk.lines)


def _find(chunks: t.Iterable[_Chunk], section: str, key: str) -> list[str]:
    """Return all lines of an option; none, where it is missing."""
    name = (section, _normal(key))
    return [line for c in chunks if (c.section, c.key) == name for line in c.lines]


def _replace_option(
    chunks: list[_Chunk], section: str, key: str, lines: list[str], *, first: bool = False
) -> list[_Chunk]:
    """Give an option these lines, in its place or as the last (or first) one of its section.

    No lines remove it.
    """
    option = _Chunk(section, _normal(key), lines)
    places = [i for i, c in enumerate(chunks) if (c.section, c.key) == (section, option.key)]
    rest = [chunk for i, chunk in enumerate(chunks) if i not in places]
    if not lines:
        return rest
    if places:
        return [*rest[: places[0]], option, *rest[places[0] :]]
    known = [i for i, c in enumerate(rest) if c.section == section and c.key is not None]
    if not known:
        gap = [_Chunk("", None, ["\n"])] if rest else []
        return [*rest, *gap, _Chunk(section, "", [f"[{section}]\n"]), option]
    place = known[0 if first else -1] + 1
    return [*rest[:place], option, *rest[place:]]


def _with_values(base: str, wanted: Wanted) -> str:
    chunks = _chunks(base)
    for section, values in wanted.values.items():
        # The value of a TOML key may end in lines that look like no part of it; a header does not.
        options = list(values.items())
        for key, value in reversed(options) if wanted.form == "toml" else options:
            lines = _option_lines(wanted.form, key, value, _find(chunks, section, key))
            chunks = _replace_option(chunks, section, key, lines, first=wanted.form == "toml")
    return _joined(chunks)


def _option_lines(form: str, key: str, value: str | list[str], before: list[str]) -> list[str]:
    if form == "toml":
        return [f"{key} = {json.dumps(value)}\n"]
    if isinstance(value, str):
        return [f"{key} = {value}\n"]
    return [*(before or [f"{key} =\n"]), *_word_lines(value, before)]


def _word_lines(words: t.Iterable[str], before: list[str]) -> list[str]:
    """Return a line for each word that a list of words does not hold yet."""
    known = set(re.split(r"[\s=:]+", "".join(before)))
    return [f"{_INDENT}{word}\n" for word in words if word not in known]


def _without_values(kept: Kept, current: str) -> str:
    before = _chunks(kept.original.text or "")
    chunks = _chunks(current)
    for section, values in kept.values.items():
        for key, value in values.items():
            lines = _find(chunks, section, key)
            original = _find(before, section, key)
            if isinstance(value, list):
                left = _without_words(lines, original, value)
            else:
                ours = _option_lines(kept.form, key, value, [])
                left = original if lines == ours else lines
            chunks = _replace_option(chunks, section, key, left)
        if not any(c.section == section for c in before):
            chunks = _without_empty(chunks, section)
    return _joined(chunks)


def _without_words(lines: list[str], original: list[str], words: list[str]) -> list[str]:
    added = _word_lines(words, original)
    left = [line for line in lines if line not in added]
    alone = not original and len(left) == 1 and left[0].rstrip().endswith("=")
    return [] if alone else left


def _without_empty(chunks: list[_Chunk], section: str) -> list[_Chunk]:
    """Take a section of ours away unless something of the user's is in it now."""
    left = [c for c in chunks if c.section == section and "".join(c.lines).strip()]
    if any(c.key != "" for c in left):
        return chunks
    return [c for c in chunks if c.section != section]
