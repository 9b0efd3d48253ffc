"""What the index of a catalog in a file holds, held against the terms of the images."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from darkroom.catalog import terms

if TYPE_CHECKING:
    from pathlib import Path

    from darkroom.model import Image


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def assert_index_of(path: Path, library: list[Image], kinds: frozenset[terms.Kind] = terms.ALL_KINDS) -> None:
    """The index holds the terms of these images, the counts are right, and nothing else is left."""
    wanted = {(one.owner, term, one.id) for one in library for term in terms.terms(one, kinds)}
    entries = rows(path, "SELECT owner, terms.term, image FROM entries LEFT JOIN terms ON number = entries.term")
    assert len(entries) == len(wanted)
    assert set(entries) == wanted
    counts = rows(path, "SELECT owner, term, images FROM terms")
    assert sorted(counts) == sorted(
        (owner, term, sum((owner, term) == each[:2] for each in wanted))
        for owner, term in {each[:2] for each in wanted}
    )
    assert rows(path, "SELECT count(*) FROM documents") == [(len(library),)]
