"""Jobs as a table."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from darkroom import names
from darkroom.errors import AlreadyExists, NotFound, VersionMoved
from darkroom.jobs import ABSENT, LISTED_MAX, MOVED, TAKEN
from darkroom.jobs.documents import from_document, to_document
from darkroom.sqlite import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from darkroom.jobs import Job

# ``created`` is in microseconds since 1970.
_SCHEMA = """
CREATE TABLE jobs (
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (owner, id)
) WITHOUT ROWID;
CREATE INDEX jobs_by_age ON jobs (owner, created)"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SqliteJobs:
    """``Jobs`` in the file ``path``. ``clock`` returns the present as an aware moment."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._database = Database(path, _SCHEMA, version=1)
        self._clock = clock

    def create(self, job: Job) -> None:
        with self._database.write() as connection:
            made = connection.execute(
                "INSERT INTO jobs (owner, id, created, version, document) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (job.owner, job.id, _microseconds(job.created_at), job.version, _text(job)),
            )
            if not made.rowcount:
                raise AlreadyExists(TAKEN)

    def get(self, owner: str, job_id: str) -> Job | None:
        if not names.is_id(job_id):
            return None
        with self._database.read() as connection:
            row = connection.execute("SELECT document FROM jobs WHERE owner = ? AND id = ?", (owner, job_id)).fetchone()
        return None if row is None else from_document(json.loads(row[0]))

    def replace(self, job: Job, *, version: int) -> Job:
        stored = dataclasses.replace(job, version=version + 1)
        with self._database.write() as connection:
            row = connection.execute(
                "SELECT version FROM jobs WHERE owner = ? AND id = ?", (job.owner, job.id)
            ).fetchone()
            if row is None:
                raise NotFound(ABSENT)
            if row[0] != version:
                raise VersionMoved(MOVED)
            connection.execute(
                "UPDATE jobs SET version = ?, document = ? WHERE owner = ? AND id = ?",
                (stored.version, _text(stored), job.owner, job.id),
            )
        return stored

    def list(self, owner: str) -> Sequence[Job]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT document FROM jobs WHERE owner = ? ORDER BY created DESC LIMIT ?", (owner, LISTED_MAX)
            )
            return [from_document(json.loads(text)) for (text,) in rows]

    def forget(self, owner: str, *, life: timedelta) -> None:
        with self._database.write() as connection:
            since = _microseconds(self._clock() - life)
            connection.execute("DELETE FROM jobs WHERE owner = ? AND created < ?", (owner, since))

    def close(self) -> None:
        """Close this thread's connection."""
        self._database.close()


def _text(job: Job) -> str:
    return json.dumps(to_document(job), separators=(",", ":"))


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
