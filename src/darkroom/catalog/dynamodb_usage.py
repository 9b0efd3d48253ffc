"""What each owner has, counted in one DynamoDB item an owner, exactly, without a transaction.

A write that changes what an image counts for announces so first: one update adds the difference to the counters and a
note of it, ``p#writer``, to the same item. Then the image is written, and keeps the writer's name. So whoever reads the
counters can tell of every note whether its write came about, by looking at that image, whatever died in between: a note
whose image names its writer counts; one that cannot come about any more is taken back; and one under way does not
count yet. Notes of writes that came about are removed along with a later announcement, which costs nothing more.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from darkroom import names
from darkroom.catalog import dynamodb_entries as entries
from darkroom.catalog import quotas, terms
from darkroom.dynamodb import Condition, ConditionFailed, Table
from darkroom.errors import OverQuota, Unavailable
from darkroom.model import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from darkroom.catalog.quotas import Quota, Usage
    from darkroom.dynamodb import Item
    from darkroom.model import Image

UNDER_WAY_SECONDS = 900.0
"""How long a write may take from its announcement on; no function of ours lives longer. A writer that finds itself
slower than a third of this gives up."""
NOTES_KEPT = 8
"""More notes than this in an item are looked at by whoever adds one."""
TRIES = 40
"""How often a creation under a quota is tried again that others come before."""

_NOTE = "p#"
_SK = "usage"


class Note(NamedTuple):
    """A difference that was announced: of image ``image_id`` when it becomes ``version``."""

    writer: str
    image_id: str
    version: int
    images: int
    bytes: int
    awaiting: bool

    def text(self) -> str:
        """Return everything but the writer as text."""
        return f"{self.image_id} {self.version} {self.images} {self.bytes} {int(self.awaiting)}"

    @classmethod
    def read(cls, writer: str, text: str) -> Note:
        """Return the note that ``text`` says."""
        image_id, version, images, length, awaiting = text.split(" ")
        return cls(writer, image_id, int(version), int(images), int(length), awaiting == "1")


@dataclass(frozen=True, slots=True)
class Row:
    """The counters of an owner as they are stored, the notes, and how many shards to read and to write."""

    images: int
    bytes: int
    changes: int
    notes: tuple[Note, ...]
    reads: int
    writes: int


class Seen(NamedTuple):
    """What an image's item tells about notes: the image, and the last write that changed what it counts for."""

    image: Image
    counted: str


def note(writer: str, before: Image | None, after: Image) -> Note | None:
    """Return what is to be announced of a write, or ``None`` when it changes nothing that is counted."""
    images = _living(after) - _living(before)
    length = _bytes(after) - _bytes(before)
    if not images and not length:
        return None
    return Note(writer, after.id, after.version, images, length, after.state is State.AWAITING)


def _living(image: Image | None) -> int:
    return int(image is not None and image.state is not State.DELETED)


def _bytes(image: Image | None) -> int:
    return 0 if image is None else quotas.stored_bytes(image)


