"""The catalog as one SQLite file.

``images`` is what a search filters by and a condition is checked on: narrow, so that it stays in memory while the
documents do not have to; ``colors`` are coordinates in Oklab, packed. A term is a number in ``terms``, which also
counts its images: that keeps the index small, and tells at once which term of a query is the rarest. ``entries`` is
the index ``(owner, term) → ids``. ``owners`` counts the bytes of each owner's images, ``stored`` in each of them;
``labels`` (``sqlite_labels.py``) its tags and albums. ``indexed`` says by which revision and kinds of terms the index
was made, and up to which id if it is being made anew.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from contextlib import contextmanager
from itertools import count
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
from darkroom.catalog import perceptual_hash as hashes
from darkroom.catalog.documents import from_document, to_document
from darkroom.catalog.sqlite_search import FUNCTIONS, as_json, first_ids, known_terms, packed
from darkroom.errors import AlreadyExists, Conflict, NotFound, VersionMoved
from darkroom.model import State
from darkroom.sqlite import Database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from darkroom.catalog import Claim
    from darkroom.catalog.labels import Label, LabelKind, WrongCount
    from darkroom.catalog.quotas import Quota, Usage
    from darkroom.model import Image, Page, Query

_VERSION = 4
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
    stored INTEGER NOT NULL DEFAULT 0,
    taken INTEGER,
    colors BLOB
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
CREATE TABLE indexed (
    revision INTEGER NOT NULL,
    kinds TEXT NOT NULL,
    up_to TEXT
);
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
    """
