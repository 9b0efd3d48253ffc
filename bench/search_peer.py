"""The same library and questions in SQLite with FTS5, as one would write it down: the peer of ``search.py``."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from darkroom import names
from darkroom.catalog import terms
from darkroom.catalog.documents import from_document, to_document
from darkroom.model import Order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from darkroom.model import Image, Query

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA mmap_size = 2147483648;
CREATE TABLE IF NOT EXISTS images (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, owner TEXT, state TEXT, album TEXT, format TEXT, orientation TEXT,
    width INTEGER, height INTEGER, bytes INTEGER, taken INTEGER, sha256 TEXT, untagged INTEGER, document TEXT
);
CREATE INDEX IF NOT EXISTS by_album ON images (owner, album, number);
CREATE INDEX IF NOT EXISTS by_format ON images (owner, format, number);
CREATE INDEX IF NOT EXISTS by_orientation ON images (owner, orientation, number);
CREATE INDEX IF NOT EXISTS by_state ON images (owner, state, number);
CREATE INDEX IF NOT EXISTS by_taken ON images (owner, taken);
CREATE INDEX IF NOT EXISTS by_sha256 ON images (sha256);
CREATE INDEX IF NOT EXISTS by_untagged ON images (owner, untagged, number);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (owner, tags, text, camera, lens, content = '', detail = 'full');
"""


class Peer:
    """Images in two tables; their numbers are in the order of their upload."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript(SCHEMA)
        self._number = 0

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def write(self, images: list[Image]) -> None:
        """Write images in one transaction."""
        rows, words = [], []
        for image in images:
            self._number += 1
            assert image.facts is not None
            source, exif = image.facts.source, image.facts.exif
            rows.append(
                (
                    *(self._number, image.id, image.owner, image.state.value, image.album, source.format.value),
                    *(source.orientation.value, source.width, source.height, source.bytes),
                    *(terms.measures(image).get("taken"), source.sha256, not image.tags),
                    json.dumps(to_document(image), separators=(",", ":")),
                )
            )
            tags = " ".join(_tag(tag) for tag in image.tags)
            text = f"{image.filename} {image.title or ''}"
            words.append((self._number, image.owner, tags, text, exif.camera, exif.lens))
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(f"INSERT INTO images VALUES ({', '.join('?' * 14)})", rows)  # noqa: S608 # ours
        self._connection.executemany(
            "INSERT INTO words (rowid, owner, tags, text, camera, lens) VALUES (?, ?, ?, ?, ?, ?)", words
        )
        self._connection.execute("COMMIT")

    def settle(self) -> None:
        """Do what one does after much was written."""
        self._connection.execute("INSERT INTO words (words) VALUES ('optimize')")
        self._connection.execute("ANALYZE")

    def answers(self, query: Query) -> bool:
        """Tell whether there is a way to ask this: colours are beyond a schema one writes down."""
        return query.color is None

    def search(self, query: Query) -> list[Image]:
        """Return the first page."""
        sql, values = self._sql(query)
        return [from_document(json.loads(text)) for (text,) in self._connection.execute(sql, values)]

    def _sql(self, query: Query) -> tuple[str, list[object]]:
        tests = [*_of_columns(query), *_of_bounds(query)]
        words = [f"tags : {_tag(tag)}" for tag in query.tags]
        for column, text in (("text", query.words), ("camera", query.camera), ("lens", query.lens)):
            if text is not None:
                words += [f'{column} : "{each}"' for each in terms.words(text)]
        if words:
            tests.append(("number IN (SELECT rowid FROM words WHERE words MATCH ?)", " AND ".join(words)))
        direction = "ASC" if query.order is Order.OLDEST else "DESC"
        where = " AND ".join(test for test, _ in tests)
        sql = f"SELECT document FROM images WHERE {where} ORDER BY number {direction} LIMIT {query.limit}"  # noqa: S608 # ours
        return sql, [value for _, value in tests]


def _of_columns(query: Query) -> Iterator[tuple[str, object]]:
    yield "owner = ?", query.owner
    yield "state = ?", query.states[0].value
    wanted = (("album", query.album), ("sha256", query.sha256), ("orientation", query.orientation))
    yield from ((f"{column} = ?", str(value)) for column, value in wanted if value is not None)
    if query.formats:
        yield "format = ?", query.formats[0].value
    if query.untagged:
        yield "untagged = ?", 1


def _of_bounds(query: Query) -> Iterator[tuple[str, object]]:
    for measure, least, most in (
        ("width", query.min_width, query.max_width),
        ("height", query.min_height, query.max_height),
        ("bytes", query.min_bytes, query.max_bytes),
    ):
        if least is not None:
            yield f"{measure} >= ?", least
        if most is not None:
            yield f"{measure} <= ?", most
    if query.taken_after and query.taken_before:
        yield "taken >= ?", int(query.taken_after.timestamp())
        yield "taken < ?", int(query.taken_before.timestamp())
    if query.uploaded_after:
        yield "id >= ?", names.first_id_at(query.uploaded_after)
    if query.uploaded_before:
        yield "id < ?", names.first_id_at(query.uploaded_before)


def _tag(tag: str) -> str:
    """Return a tag as one word, so that parts of it are not found."""
    return "x" + names.fold(tag).encode().hex()
