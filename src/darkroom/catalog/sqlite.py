"""The catalog as one SQLite file.

``images`` is what a search filters by and a condition is checked on: narrow, so that it stays in memory while the
documents do not have to. A term is a number in ``terms``, which also counts its images: that keeps the index small,
tells at once which term of a query is the rarest. ``entries`` is the index ``(owner, term) → ids``. ``owners`` counts
the bytes of each owner's images, ``stored`` in each of them; ``labels`` (``sqlite_labels.py``) its tags and albums.
"""

from __future__ import annotations

import dataclasses
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom import names
from darkroom.catalog import (
    ABSENT,
    CLAIMED_OTHERWISE,
    GET_MANY_MAX,
    MOVED,
    TAKEN,
    WORK_PER_PAGE,
    check_walk,
    cursors,
    quotas,
    sqlite_labels,
    terms,
)
from darkroom.catalog.documents import from_document, to_document
from darkroom.errors import AlreadyExists, Conflict, NotFound, VersionMoved
from darkroom.model import State
from darkroom.sqlite import Database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from darkroom.catalog import Claim
    from darkroom.catalog.labels import Label, LabelKind, WrongCount
    from darkroom.catalog.quotas import Quota, Usage
    from darkroom.catalog.terms import Plan, Range
    from darkroom.model import Image, Page, Query

_VERSION = 3
_SCHEMA = (
    """
CREATE TABLE documents (
    number INTEGER PRIMARY KEY,
    document TEXT NOT NULL,
    terms TEXT NOT NULL
);
CREATE TABLE images (
    id TEXT PRIMARY KEY,
    document INTEGER NOT NULL REFERENCES documents,
    version INTEGER NOT NULL,
    tombstone INTEGER NOT NULL,
    width INTEGER,
    height INTEGER,
    bytes INTEGER,
    stored INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE owners (
    owner TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE terms (
    number INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    term TEXT NOT NULL,
    images INTEGER NOT NULL,
    UNIQUE (owner, term)
);
CREATE TABLE entries (
    term INTEGER NOT NULL REFERENCES terms,
    image TEXT NOT NULL,
    PRIMARY KEY (term, image)
) WITHOUT ROWID;
CREATE TABLE claims (
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    image TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (owner, name)
) WITHOUT ROWID;
CREATE INDEX claims_by_end ON claims (until);
"""
    + sqlite_labels.SCHEMA
)

# Each says what was true when it was written, in SQL alone: it has to do the same for ever.
_STEPS = (
    """
ALTER TABLE images ADD COLUMN stored INTEGER NOT NULL DEFAULT 0;
CREATE TABLE owners (owner TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
UPDATE images SET stored = (
    SELECT iif(
        json_extract(documents.document, '$.original') = 'kept',
        coalesce(
            json_extract(documents.document, '$.facts.source.bytes'),
            json_extract(documents.document, '$.promised_bytes'),
            0
        ),
        0
    ) + (SELECT coalesce(sum(json_extract(value, '$[4]')), 0) FROM json_each(documents.document, '$.variants'))
    FROM documents WHERE number = images.document
) WHERE NOT tombstone;
INSERT INTO owners (owner, bytes)
SELECT json_extract(documents.document, '$.owner'), sum(stored)
FROM images JOIN documents ON number = images.document
GROUP BY 1""",
    sqlite_labels.STEP,
)

_CLAIMS_TIDIED = 10
"""How many claims that have run out are removed with each new one."""


