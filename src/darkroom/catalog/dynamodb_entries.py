"""The entries of the DynamoDB catalog: which image is found under which term.

An entry is an item of nothing but a key: partition ``t#owner#term#shard``, sort key ``id#writer``. Sort keys of one
partition so are in the order of ids, which is that of time. ``writer`` names one write of one image, so no two writes
ever touch the same entry, and whoever removes one removes his own: entries need no conditions, and go 25 to a request.

An entry promises nothing: the image may not be committed yet, or have moved on. It is looked at before it is shown.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from heapq import merge
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from darkroom.catalog import terms
from darkroom.model import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from darkroom.dynamodb import Item, Table
    from darkroom.model import Image

FAILED = "!failed"
"""The one term under which images of all owners are together, so that failures are found without knowing owners."""

AFTER_ALL = "~"
"""Greater than every id; as ``terms.plan`` says that there is no bound."""
_BEFORE_ALL = "0"


def new_writer(now: float) -> str:
    """Return the name of a write that begins at ``now``, in seconds since 1970."""
    return f"{int(now):08x}{secrets.token_hex(4)}"


def began(writer: str) -> float:
    """Return when this write began, in seconds since 1970."""
    return int(writer[:8], 16)


def age(writer: str, now: float) -> float:
    """Return how many seconds ago this write began."""
    return now - began(writer)


def found_under(image: Image, kinds: frozenset[terms.Kind] = terms.ALL_KINDS) -> frozenset[str]:
    """Return the terms that an image has entries under, of the costly kinds those in ``kinds``."""
    every = terms.terms(image, kinds)
    return every | {FAILED} if image.state is State.FAILED else every


def partition(owner: str, term: str, shard: int) -> str:
    """Return the partition key of a term's entries."""
    return f"t##{term[1:]}#0" if term == FAILED else f"t#{owner}#{term}#{shard}"


class Entry(NamedTuple):
    """Where an entry is, as far as the image does not tell it."""

    writer: str
    shard: int


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries that one image has, as its item keeps them: in words, so that no release has to guess them."""

    of: Mapping[str, Entry]

    @classmethod
    def read(cls, text: str) -> Entries:
        """Return what ``text`` says."""
        return cls({term: Entry(writer, shard) for writer, shard, under in json.loads(text) for term in under})

    def text(self) -> str:
        """Return them as text."""
        grouped: dict[Entry, list[str]] = {}
        for term in sorted(self.of):
            grouped.setdefault(self.of[term], []).append(term)
        rows = [[*entry, under] for entry, under in sorted(grouped.items())]
        return json.dumps(rows, separators=(",", ":"), ensure_ascii=False)

    def keys(self, owner: str, image_id: str, under: Iterable[str]) -> list[tuple[str, str]]:
        """Return the keys of the entries under these terms."""
        return [
            (partition(owner, term, self.of[term].shard), f"{image_id}#{self.of[term].writer}")
            for term in sorted(under)
        ]

    def has(self, owner: str, key: tuple[str, str], image_id: str) -> bool:
        """Tell whether the entry of this key is one of these."""
        return key in self.keys(owner, image_id, self.of)

    def moved_to(self, wanted: frozenset[str], writer: str, shard: int) -> Entries:
        """Return the entries under exactly the terms that are wanted; those that are new are of this writer."""
        return Entries({term: self.of.get(term, Entry(writer, shard)) for term in wanted})


NONE = Entries({})


def shard_of(image_id: str, shards: int) -> int:
    """Return in which of so many shards a new entry of an image goes."""
    return crc32(image_id.encode()) % shards


def items(keys: Iterable[tuple[str, str]]) -> list[Item]:
    """Return the entries of these keys as items."""
    return [{"pk": pk, "sk": sk} for pk, sk in keys]


@dataclass(frozen=True, slots=True)
class Part:
    """Some ids in order, and the keys of their entries; ``more`` may follow."""

    ids: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]
    more: bool

    @property
    def last(self) -> str:
        """The id after which to go on."""
        return self.ids[-1]

    def within(self, bounds: tuple[str, str]) -> Part:
        """Return those within bounds (inclusive, exclusive); if some are beyond, nothing within follows."""
        first, end = bounds
        ids = tuple(image_id for image_id in self.ids if first <= image_id < end)
        kept = frozenset(ids)
        more = self.more and self.ids[-1] in kept
        return Part(ids, tuple(key for key in self.keys if image_of(key) in kept), more)


class Reader:
    """Reads entries of several partitions as if they were one."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def parts(
        self, groups: Sequence[Sequence[str]], bounds: tuple[str, str], amount: int, *, oldest_first: bool = False
    ) -> list[list[Part]]:
        """Return, for each partition of each group, its first entries of ids within bounds (inclusive, exclusive)."""
        asked = [pk for group in groups for pk in group]
        first, end = bounds

        def ask(pk: str) -> Part:
            # No sort key is an id alone, so what is up to the id ``end`` is before it.
            found, more = self._table.query(
                pk, first=first or _BEFORE_ALL, last=end, limit=amount, newest_first=not oldest_first, keys_only=True
            )
            keys = tuple((pk, str(item["sk"])) for item in found)
            return Part(tuple(dict.fromkeys(image_of(key) for key in keys)), keys, more)

        answers = iter(self._table.each(ask, asked))
        return [[next(answers) for _ in group] for group in groups]


def merged(parts: Sequence[Part], amount: int, *, oldest_first: bool = False) -> Part:
    """Return the first ids of all parts, each once, as far as all of them are known, and at most ``amount``."""
    ends = [part.ids[-1] for part in parts if part.more and part.ids]
    every = merge(*(part.ids for part in parts), reverse=not oldest_first)
    if oldest_first:
        known_to = min(ends, default=AFTER_ALL)
        ids = tuple(dict.fromkeys(image_id for image_id in every if image_id <= known_to))
    else:
        known_to = max(ends, default="")
        ids = tuple(dict.fromkeys(image_id for image_id in every if image_id >= known_to))
    kept = frozenset(ids[:amount])
    keys = tuple(key for part in parts for key in part.keys if image_of(key) in kept)
    return Part(ids[:amount], keys, len(ids) > amount or any(part.more for part in parts))


def image_of(key: tuple[str, str]) -> str:
    """Return the id of the image whose entry has this key."""
    return key[1].partition("#")[0]
