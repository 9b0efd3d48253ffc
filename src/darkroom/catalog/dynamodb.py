"""The catalog as one DynamoDB table: see docs/decisions for its keys.

An image is one item with its document. What it is found under are ``dynamodb_entries.py``; what its owner has is
counted in ``dynamodb_usage.py``, its tags and albums in ``dynamodb_labels.py``. A write goes: what it changes in the
counters is announced, entries under new terms are written, then the image, on the condition that nobody has written it
in between, and at last the entries go that it is not found under any more, and its tags are counted. The one step in
which all of it becomes true is that of the image: searches and counts look at the image before they believe an entry
or a note. So nothing needs a transaction but to bind a claim.

What a write that died has left behind is found by nobody, and removed by whoever comes across it.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any
from zlib import crc32

from darkroom import names
from darkroom.catalog import (
    ABSENT,
    CLAIMED_OTHERWISE,
    GET_MANY_MAX,
    MOVED,
    TAKEN,
    WORK_PER_PAGE,
    check_walk,
    cursors,
    terms,
)
from darkroom.catalog import dynamodb_entries as entries
from darkroom.catalog import dynamodb_labels as labelling
from darkroom.catalog import dynamodb_usage as counting
from darkroom.catalog.documents import from_document, to_document
from darkroom.catalog.dynamodb_search import Finder, Found
from darkroom.dynamodb import NEW, Condition, ConditionFailed, Table
from darkroom.errors import AlreadyExists, Conflict, NotFound, Unavailable, VersionMoved
from darkroom.model import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from darkroom.catalog import Claim
    from darkroom.catalog.labels import Label, LabelKind, WrongCount
    from darkroom.catalog.quotas import Quota, Usage
    from darkroom.dynamodb import Item
    from darkroom.model import Image, Page, Query

PARTITIONS = 64
"""How many partitions images are spread over: no one of them is hot, and a walk merges them all. Never changed."""
SHARDS_SEEN_SECONDS = 60.0
"""How long a process believes what it has read about an owner's shards."""
OWNERS_KNOWN = 10_000
"""How many owners' shards a process remembers at most."""
TRIES = 10
"""How often is begun again what others came in between of."""

log = logging.getLogger("darkroom.catalog")