class SqliteCatalog:
    """A ``Catalog`` in the file ``path``."""

    def __init__(self, path: Path, *, work_per_page: int = WORK_PER_PAGE) -> None:
        self._work_per_page = work_per_page
        self._database = Database(path, _SCHEMA, version=_VERSION, steps=_STEPS)

    def create(self, image: Image, *, within: Quota | None = None, claim: Claim | None = None) -> Image:
        if not names.is_id(image.id):
            msg = f"{image.id!r} is no id"
            raise ValueError(msg)
        text, wanted = _text(image), terms.terms(image)
        with self._database.write() as connection:
            bound = None if claim is None else _bound(connection, image, claim)
            if bound is not None:
                return bound
            if connection.execute("SELECT 1 FROM images WHERE id = ?", (image.id,)).fetchone() is not None:
                raise AlreadyExists(TAKEN)
            if within is not None:
                within.admit(image, _usage(connection, image.owner, image.uploaded_at - within.ticket_life))
            if claim is not None:
                _bind(connection, image, claim)
            numbers = _index(connection, image, wanted, old=frozenset())
            number = connection.execute(
                "INSERT INTO documents (document, terms) VALUES (?, ?)", (text, _json(numbers))
            ).lastrowid
            connection.execute(
                "INSERT INTO images (document, version, tombstone, stored, width, height, bytes, id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (number, *_columns(image), image.id),
            )
            _account(connection, image.owner, quotas.stored_bytes(image))
            sqlite_labels.count(connection, image.owner, None, image)
        return image

    def get(self, image_id: str) -> Image | None:
        if not names.is_id(image_id):
            return None
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT documents.document FROM images JOIN documents ON number = images.document WHERE id = ?",
                (image_id,),
            ).fetchone()
        return None if row is None else from_document(json.loads(row[0]))

    def get_many(self, image_ids: tuple[str, ...]) -> tuple[Image, ...]:
        if len(image_ids) > GET_MANY_MAX:
            msg = f"{len(image_ids)} images at once are more than {GET_MANY_MAX}"
            raise ValueError(msg)
        with self._database.read() as connection:
            return _load(connection, image_ids)

    def replace(self, image: Image, *, version: int) -> Image:
        stored = dataclasses.replace(image, version=version + 1)
        text, wanted = _text(stored), terms.terms(stored)
        with self._database.write() as connection:
            row = connection.execute(
                "SELECT number, version, tombstone, stored, terms, documents.document FROM images JOIN documents"
                " ON number = images.document WHERE id = ?",
                (image.id,),
            ).fetchone()
            if row is None or row[2]:
                raise NotFound(ABSENT)
            number, found, _, took, old, before = row
            if found != version:
                raise VersionMoved(MOVED)
            numbers = _index(connection, stored, wanted, old=frozenset(json.loads(old)))
            connection.execute(
                "UPDATE documents SET document = ?, terms = ? WHERE number = ?", (text, _json(numbers), number)
            )
            connection.execute(
                "UPDATE images SET version = ?, tombstone = ?, stored = ?, width = ?, height = ?, bytes = ?"
                " WHERE id = ?",
                (*_columns(stored), image.id),
            )
            _account(connection, image.owner, quotas.stored_bytes(stored) - took)
            sqlite_labels.count(connection, image.owner, from_document(json.loads(before)), stored)
        return stored

    def walk(self, after: str, limit: int, *, state: State | None = None) -> tuple[Image, ...]:
        check_walk(limit, state)
        with self._snapshot() as connection:
            if state is None:
                rows = connection.execute(_WALK, (after, limit))
                return tuple(from_document(json.loads(text)) for (text,) in rows)
            numbers = [number for (number,) in connection.execute(_OF_ALL_OWNERS, (terms.of_state(state),))]
            ids = [image_id for (image_id,) in connection.execute(_WALK_UNDER, (_json(numbers), after, limit))]
            return tuple(sorted(_load(connection, ids), key=lambda image: image.id))

    def forget(self, image_id: str, *, version: int | None = None) -> None:
        if not names.is_id(image_id):
            return
        with self._database.write() as connection:
            row = connection.execute(
                "SELECT number, documents.document, stored, terms, version FROM images"
                " JOIN documents ON number = images.document WHERE id = ?",
                (image_id,),
            ).fetchone()
            if row is None:
                return
            number, document, took, old, found = row
            if version not in {None, found}:
                raise VersionMoved(MOVED)
            before = from_document(json.loads(document))
            _unindex(connection, image_id, json.loads(old))
            connection.execute("DELETE FROM documents WHERE number = ?", (number,))
            connection.execute("DELETE FROM images WHERE id = ?", (image_id,))
            _account(connection, before.owner, -took)
            sqlite_labels.count(connection, before.owner, before, None)

    def search(self, query: Query) -> Page:
        plan = terms.plan(query)
        start = plan.end if query.cursor is None else cursors.position(query.cursor, plan)
        with self._snapshot() as connection:
            walked, *others = sorted(_groups(connection, plan), key=lambda group: group.images)
            conditions, values = _conditions(others, plan.ranges)
            looked_to = None
            if walked.images >= self._work_per_page and (conditions or query.limit >= self._work_per_page):
                last = _walk(connection, walked, (plan.first, start), limit=1, offset=self._work_per_page - 1)
                looked_to = last[0] if last else None
            bounds = (looked_to or plan.first, start)
            ids = _walk(connection, walked, bounds, conditions, values, limit=query.limit + 1)
            found = _load(connection, ids)
        newest_first = tuple(sorted(found, key=lambda image: image.id, reverse=True))
        return cursors.page(plan, newest_first, query.limit, looked_to)

    def labels(self, owner: str, kind: LabelKind, *, prefix: str, after: str, limit: int) -> tuple[Label, ...]:
        with self._database.read() as connection:
            return sqlite_labels.listed(connection, owner, kind, prefix, after, limit)

    def recount(self, *, mend: bool) -> Iterator[WrongCount]:  # noqa: ARG002 # counts change with the images
        return iter(())

    def usage(self, owner: str, *, tickets_since: datetime) -> Usage:
        with self._snapshot() as connection:
            return _usage(connection, owner, tickets_since)

    def check(self) -> None:
        with self._database.read() as connection:
            connection.execute("SELECT id FROM images LIMIT 1").fetchall()

    def close(self) -> None:
        """Close this thread's connection."""
        self._database.close()

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """Give a connection on which all reads see the same moment."""
        with self._database.read() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")


