"""The queue as a table: every change is one short transaction, on disk when the call returns.

An event that is leased stays in its place with ``due`` moved to the end of the lease. So a lease that runs out needs
nobody to notice it, and one index answers what may be taken.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from darkroom.events import Buried, Depth, Event, Lease
from darkroom.events.documents import KINDS, from_document, to_document
from darkroom.sqlite import Database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

_VERSION = 1
# Times are microseconds since 1970. Ids only order what is there, so they may be given again.
_SCHEMA = """
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    document TEXT NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    receipt TEXT
);
CREATE INDEX events_due ON events (due, id, kind);
CREATE INDEX events_leased ON events (receipt, due) WHERE receipt IS NOT NULL;
CREATE TABLE buried (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    document TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    buried_at INTEGER NOT NULL
)"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class SqliteQueue:
    """A ``Queue`` in the file ``path``. ``clock`` returns the present as an aware moment, alike in every process."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._database = Database(path, _SCHEMA, version=_VERSION)
        self._clock = clock

    def publish(self, event: Event, *, delay_seconds: float = 0.0) -> None:
        kind, document = to_document(event)
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO events (kind, document, due) VALUES (?, ?, ?)",
                (kind, json.dumps(document), self._in(delay_seconds)),
            )

    def lease(self, count: int, seconds: float) -> Sequence[Lease]:
        if not self._any_due():  # the usual answer to a poll, and it must not take the write lock from those who work
            return []
        leases = []
        with self._database.write() as connection:
            due = connection.execute(
                "SELECT id, kind, document, attempts + 1 FROM events"
                " WHERE due <= ? AND kind IN (?, ?, ?, ?, ?) ORDER BY due, id LIMIT ?",
                (self._in(0), *KINDS, count),
            ).fetchall()
            ends = self._in(seconds)
            for number, kind, document, attempt in due:
                receipt = secrets.token_urlsafe(16)
                connection.execute(
                    "UPDATE events SET due = ?, attempts = ?, receipt = ? WHERE id = ?",
                    (ends, attempt, receipt, number),
                )
                leases.append(Lease(event=_event(kind, document), receipt=receipt, attempt=attempt))
        return leases

    def extend(self, lease: Lease, seconds: float) -> bool:
        return self._change("UPDATE events SET due = ? WHERE receipt = ?", self._in(seconds), lease.receipt)

    def settle(self, lease: Lease) -> bool:
        return self._change("DELETE FROM events WHERE receipt = ?", lease.receipt)

    def retry(self, lease: Lease, delay_seconds: float) -> bool:
        return self._change(
            "UPDATE events SET due = ?, receipt = NULL WHERE receipt = ?", self._in(delay_seconds), lease.receipt
        )

    def bury(self, lease: Lease, reason: str) -> bool:
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO buried (kind, document, attempts, reason, buried_at)"
                " SELECT kind, document, attempts, ?, ? FROM events WHERE receipt = ?",
                (reason, self._in(0), lease.receipt),
            )
            return connection.execute("DELETE FROM events WHERE receipt = ?", (lease.receipt,)).rowcount == 1

    def buried(self, limit: int) -> Sequence[Buried]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT id, kind, document, attempts, reason, buried_at FROM buried"
                " WHERE kind IN (?, ?, ?, ?, ?) ORDER BY id DESC LIMIT ?",
                (*KINDS, limit),
            )
            return [
                Buried(
                    event=_event(kind, document),
                    receipt=f"{number}-{buried_at}",
                    attempts=attempts,
                    reason=reason,
                    buried_at=_EPOCH + buried_at * _MICROSECOND,
                )
                for number, kind, document, attempts, reason, buried_at in rows
            ]

    def redrive(self, count: int) -> int:
        with self._database.write() as connection:
            graves = connection.execute(
                "SELECT id, kind, document FROM buried ORDER BY id LIMIT ?", (count,)
            ).fetchall()
            now = self._in(0)
            connection.executemany(
                "INSERT INTO events (kind, document, due) VALUES (?, ?, ?)",
                [(kind, document, now) for _, kind, document in graves],
            )
            connection.executemany("DELETE FROM buried WHERE id = ?", [(number,) for number, _, _ in graves])
            return len(graves)

    def revive(self, grave: Buried) -> bool:
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO events (kind, document, due) SELECT kind, document, ? FROM buried"
                " WHERE id = ? AND buried_at = ?",
                (self._in(0), *_numbers(grave)),
            )
            return _removed(connection, grave)

    def discard(self, grave: Buried) -> bool:
        with self._database.write() as connection:
            return _removed(connection, grave)

    def depth(self) -> Depth:
        with self._database.read() as connection:
            now = self._in(0)
            events, leased, buried, oldest = connection.execute(
                "SELECT (SELECT count(*) FROM events),"
                " (SELECT count(*) FROM events WHERE receipt IS NOT NULL AND due > :now),"
                " (SELECT count(*) FROM buried),"
                " (SELECT min(due) FROM events WHERE due <= :now)",
                {"now": now},
            ).fetchone()
        return Depth(
            waiting=events - leased,
            leased=leased,
            buried=buried,
            oldest_seconds=0.0 if oldest is None else (now - oldest) / 1_000_000,
        )

    def close(self) -> None:
        """Close this thread's connection."""
        self._database.close()

    def _any_due(self) -> bool:
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT 1 FROM events WHERE due <= ? AND kind IN (?, ?, ?, ?, ?) LIMIT 1", (self._in(0), *KINDS)
            ).fetchone()
            return row is not None

    def _change(self, statement: str, *values: object) -> bool:
        with self._database.write() as connection:
            return connection.execute(statement, values).rowcount == 1

    def _in(self, seconds: float) -> int:
        return (self._clock() + timedelta(seconds=seconds) - _EPOCH) // _MICROSECOND


def _numbers(grave: Buried) -> tuple[int, int]:
    """Return id and time of a burial: an id may have been given again since."""
    number, _, buried_at = grave.receipt.partition("-")
    return int(number), int(buried_at)


def _removed(connection: sqlite3.Connection, grave: Buried) -> bool:
    return connection.execute("DELETE FROM buried WHERE id = ? AND buried_at = ?", _numbers(grave)).rowcount == 1


def _event(kind: str, document: str) -> Event:
    return from_document(kind, json.loads(document))
