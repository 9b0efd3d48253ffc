"""What requests to DynamoDB cost, worked out from what is sent and answered, as AWS meters it on demand.

A write unit is 1 KB of an item written or removed, rounded up for each item, twice that in a transaction; an update
counts the larger of the item before and after. A read unit is 4 KB read consistently, rounded up for each item of a get
and for each whole query. An item that is not there counts one unit. (Amazon DynamoDB Developer Guide: "Read and write
operations", "DynamoDB item sizes and formats".) The emulator reports some of it, not all.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def item_size(item: Mapping[str, Any]) -> int:
    """Return the bytes of an item: names and values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, str]) -> int:
    if "N" in value:
        return len(value["N"].lstrip("-")) // 2 + 2
    return len(value["S"].encode())


def _units(size: int, each: int) -> int:
    return max(1, -(-size // each))


def written(item: Mapping[str, Any]) -> int:
    """Return the units that writing an item takes."""
    return _units(item_size(item), 1024)


def _read(items: Iterable[Mapping[str, Any]], asked: int) -> int:
    units = [_units(item_size(item), 4096) for item in items]
    return sum(units) + asked - len(units)


@dataclass
class Spent:
    """Requests by operation, and units."""

    requests: Counter[str] = field(default_factory=Counter)
    writes: int = 0
    reads: int = 0
    written: Counter[str] = field(default_factory=Counter)
    """Units written by partition key: one key takes 1,000 a second, however many partitions there are."""

    @property
    def count(self) -> int:
        """How many requests there were."""
        return sum(self.requests.values())


class Metered:
    """A client that counts in ``spent`` what goes through it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()
        self.spent = Spent()

    def begin(self) -> None:
        """Count anew."""
        self.spent = Spent()

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        real = getattr(self._client, operation)
        if not callable(real):
            return real  # type: ignore[no-any-return]  # such as ``meta``

        def ask(**given: Any) -> Any:
            answer = real(**given)
            writes, reads = _COSTS[operation](given, answer)
            with self._lock:
                self.spent.requests[operation] += 1
                self.spent.reads += reads
                for key, units in writes:
                    self.spent.writes += units
                    self.spent.written[key["pk"]["S"]] += units
            return answer

        return ask


def _batch_write(given: Any, answer: Any) -> tuple[_Writes, int]:
    (requests,) = given["RequestItems"].values()
    each = (one["PutRequest"]["Item"] if "PutRequest" in one else one["DeleteRequest"]["Key"] for one in requests)
    return [(item, written(item)) for item in each], 0


def _batch_get(given: Any, answer: Any) -> tuple[_Writes, int]:
    ((name, wanted),) = given["RequestItems"].items()
    return [], _read(answer["Responses"].get(name, ()), len(wanted["Keys"]))


_Writes = list[tuple[Any, int]]
"""Items or keys, and the units of each."""

_COSTS: dict[str, Callable[[Any, Any], tuple[_Writes, int]]] = {
    "get_item": lambda given, answer: ([], _read([answer["Item"]] if "Item" in answer else [], 1)),
    "batch_get_item": _batch_get,
    # What is projected away is read all the same; entries have nothing but their keys, so the partition key is it.
    "query": lambda given, answer: (
        [],
        _units(
            sum(item_size({"pk": given["ExpressionAttributeValues"][":pk"], **item}) for item in answer["Items"]),
            4096,
        ),
    ),
    "put_item": lambda given, answer: ([(given["Item"], written(given["Item"]))], 0),
    "delete_item": lambda given, answer: ([(given["Key"], 1)], 0),
    "update_item": lambda given, answer: ([(given["Key"], written(answer["Attributes"]))], 0),
    "batch_write_item": _batch_write,
    "transact_write_items": lambda given, answer: (
        [(one["Put"]["Item"], 2 * written(one["Put"]["Item"])) for one in given["TransactItems"]],
        0,
    ),
}
"""Writes and reads of a request. Whoever asks for anything else, such as a Scan, finds it missing here."""
