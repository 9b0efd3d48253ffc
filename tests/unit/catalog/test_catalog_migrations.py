"""Catalogs of earlier releases, made here as those releases made them, go on working and count rightly."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from darkroom.catalog import sqlite as sqlite_catalog
from darkroom.catalog import sqlite_labels, terms
from darkroom.catalog.documents import to_document
from darkroom.catalog.labels import LabelKind, spelled
from darkroom.catalog.quotas import stored_bytes
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.errors import Unavailable
from darkroom.model import Exif, Format, Original, Query, State, Variant
from index_of import assert_index_of
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
# As version 2 had it; what it added is filled in by hand below.
VERSION_2 = VERSION_1.replace("bytes INTEGER\n)", "bytes INTEGER,\n    stored INTEGER NOT NULL DEFAULT 0\n)").replace(
    "PRAGMA user_version = 1;",
    "CREATE TABLE owners (owner TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;\nPRAGMA user_version = 2;",
)

RED = ("#f01010",)
VARIANTS = tuple(
    Variant(name="small", format=kind, width=3, height=2, bytes=length, key=f"made/{length}")
    for kind, length in ((Format.AVIF, 700), (Format.JPEG, 90))
)
CANON = Exif(camera="Canon EOS R5", lens="RF 50mm", taken_at="2015-04-10T20:12:23")
LIBRARY = [
    image(
        0,
        length=123_456,
        variants=VARIANTS,
        tags=("Cat", "Straße", "ÉTÉ"),
        album="STRASSE",
        colors=RED,
        exif=CANON,
    ),
    image(1, length=50_000, variants=VARIANTS[:1], original=Original.DELETED),
    image(2, state=State.AWAITING, promised_bytes=77),
    image(3, state=State.FAILED, promised_bytes=88, owner="anna"),
    image(4, state=State.PROCESSING, tags=("Cat", "dog")),
    tombstone(image(5, length=5, original=Original.KEPT, variants=VARIANTS)),
    image(6, owner="anna", length=1_000_000, variants=VARIANTS, tags=("cAt",)),
    image(7, tags=("CAT",), original=Original.DELETED),
]
# No release of these versions knew more than one colour of a picture.
LIBRARY = [
    one if one.facts is None else dataclasses.replace(one, facts=dataclasses.replace(one.facts, colors=()))
    for one in LIBRARY
]


def make_version_1(path: Path, schema: str = VERSION_1) -> None:
    """Write the library as the first release did; of its terms only those that are counted or looked for here."""
    connection = sqlite3.connect(path)
    connection.executescript(schema)
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
            "INSERT INTO images (id, document, version, tombstone, width, height, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (one.id, number, one.version, one.state is State.DELETED, *measures),
        )
    connection.execute("INSERT INTO claims VALUES ('local', 'key', ?, 'same', 1e12)", (LIBRARY[0].id,))
    connection.commit()
    connection.close()


def make_version_2(path: Path) -> None:
    """Write it as the release after that did."""
    make_version_1(path, VERSION_2)
    connection = sqlite3.connect(path)
    for one in LIBRARY:
        connection.execute("UPDATE images SET stored = ? WHERE id = ?", (stored_bytes(one), one.id))
        connection.execute(
            "INSERT INTO owners VALUES (?, ?) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes",
            (one.owner, stored_bytes(one)),
        )
    connection.commit()
    connection.close()


def make_version_3(path: Path) -> None:
    """Write it as the release after that did, which counted tags and albums: it brought older data there by a step."""
    make_version_2(path)
    connection = sqlite3.connect(path)
    connection.executescript(f"{sqlite_labels.STEP};\nPRAGMA user_version = 3;")
    connection.close()


@pytest.fixture(params=[make_version_1, make_version_2, make_version_3])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    request.param(tmp_path / "catalog.sqlite")
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


@pytest.mark.parametrize(
    "criteria",
    [
        {"camera": "eos"},
        {"lens": "50mm"},
        {"color": "ff0000"},
        {"tags": ("cat",), "min_width": 4000},
        {"taken_after": datetime(2015, 4, 10, tzinfo=UTC), "taken_before": datetime(2015, 4, 11, tzinfo=UTC)},
        {"untagged": True},
        {"words": "img"},
    ],
)
def test_an_old_catalog_is_searched_by_what_its_release_could_not(path: Path, criteria: dict[str, Any]) -> None:
    catalog = SqliteCatalog(path)
    assert_index_of(path, LIBRARY)
    query = Query(owner="local", **criteria)
    shown = [one for one in LIBRARY if terms.matches(one, query)]
    assert shown
    assert everything(catalog, query) == sorted(shown, key=lambda one: one.id, reverse=True)
    catalog.close()


def test_an_index_made_anew_goes_on_where_it_was_broken_off(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_catalog, "INDEXED_TOGETHER", 2)
    really, left = sqlite_catalog._index_anew, [2]

    def at_most_two(*given: Any) -> str | None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return really(*given)

    monkeypatch.setattr(sqlite_catalog, "_index_anew", at_most_two)
    with pytest.raises(KeyboardInterrupt):
        SqliteCatalog(path)
    asked = []

    def noted(connection: sqlite3.Connection, after: str, kinds: frozenset[terms.Kind]) -> str | None:
        asked.append(after)
        return really(connection, after, kinds)

    monkeypatch.setattr(sqlite_catalog, "_index_anew", noted)
    SqliteCatalog(path).close()
    assert asked[0] == LIBRARY[3].id
    assert_index_of(path, LIBRARY)


def test_who_opens_an_old_catalog_together_all_find_everything(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_catalog, "INDEXED_TOGETHER", 1)

    def found(_: int) -> list[str]:
        with closing(SqliteCatalog(path)) as catalog:
            return [one.id for one in everything(catalog, Query(owner="local", color="ff0000"))]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(found, range(4))) == [[LIBRARY[0].id]] * 4
    assert_index_of(path, LIBRARY)


def test_kinds_of_terms_that_are_switched_on_again_are_indexed_for_all_images(path: Path) -> None:
    few = frozenset({terms.Kind.COLORS})
    SqliteCatalog(path, kinds=few).close()
    assert_index_of(path, LIBRARY, few)
    with closing(SqliteCatalog(path)) as as_it_is:
        late = as_it_is.create(image(8, title="late"))
        assert_index_of(path, [*LIBRARY, late], few)
    with closing(SqliteCatalog(path, kinds=terms.ALL_KINDS)) as catalog:
        assert everything(catalog, Query(owner="local", words="late")) == [late]
    assert_index_of(path, [*LIBRARY, late])


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
