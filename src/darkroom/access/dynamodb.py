"""The keys, and how often they call, in a DynamoDB table that no function but those that answer callers may read.

A key is the item ``k#id``: its hash, never its secret. ``keys`` has a row for each, in the order in which they were
made, for listing. It is written before the key and removed after it, so that no key is in use that no list shows. A
bucket is the item ``r#id``: the moment at which it is full again. ``signing`` has the secrets that sign addresses.
"""

from __future__ import annotations

import base64
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from darkroom.access import (
    NANOSECONDS,
    Caller,
    Key,
    Rate,
    Scope,
    clean_owner,
    is_secret,
    key_text,
    make_key,
    once_more,
    secret_hash,
    split_key,
)
from darkroom.access.signing import MOST_SECRETS, SigningSecret, check_count, make_secret
from darkroom.dynamodb import NEW, Condition, ConditionFailed, Table
from darkroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from darkroom.dynamodb import Item

_KEY, _LIST, _RATE, _SIGNING = "k#", "keys", "r#", "signing"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PAGE = 500
_THERE = Condition(text="attribute_exists(pk)")

BUCKETS_SEEN = 10_000
"""How many buckets a process remembers having seen."""
TRIES = 20
"""How often a request is counted again that others of the same key came before."""


class DynamoAccess:
    """An ``Access`` in the table ``name``. ``clock`` returns the present as an aware moment."""

    def __init__(self, client: Any, name: str, clock: Callable[[], datetime]) -> None:  # noqa: ANN401 # untyped library
        self._table = Table(client, name)
        self._clock = clock

    def close(self) -> None:
        """End its threads."""
        self._table.close()

    def add(self, owner: str, name: str, scopes: frozenset[Scope], *, rate: Rate | None = None) -> tuple[Key, str]:
        key, secret = make_key(owner, name, scopes, self._clock(), rate)
        created_at = (key.created_at - _EPOCH) // _MICROSECOND
        row = _row(created_at, key.id)
        item: Item = {
            "pk": _KEY + key.id,
            "sk": "key",
            "row": row,
            "hash": secret_hash(secret),
            "owner": key.owner,
            "name": key.name,
            "scopes": " ".join(sorted(key.scopes)),
            "created_at": created_at,
        }
        if rate is not None:
            item |= {"per_second": repr(rate.per_second), "burst": rate.burst}
        self._table.put({"pk": _LIST, "sk": row}, NEW)
        self._table.put(item, NEW)
        return key, key_text(key.id, secret)

    def identify(self, text: str) -> Caller | None:
        parts = split_key(text)
        if parts is None:
            return None
        key_id, secret = parts
        item = self._table.get(_KEY + key_id, "key")
        if not is_secret(secret, None if item is None else str(item["hash"])) or item is None:
            return None
        key = _read(item)
        return Caller(owner=key.owner, scopes=key.scopes, key_id=key.id, rate=key.rate)

    def list(self) -> Sequence[Key]:
        ids = [_id(item) for item in _rows(self._table, _LIST)]
        keys = {key.id: key for key in map(_read, self._table.get_many((_KEY + key_id, "key") for key_id in ids))}
        return [keys[key_id] for key_id in ids if key_id in keys]

    def revoke(self, key_id: str) -> bool:
        if not key_id.isascii():  # no key is, and half a surrogate pair cannot be asked for
            return False
        item = self._table.get(_KEY + key_id, "key")
        if item is None:
            return False
        try:
            self._table.delete(_KEY + key_id, "key", _THERE)
        except ConditionFailed:
            return False
        self._table.write_many(deletes=[(_LIST, str(item["row"]))])
        return True