def _text(image: Image) -> str:
    return json.dumps(to_document(image), separators=(",", ":"))


def _columns(image: Image) -> tuple[int | None, ...]:
    measured = terms.measures(image)
    stored = quotas.stored_bytes(image)
    return (image.version, image.state is State.DELETED, stored, *(measured.get(measure) for measure in terms.MEASURES))


def _bound(connection: sqlite3.Connection, image: Image, claim: Claim) -> Image | None:
    """Return the image to which the name is bound."""
    row = connection.execute(
        "SELECT fingerprint, documents.document FROM claims JOIN images ON id = claims.image"
        " JOIN documents ON number = images.document WHERE owner = ? AND name = ? AND until > ?",
        (image.owner, claim.name, image.uploaded_at.timestamp()),
    ).fetchone()
    if row is None:
        return None
    if row[0] != claim.fingerprint:
        raise Conflict(CLAIMED_OTHERWISE)
    return from_document(json.loads(row[1]))


def _bind(connection: sqlite3.Connection, image: Image, claim: Claim) -> None:
    """Bind the name, and tidy some claims that have run out."""
    connection.execute(
        "DELETE FROM claims WHERE (owner, name) IN"
        " (SELECT owner, name FROM claims WHERE until <= ? ORDER BY until LIMIT ?)",
        (image.uploaded_at.timestamp(), _CLAIMS_TIDIED),
    )
    connection.execute(
        "INSERT OR REPLACE INTO claims (owner, name, image, fingerprint, until) VALUES (?, ?, ?, ?, ?)",
        (image.owner, claim.name, image.id, claim.fingerprint, claim.until.timestamp()),
    )


_WALK = (
    "SELECT documents.document FROM images JOIN documents ON number = images.document WHERE id > ? ORDER BY id LIMIT ?"
)
_WALK_UNDER = (
    "SELECT image FROM entries WHERE term IN (SELECT value FROM json_each(?)) AND image > ? ORDER BY image LIMIT ?"
)
# There are many terms and few owners, so it jumps from owner to owner (https://www.sqlite.org/lang_with.html).
_OF_ALL_OWNERS = """
WITH RECURSIVE every_owner (owner) AS (
    SELECT min(owner) FROM terms
    UNION ALL
    SELECT (SELECT min(terms.owner) FROM terms WHERE terms.owner > every_owner.owner)
    FROM every_owner WHERE every_owner.owner IS NOT NULL
)
SELECT number FROM every_owner JOIN terms USING (owner) WHERE term = ?
"""

_USAGE = """
SELECT
    (SELECT images FROM terms WHERE owner = :owner AND term = :every),
    (SELECT bytes FROM owners WHERE owner = :owner),
    (SELECT count(*) FROM entries WHERE image >= :first
        AND term = (SELECT number FROM terms WHERE owner = :owner AND term = :awaiting))
"""


def _usage(connection: sqlite3.Connection, owner: str, tickets_since: datetime) -> Usage:
    first = names.first_id_at(tickets_since)
    images, length, tickets = connection.execute(
        _USAGE, {"owner": owner, "every": terms.EVERY, "awaiting": terms.of_state(State.AWAITING), "first": first}
    ).fetchone()
    return quotas.Usage(images=images or 0, bytes=length or 0, open_tickets=tickets)


def _account(connection: sqlite3.Connection, owner: str, more: int) -> None:
    """Add to what an owner's images take, or take away from it."""
    if more:
        connection.execute(
            "INSERT INTO owners (owner, bytes) VALUES (?, ?) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes",
            (owner, more),
        )


def _load(connection: sqlite3.Connection, image_ids: Iterable[str]) -> tuple[Image, ...]:
    rows = connection.execute(
        "SELECT documents.document FROM images JOIN documents ON number = images.document"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (_json(image_ids),),
    )
    return tuple(from_document(json.loads(text)) for (text,) in rows)


