"""What every catalog promises of tags and albums and their counts."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogs import EMBEDDED, KINDS, TABLES, opened
from darkroom import names
from darkroom.catalog.dynamodb import DynamoCatalog
from darkroom.catalog.labels import LabelKind
from darkroom.model import State
from libraries import ALBUMS, OWNERS, TAGS, image, images, libraries, tombstone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from darkroom.catalog import Catalog
    from darkroom.model import Image

pytestmark = pytest.mark.usefixtures("catalogs_on_aws")


@pytest.fixture(params=KINDS)
def catalog(request: pytest.FixtureRequest) -> Iterator[Catalog]:
    with opened(request.param) as it:
        yield it


def tags(catalog: Catalog, prefix: str = "", *, owner: str = "local", after: str = "", limit: int = 100) -> Any:
    found = catalog.labels(owner, LabelKind.TAG, prefix=prefix, after=after, limit=limit)
    return [(label.name, label.images) for label in found]


def albums(catalog: Catalog, owner: str = "local") -> Any:
    found = catalog.labels(owner, LabelKind.ALBUM, prefix="", after="", limit=100)
    return [(label.name, label.images) for label in found]


def test_a_name_counts_the_ready_images_that_have_it_and_no_longer_than_one_does(catalog: Catalog) -> None:
    catalog.create(image(0, tags=("cat", "sea"), album="Summer", state=State.PROCESSING))
    assert (tags(catalog), albums(catalog)) == ([], [])
    catalog.replace(image(0, tags=("cat", "sea"), album="Summer"), version=1)
    catalog.create(image(1, tags=("cat",), album="Winter"))
    catalog.create(image(2, tags=("cat",), state=State.FAILED))
    assert (tags(catalog), albums(catalog)) == ([("cat", 2), ("sea", 1)], [("Summer", 1), ("Winter", 1)])
    catalog.replace(image(0, tags=("dog",)), version=2)
    assert (tags(catalog), albums(catalog)) == ([("cat", 1), ("dog", 1)], [("Winter", 1)])
    catalog.replace(tombstone(image(1)), version=1)
    assert (tags(catalog), albums(catalog)) == ([("dog", 1)], [])
    catalog.forget(image(0).id)
    assert tags(catalog) == []


def test_spellings_are_one_name_which_is_shown_as_it_was_spelled_last(catalog: Catalog) -> None:
    catalog.create(image(0, tags=("Straße", "été")))
    catalog.create(image(1, tags=("STRASSE",), album="STRASSE"))
    assert tags(catalog) == [("STRASSE", 2), ("été", 1)]
    catalog.replace(image(0, tags=("strasse", "\u00c9T\u00c9")), version=1)
    assert tags(catalog) == [("strasse", 2), ("\u00c9T\u00c9", 1)]
    assert albums(catalog) == [("STRASSE", 1)]


def test_owners_are_apart(catalog: Catalog) -> None:
    catalog.create(image(0, tags=("cat",), album="Summer"))
    catalog.create(image(1, tags=("cat", "secret"), owner="anna"))
    assert tags(catalog) == [("cat", 1)]
    assert tags(catalog, owner="anna") == [("cat", 1), ("secret", 1)]
    assert (tags(catalog, owner="nobody"), albums(catalog, owner="anna")) == ([], [])


LAST = chr(0x10FFFF)
ODD = (
    "a",
    "ab",
    "abc",
    "b",
    "%",
    "a%",
    "_",
    "a_",
    "猫",
    "猫の",
    "🌅",
    "a" + LAST,
    LAST,
    LAST * 64,
    "\ud7ff",
    "\ud7ffx",
    "ß" * 64,
)


@pytest.mark.parametrize("prefix", ["", "a", "ab", "abd", "a%", "_", "猫", "🌅", LAST, "a" + LAST, "\ud7ff", "s", "~"])
def test_a_prefix_finds_the_names_that_begin_so(catalog: Catalog, prefix: str) -> None:
    catalog.create(image(0, tags=ODD))
    begin_so = sorted((tag for tag in ODD if names.fold(tag).startswith(prefix)), key=names.fold)
    assert [name for name, _ in tags(catalog, prefix)] == begin_so


def test_pages_follow_one_another_while_names_come_and_go(catalog: Catalog) -> None:
    catalog.create(image(0, tags=tuple(f"t{number:02}" for number in range(10))))
    first = catalog.labels("local", LabelKind.TAG, prefix="t", after="", limit=4)
    assert [label.name for label in first] == ["t00", "t01", "t02", "t03"]
    catalog.replace(image(0, tags=("t00", "t05", "t06", "t09", "u")), version=1)
    assert tags(catalog, "t", after=first[-1].key, limit=2) == [("t05", 1), ("t06", 1)]
    assert tags(catalog, "t", after="t06", limit=2) == [("t09", 1)]
    assert tags(catalog, "t", after="x") == []


@pytest.mark.parametrize("kind", EMBEDDED)
@settings(deadline=None, max_examples=60)
@given(data=st.data(), library=libraries(at_most=8))
def test_names_are_what_counting_all_images_gives(kind: str, data: st.DataObject, library: list[Image]) -> None:
    count_after_changes(kind, data, library)


@settings(deadline=None, max_examples=12)
@given(data=st.data(), library=libraries(at_most=8))
def test_names_in_dynamodb_are_what_counting_all_images_gives(data: st.DataObject, library: list[Image]) -> None:
    count_after_changes("dynamodb", data, library)


def count_after_changes(kind: str, data: st.DataObject, library: list[Image]) -> None:
    """Change some images at random, and hold the names against a count."""
    with opened(kind) as catalog:
        now = {one.id: catalog.create(one) for one in library}
        for number in data.draw(st.lists(st.integers(0, 40), max_size=6), label="touched"):
            wished = data.draw(images(number))
            before = now.get(wished.id)
            if before is None:
                now[wished.id] = catalog.create(wished)
            elif data.draw(st.booleans(), label="forgotten"):
                catalog.forget(wished.id)
                del now[wished.id]
            else:
                now[wished.id] = catalog.replace(
                    dataclasses.replace(wished, owner=before.owner), version=before.version
                )
        for owner in OWNERS:
            for label_kind, spellings in ((LabelKind.TAG, TAGS), (LabelKind.ALBUM, ALBUMS)):
                found = catalog.labels(owner, label_kind, prefix="", after="", limit=100)
                assert [(label.key, label.images) for label in found] == counted(now.values(), owner, label_kind)
                assert all(names.fold(label.name) == label.key and label.name in spellings for label in found)
        assert list(catalog.recount(mend=True)) == []


def counted(library: Iterable[Image], owner: str, kind: LabelKind) -> list[tuple[str, int]]:
    """Return what is to be listed, told from a list of all images."""
    found: dict[str, int] = {}
    for one in library:
        if one.owner == owner and one.state is State.READY:
            has = set(one.tags) if kind is LabelKind.TAG else {one.album} - {None}
            for key in {names.fold(str(name)) for name in has}:
                found[key] = found.get(key, 0) + 1
    return sorted(found.items())


# ------------------------------------------------------------------ counts that were cut off, in DynamoDB


class Later:
    """A clock that is set on by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Later:
    return Later()