class DynamoSecrets:
    """``Secrets`` in the table of the keys. ``clock`` returns the present as an aware moment."""

    def __init__(self, client: Any, name: str, clock: Callable[[], datetime]) -> None:  # noqa: ANN401 # untyped library
        self._table = Table(client, name)
        self._clock = clock

    def close(self) -> None:
        """End its threads."""
        self._table.close()

    def add(self, owner: str) -> SigningSecret:
        made = make_secret(clean_owner(owner), self._clock())
        check_count(self._count(owner))
        created_at = (made.created_at - _EPOCH) // _MICROSECOND
        item: Item = {
            "pk": _SIGNING,
            "sk": _row(created_at, made.id),
            "owner": owner,
            "secret": base64.b64encode(made.secret).decode(),
            "created_at": created_at,
        }
        self._table.put(item, NEW)
        if self._count(owner) > MOST_SECRETS:  # others have added some at the same moment
            self.retire(made.id)
            check_count(MOST_SECRETS)
        return made

    def list(self) -> Sequence[SigningSecret]:
        return [
            SigningSecret(
                id=_id(item),
                owner=str(item["owner"]),
                secret=base64.b64decode(str(item["secret"])),
                created_at=_EPOCH + int(item["created_at"]) * _MICROSECOND,
            )
            for item in _rows(self._table, _SIGNING)
        ]

    def retire(self, secret_id: str) -> bool:
        for item in _rows(self._table, _SIGNING):
            if _id(item) == secret_id:
                try:
                    self._table.delete(_SIGNING, str(item["sk"]), _THERE)
                except ConditionFailed:
                    return False
                return True
        return False

    def _count(self, owner: str) -> int:
        return sum(each.owner == owner for each in self.list())


class DynamoRates:
    """``Rates`` in the table ``name``, for all functions that run at the same time.

    ``clock`` returns nanoseconds since 1970; where those of two functions differ, a bucket is full by that much earlier
    or later. A request that is counted is one write, and most that are refused ask nobody: a bucket never gets fuller
    than it was seen, but by time.
    """

    def __init__(self, client: Any, name: str, clock: Callable[[], int]) -> None:  # noqa: ANN401 # untyped library
        self._table = Table(client, name)
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}

    def close(self) -> None:
        """End its threads."""
        self._table.close()

    def take(self, key_id: str, rate: Rate) -> float:
        now = self._clock()
        full_at = self._seen.get(key_id, 0)
        for _ in range(TRIES):
            _, wait = once_more(full_at, now, rate)
            if wait:
                return wait / NANOSECONDS
            try:
                item = self._count(key_id, now, rate, is_full=full_at <= now)
            except ConditionFailed as failed:
                full_at = 0 if failed.item is None else int(failed.item["full_at"])
            else:
                self._saw(key_id, int(item["full_at"]))
                return 0
            self._saw(key_id, full_at)
        msg = "this key is used by too many at once; try again"
        raise Unavailable(msg, retry_after=1)

    def _count(self, key_id: str, now: int, rate: Rate, *, is_full: bool) -> Item:
        """Take a token from a bucket as it was seen; raises ``ConditionFailed`` if it has become another one."""
        values: dict[str, str | int] = {
            ":now": now,
            # The table's attribute of time to live: by then, any such bucket is full, which is as good as none.
            ":expires": (now + rate.burst * rate.interval) // NANOSECONDS + 60,
        }
        if is_full:
            text = "SET full_at = :then, expires = :expires"
            condition = "attribute_not_exists(full_at) OR full_at <= :now"
            values[":then"] = now + rate.interval
        else:
            text = "SET full_at = full_at + :interval, expires = :expires"
            condition = "full_at > :now AND full_at <= :latest"
            values[":interval"] = rate.interval
            values[":latest"] = now + (rate.burst - 1) * rate.interval
        return self._table.update(_RATE + key_id, "rate", Condition(text=text, values=values), condition=condition)

    def _saw(self, key_id: str, full_at: int) -> None:
        with self._lock:
            if len(self._seen) >= BUCKETS_SEEN:
                self._seen.clear()
            self._seen[key_id] = full_at


def _row(created_at: int, name: str) -> str:
    """Return the sort key of what is listed in the order in which it was made."""
    # Those of one moment are told apart by the time it really is.
    return f"{created_at:020d} {time.time_ns():020d} {name}"


def _id(item: Item) -> str:
    return str(item["sk"]).rpartition(" ")[2]


def _rows(table: Table, pk: str) -> Iterator[Item]:
    """Yield what is listed under a partition key, oldest first."""
    first, more = "0", True
    while more:
        found, more = table.query(pk, first=first, last="~", limit=_PAGE)
        yield from found
        first = f"{found[-1]['sk']} " if more else first


def _read(item: Item) -> Key:
    rate = None if "burst" not in item else Rate(float(item["per_second"]), int(item["burst"]))
    allowed = str(item["scopes"]).split()
    return Key(
        id=str(item["pk"]).removeprefix(_KEY),
        owner=str(item["owner"]),
        name=str(item["name"]),
        # A scope of a later release allows nothing here.
        scopes=frozenset(scope for scope in Scope if scope in allowed),
        created_at=_EPOCH + int(item["created_at"]) * _MICROSECOND,
        rate=rate,
    )
