"""How a DynamoDB table is read and written: bounded patience, partial answers completed, errors in our own words.

Used by the adapters named ``dynamodb.py``; they know what the items mean, this knows what they all must agree on. Every
read is a consistent one: what was written is seen by everybody. A table has the key ``pk`` and ``sk``, both text.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import botocore.config
import botocore.exceptions
import botocore.session

from darkroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

GET_MOST, WRITE_MOST = 100, 25
"""Items that one request may read or write (BatchGetItem, BatchWriteItem)."""
ROUNDS = 8
"""How often what a request has left undone is asked for again, or a transaction that met another one."""
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 2.0
THREADS = 8
"""Requests of one caller that are under way at the same time."""

CONFIG = botocore.config.Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=4 * THREADS,
)

Given = TypeVar("Given")
Made = TypeVar("Made")
Value = str | int
Item = dict[str, Value]


class ConditionFailed(Exception):
    """What a write was conditional on is not so. ``item`` is what is there instead, if anything."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition of a write did not hold")
        self.item = item


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition, or another expression, of DynamoDB, with what its ``#names`` and ``:values`` stand for."""

    text: str
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)


NEW = Condition(text="attribute_not_exists(pk)")


def connect(*, region: str | None = None, endpoint: str | None = None) -> Any:  # noqa: ANN401 # botocore has no types
    """Return a client with our patience; region and credentials are found as every AWS tool finds them."""
    session = botocore.session.get_session()
    return session.create_client("dynamodb", region_name=region, endpoint_url=endpoint, config=CONFIG)