class DynamoCatalog:
    """A ``Catalog`` in the table ``name``, which ``client`` of ``darkroom.dynamodb.connect`` speaks to.

    ``clock`` returns seconds since 1970, ``monotonic`` seconds that never go back.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 # botocore has no types
        name: str,
        *,
        work_per_page: int = WORK_PER_PAGE,
        kinds: frozenset[terms.Kind] = terms.ALL_KINDS,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kinds = kinds
        self._clock = clock
        self._monotonic = monotonic
        self._table = Table(client, name)
        self._reader = entries.Reader(self._table)
        self._finder = Finder(self._table, self._found, clock, work_per_page=work_per_page)
        self._counters = counting.Counters(self._table, self._look, clock)
        self._labels = labelling.Labels(self._table)
        self._shards: dict[str, tuple[float, counting.Row]] = {}

    def close(self) -> None:
        """End its threads."""
        self._table.close()

    # ------------------------------------------------------------------ one image

    def create(self, image: Image, *, within: Quota | None = None, claim: Claim | None = None) -> Image:
        if not names.is_id(image.id):
            msg = f"{image.id!r} is no id"
            raise ValueError(msg)
        for _ in range(TRIES):
            held = None if claim is None else self._table.get(*_claim_key(image.owner, claim))
            bound = None if claim is None or held is None else self._bound(image, claim, held)
            if bound is not None:
                return bound
            write = self._begin(None, image, within=within)
            together = None if claim is None else _binding(image, claim, held)
            try:
                self._commit(write, together)
            except ConditionFailed as failed:
                if failed.item is not None and str(failed.item["pk"]).startswith("i#"):
                    raise AlreadyExists(TAKEN) from failed
                continue  # somebody has claimed the name in between
            return image
        raise _too_many()

    def get(self, image_id: str) -> Image | None:
        kept = self._kept(image_id)
        return None if kept is None else kept.image

    def get_many(self, image_ids: tuple[str, ...]) -> tuple[Image, ...]:
        if len(image_ids) > GET_MANY_MAX:
            msg = f"{len(image_ids)} images at once are more than {GET_MANY_MAX}"
            raise ValueError(msg)
        return tuple(kept.image for kept in self._kept_many(image_ids))

    def replace(self, image: Image, *, version: int) -> Image:
        stored = dataclasses.replace(image, version=version + 1)
        kept = self._kept(image.id)
        _check_replaceable(kept, version)
        assert kept is not None
        if kept.image.owner != image.owner:
            msg = f"image {image.id} is {kept.image.owner}'s and cannot become {image.owner}'s"
            raise ValueError(msg)
        try:
            self._commit(self._begin(kept, stored))
        except ConditionFailed as failed:
            _check_replaceable(None if failed.item is None else _read(failed.item), version)
            raise VersionMoved(MOVED) from failed
        return stored

    def forget(self, image_id: str, *, version: int | None = None) -> None:
        for _ in range(TRIES):
            kept = self._kept(image_id)
            if kept is None:
                return
            if version not in {None, kept.image.version}:
                raise VersionMoved(MOVED)
            try:
                self._remove(kept if kept.image.state is State.DELETED else self._bury(kept))
            except ConditionFailed:
                continue
            return
        raise _too_many()

    def check(self) -> None:
        self._table.get("check", "check")

    # ------------------------------------------------------------------ how an image is written

    def _begin(self, kept: _Kept | None, image: Image, *, within: Quota | None = None) -> _Write:
        """Announce a write and write its new entries; nobody believes them before it is committed."""
        began = self._monotonic()
        writer = entries.new_writer(self._clock())
        old = entries.NONE if kept is None else kept.entries
        note = counting.note(writer, None if kept is None else kept.image, image)
        row = None
        if within is not None and note is not None:
            row = self._counters.announce_within(image.owner, note, image, within)
        elif note is not None:
            row = self._counters.announce(image.owner, note, settled=() if kept is None else (kept.counted,))
        if row is not None and kept is None and any(one.image_id == image.id for one in row.notes if one != note):
            self._counters.tidy(image.owner, row)  # of another image that had this id
        if row is not None:
            self._learn_shards(image.owner, row)
        wanted = entries.found_under(image, self._kinds)
        shards = self._shards_of(image.owner).writes if wanted - old.of.keys() else 1
        write = _Write(
            kept=kept,
            image=image,
            writer=writer,
            note=note,
            entries=old.moved_to(wanted, writer, entries.shard_of(image.id, shards)),
            began=began,
        )
        try:
            self._table.write_many(entries.items(write.new_keys))
        except Unavailable:
            self._undo(write)
            raise
        return write

    def _commit(self, write: _Write, *others: tuple[Item, Condition] | None) -> None:
        """Make a write true, on the condition that nothing has changed since it began; raises ``ConditionFailed``."""
        if self._monotonic() - write.began > counting.UNDER_WAY_SECONDS / 3:
            self._undo(write)
            msg = "the table took too long; try again"
            raise Unavailable(msg)
        condition = NEW if write.kept is None else _same(write.kept)
        put = write.item(), condition
        together = [other for other in others if other is not None]
        try:
            if together:
                self._table.put_together(*together, put)
            else:
                self._table.put(*put)
        except ConditionFailed as failed:
            # An answer that was lost makes the client ask again, and find what it has written itself.
            if failed.item is None or failed.item.get("writer") != write.writer:
                self._undo(write)
                raise
        if write.note is not None:
            self._counters.came_about(write.image.owner, write.writer)
        self._labels.count(write.image.owner, write.before, write.image, write.writer)
        with suppress(Unavailable):  # the image is written: what stays behind is found by nobody
            self._table.write_many(deletes=write.old_keys)

    def _undo(self, write: _Write) -> None:
        """Take back what was written for an image that will not be."""
        with suppress(Unavailable):
            if write.note is not None:
                self._counters.take_back(write.image.owner, write.note)
            self._table.write_many(deletes=write.new_keys)

    def _bury(self, kept: _Kept) -> _Kept:
        """Make a tombstone of an image, as of one that is deleted; raises ``ConditionFailed``.

        Two who forget an image cannot be told apart by its absence, by its tombstone they can.
        """
        image = kept.image
        deleted_at = datetime.fromtimestamp(self._clock(), UTC)
        stone = dataclasses.replace(image, state=State.DELETED, deleted_at=deleted_at, version=image.version + 1)
        write = self._begin(kept, stone)
        self._commit(write)
        return _read(write.item())

    def _remove(self, kept: _Kept) -> None:
        """Remove a tombstone; raises ``ConditionFailed`` when it is another one or none any more."""
        # Once it is gone, nobody could tell any more that what it announced had come about.
        self._counters.settle(kept.image.owner, (kept.counted,))
        try:
            self._table.delete(*_image_key(kept.image.id), _same(kept))
        except ConditionFailed as failed:
            if failed.item is not None:
                raise

    def _bound(self, image: Image, claim: Claim, held: Item) -> Image | None:
        """Return the image to which the name is bound."""
        if int(held["until_ms"]) <= names.milliseconds(image.uploaded_at):
            return None
        bound = self.get(str(held["image"]))
        if bound is not None and held["fingerprint"] != claim.fingerprint:
            raise Conflict(CLAIMED_OTHERWISE)
        return bound

    # ------------------------------------------------------------------ many images

    def walk(self, after: str, limit: int, *, state: State | None = None) -> tuple[Image, ...]:
        check_walk(limit, state)
        if state is State.FAILED:
            return tuple(islice(self._failed(after, limit), limit))
        every = (kept.image for kept in self._all(after, limit))
        return tuple(islice((one for one in every if state in {None, one.state}), limit))

    def _all(self, after: str, about: int) -> Iterator[_Kept]:
        """Yield all images in the order of their ids."""
        # A little more than each one's part, so that hardly any has to be asked twice.
        amount = max(1, -(-about * 5 // (4 * PARTITIONS)))
        partitions = [_partition(number) for number in range(PARTITIONS)]

        def ask(pk: str, since: str = after) -> tuple[list[Item], bool]:
            return self._table.query(pk, first=f"{since}!", last="~", limit=amount)

        def stream(pk: str, found: list[Item], more: bool) -> Iterator[Item]:  # noqa: FBT001 # what a query returns
            yield from found
            while more:
                found, more = ask(pk, str(found[-1]["sk"]))
                yield from found

        began = self._table.each(ask, partitions)
        streams = [stream(pk, found, more) for pk, (found, more) in zip(partitions, began, strict=True)]
        return map(_read, merge(*streams, key=lambda item: str(item["sk"])))

    def _failed(self, after: str, about: int) -> Iterator[Image]:
        failed = entries.partition("", entries.FAILED, 0)
        more = True
        while more:
            bounds = f"{after}~" if after else "", entries.AFTER_ALL
            ((part,),) = self._reader.parts([[failed]], bounds, about, oldest_first=True)
            for kept in sorted(self._kept_many(part.ids), key=lambda kept: kept.image.id):
                if kept.image.state is State.FAILED:
                    yield kept.image
            more = part.more
            after = part.last if more else after

    def alike(self, owner: str, perceptual_hash: str) -> tuple[Image, ...]:
        terms.check_kind("similar", terms.Kind.LIKENESS, self._kinds)
        return self._finder.alike(owner, perceptual_hash, range(self._shards_of(owner).reads))

    def labels(self, owner: str, kind: LabelKind, *, prefix: str, after: str, limit: int) -> tuple[Label, ...]:
        return self._labels.listed(owner, kind, prefix, after, limit)

    def recount(self, *, mend: bool) -> Iterator[WrongCount]:
        now = self._clock()
        every = ((kept.image, kept.writer) for kept in self._all("", GET_MANY_MAX * PARTITIONS // 10))
        return self._labels.recount(every, now=now, mend=mend)

    def usage(self, owner: str, *, tickets_since: datetime) -> Usage:
        return self._counters.usage(owner, tickets_since)

    def spread(self, owner: str, shards: int, *, wait: Callable[[float], None] = time.sleep) -> None:
        """Spread the entries that an owner gets from now on over so many shards; never fewer than before.

        All processes are given the time to read from all of them before the first writes to a new one. What is there
        stays where it is. Killed half-way, it may be run again.
        """
        row = self._counters.spread(owner, reads=shards)
        if row.writes < shards:
            wait(SHARDS_SEEN_SECONDS + 1)
            self._counters.spread(owner, writes=shards)
        self._shards.pop(owner, None)

    def _shards_of(self, owner: str) -> counting.Row:
        """Return what is known of an owner's shards; reading is ahead of writing by more than it may be old."""
        now = self._monotonic()
        read_at, row = self._shards.get(owner, (None, None))
        if row is None or read_at is None or now - read_at >= SHARDS_SEEN_SECONDS:
            row = self._counters.row(owner)
            self._learn_shards(owner, row)
        return row

    def _learn_shards(self, owner: str, row: counting.Row) -> None:
        if len(self._shards) >= OWNERS_KNOWN:
            self._shards.clear()
        self._shards[owner] = self._monotonic(), row

    # ------------------------------------------------------------------ search

    def search(self, query: Query) -> Page:
        plan = terms.plan(query, self._kinds)
        bounds = cursors.bounds(query.cursor, plan)
        shards = range(self._shards_of(plan.owner).reads)
        groups = [
            [entries.partition(plan.owner, term, shard) for term in group for shard in shards]
            for group in plan.walkable
        ]
        return self._finder.page(plan, groups, bounds, query.limit)

    # ------------------------------------------------------------------ items

    def _kept(self, image_id: str) -> _Kept | None:
        if not names.is_id(image_id):
            return None
        item = self._table.get(*_image_key(image_id))
        return None if item is None else _read(item)

    def _kept_many(self, image_ids: Iterable[str]) -> list[_Kept]:
        return [_read(item) for item in self._table.get_many(map(_image_key, filter(names.is_id, image_ids)))]

    def _found(self, image_ids: Iterable[str]) -> dict[str, Found]:
        return {kept.image.id: Found(kept.image, kept.entries) for kept in self._kept_many(image_ids)}

    def _look(self, image_ids: Iterable[str]) -> dict[str, counting.Seen]:
        return {kept.image.id: counting.Seen(kept.image, kept.counted) for kept in self._kept_many(image_ids)}


