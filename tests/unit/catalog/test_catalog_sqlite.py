"""What only the catalog in a file has to promise: an index that stays exact, no scans, and errors of the disk."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.catalog import Claim
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.errors import StorageFull, Unavailable
from darkroom.model import Format, Orientation, Query, State
from index_of import assert_index_of, rows
from libraries import FIRST, everything, image, images, libraries, tombstone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.model import Image


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.sqlite"


@pytest.fixture
def catalog(path: Path) -> Iterator[SqliteCatalog]:
    it = SqliteCatalog(path)
    yield it
    it.close()


@settings(deadline=None, max_examples=30)
@given(library=libraries(at_most=10), data=st.data())
def test_the_index_holds_exactly_the_terms_of_the_images(library: list[Image], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.sqlite"
        catalog = SqliteCatalog(path)
        kept = {one.id: one for one in library}
        for one in library:
            catalog.create(one)
        for one in data.draw(st.lists(st.sampled_from(library), unique=True) if library else st.just([])):
            number = round((one.uploaded_at - FIRST).total_seconds())
            after = data.draw(st.none() | st.just(tombstone(one)) | images(number))
            if after is None:
                catalog.forget(one.id)
                del kept[one.id]
            else:
                kept[one.id] = catalog.replace(after, version=1)
        assert_index_of(path, list(kept.values()))
        catalog.close()


@settings(deadline=None, max_examples=30)
@given(library=libraries(at_most=10), share=st.floats(0, 1))
def test_images_written_together_are_there_as_if_one_after_the_other(library: list[Image], share: float) -> None:
    told = (
        """SELECT id, version, tombstone, width, height, bytes, stored, taken, colors, documents.document
        FROM images JOIN documents ON number = images.document ORDER BY id""",
        "SELECT owner, bytes FROM owners ORDER BY owner",
        "SELECT owner, kind, key, name, images FROM labels ORDER BY owner, kind, key",
    )
    with tempfile.TemporaryDirectory() as folder:
        together, singly = Path(folder) / "together.sqlite", Path(folder) / "singly.sqlite"
        catalog, other = SqliteCatalog(together), SqliteCatalog(singly)
        first = round(share * len(library))
        catalog.create_together(library[:first])
        catalog.create_together(library[first:])
        for one in library:
            other.create(one)
        assert_index_of(together, library)
        assert [rows(together, sql) for sql in told] == [rows(singly, sql) for sql in told]
        catalog.close()
        other.close()


def test_a_change_that_search_does_not_see_leaves_the_index_alone(catalog: SqliteCatalog) -> None:
    catalog.create(image(0, tags=("cat", "dog")))
    connection = catalog._database._connection()
    before = connection.total_changes
    catalog.replace(image(0, tags=("dog", "cat"), focus=(0.5, 0.5)), version=1)
    assert connection.total_changes - before == 2, "the document and its version"
    catalog.replace(image(0, tags=("dog", "cat", "new")), version=2)
    assert connection.total_changes - before == 2 + 2 + 3 + 1, "and a new term, its entry, its count; the tag's"


@pytest.mark.parametrize(
    "query",
    [
        Query(owner="local"),
        Query(owner="local", tags=("cat", "dog"), min_width=3, max_bytes=7, orientation=Orientation.SQUARE),
        Query(owner="local", formats=(Format.PNG, Format.GIF), states=(State.READY, State.FAILED)),
        Query(owner="local", uploaded_after=FIRST, words="img 3"),
    ],
)
def test_a_search_walks_indexes_and_neither_scans_nor_sorts(path: Path, query: Query) -> None:
    catalog = SqliteCatalog(path, work_per_page=5)
    for number in range(30):
        kind = Format.PNG if number % 2 else Format.GIF
        catalog.create(image(number, tags=("cat", "dog"), kind=kind, width=5, height=5, length=5))
    statements: list[str] = []
    connection = catalog._database._connection()
    connection.set_trace_callback(statements.append)
    assert catalog.search(query).items
    connection.set_trace_callback(None)
    steps = [
        step
        for statement in statements
        if statement.startswith("SELECT")
        for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    assert len(steps) > 5
    assert not [step for step in steps if "SCAN" in step and "json_each" not in step and "CONSTANT" not in step]
    assert not [step for step in steps if "ORDER BY" in step]
    catalog.close()


def test_what_was_written_is_there_when_the_process_dies_at_once(path: Path) -> None:
    program = (
        "import os, sys, libraries; from pathlib import Path; from darkroom.catalog.sqlite import SqliteCatalog;"
        "SqliteCatalog(Path(sys.argv[1])).create(libraries.image(3, tags=('cat',))); os._exit(1)"
    )
    support = Path(__file__).parents[2] / "support"
    assert subprocess.run([sys.executable, "-c", program, str(path)], cwd=support, check=False).returncode == 1
    catalog = SqliteCatalog(path)
    assert everything(catalog, Query(owner="local", tags=("cat",))) == [image(3, tags=("cat",))]
    catalog.close()


def test_a_full_disk_is_said_and_nothing_of_the_write_is_kept(catalog: SqliteCatalog, path: Path) -> None:
    catalog.create(image(0, tags=("cat",)))
    (pages,) = rows(path, "PRAGMA page_count")[0]
    catalog._database._connection().execute(f"PRAGMA max_page_count = {pages}")
    large = image(1, title="x" * 500, tags=tuple(f"tag {number}" * 5 for number in range(500)))
    with pytest.raises(StorageFull):
        catalog.create(large)
    with pytest.raises(StorageFull):
        catalog.replace(dataclasses.replace(large, id=image(0).id), version=1)
    assert everything(catalog, Query(owner="local", states=())) == [image(0, tags=("cat",))]
    assert_index_of(path, [image(0, tags=("cat",))])


def test_a_catalog_that_does_not_answer_says_so(catalog: SqliteCatalog, path: Path) -> None:
    path.unlink()
    path.mkdir()
    with ThreadPoolExecutor(1) as pool, pytest.raises(Unavailable):
        pool.submit(catalog.check).result()


def test_a_document_of_a_later_release_is_refused_not_misread(catalog: SqliteCatalog) -> None:
    catalog.create(image(0))
    with catalog._database.write() as connection:
        connection.execute("UPDATE documents SET document = replace(document, '\"format\":1', '\"format\":2')")
    with pytest.raises(Unavailable, match="release"):
        catalog.get(image(0).id)


def test_claims_that_have_run_out_do_not_pile_up(catalog: SqliteCatalog, path: Path) -> None:
    for number in range(50):
        one = image(number * 60)
        until = one.uploaded_at + timedelta(seconds=30)
        catalog.create(one, claim=Claim(name=f"key {number}", fingerprint="f", until=until))
    assert rows(path, "SELECT count(*) FROM claims") == [(1,)]
