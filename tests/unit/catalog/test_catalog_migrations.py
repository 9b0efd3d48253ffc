"""Catalogs of earlier releases, made here as those releases made them, go on working and count rightly."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from darkroom.catalog.documents import to_document
from darkroom.catalog.labels import LabelKind, spelled
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.errors import Unavailable
from darkroom.model import Format, Original, Query, State, Variant
from libraries import FIRST, OWNERS, counted, everything, image, tombstone

if TYPE_CHECKING:
    from pathlib import Path

    from darkroom.model import Image

VERSION_1 = """
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
    bytes INTEGER
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
PRAGMA user_version = 1;
"""

VARIANTS = tuple(
    Variant(name="small", format=kind, width=3, height=2, bytes=length, key=f"made/{length}")
    for kind, length in ((Format.AVIF, 700), (Format.JPEG, 90))
)
LIBRARY = [
    image(0, length=123_456, variants=VARIANTS, tags=("Cat", "Straße", "ÉTÉ"), album="STRASSE"),
    image(1, length=50_000, variants=VARIANTS[:1], original=Original.DELETED),
    image(2, state=State.AWAITING, promised_bytes=77),
    image(3, state=State.FAILED, promised_bytes=88, owner="anna"),
    image(4, state=State.PROCESSING, tags=("Cat", "dog")),
    tombstone(image(5, length=5, original=Original.KEPT, variants=VARIANTS)),
    image(6, owner="anna", length=1_000_000, variants=VARIANTS, tags=("cAt",)),
    image(7, tags=("CAT",), original=Original.DELETED),
]


def make_version_1(path: Path) -> None:
    """Write the library as the first release did; of its terms only those that are counted or looked for here."""
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    for number, one in enumerate(LIBRARY, 1):
        numbers = []
        labels = [f"{kind.value}:{key}" for kind, key in spelled(dataclasses.replace(one, state=State.READY))]
        for term in () if one.state is State.DELETED else ("every", f"state:{one.state.value}", *labels):
            connection.execute(
                "INSERT INTO terms (owner, term, images) VALUES (?, ?, 1)"
                " ON CONFLICT DO UPDATE SET images = images + 1",
                (one.owner, term),
            )
            row = connection.execute("SELECT number FROM terms WHERE owner = ? AND term = ?", (one.owner, term))
            numbers.append(row.fetchone()[0])
            connection.execute("INSERT INTO entries VALUES (?, ?)", (numbers[-1], one.id))
        connection.execute(
            "INSERT INTO documents VALUES (?, ?, ?)", (number, json.dumps(to_document(one)), json.dumps(numbers))
        )
        source = None if one.facts is None or one.state is State.DELETED else one.facts.source
        measures = (None,) * 3 if source is None else (source.width, source.height, source.bytes)
        connection.execute(
            "INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?)",
            (one.id, number, one.version, one.state is State.DELETED, *measures),
        )
    connection.execute("INSERT INTO claims VALUES ('local', 'key', ?, 'same', 1e12)", (LIBRARY[0].id,))
    connection.commit()
    connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_version_1(tmp_path / "catalog.sqlite")
    return tmp_path / "catalog.sqlite"


def usage(catalog: SqliteCatalog, owner: str) -> tuple[int, int, int]:
    used = catalog.usage(owner, tickets_since=FIRST)
    return used.images, used.bytes, used.open_tickets


def shape(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the columns of every table and the names of every index."""
    connection = sqlite3.connect(path)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {
        table: [*connection.execute(f"PRAGMA table_info({table})"), *connection.execute(f"PRAGMA index_list({table})")]
        for table in tables
    }
    connection.close()
    return found


def test_an_old_catalog_keeps_every_image_and_is_counted(path: Path) -> None:
    catalog = SqliteCatalog(path)
    assert [catalog.get(one.id) for one in LIBRARY] == LIBRARY
    assert [one.id for one in everything(catalog, Query(owner="anna", states=()))] == [LIBRARY[6].id, LIBRARY[3].id]
    assert {owner: usage(catalog, owner) for owner in OWNERS} == {
        "local": (5, 123_456 + 790 + 700 + 77, 1),
        "anna": (2, 88 + 1_000_790, 0),
    }
    catalog.close()


def test_an_old_catalog_goes_on_counting(path: Path) -> None:
    catalog = SqliteCatalog(path)
    now: dict[str, Image] = {one.id: one for one in LIBRARY}
    now[LIBRARY[0].id] = catalog.replace(tombstone(LIBRARY[0]), version=1)
    now[LIBRARY[2].id] = catalog.replace(image(2, length=78, variants=VARIANTS), version=1)
    for gone in (LIBRARY[3], LIBRARY[5]):
        catalog.forget(gone.id)
        del now[gone.id]
    now[image(9).id] = catalog.create(image(9, owner="anna", length=3))
    assert {owner: usage(catalog, owner) for owner in OWNERS} == {
        owner: counted(owner, FIRST, now.values()) for owner in OWNERS
    }
    catalog.close()


def test_the_tags_and_albums_of_an_old_catalog_are_counted_and_go_on_being_counted(path: Path) -> None:
    catalog = SqliteCatalog(path)

    def listed(owner: str, kind: LabelKind = LabelKind.TAG) -> list[tuple[str, str, int]]:
        found = catalog.labels(owner, kind, prefix="", after="", limit=10)
        return [(label.key, label.name, label.images) for label in found]

    # SQL folds ASCII only: another name is shown folded until somebody spells it again.
    assert listed("local") == [("cat", "CAT", 2), ("strasse", "strasse", 1), ("été", "été", 1)]
    assert listed("local", LabelKind.ALBUM) == [("strasse", "STRASSE", 1)]
    assert listed("anna") == [("cat", "cAt", 1)]
    catalog.replace(tombstone(LIBRARY[0]), version=1)
    catalog.create(image(9, tags=("Straße",)))
    assert listed("local") == [("cat", "CAT", 1), ("strasse", "Straße", 1)]
    catalog.close()


def test_an_old_catalog_becomes_like_a_new_one(path: Path, tmp_path: Path) -> None:
    SqliteCatalog(path).close()
    SqliteCatalog(tmp_path / "new.sqlite").close()
    assert shape(path) == shape(tmp_path / "new.sqlite")


def test_a_catalog_of_a_later_release_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 1000")
    connection.close()
    with pytest.raises(Unavailable, match="format 1000, this program reads"):
        SqliteCatalog(path)
