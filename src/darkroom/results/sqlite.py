"""The results as a table; a power failure may take the last of them, which are then made again."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from darkroom.results import Result
from darkroom.sqlite import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

# Times are microseconds since 1970. ``checksum`` is null until a result is finished and once it is void.
_SCHEMA = """
CREATE TABLE results (
    image_id TEXT NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT,
    stamp TEXT NOT NULL DEFAULT '',
    kept_size TEXT NOT NULL DEFAULT '',
    receipt TEXT,
    claimed_until INTEGER NOT NULL DEFAULT 0,
    used_at INTEGER NOT NULL,
    PRIMARY KEY (image_id, name)
) WITHOUT ROWID;
CREATE INDEX results_by_use ON results (used_at)"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000

USE_SECONDS = 3600
"""How exactly it is remembered when a result was used last: so reading one seldom writes."""


class SqliteResults:
    """``Results`` in the file ``path``. ``clock`` returns the present as an aware moment."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._database = Database(path, _SCHEMA, version=1, lasting=False)
        self._clock = clock

    def find(self, image_id: str, name: str) -> Result | None:
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT checksum, stamp, kept_size, used_at FROM results"
                " WHERE image_id = ? AND name = ? AND checksum IS NOT NULL",
                (image_id, name),
            ).fetchone()
        if row is None:
            return None
        checksum, stamp, kept_size, used_at = row
        now = self._now()
        if used_at < now - USE_SECONDS * _SECOND:
            with self._database.write() as connection:
                connection.execute(
                    "UPDATE results SET used_at = ? WHERE image_id = ? AND name = ?", (now, image_id, name)
                )
        return Result(image_id=image_id, name=name, checksum=checksum, stamp=stamp, kept_size=kept_size)

    def finished(self, image_id: str) -> Sequence[Result]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT name, checksum, stamp, kept_size FROM results"
                " WHERE image_id = ? AND checksum IS NOT NULL ORDER BY name",
                (image_id,),
            ).fetchall()
        return [
            Result(image_id=image_id, name=name, checksum=checksum, stamp=stamp, kept_size=kept_size)
            for name, checksum, stamp, kept_size in rows
        ]

    def claim(self, image_id: str, name: str, seconds: float, *, damaged: str | None = None) -> str | None:
        now, receipt = self._now(), secrets.token_hex(8)
        with self._database.write() as connection:
            claimed = connection.execute(
                "INSERT INTO results (image_id, name, receipt, claimed_until, used_at) VALUES (?1, ?2, ?3, ?4, ?5)"
                " ON CONFLICT (image_id, name) DO UPDATE"
                " SET checksum = NULL, receipt = ?3, claimed_until = ?4, used_at = ?5"
                " WHERE (checksum IS NULL AND claimed_until <= ?5) OR checksum = ?6",
                (image_id, name, receipt, now + round(seconds * _SECOND), now, damaged),
            )
            return receipt if claimed.rowcount == 1 else None

    def commit(self, receipt: str, result: Result) -> bool:
        with self._database.write() as connection:
            committed = connection.execute(
                "UPDATE results"
                " SET checksum = ?, stamp = ?, kept_size = ?, used_at = ?, receipt = NULL, claimed_until = 0"
                " WHERE image_id = ? AND name = ? AND receipt = ?",
                (result.checksum, result.stamp, result.kept_size, self._now(), result.image_id, result.name, receipt),
            )
            return committed.rowcount == 1

    def release(self, receipt: str, image_id: str, name: str) -> None:
        with self._database.write() as connection:
            connection.execute(
                "DELETE FROM results WHERE image_id = ? AND name = ? AND receipt = ?", (image_id, name, receipt)
            )

    def void(self, image_id: str) -> tuple[str, ...]:
        with self._database.read() as connection:
            query = "SELECT EXISTS (SELECT 1 FROM results WHERE image_id = ?)"
            if not connection.execute(query, (image_id,)).fetchone()[0]:
                return ()
        with self._database.write() as connection:
            rows = connection.execute(
                "UPDATE results SET checksum = NULL, receipt = NULL, claimed_until = 0, used_at = ?"
                " WHERE image_id = ? RETURNING name",
                (self._now(), image_id),
            ).fetchall()
        return tuple(sorted(name for (name,) in rows))

    def owns(self, image_id: str, name: str) -> bool:
        with self._database.read() as connection:
            query = "SELECT EXISTS (SELECT 1 FROM results WHERE image_id = ? AND name = ?)"
            return bool(connection.execute(query, (image_id, name)).fetchone()[0])

    def unused(self, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
        with self._database.read() as connection:
            return connection.execute(
                "SELECT image_id, name FROM results WHERE used_at < ? AND claimed_until <= ? ORDER BY used_at LIMIT ?",
                (_number(before), self._now(), limit),
            ).fetchall()

    def forget(self, image_id: str, name: str, before: datetime) -> None:
        with self._database.write() as connection:
            connection.execute(
                "DELETE FROM results WHERE image_id = ? AND name = ? AND used_at < ? AND claimed_until <= ?",
                (image_id, name, _number(before), self._now()),
            )

    def end_claims(self) -> None:
        """Whoever was making something is known to be gone."""
        with self._database.write() as connection:
            connection.execute("UPDATE results SET receipt = NULL, claimed_until = 0 WHERE claimed_until > 0")

    def close(self) -> None:
        """Close this thread's connection."""
        self._database.close()

    def _now(self) -> int:
        return _number(self._clock())


def _number(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