class Table:
    """One table, for any number of threads. Every verb raises ``Unavailable`` when it does not answer."""

    def __init__(self, client: Any, name: str) -> None:  # noqa: ANN401 # as above
        self._client = client
        self._name = name
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="dynamodb")

    def close(self) -> None:
        """End its threads; the client stays open."""
        self._pool.shutdown()

    def get(self, pk: str, sk: str) -> Item | None:
        """Return one item, or ``None``."""
        answer = self._ask("get_item", TableName=self._name, Key=_key(pk, sk), ConsistentRead=True)
        return None if "Item" not in answer else _read(answer["Item"])

    def get_many(self, keys: Iterable[tuple[str, str]]) -> list[Item]:
        """Return those items that there are, in no order."""
        unique = list(dict.fromkeys(keys))
        parts = [unique[at : at + GET_MOST] for at in range(0, len(unique), GET_MOST)]
        return [item for part in self.each(self._get_part, parts) for item in part]

    def query(
        self, pk: str, *, first: str, last: str, limit: int, newest_first: bool = False, keys_only: bool = False
    ) -> tuple[list[Item], bool]:
        """Return items of ``pk`` from sort key ``first`` to ``last``, both inclusive, and whether there are more.

        At most ``limit`` of them, or one megabyte.
        """
        if first > last:
            return [], False
        given: dict[str, Any] = {"ProjectionExpression": "sk"} if keys_only else {}
        answer = self._ask(
            "query",
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=_write({":pk": pk, ":first": first, ":last": last}),
            ScanIndexForward=not newest_first,
            Limit=limit,
            ConsistentRead=True,
            **given,
        )
        return [_read(item) for item in answer["Items"]], "LastEvaluatedKey" in answer

    def put(self, item: Item, condition: Condition) -> None:
        """Write an item; raises ``ConditionFailed``."""
        self._ask("put_item", TableName=self._name, Item=_write(item), **_conditional(condition))

    def delete(self, pk: str, sk: str, condition: Condition) -> None:
        """Remove an item; raises ``ConditionFailed``."""
        self._ask("delete_item", TableName=self._name, Key=_key(pk, sk), **_conditional(condition))

    def update(self, pk: str, sk: str, change: Condition, *, condition: str | None = None) -> Item:
        """Change an item, or begin one, and return it as it is then; raises ``ConditionFailed``."""
        given: dict[str, Any] = {}
        if condition is not None:
            given = {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        answer = self._ask(
            "update_item",
            TableName=self._name,
            Key=_key(pk, sk),
            UpdateExpression=change.text,
            ReturnValues="ALL_NEW",
            **_named(change),
            **given,
        )
        return _read(answer["Attributes"])

    def put_together(self, *puts: tuple[Item, Condition]) -> None:
        """Write some items in one step, or none of them; raises ``ConditionFailed`` for the first that cannot be."""
        writes = [{"Put": {"TableName": self._name, "Item": _write(item)} | _conditional(when)} for item, when in puts]
        for pause in _pauses():
            try:
                self._ask("transact_write_items", TransactItems=writes)
            except _MetAnother:
                time.sleep(pause)
            else:
                return
        raise _too_busy()

    def write_many(self, puts: Iterable[Item] = (), *, deletes: Iterable[tuple[str, str]] = ()) -> None:
        """Write and remove items, each by itself."""
        requests = [{"PutRequest": {"Item": _write(item)}} for item in puts]
        requests += [{"DeleteRequest": {"Key": _key(*key)}} for key in deletes]
        self.each(self._write_part, [requests[at : at + WRITE_MOST] for at in range(0, len(requests), WRITE_MOST)])

    def each(self, work: Callable[[Given], Made], parts: Sequence[Given]) -> list[Made]:
        """Return what ``work`` makes of each part, several at a time; it may not come here again."""
        return [work(part) for part in parts] if len(parts) < 2 else list(self._pool.map(work, parts))

    def _get_part(self, keys: list[tuple[str, str]]) -> list[Item]:
        wanted: list[dict[str, Any]] = [_key(*key) for key in keys]
        found: list[Item] = []
        for pause in _pauses():
            answer = self._ask("batch_get_item", RequestItems={self._name: {"Keys": wanted, "ConsistentRead": True}})
            found += map(_read, answer["Responses"].get(self._name, ()))
            wanted = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
            if not wanted:
                return found
            time.sleep(pause)
        raise _too_busy()

    def _write_part(self, requests: list[dict[str, Any]]) -> None:
        for pause in _pauses():
            answer = self._ask("batch_write_item", RequestItems={self._name: requests})
            requests = answer.get("UnprocessedItems", {}).get(self._name, [])
            if not requests:
                return
            time.sleep(pause)
        raise _too_busy()

    def _ask(self, operation: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 # as above
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**given)
        except botocore.exceptions.ClientError as error:
            raise _said(error) from error
        except botocore.exceptions.BotoCoreError as error:
            msg = f"the table does not answer ({error}); try again"
            raise Unavailable(msg) from error
        return answer


class _MetAnother(Exception):
    """A transaction met another one on the same item."""


def _said(error: botocore.exceptions.ClientError) -> Exception:
    """Return what an error answer means to us."""
    answer = error.response
    code = answer["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(_read(answer["Item"]) if "Item" in answer else None)
    if code == "TransactionCanceledException":
        reasons = answer.get("CancellationReasons", [])
        for reason in reasons:
            if reason.get("Code") == "ConditionalCheckFailed":
                return ConditionFailed(_read(reason["Item"]) if "Item" in reason else None)
        if all(reason.get("Code") in {"None", "TransactionConflict", "ThrottlingError"} for reason in reasons):
            return _MetAnother()
    if code == "TransactionInProgressException":
        return _MetAnother()
    msg = f"the table cannot do this now ({code}: {answer['Error'].get('Message', '')}); try again"
    return Unavailable(msg)


def _too_busy() -> Unavailable:
    return Unavailable("the table is too busy to do all of this; try again")


def _pauses() -> Iterable[float]:
    """Yield how long to wait after each round: twice as long each time, at random (full jitter)."""
    for number in range(ROUNDS):
        yield random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**number))  # noqa: S311 # nothing secret


def _conditional(condition: Condition) -> dict[str, Any]:
    return {
        "ConditionExpression": condition.text,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    } | _named(condition)


def _named(condition: Condition) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if condition.names:
        given["ExpressionAttributeNames"] = dict(condition.names)
    if condition.values:
        given["ExpressionAttributeValues"] = _write(condition.values)
    return given


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _write(item: Mapping[str, Value]) -> dict[str, Any]:
    return {name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in item.items()}


def _read(item: Mapping[str, Any]) -> Item:
    return {name: value["S"] if "S" in value else int(value["N"]) for name, value in item.items()}
