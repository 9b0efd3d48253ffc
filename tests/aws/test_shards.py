"""A very large owner's entries are spread over more partitions while images come, go and are searched for."""

import dataclasses
from collections import Counter
from contextlib import closing

import pytest

from darkroom.catalog.dynamodb import SHARDS_SEEN_SECONDS, DynamoCatalog
from darkroom.model import Query, State
from libraries import FIRST, everything, image, tombstone
from tables import tables_in


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


@pytest.fixture(scope="module")
def tables(emulator):
    with tables_in(emulator) as it:
        yield it


@pytest.fixture
def table(tables):
    return tables.make()


@pytest.fixture
def clock():
    return Clock()


def opened(tables, table, clock, **given):
    return closing(DynamoCatalog(tables.client, table, monotonic=clock, **given))


def spread_of(tables, table, term):
    """How many entries of the owner ``local`` each shard has under a term."""
    keys = (item["pk"]["S"] for item in tables.items(table))
    return Counter(int(key.rpartition("#")[2]) for key in keys if key.startswith(f"t#local#{term}#"))


def test_an_owner_gets_more_shards_with_all_its_images_in_place(tables, table, clock):
    with opened(tables, table, clock) as catalog, opened(tables, table, clock) as elsewhere:
        images = {number: image(number, tags=("cat",) if number % 3 else ()) for number in range(12)}
        for one in images.values():
            catalog.create(one)
        assert spread_of(tables, table, "every") == {0: 12}

        waited = []

        def wait(seconds):
            # While all processes learn of the new shards, nobody writes to them yet.
            waited.append(seconds)
            images[12] = elsewhere.create(image(12, tags=("cat",)))
            assert set(spread_of(tables, table, "every")) == {0}
            clock.wait(seconds)

        catalog.spread("local", 4, wait=wait)
        assert waited == [SHARDS_SEEN_SECONDS + 1]

        for number in range(13, 45):
            images[number] = elsewhere.create(image(number, tags=("cat",), state=State.AWAITING))
        spread = spread_of(tables, table, "every")
        assert spread.keys() == {0, 1, 2, 3}, "new entries go to all shards"
        assert spread[0] > 12, "and what was there has stayed"

        # What lies in old places and in new ones changes and goes alike.
        for number in (0, 5, 20):
            images[number] = catalog.replace(dataclasses.replace(images[number], tags=("dog",)), version=1)
        for number in (1, 30):
            catalog.replace(tombstone(images.pop(number)), version=1)
        for number in (2, 40):
            catalog.forget(images.pop(number).id)

        newest_first = sorted(images.values(), key=lambda one: one.id, reverse=True)
        for each in (catalog, elsewhere):
            for limit in (1, 7, 50):
                assert everything(each, Query(owner="local", states=(), limit=limit)) == newest_first
                cats = [one for one in newest_first if "cat" in one.tags]
                assert everything(each, Query(owner="local", states=(), tags=("cat",), limit=limit)) == cats
            used = each.usage("local", tickets_since=FIRST)
            assert used.images == len(images)
            assert used.open_tickets == sum(one.state is State.AWAITING for one in images.values())


def test_spreading_again_or_less_changes_nothing(tables, table, clock):
    with opened(tables, table, clock) as catalog:
        catalog.spread("local", 4, wait=clock.wait)
        for shards in (4, 2):
            catalog.spread("local", shards, wait=lambda seconds: pytest.fail("nothing to wait for"))
        for number in range(24):
            catalog.create(image(number))
        assert spread_of(tables, table, "every").keys() == {0, 1, 2, 3}


def test_a_spread_that_was_killed_half_way_is_run_again(tables, table, clock):
    class Killed(Exception):
        pass

    def killed(seconds):
        raise Killed

    with opened(tables, table, clock) as catalog:
        with pytest.raises(Killed):
            catalog.spread("local", 4, wait=killed)
        for number in range(8):
            catalog.create(image(number))
        assert spread_of(tables, table, "every").keys() == {0}
        catalog.spread("local", 4, wait=clock.wait)
        for number in range(8, 32):
            catalog.create(image(number))
        assert spread_of(tables, table, "every").keys() == {0, 1, 2, 3}
        assert len(everything(catalog, Query(owner="local"))) == 32


@pytest.mark.parametrize("work_per_page", [1, 3, 1000])
def test_pages_of_many_shards_are_those_of_one(tables, table, clock, work_per_page):
    with opened(tables, table, clock, work_per_page=work_per_page) as catalog:
        catalog.spread("local", 3, wait=clock.wait)
        for number in range(20):
            catalog.create(image(number, tags=("cat",) if number % 2 else ("dog",)))
        for limit in (1, 4, 50):
            found = everything(catalog, Query(owner="local", tags=("cat",), limit=limit))
            assert [one.id for one in found] == [image(number).id for number in range(19, 0, -2)]