@dataclass(frozen=True, slots=True)
class _Kept:
    """An image as it is stored. ``writer`` wrote it last, ``counted`` last changed what its owner has."""

    image: Image
    writer: str
    counted: str
    entries: entries.Entries


@dataclass(frozen=True, slots=True, kw_only=True)
class _Write:
    """A write under way, from ``kept`` to ``image``."""

    kept: _Kept | None
    image: Image
    writer: str
    note: counting.Note | None
    entries: entries.Entries
    began: float

    @property
    def before(self) -> Image | None:
        return None if self.kept is None else self.kept.image

    @property
    def new_keys(self) -> list[tuple[str, str]]:
        new = [term for term, entry in self.entries.of.items() if entry.writer == self.writer]
        return self.entries.keys(self.image.owner, self.image.id, new)

    @property
    def old_keys(self) -> list[tuple[str, str]]:
        if self.kept is None:
            return []
        gone = self.kept.entries.of.keys() - self.entries.of.keys()
        return self.kept.entries.keys(self.image.owner, self.image.id, gone)

    def item(self) -> Item:
        counted = "" if self.kept is None else self.kept.counted
        pk, sk = _image_key(self.image.id)
        return {
            "pk": pk,
            "sk": sk,
            "writer": self.writer,
            "counted": counted if self.note is None else self.writer,
            "entries": self.entries.text(),
            "document": json.dumps(to_document(self.image), separators=(",", ":"), ensure_ascii=False),
        }


