"""Tags and albums with their counts in DynamoDB: an item for each, partition ``l#owner#kind``, sort key its key.

A count is changed after the write of the image has become true, and nobody waits for another try: a process that dies
in between leaves a count that is one too many or too few. ``recount`` finds and mends it. The ``writer`` of an item
names the write that changed it last, and when that was.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from darkroom.catalog import dynamodb_entries as entries
from darkroom.catalog.labels import Label, LabelKind, WrongCount, changes, end_of, spelled
from darkroom.dynamodb import NEW, Condition, ConditionFailed
from darkroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from darkroom.catalog.labels import Change
    from darkroom.dynamodb import Item, Table
    from darkroom.model import Image

MOVING_SECONDS = 60.0
"""What was written since so long before a recount is left to the next one: its count may be under way."""
_LISTED_AT_ONCE = 1_000
_AFTER = "\x00"


class Labels:
    """The counts of all owners."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def count(self, owner: str, before: Image | None, after: Image, writer: str) -> None:
        """Bring the counts from one state of an image to the next, as far as the table answers."""

        def change(one: Change) -> None:
            with suppress(Unavailable):  # the image is written: a recount sets right what stays behind
                self._change(owner, one, writer)

        self._table.each(change, changes(spelled(before), spelled(after)))

    def _change(self, owner: str, one: Change, writer: str) -> None:
        pk = _partition(owner, one.kind)
        text = "SET writer = :writer"
        values: dict[str, str | int] = {":writer": writer, ":more": one.more}
        if one.name is not None:
            text += ", spelled = :spelled"
            values[":spelled"] = one.name
        after = self._table.update(pk, one.key, Condition(text=f"{text} ADD counted :more", values=values))
        if int(after["counted"]) <= 0:
            with suppress(ConditionFailed):
                self._table.delete(pk, one.key, Condition(text="counted <= :none", values={":none": 0}))

    def listed(self, owner: str, kind: LabelKind, prefix: str, after: str, limit: int) -> tuple[Label, ...]:
        """Return the first labels that begin with ``prefix`` and come after ``after``."""
        first = max(prefix, after + _AFTER) or _AFTER
        found: list[Label] = []
        more = True
        while more and len(found) < limit:
            items, more = self._table.query(
                _partition(owner, kind), first=first, last=end_of(prefix), limit=limit - len(found)
            )
            found += [_label(item) for item in items if int(item["counted"]) > 0 and _key(item).startswith(prefix)]
            first = _key(items[-1]) + _AFTER if items else first
        return tuple(found)

    def recount(self, every: Iterable[tuple[Image, str]], *, now: float, mend: bool) -> Iterator[WrongCount]:
        """Yield every count that is wrong, and unless told otherwise mend it.

        ``every`` image comes with the name of its last write; ``now`` is when the walk over them begins.
        """
        recounts = _Recounts(now - MOVING_SECONDS)
        for image, writer in every:
            recounts.add(image, writer)
        for owner in sorted(recounts.owners):
            for kind in LabelKind:
                yield from self._compare(owner, kind, recounts, entries.new_writer(now) if mend else None)

    def _compare(self, owner: str, kind: LabelKind, recounts: _Recounts, writer: str | None) -> Iterator[WrongCount]:
        found = {_key(item): item for item in self._every(owner, kind)}
        known = recounts.of.get((owner, kind), {})
        for key in sorted(found.keys() | known.keys()):
            item, counted = found.get(key), known.get(key, _Recount())
            before = 0 if item is None else int(item["counted"])
            moved = max(counted.moved, 0.0 if item is None else _moment(item))
            if before != counted.images and moved < recounts.still_since:
                if writer is not None and not self._write(owner, kind, key, counted, item, writer):
                    continue
                yield WrongCount(owner=owner, kind=kind, key=key, counted=before, images=counted.images)

    def _write(self, owner: str, kind: LabelKind, key: str, counted: _Recount, item: Item | None, writer: str) -> bool:
        """Write a count if nobody has changed it in between."""
        condition = NEW if item is None else Condition(text="writer = :before", values={":before": item["writer"]})
        pk = _partition(owner, kind)
        try:
            if counted.images:
                made: Item = {"pk": pk, "sk": key, "spelled": counted.spelled, "counted": counted.images}
                self._table.put({**made, "writer": writer}, condition)
            else:
                self._table.delete(pk, key, condition)
        except ConditionFailed:
            return False
        return True

    def _every(self, owner: str, kind: LabelKind) -> Iterator[Item]:
        first, more = _AFTER, True
        while more:
            items, more = self._table.query(
                _partition(owner, kind), first=first, last=end_of(""), limit=_LISTED_AT_ONCE
            )
            yield from items
            first = _key(items[-1]) + _AFTER if items else first


@dataclass(slots=True)
class _Recount:
    """How many images have a name, how the newest spells it, and when one of them was last written."""

    images: int = 0
    spelled: str = ""
    moved: float = 0.0


@dataclass(slots=True)
class _Recounts:
    """What counting all images gives; counts that moved since ``still_since`` are not to be held against it."""

    still_since: float
    of: dict[tuple[str, LabelKind], dict[str, _Recount]] = field(default_factory=dict)
    owners: set[str] = field(default_factory=set)

    def add(self, image: Image, writer: str) -> None:
        """Count an image; they come in the order of their ids."""
        self.owners.add(image.owner)
        for (kind, key), name in spelled(image).items():
            one = self.of.setdefault((image.owner, kind), {}).setdefault(key, _Recount())
            one.images += 1
            one.spelled = name
            one.moved = max(one.moved, entries.began(writer))


def _partition(owner: str, kind: LabelKind) -> str:
    return f"l#{owner}#{kind.value}"


def _key(item: Item) -> str:
    return str(item["sk"])


def _label(item: Item) -> Label:
    return Label(key=_key(item), name=str(item.get("spelled", item["sk"])), images=int(item["counted"]))


def _moment(item: Item) -> float:
    return entries.began(str(item["writer"]))