@pytest.fixture
def on_table(clock: Later) -> Iterator[tuple[DynamoCatalog, Any, str]]:
    tables = TABLES[0]
    assert tables is not None
    name = tables.make()
    with closing(DynamoCatalog(tables.client, name, clock=clock)) as catalog:
        yield catalog, tables.client, name
    tables.drop(name)


def test_counts_that_were_cut_off_are_found_and_set_right(
    on_table: tuple[DynamoCatalog, Any, str], clock: Later
) -> None:
    catalog, client, name = on_table
    for number in range(3):
        catalog.create(image(number, tags=("cat", f"t{number}"), album="Summer"))
    # As writers leave it that died: one counted too many, one too few, one not at all, one that nothing has any more.
    writer = {"S": "00000001aaaaaaaa"}
    for key, counted_as in (("cat", "5"), ("t0", "-1"), ("gone", "1")):
        item = {"pk": {"S": "l#local#tag"}, "sk": {"S": key}, "writer": writer, "counted": {"N": counted_as}}
        client.put_item(TableName=name, Item=item)
    client.delete_item(TableName=name, Key={"pk": {"S": "l#local#album"}, "sk": {"S": "summer"}})
    assert tags(catalog) == [("cat", 5), ("gone", 1), ("t1", 1), ("t2", 1)]
    assert [one.key for one in catalog.recount(mend=True)] == ["gone"], "images written this minute may be under way"
    clock.now += 100
    wrong = [(one.kind.value, one.key, one.counted, one.images) for one in catalog.recount(mend=False)]
    assert wrong == [("tag", "cat", 5, 3), ("tag", "t0", -1, 1), ("album", "summer", 0, 3)]
    assert tags(catalog)[0] == ("cat", 5), "only looked at"
    assert len(list(catalog.recount(mend=True))) == 3
    assert tags(catalog) == [("cat", 3), ("t0", 1), ("t1", 1), ("t2", 1)]
    assert albums(catalog) == [("Summer", 3)]
    clock.now += 100
    assert list(catalog.recount(mend=True)) == []
    catalog.replace(tombstone(image(0)), version=1)
    assert tags(catalog) == [("cat", 2), ("t1", 1), ("t2", 1)]