def _index(
    connection: sqlite3.Connection, image: Image, wanted: frozenset[str], *, old: frozenset[int]
) -> frozenset[int]:
    """Bring the index from the terms numbered ``old`` to those that are wanted; return their numbers."""
    known = {term: number for term, number, _ in _known(connection, image.owner, wanted)}
    for term in wanted - known.keys():
        known[term] = connection.execute(
            "INSERT INTO terms (owner, term, images) VALUES (?, ?, 0) RETURNING number", (image.owner, term)
        ).fetchone()[0]
    numbers = frozenset(known.values())
    added = numbers - old
    connection.executemany("INSERT INTO entries (term, image) VALUES (?, ?)", [(number, image.id) for number in added])
    connection.execute(
        "UPDATE terms SET images = images + 1 WHERE number IN (SELECT value FROM json_each(?))", (_json(added),)
    )
    _unindex(connection, image.id, old - numbers)
    return numbers


def _unindex(connection: sqlite3.Connection, image_id: str, gone: frozenset[int]) -> None:
    if not gone:
        return
    numbers = _json(gone)
    connection.execute(
        "DELETE FROM entries WHERE image = ? AND term IN (SELECT value FROM json_each(?))", (image_id, numbers)
    )
    connection.execute(
        "UPDATE terms SET images = images - 1 WHERE number IN (SELECT value FROM json_each(?))", (numbers,)
    )
    connection.execute("DELETE FROM terms WHERE images = 0 AND number IN (SELECT value FROM json_each(?))", (numbers,))


def _known(connection: sqlite3.Connection, owner: str, wanted: Iterable[str]) -> list[tuple[str, int, int]]:
    """Return term, number and count of images of those terms that any image of the owner has."""
    return connection.execute(
        "SELECT term, number, images FROM terms WHERE owner = ? AND term IN (SELECT value FROM json_each(?))",
        (owner, _json(wanted)),
    ).fetchall()


@dataclass(frozen=True, slots=True)
class _Group:
    """The numbers of those terms of one of the plan's groups that any image has, and how many images that makes."""

    numbers: tuple[int, ...]
    images: int


def _groups(connection: sqlite3.Connection, plan: Plan) -> list[_Group]:
    known = {
        term: (number, images)
        for term, number, images in _known(connection, plan.owner, (term for group in plan.groups for term in group))
    }
    found = ([known[term] for term in group if term in known] for group in plan.groups)
    return [_Group(tuple(number for number, _ in terms_), sum(images for _, images in terms_)) for terms_ in found]


_UNDER = "SELECT image FROM entries AS walked WHERE term = ? AND image >= ? AND image < ?"
_MEASURING = (
    " AND EXISTS (SELECT 1 FROM images WHERE id = walked.image"
    " AND width BETWEEN ? AND ? AND height BETWEEN ? AND ? AND bytes BETWEEN ? AND ?)"
)
_ALSO_UNDER = (
    " AND EXISTS (SELECT 1 FROM entries WHERE term IN (SELECT value FROM json_each(?)) AND image = walked.image)"
)


def _conditions(groups: Iterable[_Group], ranges: tuple[Range, ...]) -> tuple[str, tuple[str | int, ...]]:
    """Return what else an image under the walked group must fulfil, as SQL and its values.

    SQLite tests them in this order, so those that few images fulfil come first.
    """
    sql = ""
    values: list[str | int] = []
    if ranges:
        sql += _MEASURING
        spans = {span.measure: (span.least, span.most) for span in ranges}
        for measure in terms.MEASURES:
            values.extend(spans.get(measure, (0, terms.MEASURE_MAX)))
    for group in groups:
        sql += _ALSO_UNDER
        values.append(_json(group.numbers))
    return sql, tuple(values)


def _walk(
    connection: sqlite3.Connection,
    group: _Group,
    bounds: tuple[str, str],
    conditions: str = "",
    values: tuple[str | int, ...] = (),
    *,
    limit: int,
    offset: int = 0,
) -> list[str]:
    """Return ids under any term of the group, newest first, within the bounds (inclusive, exclusive)."""
    if not group.numbers:
        return []
    sql = " UNION ".join([_UNDER + conditions] * len(group.numbers)) + " ORDER BY image DESC LIMIT ? OFFSET ?"
    every = [value for number in group.numbers for value in (number, *bounds, *values)]
    return [image_id for (image_id,) in connection.execute(sql, (*every, limit, offset))]


def _json(values: Iterable[str | int]) -> str:
    return json.dumps(list(values))