class Counters:
    """The usage items of all owners. ``look`` returns what the items of these images tell, those that there are."""

    def __init__(
        self,
        table: Table,
        look: Callable[[Iterable[str]], Mapping[str, Seen]],
        clock: Callable[[], float],
    ) -> None:
        self._table = table
        self._look = look
        self._clock = clock
        self._reader = entries.Reader(table)
        self._lock = threading.Lock()
        self._done: dict[str, list[str]] = {}
        """Writers of this process, by owner, whose writes came about and whose notes are still there."""

    def row(self, owner: str) -> Row:
        """Return the item of an owner."""
        return _row(self._table.get(_pk(owner), _SK) or {})

    def announce(self, owner: str, added: Note, *, settled: Sequence[str] = ()) -> Row:
        """Count a difference that is about to come about; writes by ``settled`` have come about before."""
        row = self._add(owner, added, settled=[*settled, *self._take_done(owner)])
        if len(row.notes) > NOTES_KEPT:
            self.tidy(owner, row)
        return row

    def announce_within(self, owner: str, added: Note, image: Image, quota: Quota) -> Row:
        """Count a new image if there is room for it; raises ``OverQuota``."""
        done = self._take_done(owner)
        for number in range(TRIES):
            row = self.row(owner)
            try:
                quota.admit(image, self._as_counted(owner, row, image, quota))
            except OverQuota:
                # What is under way takes up room, what died on the way must not.
                if not self.tidy(owner, row):
                    raise
                continue
            try:
                row = self._add(owner, added, settled=done, changes=row.changes)
            except ConditionFailed:
                time.sleep(random.uniform(0, min(0.2, 0.005 * 2**number)))  # noqa: S311 # nothing secret
                continue
            if len(row.notes) > NOTES_KEPT:
                self.tidy(owner, row)
            return row
        msg = "too many uploads of this owner begin at once; try again"
        raise Unavailable(msg, retry_after=1)

    def came_about(self, owner: str, writer: str) -> None:
        """Remember that a write came about, so that its note is removed with the next announcement."""
        with self._lock:
            self._done.setdefault(owner, []).append(writer)
            if len(self._done) > 10_000:
                self._done.clear()  # others will look at the notes

    def settle(self, owner: str, writers: Iterable[str]) -> None:
        """Remove the notes of writes that came about."""
        gone = list(writers)
        if gone:
            self._table.update(_pk(owner), _SK, _removing(gone))

    def take_back(self, owner: str, announced: Note) -> bool:
        """Take back what was announced and will not come about; ``False`` if somebody has done so already."""
        change = Condition(
            text="ADD counted_images :images, counted_bytes :bytes, changes :one REMOVE #n",
            names={"#n": _NOTE + announced.writer},
            values={":images": -announced.images, ":bytes": -announced.bytes, ":one": 1},
        )
        try:
            self._table.update(_pk(owner), _SK, change, condition="attribute_exists(#n)")
        except ConditionFailed:
            return False
        return True

    def usage(self, owner: str, since: datetime) -> Usage:
        """Return what an owner has."""
        for _ in range(TRIES):
            row = self.row(owner)
            fates = self._fates(row)
            if not self._take_back_lost(owner, fates):
                under_way = [one for one, fate in fates.items() if fate is None]
                return quotas.Usage(
                    images=row.images - sum(one.images for one in under_way),
                    bytes=row.bytes - sum(one.bytes for one in under_way),
                    open_tickets=self._tickets(owner, row, since, ()),
                )
        msg = "this owner's images change too fast to be counted; try again"
        raise Unavailable(msg, retry_after=1)

    def spread(self, owner: str, *, reads: int | None = None, writes: int | None = None) -> Row:
        """Have an owner's entries read from, or written to, so many shards; never fewer than before."""
        name, number = ("shards_read", reads) if reads is not None else ("shards_written", writes)
        assert number is not None
        change = Condition(text=f"SET {name} = :n", values={":n": number})
        try:
            return _row(
                self._table.update(_pk(owner), _SK, change, condition=f"attribute_not_exists({name}) OR {name} <= :n")
            )
        except ConditionFailed:
            return self.row(owner)

    # ------------------------------------------------------------------ notes

    def _add(self, owner: str, added: Note, *, settled: Iterable[str], changes: int | None = None) -> Row:
        removed = _removing(settled)
        change = Condition(
            text=f"SET #n = :n ADD counted_images :images, counted_bytes :bytes, changes :one {removed.text}",
            names={"#n": _NOTE + added.writer, **removed.names},
            values={":n": added.text(), ":images": added.images, ":bytes": added.bytes, ":one": 1},
        )
        condition = "attribute_not_exists(#n)"
        if changes == 0:
            condition += " AND attribute_not_exists(changes)"
        elif changes is not None:
            condition += " AND changes = :changes"
            change = Condition(text=change.text, names=change.names, values={**change.values, ":changes": changes})
        try:
            return _row(self._table.update(_pk(owner), _SK, change, condition=condition))
        except ConditionFailed as failed:
            # An answer that was lost makes the client ask again, and find what it has announced itself.
            if failed.item is None or _NOTE + added.writer not in failed.item:
                raise
            return _row(failed.item)

    def _take_done(self, owner: str) -> list[str]:
        with self._lock:
            return self._done.pop(owner, [])

    def tidy(self, owner: str, row: Row) -> bool:
        """Remove notes that have served; tell whether any was taken back, so that there may be room now."""
        fates = self._fates(row)
        self.settle(owner, [one.writer for one, fate in fates.items() if fate])
        return self._take_back_lost(owner, fates)

    def _fates(self, row: Row) -> dict[Note, bool | None]:
        seen = self._look({one.image_id for one in row.notes})
        now = self._clock()
        return {one: _fate(one, seen.get(one.image_id), now) for one in row.notes}

    def _take_back_lost(self, owner: str, fates: Mapping[Note, bool | None]) -> bool:
        """Take back what will not come about any more; tell whether there was any such note."""
        lost = [one for one, fate in fates.items() if fate is False]
        for one in lost:
            self.take_back(owner, one)
        return bool(lost)

    # ------------------------------------------------------------------ tickets

    def _as_counted(self, owner: str, row: Row, image: Image, quota: Quota) -> Usage:
        """Return what an owner has with all that is under way: what a quota is held against."""
        tickets = 0
        if quota.open_tickets is not None and image.state is State.AWAITING:
            announced = tuple(one.image_id for one in row.notes if one.awaiting and one.images > 0)
            tickets = self._tickets(owner, row, image.uploaded_at - quota.ticket_life, announced)
        return quotas.Usage(images=row.images, bytes=row.bytes, open_tickets=tickets)

    def _tickets(self, owner: str, row: Row, since: datetime, announced: Iterable[str]) -> int:
        """Count the images that await their bytes, opened at ``since`` or later, or announced and not there yet."""
        first = names.first_id_at(since)
        under = [entries.partition(owner, terms.of_state(State.AWAITING), shard) for shard in range(row.reads)]
        ids: set[str] = set()
        end = "~"
        while True:
            (parts,) = self._reader.parts([under], (first, end), 1_000)
            part = entries.merged(parts, 1_000)
            ids.update(part.ids)
            if not part.more:
                break
            end = part.last
        begun = {image_id for image_id in announced if image_id >= first}
        seen = self._look(ids | begun)
        return sum(
            seen[image_id].image.state is State.AWAITING and seen[image_id].image.owner == owner
            if image_id in seen
            else image_id in begun
            for image_id in ids | begun
        )


def _fate(one: Note, seen: Seen | None, now: float) -> bool | None:
    """Tell whether a write came about: ``False`` if it cannot any more, ``None`` while it may be under way."""
    if seen is not None and seen.counted == one.writer:
        return True
    if seen is not None and seen.image.version >= one.version:
        return False
    return False if entries.age(one.writer, now) > UNDER_WAY_SECONDS else None


def _pk(owner: str) -> str:
    return f"u#{owner}"


def _removing(writers: Iterable[str]) -> Condition:
    names_ = {f"#r{number}": _NOTE + writer for number, writer in enumerate(writers)}
    return Condition(text=f"REMOVE {', '.join(names_)}" if names_ else "", names=names_)


def _row(item: Item) -> Row:
    notes = tuple(
        Note.read(name.removeprefix(_NOTE), str(text)) for name, text in item.items() if name.startswith(_NOTE)
    )
    reads = int(item.get("shards_read", 1))
    return Row(
        images=int(item.get("counted_images", 0)),
        bytes=int(item.get("counted_bytes", 0)),
        changes=int(item.get("changes", 0)),
        notes=notes,
        reads=reads,
        writes=min(reads, int(item.get("shards_written", 1))),
    )
