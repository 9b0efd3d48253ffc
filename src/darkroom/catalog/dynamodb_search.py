"""Pages of a search in the DynamoDB catalog: entries are read, then images, as few as it takes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from darkroom import names
from darkroom.catalog import GET_MANY_MAX, cursors
from darkroom.catalog import dynamodb_entries as entries
from darkroom.catalog import perceptual_hash as hashes
from darkroom.errors import Unavailable
from darkroom.model import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from darkroom.catalog.terms import Plan
    from darkroom.dynamodb import Table
    from darkroom.model import Image, Page

PROBED = 100
"""Groups of a query with fewer entries than this are counted; of larger ones, the one is walked whose first entries
reach the furthest."""
FILTERED = 250
"""Entries that are read at first where a range or a colour admits only some: another request for an image that is
missing costs more time than reading four entries that are not needed."""
SPARE = 16
"""With each so many images one more is looked at than are needed, because one may not be in the state asked for."""
LEFT_BEHIND_SECONDS = 3600.0
"""An entry without an image that knows it is left behind if it is older than this; no write takes so long."""


class Found(NamedTuple):
    """An image as it is stored, and the entries that it says it has."""

    image: Image
    entries: entries.Entries


class Finder:
    """Finds pages. ``look`` returns those of some images that there are."""

    def __init__(
        self,
        table: Table,
        look: Callable[[Iterable[str]], Mapping[str, Found]],
        clock: Callable[[], float],
        *,
        work_per_page: int,
    ) -> None:
        self._table = table
        self._look = look
        self._clock = clock
        self._work_per_page = work_per_page
        self._reader = entries.Reader(table)

    def page(self, plan: Plan, groups: list[list[str]], bounds: tuple[str, str], limit: int) -> Page:
        """Return the page of a plan that lies within bounds; ``groups`` are the partitions of those it may walk."""
        walked = self._choose(plan, groups, limit + 1)
        known = walked.within(bounds, oldest_first=plan.oldest_first)
        found: list[Image] = []
        looked, looked_to = 0, None
        amount = FILTERED if plan.ranges or plan.color else max(PROBED, _with_spare(limit + 1))
        while len(found) <= limit:
            amount = min(amount, self._work_per_page - looked)
            if known and not looked:
                parts = known
            else:
                (parts,) = self._reader.parts([groups[walked.number]], bounds, amount, oldest_first=plan.oldest_first)
            part = entries.merged(parts, amount, oldest_first=plan.oldest_first)
            self._admit(plan, part, walked, found, limit + 1)
            looked += len(part.ids)
            if looked == self._work_per_page:
                looked_to = part.last
                break
            if not part.more:
                break
            bounds = plan.bounds(part.last)
            amount = min(2 * amount, GET_MANY_MAX)
        return cursors.page(plan, tuple(found), limit, looked_to)

    def alike(self, owner: str, perceptual_hash: str, shards: range) -> tuple[Image, ...]:
        """Return the ready images whose hash is near this one, as ``Catalog.alike``."""
        seen: dict[str, Image] = {}

        def under(wanted: tuple[str, ...], amount: int) -> Iterator[tuple[str, str]]:
            partitions = [entries.partition(owner, term, shard) for term in wanted for shard in shards]
            (parts,) = self._reader.parts([partitions], ("", entries.AFTER_ALL), amount)
            for image_id, found in self._look(entries.merged(parts, amount).ids).items():
                facts = found.image.facts
                if facts is not None and facts.perceptual_hash is not None:
                    seen[image_id] = found.image
                    yield image_id, facts.perceptual_hash

        near = hashes.nearest(perceptual_hash, under, work=self._work_per_page)
        return tuple(seen[image_id] for image_id in near if seen[image_id].state is State.READY)

    def _choose(self, plan: Plan, groups: list[list[str]], wanted: int) -> _Walked:
        """Return which group to walk, and what was learned of the others by looking at the first of each."""
        if len(groups) == 1:
            return _Walked(0, (), ())
        exact = [number for number, group in enumerate(plan.walkable) if group not in plan.coarse]
        probed = self._probe(groups, exact, wanted, plan)
        # Whichever of the groups is walked, a page is the same if one of them can be gone through as a whole.
        if not any(one.counted is not None and one.counted < self._work_per_page for one in probed):
            coarse = [number for number in range(len(groups)) if number not in exact]
            probed = sorted(probed + self._probe(groups, coarse, wanted, plan), key=lambda one: one.number)
        counted = [one for one in probed if one.counted is not None]
        if counted:
            walked = min(counted, key=lambda one: one.counted or 0)
        elif plan.oldest_first:
            walked = max(probed, key=lambda one: one.learned.known_to)
        else:
            walked = min(probed, key=lambda one: one.learned.known_to)
        return _Walked(
            walked.number, tuple(walked.parts), tuple(one.learned for one in probed if one.number != walked.number)
        )

    def _probe(self, groups: list[list[str]], numbers: list[int], wanted: int, plan: Plan) -> list[_Probed]:
        """Look at the first entries of some groups."""
        everything = "", entries.AFTER_ALL
        asked = [groups[number] for number in numbers]
        found = self._reader.parts(asked, everything, max(PROBED, wanted), oldest_first=plan.oldest_first)
        return [
            _Probed(number, parts, _Learned.of(parts, oldest_first=plan.oldest_first))
            for number, parts in zip(numbers, found, strict=True)
        ]

    def _admit(self, plan: Plan, part: entries.Part, walked: _Walked, found: list[Image], wanted: int) -> None:
        """Add to what was found, in order, until it is as many as wanted; look at no image without need."""
        hopeful = [image_id for image_id in part.ids if all(one.admits(image_id) for one in walked.learned)]
        amount = _with_spare(wanted - len(found))
        while hopeful and len(found) < wanted:
            looked_at, hopeful = hopeful[:amount], hopeful[amount:]
            amount = GET_MANY_MAX if amount >= PROBED else PROBED
            kept = self._look(looked_at)
            for image_id in looked_at:
                if image_id in kept and plan.admits(kept[image_id].image) and len(found) < wanted:
                    found.append(kept[image_id].image)
            seen = frozenset(looked_at)
            self._remove_left_behind(plan.owner, [key for key in part.keys if entries.image_of(key) in seen], kept)

    def _remove_left_behind(self, owner: str, keys: list[tuple[str, str]], kept: Mapping[str, Found]) -> None:
        """Remove those entries that no image knows and no write is about to commit: what died has left them."""
        now = self._clock()
        left = []
        for key in keys:
            image_id, _, writer = key[1].partition("#")
            if entries.age(writer, now) > LEFT_BEHIND_SECONDS and not (
                image_id in kept and kept[image_id].entries.has(owner, key, image_id)
            ):
                left.append(key)
        with suppress(Unavailable):
            self._table.write_many(deletes=left)


@dataclass(frozen=True, slots=True)
class _Learned:
    """What is known of a group: which ids, from its first one to ``known_to``, are under it."""

    ids: frozenset[str]
    known_to: str
    oldest_first: bool

    @classmethod
    def of(cls, parts: list[entries.Part], *, oldest_first: bool) -> _Learned:
        part = entries.merged(parts, sum(len(part.ids) for part in parts), oldest_first=oldest_first)
        beyond_all = entries.AFTER_ALL if oldest_first else ""
        return cls(frozenset(part.ids), part.last if part.more else beyond_all, oldest_first)

    def admits(self, image_id: str) -> bool:
        unknown = image_id > self.known_to if self.oldest_first else image_id < self.known_to
        return unknown or image_id in self.ids


@dataclass(frozen=True, slots=True)
class _Probed:
    """The first entries of a group, and what was learned by them."""

    number: int
    parts: list[entries.Part]
    learned: _Learned

    @property
    def counted(self) -> int | None:
        """How many images the group has, if that is known."""
        return None if any(part.more for part in self.parts) else sum(len(part.ids) for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Walked:
    """Which group is walked, its first entries if they were looked at, and what is known of the other groups."""

    number: int
    parts: tuple[entries.Part, ...]
    learned: tuple[_Learned, ...]

    def within(self, bounds: tuple[str, str], *, oldest_first: bool) -> list[entries.Part]:
        """Return those of its entries that lie within bounds (inclusive, exclusive), none if they are not known."""
        first, end = bounds
        begins_there = end == entries.AFTER_ALL if not oldest_first else first == names.FIRST_ID
        if not begins_there and any(part.more for part in self.parts):
            return []
        return [part.within(bounds) for part in self.parts]


def _with_spare(amount: int) -> int:
    return amount + -(-amount // SPARE)
