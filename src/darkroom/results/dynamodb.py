"""The results as items of a DynamoDB table: ``r#image`` and the name.

What nobody uses is found by the rows under ``ru``, in the order of time: one for each moment that a result was noted to
be used at, written before the result says so. A row whose result says another moment has served, and goes when it is
met. All rows are in one partition, which bounds how many results a second can be claimed: 1,000, more than are made.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from darkroom.dynamodb import Condition, ConditionFailed, Table
from darkroom.results import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from darkroom.dynamodb import Item

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000
_LAST = "~"
_USES = "ru"
_PAGE = 500

USE_SECONDS = 3600
"""How exactly it is remembered when a result was used last: so reading one seldom writes. No write takes longer."""


class DynamoResults:
    """``Results`` in the table ``name``. ``clock`` returns the present as an aware moment."""

    def __init__(self, client: Any, name: str, clock: Callable[[], datetime]) -> None:  # noqa: ANN401 # untyped library
        self._table = Table(client, name)
        self._clock = clock

    def close(self) -> None:
        """End its threads."""
        self._table.close()

    def find(self, image_id: str, name: str) -> Result | None:
        item = self._table.get(_pk(image_id), name)
        if item is None or "checksum" not in item:
            return None
        now = self._now()
        if int(item["used_at"]) < now - USE_SECONDS * _SECOND:
            self._mark(image_id, name, now)
            with suppress(ConditionFailed):  # it is gone
                change = Condition(text="SET used_at = :now", values={":now": now})
                self._table.update(_pk(image_id), name, change, condition="attribute_exists(pk)")
        return _read(item)

    def finished(self, image_id: str) -> Sequence[Result]:
        return [_read(item) for item in self._of(image_id) if "checksum" in item]

    def claim(self, image_id: str, name: str, seconds: float, *, damaged: str | None = None) -> str | None:
        now, receipt = self._now(), secrets.token_hex(8)
        there = self._table.get(_pk(image_id), name)
        if there is not None and "checksum" not in there and int(there["claimed_until"]) > now:
            return None  # many who wait for another's look here again and again: none of them needs to write
        self._mark(image_id, name, now)
        change = Condition(
            text="SET receipt = :receipt, claimed_until = :until, used_at = :now REMOVE checksum",
            values={
                ":receipt": receipt,
                ":until": now + round(seconds * _SECOND),
                ":now": now,
                ":damaged": damaged or "-",  # nothing is empty, and no checksum is this
            },
        )
        try:
            self._table.update(
                _pk(image_id),
                name,
                change,
                condition="attribute_not_exists(pk) OR checksum = :damaged"
                " OR (attribute_not_exists(checksum) AND claimed_until <= :now)",
            )
        except ConditionFailed as failed:
            # An answer that was lost makes the client ask again, and find its own claim.
            return receipt if failed.item is not None and failed.item.get("receipt") == receipt else None
        return receipt

    def commit(self, receipt: str, result: Result) -> bool:
        # It counts as used since it was claimed, which saves a row.
        change = Condition(
            text="SET checksum = :checksum, stamp = :stamp, kept_size = :size, claimed_until = :never,"
            " made_by = :receipt REMOVE receipt",
            values={
                ":checksum": result.checksum,
                ":stamp": result.stamp,
                ":size": result.kept_size,
                ":never": 0,
                ":receipt": receipt,
            },
        )
        try:
            self._table.update(_pk(result.image_id), result.name, change, condition="receipt = :receipt")
        except ConditionFailed as failed:
            # As above: it has been committed by this very request.
            return failed.item is not None and failed.item.get("made_by") == receipt and "checksum" in failed.item
        return True

    def release(self, receipt: str, image_id: str, name: str) -> None:
        with suppress(ConditionFailed):
            mine = Condition(text="receipt = :receipt", values={":receipt": receipt})
            self._table.delete(_pk(image_id), name, mine)

    def void(self, image_id: str) -> tuple[str, ...]:
        now = self._now()
        change = Condition(
            text="SET claimed_until = :never, used_at = :now REMOVE checksum, receipt",
            values={":never": 0, ":now": now},
        )

        def end(name: str) -> None:
            with suppress(ConditionFailed):  # it is gone
                self._table.update(_pk(image_id), name, change, condition="attribute_exists(pk)")

        found = [str(item["sk"]) for item in self._of(image_id)]
        self._table.write_many(_use(image_id, name, now) for name in found)
        self._table.each(end, found)
        return tuple(found)

    def owns(self, image_id: str, name: str) -> bool:
        return self._table.get(_pk(image_id), name) is not None

    def unused(self, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
        until, now = _number(before), self._now()
        found: list[tuple[str, str]] = []
        first, more = " ", True
        while more and len(found) < limit:
            uses, more = self._table.query(_USES, first=first, last=_moment(until), limit=_PAGE)
            rows = {str(use["sk"]): _used(str(use["sk"])) for use in uses}
            items = {
                (str(item["pk"]), str(item["sk"])): item
                for item in self._table.get_many((_pk(image_id), name) for _, image_id, name in rows.values())
            }
            served = []
            for sk, (used_at, image_id, name) in rows.items():
                item = items.get((_pk(image_id), name))
                if item is None or int(item["used_at"]) != used_at:
                    served.append((_USES, sk))
                elif int(item["claimed_until"]) <= now:
                    found.append((image_id, name))
                first = f"{sk} "
            if until <= now - USE_SECONDS * _SECOND:  # else its result may be about to say so
                self._table.write_many(deletes=served)
        return found[:limit]

    def forget(self, image_id: str, name: str, before: datetime) -> None:
        unused = Condition(
            text="used_at < :before AND claimed_until <= :now",
            values={":before": _number(before), ":now": self._now()},
        )
        with suppress(ConditionFailed):
            self._table.delete(_pk(image_id), name, unused)

    def _mark(self, image_id: str, name: str, now: int) -> None:
        """Note that a result is about to say that it was used at this moment."""
        self._table.write_many([_use(image_id, name, now)])

    def _of(self, image_id: str) -> Iterator[Item]:
        """Yield all results of an image, in the order of their names."""
        first, more = " ", True
        while more:
            found, more = self._table.query(_pk(image_id), first=first, last=_LAST, limit=_PAGE)
            yield from found
            first = f"{found[-1]['sk']} " if more else first

    def _now(self) -> int:
        return _number(self._clock())


def _pk(image_id: str) -> str:
    return f"r#{image_id}"


def _use(image_id: str, name: str, moment: int) -> Item:
    return {"pk": _USES, "sk": f"{_moment(moment)}#{image_id}#{name}"}


def _used(sk: str) -> tuple[int, str, str]:
    """Return moment, image id and name of a row."""
    moment, image_id, name = sk.split("#", 2)
    return int(moment), image_id, name


def _moment(number: int) -> str:
    return f"{number:020d}"


def _read(item: Item) -> Result:
    return Result(
        image_id=str(item["pk"]).removeprefix("r#"),
        name=str(item["sk"]),
        checksum=str(item["checksum"]),
        stamp=str(item["stamp"]),
        kept_size=str(item["kept_size"]),
    )


def _number(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
