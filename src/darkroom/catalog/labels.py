"""Tags and albums with how many images have them, counted as images come and go. Pure; every catalog counts alike.

Counted are images that are ready: so a count is how many images a search for the name finds. Names are told apart, and
are in the order of, their folded form (``names.fold``), by code points; they are shown as they were spelled last.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from darkroom import names
from darkroom.errors import InvalidRequest
from darkroom.model import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkroom.model import Image

LABELS_MAX = 1_000
"""The most that one page may show."""
_LAST = 0x10FFFF
_LONGEST_FOLDED = 3 * names.TAG_MAX
"""Folding makes a letter up to three (Unicode, CaseFolding.txt)."""


class LabelKind(StrEnum):
    """What a name is of."""

    TAG = "tag"
    ALBUM = "album"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A name that images have: as it is compared, as it was spelled last, and how many have it."""

    key: str
    name: str
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPage:
    """In the order of keys. ``next`` is the key after which to go on; ``None`` at the end."""

    items: tuple[Label, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongCount:
    """A count that was not that of the images."""

    owner: str
    kind: LabelKind
    key: str
    counted: int
    images: int


Spelled = dict[tuple[LabelKind, str], str]
"""Kind and key of the names an image has, with how it spells them."""


def spelled(image: Image | None) -> Spelled:
    """Return the names under which an image is counted; none for one that is not ready."""
    if image is None or image.state is not State.READY:
        return {}
    found = {(LabelKind.TAG, names.fold(tag)): tag for tag in image.tags}
    if image.album is not None:
        found[LabelKind.ALBUM, names.fold(image.album)] = image.album
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """What a write changes in one count. ``name`` is how it is spelled from now on, ``None``: as before."""

    kind: LabelKind
    key: str
    more: int
    name: str | None


def changes(before: Mapping[tuple[LabelKind, str], str], after: Mapping[tuple[LabelKind, str], str]) -> list[Change]:
    """Return what changes in the counts when an image that had the names ``before`` has those ``after``."""
    gone = [Change(kind, key, -1, None) for kind, key in before.keys() - after.keys()]
    come = [
        Change(kind, key, int((kind, key) not in before), name)
        for (kind, key), name in after.items()
        if before.get((kind, key)) != name
    ]
    return sorted(gone + come, key=lambda one: (one.kind, one.key))


def beginning(prefix: str) -> str:
    """Return what keys begin with that begin with ``prefix``. Raises ``InvalidRequest`` for one that is too long."""
    return names.fold(names.clean_line(prefix, "prefix", names.TAG_MAX))


def end_of(prefix: str) -> str:
    """Return a text that is greater than every key beginning with ``prefix``, and not than any other above it."""
    kept = prefix.rstrip(chr(_LAST))
    if not kept:
        return chr(_LAST) * (_LONGEST_FOLDED + 1)
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)  # what is between is no letter of any text


def check_limit(limit: int) -> None:
    """Raise ``InvalidRequest`` for a page that nobody is given."""
    if not 1 <= limit <= LABELS_MAX:
        msg = f"limit must be 1 to {LABELS_MAX}"
        raise InvalidRequest(msg)


def page(found: tuple[Label, ...], limit: int) -> LabelPage:
    """Return the page for the first ``limit + 1`` labels, or fewer, that there are."""
    return LabelPage(items=found[:limit], next=found[limit - 1].key if len(found) > limit else None)