def _read(item: Item) -> _Kept:
    return _Kept(
        image=from_document(json.loads(str(item["document"]))),
        writer=str(item["writer"]),
        counted=str(item["counted"]),
        entries=entries.Entries.read(str(item["entries"])),
    )


def _check_replaceable(kept: _Kept | None, version: int) -> None:
    if kept is None or kept.image.state is State.DELETED:
        raise NotFound(ABSENT)
    if kept.image.version != version:
        raise VersionMoved(MOVED)


def _same(kept: _Kept) -> Condition:
    return Condition(text="writer = :writer", values={":writer": kept.writer})


def _partition(number: int) -> str:
    return f"i#{number:02x}"


def _image_key(image_id: str) -> tuple[str, str]:
    return _partition(crc32(image_id.encode()) % PARTITIONS), image_id


def _claim_key(owner: str, claim: Claim) -> tuple[str, str]:
    return f"c#{owner}#{sha256(claim.name.encode()).hexdigest()}", "claim"


def _binding(image: Image, claim: Claim, held: Item | None) -> tuple[Item, Condition]:
    """Return what binds a name to an image, if nobody else has bound it in between."""
    pk, sk = _claim_key(image.owner, claim)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "image": image.id,
        "fingerprint": claim.fingerprint,
        "until_ms": names.milliseconds(claim.until),
        # The table's attribute of time to live: some time after that, DynamoDB removes it by itself.
        "expires": _seconds(claim.until) + 1,
    }
    if held is None:
        return item, NEW
    return item, Condition(text="image = :image", values={":image": held["image"]})


def _seconds(moment: datetime) -> int:
    return names.milliseconds(moment) // 1000


def _too_many() -> Unavailable:
    return Unavailable("too many others change the same at once; try again", retry_after=1)
