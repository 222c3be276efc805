# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026, the thinkube.devpi contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user's files become, and what they were: pure functions on text.

A file takes one of four forms:

- ``file``: all of it is ours.
- ``once``: made where it is missing, the user's from then on.
- ``block``: a marked block at the end of a file that may be the user's.
- ``ini``: keys in one section of a file that may be the user's, with pip's rules for names
  (https://pip.pypa.io/en/stable/topics/configuration/: ``index_url`` is ``index-url``).

``None`` in the place of a text means that there is no file. PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import typing as t

BEGIN = "# BEGIN thinkube.devpi"
END = "# END thinkube.devpi"

_BLOCK = re.compile(rf"^{BEGIN}\n.*?^{END}\n?", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"\[(?P<name>[^\]]+)\]")
_OPTION = re.compile(r"(?P<key>[^\s=:#;\[][^=:]*?)\s*[=:]")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A file as it has to be; ``path`` is relative to the home, ``mode`` for one that we make."""

    path: str
    form: str
    content: str = ""
    section: str = ""
    values: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
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
    section: str = ""
    values: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def load(cls, data: t.Mapping[str, t.Any]) -> Kept:
        """Read what :func:`dataclasses.asdict` made of a ``Kept``."""
        return cls(**{**data, "original": Found(**data["original"])})


def digest(text: str) -> str:
    """Return the SHA-256 of a text, bytes that are not UTF-8 included (as surrogates)."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def without_credentials(text: str) -> str:
    """Return a text for a diff: index URLs may carry ``user:password@``."""
    return _CREDENTIALS.sub("***", text)


def planned(wanted: Wanted, base: str | None) -> str:
    """Return what a text becomes; our part, where it has one, changes in its place."""
    if wanted.form == "block":
        return _with_block(base or "", wanted.content)
    if wanted.form == "ini":
        return _with_values(base or "", wanted.section, wanted.values)
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
    if kept.form == "ini":
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


def _replace_option(chunks: list[_Chunk], section: str, key: str, lines: list[str]) -> list[_Chunk]:
    """Give an option these lines, in its place or at the end of its section; no lines remove it."""
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
    return [*rest[: known[-1] + 1], option, *rest[known[-1] + 1 :]]


def _with_values(base: str, section: str, values: t.Mapping[str, str]) -> str:
    chunks = _chunks(base)
    for key, value in values.items():
        chunks = _replace_option(chunks, section, key, [f"{key} = {value}\n"])
    return _joined(chunks)


def _without_values(kept: Kept, current: str) -> str:
    before = _chunks(kept.original.text or "")
    chunks = _chunks(current)
    for key, value in kept.values.items():
        ours = [f"{key} = {value}\n"]
        name = (kept.section, _normal(key))
        if any((c.section, c.key) == name and c.lines == ours for c in chunks):
            lines = [line for c in before if (c.section, c.key) == name for line in c.lines]
            chunks = _replace_option(chunks, kept.section, key, lines)
    ours_alone = not any(c.section == kept.section for c in before)
    left = [c for c in chunks if c.section == kept.section and "".join(c.lines).strip()]
    if ours_alone and all(c.key == "" for c in left):
        chunks = [c for c in chunks if c.section != kept.section]
    return _joined(chunks)