ALTER TABLE images ADD COLUMN taken INTEGER;
ALTER TABLE images ADD COLUMN colors BLOB;
CREATE TABLE indexed (revision INTEGER NOT NULL, kinds TEXT NOT NULL, up_to TEXT);
INSERT INTO indexed (revision, kinds, up_to) VALUES (0, '[]', '~')""",
)

INDEXED_TOGETHER = 500
"""Images that are indexed anew in one transaction; in between others may write."""
_CLAIMS_TIDIED = 10
"""How many claims that have run out are removed with each new one."""


class SqliteCatalog:
    """A ``Catalog`` in the file ``path``. Without ``kinds`` it indexes those that the file has been indexed by.

    A file whose index was made by another revision of the terms, or without some of these kinds, gets a new one while
    it is opened: by all processes that open it together, and after a kill from where it was.
    """

    def __init__(
        self, path: Path, *, work_per_page: int = WORK_PER_PAGE, kinds: frozenset[terms.Kind] | None = None
    ) -> None:
        self._work_per_page = work_per_page
        self._database = Database(path, _SCHEMA, version=_VERSION, steps=_STEPS, functions=FUNCTIONS)
        self._kinds = self._indexed_kinds() if kinds is None else kinds
        while self._is_to_index():
            pass

    def create(self, image: Image, *, within: Quota | None = None, claim: Claim | None = None) -> Image:
        if not names.is_id(image.id):
            msg = f"{image.id!r} is no id"
            raise ValueError(msg)
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
            _add(connection, (image,), self._kinds)
        return image

    def create_together(self, images: Sequence[Image]) -> None:
        """Add images that are not there yet, in one step: for who has very many, such as a bench."""
        with self._database.write() as connection:
            _add(connection, images, self._kinds)

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
        text, wanted = _text(stored), terms.terms(stored, self._kinds)
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
                "UPDATE documents SET document = ?, terms = ? WHERE number = ?", (text, as_json(numbers), number)
            )
            connection.execute(_UPDATE, (*_columns(stored), image.id))
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
            ids = [image_id for (image_id,) in connection.execute(_WALK_UNDER, (as_json(numbers), after, limit))]
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
        plan = terms.plan(query, self._kinds)
        bounds = cursors.bounds(query.cursor, plan)
        with self._snapshot() as connection:
            ids, looked_to = first_ids(connection, plan, bounds, query.limit + 1, self._work_per_page)
            found = _load(connection, ids)
        in_order = tuple(sorted(found, key=lambda image: image.id, reverse=not plan.oldest_first))
        return cursors.page(plan, in_order, query.limit, looked_to)

    def alike(self, owner: str, perceptual_hash: str) -> tuple[Image, ...]:
        terms.check_kind("similar", terms.Kind.LIKENESS, self._kinds)
        with self._snapshot() as connection:

            def under(wanted: tuple[str, ...], amount: int) -> list[tuple[str, str]]:
                return connection.execute(_HASHES_UNDER, (owner, as_json(wanted), amount)).fetchall()

            near = hashes.nearest(perceptual_hash, under, work=self._work_per_page)
            found = {image.id: image for image in _load(connection, near)}
        return tuple(found[image_id] for image_id in near if found[image_id].state is State.READY)

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

    def _indexed_kinds(self) -> frozenset[terms.Kind]:
        with self._database.read() as connection:
            row = connection.execute("SELECT revision, kinds FROM indexed").fetchone()
        # Of revision 0 are files of releases that had not the choice.
        return terms.ALL_KINDS if row is None or not row[0] else frozenset(map(terms.Kind, json.loads(row[1])))

    def _is_to_index(self) -> bool:
        """Index some more images anew, if the index is not what it has to be; tell whether there may be more."""
        kinds = as_json(sorted(self._kinds))
        with self._database.read() as connection:
            if connection.execute("SELECT revision, kinds, up_to FROM indexed").fetchall() == [
                (terms.REVISION, kinds, None)
            ]:
                return False
        with self._database.write() as connection:
            row = connection.execute("SELECT revision, kinds, up_to FROM indexed").fetchone()
            revision, made_of, up_to = row or (terms.REVISION, kinds, None)
            if revision != terms.REVISION or not set(json.loads(made_of)) >= self._kinds:
                up_to = ""
            if up_to is not None:
                up_to = _index_anew(connection, up_to, self._kinds)
            connection.execute("DELETE FROM indexed")
            connection.execute("INSERT INTO indexed VALUES (?, ?, ?)", (terms.REVISION, kinds, up_to))
        return up_to is not None

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """Give a connection on which all reads see the same moment."""
        with self._database.read() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")


_encoded = json.JSONEncoder(separators=(",", ":")).encode


def _text(image: Image) -> str:
    return _encoded(to_document(image))


def _columns(image: Image) -> tuple[int | bytes | None, ...]:
    measured = terms.measures(image)
    return (
        image.version,
        image.state is State.DELETED,
        quotas.stored_bytes(image),
        *(measured.get(measure) for measure in terms.MEASURES),
        packed(terms.colors(image)),
    )


_COLUMNS = ("version", "tombstone", "stored", *terms.MEASURES, "colors")
_INSERT = f"INSERT INTO images (document, {', '.join(_COLUMNS)}, id) VALUES (?, {', '.join('?' * len(_COLUMNS))}, ?)"  # noqa: S608 # ours
_UPDATE = f"UPDATE images SET {', '.join(f'{column} = ?' for column in _COLUMNS)} WHERE id = ?"  # noqa: S608 # ours


def _add(connection: sqlite3.Connection, images: Sequence[Image], kinds: frozenset[terms.Kind]) -> None:
    """Write images that there are not."""
    under = [(image, terms.terms(image, kinds)) for image in sorted(images, key=lambda image: image.id)]
    known = {owner: _numbers(connection, owner, wanted) for owner, wanted in _by_owner(under).items()}
    numbers = [[known[image.owner][term] for term in wanted] for image, wanted in under]
    entries: defaultdict[int, list[str]] = defaultdict(list)
    for (image, _), its_numbers in zip(under, numbers, strict=True):
        for number in its_numbers:
            entries[number].append(image.id)
    # In the order of the index, so that each of its pages is come to once.
    connection.executemany(
        "INSERT INTO entries (term, image) VALUES (?, ?)",
        ((number, image_id) for number in sorted(entries) for image_id in entries[number]),
    )
    connection.executemany(
        "UPDATE terms SET images = images + ? WHERE number = ?",
        ((len(entries[number]), number) for number in sorted(entries)),
    )
    first = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM documents").fetchone()[0]
    connection.executemany(
        "INSERT INTO documents (number, document, terms) VALUES (?, ?, ?)",
        (
            (number, _text(image), as_json(its_numbers))
            for number, ((image, _), its_numbers) in enumerate(zip(under, numbers, strict=True), first)
        ),
    )
    connection.executemany(
        _INSERT, ((number, *_columns(image), image.id) for number, (image, _) in enumerate(under, first))
    )
    stored: Counter[str] = Counter()
    for image, _ in under:
        stored[image.owner] += quotas.stored_bytes(image)
    for owner, more in stored.items():
        _account(connection, owner, more)
    sqlite_labels.count_new(connection, images)


def _by_owner(under: Iterable[tuple[Image, frozenset[str]]]) -> dict[str, set[str]]:
    """Return the terms of each owner."""
    found: dict[str, set[str]] = {}
    for image, wanted in under:
        found.setdefault(image.owner, set()).update(wanted)
    return found


def _numbers(connection: sqlite3.Connection, owner: str, wanted: Collection[str]) -> dict[str, int]:
    """Return the numbers of terms, given to those that are new."""
    known = {term: number for term, number, _ in known_terms(connection, owner, wanted)}
    new = sorted(term for term in wanted if term not in known)
    if new:
        first = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM terms").fetchone()[0]
        given = dict(zip(new, count(first)))
        connection.executemany(
            "INSERT INTO terms (number, owner, term, images) VALUES (?, ?, ?, 0)",
            ((number, owner, term) for term, number in given.items()),
        )
        known |= given
    return known


def _index_anew(connection: sqlite3.Connection, after: str, kinds: frozenset[terms.Kind]) -> str | None:
    """Bring some images' entries and columns to what they have to be; return the id of the last one, if any."""
    rows = connection.execute(_WALK_WITH_TERMS, (after, INDEXED_TOGETHER)).fetchall()
    last = None
    for number, text, old in rows:
        image = from_document(json.loads(text))
        numbers = _index(connection, image, terms.terms(image, kinds), old=frozenset(json.loads(old)))
        connection.execute("UPDATE documents SET terms = ? WHERE number = ?", (as_json(numbers), number))
        connection.execute(_UPDATE, (*_columns(image), image.id))
        last = image.id
    return last


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
_WALK_WITH_TERMS = (
    "SELECT number, documents.document, terms FROM images JOIN documents ON number = images.document"
    " WHERE id > ? ORDER BY id LIMIT ?"
)
_WALK_UNDER = (
    "SELECT image FROM entries WHERE term IN (SELECT value FROM json_each(?)) AND image > ? ORDER BY image LIMIT ?"
)
_HASHES_UNDER = """
SELECT id, json_extract(documents.document, '$.facts.perceptual_hash')
FROM images JOIN documents ON number = images.document
WHERE id IN (
    SELECT DISTINCT image FROM entries WHERE term IN (
        SELECT number FROM terms WHERE owner = ? AND term IN (SELECT value FROM json_each(?))
    ) ORDER BY image DESC LIMIT ?
)
"""
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
        (as_json(image_ids),),
    )
    return tuple(from_document(json.loads(text)) for (text,) in rows)


def _index(
    connection: sqlite3.Connection, image: Image, wanted: frozenset[str], *, old: frozenset[int]
) -> frozenset[int]:
    """Bring the index from the terms numbered ``old`` to those that are wanted; return their numbers."""
    numbers = frozenset(_numbers(connection, image.owner, wanted).values())
    added = numbers - old
    connection.executemany("INSERT INTO entries (term, image) VALUES (?, ?)", [(number, image.id) for number in added])
    connection.execute(
        "UPDATE terms SET images = images + 1 WHERE number IN (SELECT value FROM json_each(?))", (as_json(added),)
    )
    _unindex(connection, image.id, old - numbers)
    return numbers


def _unindex(connection: sqlite3.Connection, image_id: str, gone: frozenset[int]) -> None:
    if not gone:
        return
    numbers = as_json(gone)
    connection.execute(
        "DELETE FROM entries WHERE image = ? AND term IN (SELECT value FROM json_each(?))", (image_id, numbers)
    )
    connection.execute(
        "UPDATE terms SET images = images - 1 WHERE number IN (SELECT value FROM json_each(?))", (numbers,)
    )
    connection.execute("DELETE FROM terms WHERE images = 0 AND number IN (SELECT value FROM json_each(?))", (numbers,))
