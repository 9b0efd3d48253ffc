"""What the catalog asks of DynamoDB: how many requests a verb takes, and how much capacity."""

import dataclasses
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from capacity import Metered, written
from darkroom.catalog import Claim, labels, terms
from darkroom.catalog.dynamodb import PARTITIONS, DynamoCatalog
from darkroom.model import Format, Order, Query, State
from libraries import FIRST, full_image, image
from tables import tables_in

IMAGES = 130


@pytest.fixture(scope="module")
def tables(emulator):
    with tables_in(emulator) as it:
        yield it


@pytest.fixture(scope="module")
def metered(tables):
    return Metered(tables.client)


@pytest.fixture(scope="module")
def filled(tables, metered):
    with closing(DynamoCatalog(metered, tables.make())) as catalog:
        for number in range(IMAGES):
            rare = ("rare",) if number % 20 == 0 else ()
            catalog.create(image(number, tags=("common", *rare), title="sea" if number % 2 else None))
        yield catalog


@pytest.fixture
def catalog(tables, metered):
    with closing(DynamoCatalog(metered, tables.make())) as it:
        yield it


def item_units(tables, catalog, image_id):
    (item,) = (item for item in tables.items(catalog._table._name) if item["sk"]["S"] == image_id)
    return written(item)


def test_a_write_takes_at_most_twice_its_item_and_its_terms(tables, metered, catalog):
    """So says the architecture; without a transaction, and in few requests."""
    awaiting = image(7, state=State.AWAITING, tags=("Cat", "Straße", "猫"), album="Summer", promised_bytes=100)
    ready = dataclasses.replace(full_image(), id=awaiting.id, tags=awaiting.tags)
    other = dataclasses.replace(ready, title="another", tags=("x", "y"))
    steps = [
        (lambda: catalog.create(awaiting), None, awaiting),
        (lambda: catalog.replace(dataclasses.replace(awaiting, generation=2), version=1), awaiting, awaiting),
        (lambda: catalog.replace(ready, version=2), awaiting, ready),
        (lambda: catalog.replace(other, version=3), ready, other),
    ]
    for step, before, after in steps:
        metered.begin()
        step()
        spent = metered.spent
        names = len(labels.changes(labels.spelled(before), labels.spelled(after)))
        # Each name is counted by one update, and removed by another request where nobody else had it.
        allowed = 2 * item_units(tables, catalog, awaiting.id) + len(terms.terms(after)) + 2 * names
        assert spent.writes <= allowed, (step, spent)
        assert spent.count <= 5 + 2 * names, spent
        assert "transact_write_items" not in spent.requests
    metered.begin()
    catalog.create(image(8), claim=Claim(name="key", fingerprint="same", until=FIRST + timedelta(days=1)))
    assert metered.spent.requests["transact_write_items"] == 1, "to bind a claim takes one"


PAGES = {
    "everything": (Query(owner="local"), 2),
    "the oldest": (Query(owner="local", order=Order.OLDEST), 2),
    "a tag": (Query(owner="local", tags=("common",)), 2),
    "a rare tag": (Query(owner="local", tags=("rare",)), 2),
    "a tag and a word": (Query(owner="local", tags=("common",), words="sea"), 3),
    "a rare tag and a word": (Query(owner="local", tags=("rare",), words="sea"), 3),
    "a tag and a size": (Query(owner="local", tags=("common",), min_width=1), 2),
    "a rare tag and a colour": (Query(owner="local", tags=("rare",), color="7f6a55"), 2),
    "a format": (Query(owner="local", formats=(Format.JPEG,)), 2),
    "a colour of six cubes": (Query(owner="local", color="7f6a55"), 7),
    "since a day": (Query(owner="local", uploaded_after=datetime(2026, 1, 1, tzinfo=UTC)), 2),
    "nothing that there is": (Query(owner="local", tags=("none",)), 2),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_takes_few_requests(metered, filled, name):
    query, most = PAGES[name]
    filled.search(Query(owner="local", limit=1))  # a process knows of its owner's shards by its first search
    metered.begin()
    page = filled.search(query)
    assert metered.spent.count <= most, metered.spent
    assert metered.spent.reads <= 2 * len(page.items) + 10, metered.spent
    assert metered.spent.writes == 0


def test_the_pages_after_the_first_take_no_more_the_further_they_are(metered, filled):
    query = Query(owner="local", tags=("common",), limit=10)
    spent = []
    cursor = None
    while True:
        metered.begin()
        page = filled.search(dataclasses.replace(query, cursor=cursor))
        spent.append((metered.spent.count, metered.spent.reads))
        cursor = page.next
        if cursor is None:
            break
    assert len(spent) == IMAGES // 10
    assert max(spent[1:]) <= (4, 18)


def test_a_page_without_matches_is_bounded_in_what_it_reads(metered, tables):
    with closing(DynamoCatalog(metered, tables.make(), work_per_page=100)) as catalog:
        for number in range(150):
            catalog.create(image(number))
        metered.begin()
        page = catalog.search(Query(owner="local", min_width=10_000))
        assert (page.items, page.next is None) == ((), False)
        assert metered.spent.reads <= 100 + 10
        assert metered.spent.count <= 8


def test_a_walk_takes_a_request_for_each_partition_and_hardly_more(metered, filled):
    metered.begin()
    assert len(filled.walk("", 100)) == 100
    assert metered.spent.requests["query"] <= 2 * PARTITIONS
    assert metered.spent.requests.keys() == {"query"}


def test_usage_takes_as_much_for_many_images_as_for_few(metered, filled, catalog):
    catalog.create(image(1))
    spent = []
    for each in (catalog, filled):
        metered.begin()
        each.usage("local", tickets_since=FIRST)
        spent.append(metered.spent.count)
    assert spent[1] <= spent[0] + 1
    assert metered.spent.reads <= 20
