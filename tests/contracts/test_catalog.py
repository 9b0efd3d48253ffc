"""What every catalog promises, whatever keeps it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog_worker import CLAIMS, NAMES, TAGS_EACH
from catalogs import EMBEDDED, KINDS, opened
from darkroom.catalog import GET_MANY_MAX, Claim, colors
from darkroom.catalog.quotas import Quota
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.errors import AlreadyExists, Conflict, InvalidRequest, NotFound, OverQuota, VersionMoved
from darkroom.model import Exif, Format, Order, Orientation, Original, Query, State, Variant
from libraries import (
    FIRST,
    OWNERS,
    counted,
    everything,
    found_by,
    full_image,
    image,
    images,
    libraries,
    pages,
    queries,
    tombstone,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.catalog import Catalog
    from darkroom.model import Image

WORKER = Path(__file__).parents[1] / "support" / "catalog_worker.py"
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ALL = Query(owner="local", states=())

pytestmark = pytest.mark.usefixtures("catalogs_on_aws")

at_random = settings(deadline=None, max_examples=60)
at_random_on_a_network = settings(deadline=None, max_examples=12)
"""A table of a service is some milliseconds away with every request."""
for_long = settings(deadline=None, max_examples=400)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def catalog(kind: str) -> Iterator[Catalog]:
    with opened(kind) as it:
        yield it


def numbers_found(catalog: Catalog, **criteria: Any) -> list[int]:
    """Search among images named ``IMG_n.jpg`` and return the ``n`` of those found."""
    found = everything(catalog, Query(owner="local", **criteria))
    return [int(one.filename.removeprefix("IMG_").removesuffix(".jpg")) for one in found]


# ------------------------------------------------------------------ one image


@pytest.mark.parametrize("whole", [full_image(), image(1), image(2, state=State.AWAITING), tombstone(image(3))])
def test_an_image_comes_out_as_it_went_in(catalog: Catalog, whole: Image) -> None:
    catalog.create(whole)
    assert catalog.get(whole.id) == whole


@pytest.mark.parametrize(
    "text", ["", "x", image(9).id, image(9).id.upper(), "\x00", "\ud800", "../..", "é" * 26, "0" * 10**6]
)
def test_any_text_may_be_asked_for_and_forgotten(catalog: Catalog, text: str) -> None:
    catalog.create(image(1))
    assert catalog.get(text) is None
    assert catalog.get_many((text, image(1).id)) == (image(1),)
    catalog.forget(text)
    assert catalog.get(image(1).id) == image(1)


def test_an_id_is_given_once(catalog: Catalog) -> None:
    catalog.create(image(1, title="first"))
    with pytest.raises(AlreadyExists):
        catalog.create(image(1, title="second"))
    assert catalog.get(image(1).id) == image(1, title="first")
    assert numbers_found(catalog, words="second") == []


def test_what_is_no_id_is_a_mistake_of_ours(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="no id"):
        catalog.create(image(1, id="image-1"))


def test_many_images_come_in_one_request(catalog: Catalog) -> None:
    for number in range(3):
        catalog.create(image(number))
    catalog.replace(tombstone(image(1)), version=1)
    asked = (image(0).id, image(1).id, image(7).id, image(0).id)
    assert {one.id: one.state for one in catalog.get_many(asked)} == {
        image(0).id: State.READY,
        image(1).id: State.DELETED,
    }
    assert len(catalog.get_many(asked)) == 2
    assert catalog.get_many(()) == ()
    assert catalog.get_many(tuple(image(number).id for number in range(GET_MANY_MAX)))
    with pytest.raises(ValueError, match="more than"):
        catalog.get_many(tuple(image(number).id for number in range(GET_MANY_MAX + 1)))


# ------------------------------------------------------------------ writing under a condition


def test_a_write_on_the_stored_version_counts_it_up(catalog: Catalog) -> None:
    catalog.create(image(1))
    stored = catalog.replace(image(1, title="new"), version=1)
    assert stored == image(1, title="new", version=2)
    assert catalog.get(stored.id) == stored
    assert catalog.replace(image(1, title="newer", version=99), version=2).version == 3


def test_a_write_on_another_version_changes_nothing(catalog: Catalog) -> None:
    catalog.create(image(1, title="first", version=5))
    for version in (4, 6, 0, -1):
        with pytest.raises(VersionMoved):
            catalog.replace(image(1, title="second"), version=version)
    assert catalog.get(image(1).id) == image(1, title="first", version=5)
    assert numbers_found(catalog, words="second") == []
    assert numbers_found(catalog, words="first") == [1]


def test_what_is_not_there_is_not_written(catalog: Catalog) -> None:
    with pytest.raises(NotFound):
        catalog.replace(image(1), version=1)
    assert catalog.get(image(1).id) is None


def test_a_tombstone_stays_one(catalog: Catalog) -> None:
    catalog.create(image(1))
    dead = catalog.replace(tombstone(image(1)), version=1)
    assert catalog.get(dead.id) == dead
    for version in (1, 2):
        with pytest.raises(NotFound):
            catalog.replace(image(1), version=version)
    with pytest.raises(AlreadyExists):
        catalog.create(image(1))
    assert catalog.get(dead.id) == dead


def test_no_search_finds_a_tombstone(catalog: Catalog) -> None:
    catalog.create(image(1, tags=("cat",)))
    catalog.create(tombstone(image(2, tags=("cat",))))
    catalog.replace(tombstone(image(1, tags=("cat",))), version=1)
    for states in ((), tuple(State), (State.DELETED,), (State.READY, State.DELETED)):
        assert numbers_found(catalog, states=states) == []
        assert numbers_found(catalog, states=states, tags=("cat",)) == []


@pytest.mark.parametrize("last", [image(1, tags=("cat",)), tombstone(image(1, tags=("cat",)))])
def test_what_is_forgotten_leaves_no_trace(catalog: Catalog, last: Image) -> None:
    catalog.create(last)
    catalog.forget(last.id)
    catalog.forget(last.id)
    assert catalog.get(last.id) is None
    assert numbers_found(catalog, states=()) == []
    with pytest.raises(NotFound):
        catalog.replace(last, version=1)
    catalog.create(image(1, tags=("dog",)))
    assert numbers_found(catalog, tags=("dog",)) == [1]
    assert numbers_found(catalog, tags=("cat",)) == []


def test_only_the_version_that_was_looked_at_is_forgotten(catalog: Catalog) -> None:
    catalog.create(image(1))
    changed = catalog.replace(image(1, title="kept"), version=1)
    for version in (0, 1, 3):
        with pytest.raises(VersionMoved):
            catalog.forget(image(1).id, version=version)
    assert catalog.get(image(1).id) == changed
    assert numbers_found(catalog, words="kept") == [1]
    catalog.forget(image(1).id, version=2)
    catalog.forget(image(1).id, version=2)
    assert catalog.get(image(1).id) is None


# ------------------------------------------------------------------ walking over everything


def walked(catalog: Catalog, limit: int, **criteria: Any) -> list[Image]:
    """Walk to the end, ``limit`` at a time."""
    found: list[Image] = []
    while part := catalog.walk(found[-1].id if found else "", limit, **criteria):
        assert len(part) <= limit
        found.extend(part)
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, GET_MANY_MAX])
def test_a_walk_passes_every_image_of_every_owner_and_tombstones_once_in_order(catalog: Catalog, limit: int) -> None:
    for number in (5, 2, 4, 1, 3):
        catalog.create(image(number, owner=f"owner {number % 2}"))
    dead = catalog.replace(tombstone(image(3, owner="owner 1")), version=1)
    found = walked(catalog, limit)
    assert [one.id for one in found] == [image(number).id for number in range(1, 6)]
    assert found[2] == dead
    assert catalog.walk("~", limit) == ()


@pytest.mark.parametrize("limit", [1, 2, GET_MANY_MAX])
def test_a_walk_over_one_state_passes_those_of_every_owner(catalog: Catalog, limit: int) -> None:
    assert walked(catalog, limit, state=State.FAILED) == []
    for number in range(8):
        state = State.FAILED if number % 2 else State.READY
        catalog.create(image(number, owner=f"owner {number // 2}", state=state))
    catalog.replace(image(1, owner="owner 0", state=State.READY), version=1)
    catalog.replace(tombstone(image(3, owner="owner 1")), version=1)
    assert [one.id for one in walked(catalog, limit, state=State.FAILED)] == [image(5).id, image(7).id]
    assert len(walked(catalog, limit, state=State.READY)) == 5


def test_a_walk_goes_on_while_images_come_and_go(catalog: Catalog) -> None:
    for number in (1, 2, 3, 4):
        catalog.create(image(number))
    first = catalog.walk("", 2)
    catalog.forget(image(2).id)
    catalog.forget(image(3).id)
    catalog.create(image(5))
    assert [one.id for one in first] == [image(1).id, image(2).id]
    assert [one.id for one in catalog.walk(image(2).id, 2)] == [image(4).id, image(5).id]


@pytest.mark.parametrize(("limit", "state"), [(0, None), (GET_MANY_MAX + 1, None), (1, State.DELETED)])
def test_a_walk_that_cannot_be_is_a_mistake_of_ours(catalog: Catalog, limit: int, state: State | None) -> None:
    with pytest.raises(ValueError, match="walks"):
        catalog.walk("", limit, state=state)


# ------------------------------------------------------------------ at the same time


def test_of_many_who_create_an_image_one_does(catalog: Catalog) -> None:
    together = threading.Barrier(8)

    def create(number: int) -> bool:
        together.wait()
        try:
            catalog.create(image(1, title=f"by {number}"))
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(create, range(8)))
    assert created.count(True) == 1
    stored = catalog.get(image(1).id)
    assert stored is not None
    assert stored.title == f"by {created.index(True)}"


def test_no_edit_is_lost_between_threads(catalog: Catalog) -> None:
    catalog.create(image(0))

    def add(editor: int) -> None:
        for number in range(5):
            while True:
                now = catalog.get(image(0).id)
                assert now is not None
                try:
                    catalog.replace(
                        dataclasses.replace(now, tags=(*now.tags, f"{editor} {number}")), version=now.version
                    )
                    break
                except VersionMoved:
                    time.sleep(0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    every = {f"{editor} {number}" for editor in range(8) for number in range(5)}
    last = catalog.get(image(0).id)
    assert last is not None
    assert set(last.tags) == every
    assert last.version == 1 + len(every)
    assert everything(catalog, Query(owner="local", tags=("3 3", "7 4"))) == [last]


def test_a_search_sees_an_image_before_or_after_a_change_never_between(catalog: Catalog) -> None:
    catalog.create(image(0, tags=("black",)))
    done = threading.Event()

    def change() -> None:
        for version in range(1, 101):
            catalog.replace(image(0, tags=("white" if version % 2 else "black",)), version=version)
        done.set()

    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(change)
        while not done.is_set():
            for colour in ("black", "white"):
                for found in catalog.search(Query(owner="local", tags=(colour,))).items:
                    assert found.tags == (colour,)
            assert len(catalog.search(Query(owner="local")).items) == 1
            assert catalog.search(Query(owner="local", tags=("black", "white"))).items == ()
        changing.result()


# ------------------------------------------------------------------ claims


def claim(
    catalog: Catalog,
    number: int,
    *,
    owner: str = "local",
    name: str = "key",
    fingerprint: str = "same",
    after: float | None = None,
) -> int:
    """Create image ``number`` with a claim for a minute, ``after`` seconds or as many as its number; tell which is."""
    mine = image(number, owner=owner)
    if after is not None:
        mine = dataclasses.replace(mine, uploaded_at=FIRST + timedelta(seconds=after))
    until = mine.uploaded_at + timedelta(seconds=60)
    given = catalog.create(mine, claim=Claim(name=name, fingerprint=fingerprint, until=until))
    assert catalog.get(given.id) == given
    return int(given.filename.removeprefix("IMG_").removesuffix(".jpg"))


def test_the_first_claim_wins_and_everybody_else_is_given_its_image(catalog: Catalog) -> None:
    assert claim(catalog, 0) == 0
    assert claim(catalog, 1) == 0
    assert claim(catalog, 2) == 0
    assert numbers_found(catalog) == [0]


def test_who_claims_later_is_given_the_image_as_it_is_now(catalog: Catalog) -> None:
    claim(catalog, 0)
    stored = catalog.replace(image(0, title="changed"), version=1)
    assert catalog.create(image(1), claim=Claim(name="key", fingerprint="same", until=NOW)) == stored
    dead = catalog.replace(tombstone(image(0)), version=2)
    assert catalog.create(image(1), claim=Claim(name="key", fingerprint="same", until=NOW)) == dead
    assert catalog.get(image(1).id) is None


def test_claims_are_by_name_and_owner(catalog: Catalog) -> None:
    assert claim(catalog, 0) == 0
    assert claim(catalog, 1, name="Key") == 1
    assert claim(catalog, 2, owner="anna") == 2
    assert claim(catalog, 3, name="“key”\x00'") == 3


def test_a_claim_for_another_request_is_a_conflict(catalog: Catalog) -> None:
    claim(catalog, 0)
    with pytest.raises(Conflict):
        claim(catalog, 1, fingerprint="another")
    assert claim(catalog, 2) == 0
    assert numbers_found(catalog) == [0]


def test_a_name_is_free_again_when_its_time_has_passed(catalog: Catalog) -> None:
    claim(catalog, 0)
    assert claim(catalog, 1, after=59.999) == 0
    assert claim(catalog, 60, fingerprint="another") == 60
    assert claim(catalog, 61, fingerprint="another") == 60


def test_a_name_is_free_again_when_its_image_is_forgotten(catalog: Catalog) -> None:
    claim(catalog, 0)
    catalog.forget(image(0).id)
    assert claim(catalog, 1, fingerprint="another") == 1
    assert claim(catalog, 2, fingerprint="another") == 1


def test_claims_that_have_run_out_do_not_stand_in_the_way(catalog: Catalog) -> None:
    for number in range(30):
        claim(catalog, number, name=f"key {number}")
    for number in range(30):
        assert claim(catalog, number + 100, name=f"key {number}") == number + 100


def test_an_id_that_is_taken_is_not_claimed(catalog: Catalog) -> None:
    catalog.create(image(0))
    with pytest.raises(AlreadyExists):
        claim(catalog, 0)
    assert claim(catalog, 1, fingerprint="another") == 1


def test_of_many_who_claim_a_name_one_wins(catalog: Catalog) -> None:
    together = threading.Barrier(8)

    def try_to(number: int) -> int:
        together.wait()
        return claim(catalog, number)

    with ThreadPoolExecutor(8) as pool:
        winners = set(pool.map(try_to, range(8)))
    assert len(winners) == 1
    assert numbers_found(catalog) == list(winners)


# ------------------------------------------------------------------ usage and quotas


def usage(catalog: Catalog, owner: str = "local", *, tickets_since: datetime = FIRST) -> tuple[int, int, int]:
    used = catalog.usage(owner, tickets_since=tickets_since)
    return used.images, used.bytes, used.open_tickets


def sized(number: int, length: int, **members: Any) -> Image:
    """Return image ``number``, an upload by the small door of so many bytes unless ``members`` say otherwise."""
    given: dict[str, Any] = {"state": State.PROCESSING, "promised_bytes": length}
    return image(number, **given | members)


def variant(length: int) -> Variant:
    return Variant(name="small", format=Format.AVIF, width=3, height=2, bytes=length, key="k")


def test_an_owner_without_images_has_nothing(catalog: Catalog) -> None:
    assert usage(catalog) == (0, 0, 0)
    assert usage(catalog, "nobody") == (0, 0, 0)


def test_an_image_counts_from_its_beginning_to_its_end(catalog: Catalog) -> None:
    catalog.create(sized(0, 100, state=State.AWAITING))
    assert usage(catalog) == (1, 100, 1)
    ready = image(0, length=101, variants=(variant(30), variant(12)))
    catalog.replace(ready, version=1)
    assert usage(catalog) == (1, 143, 0)
    catalog.replace(dataclasses.replace(ready, original=Original.DELETED), version=2)
    assert usage(catalog) == (1, 42, 0)
    catalog.replace(dataclasses.replace(ready, original=Original.DELETED, variants=(variant(50),)), version=3)
    assert usage(catalog) == (1, 50, 0)
    catalog.replace(tombstone(ready), version=4)
    assert usage(catalog) == (0, 0, 0)
    catalog.forget(ready.id)
    assert usage(catalog) == (0, 0, 0)


def test_an_image_that_failed_counts_as_long_as_its_original_is_kept(catalog: Catalog) -> None:
    catalog.create(sized(0, 100))
    catalog.replace(sized(0, 100, state=State.FAILED), version=1)
    assert usage(catalog) == (1, 100, 0)
    catalog.replace(sized(0, 100, state=State.FAILED, original=Original.DELETED), version=2)
    assert usage(catalog) == (1, 0, 0)


def test_a_ticket_is_open_until_it_expires(catalog: Catalog) -> None:
    for number in range(5):
        catalog.create(sized(number, 10, state=State.AWAITING))
    assert usage(catalog, tickets_since=image(2).uploaded_at) == (5, 50, 3)
    assert usage(catalog, tickets_since=image(5).uploaded_at) == (5, 50, 0)
    assert usage(catalog, tickets_since=datetime(1, 1, 1, tzinfo=UTC)) == (5, 50, 5)


def test_what_is_refused_counts_nothing(catalog: Catalog) -> None:
    catalog.create(sized(0, 100))
    with pytest.raises(AlreadyExists):
        catalog.create(sized(0, 7))
    with pytest.raises(VersionMoved):
        catalog.replace(sized(0, 7), version=9)
    with pytest.raises(NotFound):
        catalog.replace(sized(1, 7), version=1)
    with pytest.raises(OverQuota):
        catalog.create(sized(1, 7), within=Quota(images=1))
    catalog.forget(image(5).id)
    assert usage(catalog) == (1, 100, 0)


@pytest.mark.parametrize(
    ("quota", "let_in", "named"),
    [
        (Quota(images=3), [0, 1, 2], "3 images of 3"),
        (Quota(bytes=299), [0, 1], "200 of 299 bytes"),
        (Quota(bytes=300), [0, 1, 2], "300 of 300 bytes"),
        (Quota(open_tickets=2), [0, 1, 4, 5], "2 open uploads of 2"),
        (Quota(images=4, bytes=400, open_tickets=4), [0, 1, 2, 3], "4 images of 4"),
        (Quota(), [0, 1, 2, 3, 4, 5], ""),
    ],
)
def test_a_quota_lets_in_what_there_is_room_for(catalog: Catalog, quota: Quota, let_in: list[int], named: str) -> None:
    catalog.create(sized(9, 1000, owner="anna", state=State.AWAITING))
    refusals = []
    for number in range(6):
        state = State.AWAITING if number < 4 else State.PROCESSING
        try:
            catalog.create(sized(number, 100, state=state), within=quota)
        except OverQuota as error:
            refusals.append(error.detail)
    assert numbers_found(catalog, states=()) == let_in[::-1]
    assert all(named in detail for detail in refusals)
    assert len(refusals) == 6 - len(let_in)


def test_there_is_room_again_after_a_delete(catalog: Catalog) -> None:
    quota = Quota(images=1, bytes=100, open_tickets=1)
    catalog.create(sized(0, 100, state=State.AWAITING), within=quota)
    with pytest.raises(OverQuota):
        catalog.create(sized(1, 100, state=State.AWAITING), within=quota)
    catalog.replace(tombstone(image(0)), version=1)
    catalog.create(sized(1, 100, state=State.AWAITING), within=quota)
    catalog.forget(image(1).id)
    catalog.create(sized(2, 100, state=State.AWAITING), within=quota)


def test_tickets_that_have_expired_are_not_in_the_way(catalog: Catalog) -> None:
    quota = Quota(open_tickets=2, ticket_life=timedelta(seconds=10))
    for number in (0, 1):
        catalog.create(sized(number, 1, state=State.AWAITING), within=quota)
    with pytest.raises(OverQuota):
        catalog.create(sized(10, 1, state=State.AWAITING), within=quota)
    catalog.create(sized(11, 1, state=State.AWAITING), within=quota)


def test_who_repeats_a_request_is_answered_though_there_is_no_room(catalog: Catalog) -> None:
    quota = Quota(images=1)
    held = Claim(name="key", fingerprint="same", until=NOW)
    first = catalog.create(image(0), within=quota, claim=held)
    assert catalog.create(image(1), within=quota, claim=held) == first


def test_a_name_is_not_bound_by_a_request_that_found_no_room(catalog: Catalog) -> None:
    catalog.create(image(0))
    for number in (1, 2):
        with pytest.raises(OverQuota):
            catalog.create(
                image(number), within=Quota(images=1), claim=Claim(name="key", fingerprint="same", until=NOW)
            )
    assert claim(catalog, 3, fingerprint="another") == 3


def test_of_many_threads_no_more_get_in_than_there_is_room_for(catalog: Catalog) -> None:
    def create(number: int) -> bool:
        try:
            catalog.create(sized(number, 100, state=State.AWAITING), within=Quota(bytes=1250))
        except OverQuota:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(create, range(40))).count(True) == 12
    assert usage(catalog) == (12, 1200, 12)


@pytest.mark.parametrize("kind", EMBEDDED)
@at_random
@given(data=st.data(), library=libraries(at_most=8))
def test_usage_is_what_counting_all_images_gives(kind: str, data: st.DataObject, library: list[Image]) -> None:
    count_after_changes(kind, data, library)


@at_random_on_a_network
@given(data=st.data(), library=libraries(at_most=8))
def test_usage_in_dynamodb_is_what_counting_all_images_gives(data: st.DataObject, library: list[Image]) -> None:
    count_after_changes("dynamodb", data, library)


def count_after_changes(kind: str, data: st.DataObject, library: list[Image]) -> None:
    """Change some images at random, and hold the usage against a count."""
    with opened(kind) as catalog:
        now = {one.id: catalog.create(one) for one in library}
        for number in data.draw(st.lists(st.integers(0, 40), max_size=6), label="touched"):
            how = data.draw(st.sampled_from(("edit", "edit", "delete", "forget")))
            change(catalog, now, data.draw(images(number)), how)
        for owner in OWNERS:
            for moment in (FIRST, FIRST + timedelta(seconds=20)):
                assert usage(catalog, owner, tickets_since=moment) == counted(owner, moment, now.values())


# ------------------------------------------------------------------ search: each criterion

LIBRARY = [
    image(0, tags=("cat", "Garden"), album="Summer", title="Sunset, over-the SEA"),
    image(1, tags=("Straße",), width=3000, height=4000, length=500),
    image(2, tags=("e\u0301te\u0301", "CAT"), album="e\u0301te\u0301", width=500, height=500, kind=Format.PNG),
    image(3, tags=("🌅", "猫"), title="東京の夜 🌅", kind=Format.GIF, sha256="ab" * 32),
    image(4, tags=('say "tag:cat"',), state=State.FAILED, title="don't'; DROP TABLE images"),
    image(5, state=State.AWAITING, title="sea", promised_sha256="ef" * 32),
    image(6, owner="anna", tags=("cat",), album="Summer", title="sea", sha256="ab" * 32),
    image(7, width=4001, length=2_000_000, title="the \u0927\u094d\u0930\u0941\u0935 of İstanbul ﬁle_2 10%"),
]

CRITERIA: list[tuple[dict[str, object], list[int]]] = [
    ({}, [7, 3, 2, 1, 0]),
    ({"tags": ("cat",)}, [2, 0]),
    ({"tags": ("CAT", "garden")}, [0]),
    ({"tags": ("cat", "Cat")}, [2, 0]),
    ({"tags": ("STRASSE",)}, [1]),
    ({"tags": ("été",)}, [2]),
    ({"tags": ("E\u0301TE\u0301",)}, [2]),
    ({"tags": ("ete",)}, []),
    ({"tags": ("猫", "🌅")}, [3]),
    ({"tags": ("ca",)}, []),
    ({"tags": ("c%",)}, []),
    ({"tags": ("cat\u200f",)}, [2, 0]),
    ({"tags": ('say "tag:cat"',), "states": ()}, [4]),
    ({"album": "summer"}, [0]),
    ({"album": "été"}, [2]),
    ({"album": "cat"}, []),
    ({"words": "sea"}, [0]),
    ({"words": "Sea SUNSET"}, [0]),
    ({"words": "the"}, [7, 0]),
    ({"words": "sunset winter"}, []),
    ({"words": "jpg"}, [7, 3, 2, 1, 0]),
    ({"words": "img_3.jpg"}, [3]),
    ({"words": "京"}, [3]),
    ({"words": "東京"}, [3]),
    ({"words": "🌅"}, [3]),
    ({"words": "ध्रुव"}, [7]),
    ({"words": "i̇stanbul"}, [7]),
    ({"words": "FILE 2"}, [7]),
    ({"words": "don't drop", "states": ()}, [4]),
    ({"formats": (Format.PNG,)}, [2]),
    ({"formats": (Format.PNG, Format.GIF, Format.AVIF)}, [3, 2]),
    ({"formats": (Format.AVIF,)}, []),
    ({"orientation": Orientation.LANDSCAPE}, [7, 3, 0]),
    ({"orientation": Orientation.PORTRAIT}, [1]),
    ({"orientation": Orientation.SQUARE}, [2]),
    ({"min_width": 4001}, [7]),
    ({"max_width": 3000}, [2, 1]),
    ({"min_height": 3001}, [1]),
    ({"max_height": 500}, [2]),
    ({"min_bytes": 1_000_001}, [7]),
    ({"max_bytes": 500}, [1]),
    ({"min_width": 3000, "max_width": 4000}, [3, 1, 0]),
    ({"min_width": 4000, "max_width": 3000}, []),
    ({"uploaded_after": image(3).uploaded_at}, [7, 3]),
    ({"uploaded_before": image(3).uploaded_at}, [2, 1, 0]),
    ({"uploaded_after": image(1).uploaded_at, "uploaded_before": image(3).uploaded_at}, [2, 1]),
    ({"uploaded_after": image(3).uploaded_at, "uploaded_before": image(1).uploaded_at}, []),
    (
        {"uploaded_after": datetime(1, 1, 1, tzinfo=UTC), "uploaded_before": datetime.max.replace(tzinfo=UTC)},
        [7, 3, 2, 1, 0],
    ),
    ({"uploaded_before": datetime(1, 1, 1, tzinfo=UTC)}, []),
    ({"sha256": "AB" * 32}, [3]),
    ({"sha256": "cd" * 32}, []),
    ({"sha256": "ef" * 32}, []),
    ({"sha256": "ef" * 32, "states": ()}, [5]),
    ({"states": (State.FAILED,)}, [4]),
    ({"states": (State.AWAITING, State.FAILED)}, [5, 4]),
    ({"states": (State.PROCESSING,)}, []),
    ({"states": ()}, [7, 5, 4, 3, 2, 1, 0]),
    ({"states": (State.AWAITING,), "formats": (Format.JPEG,)}, []),
    ({"states": (State.AWAITING,), "min_bytes": 0}, []),
    ({"states": (State.AWAITING,), "words": "sea"}, [5]),
    ({"untagged": True}, [7]),
    ({"untagged": True, "tags": ("cat",)}, []),
    ({"order": Order.OLDEST}, [0, 1, 2, 3, 7]),
    ({"order": Order.OLDEST, "tags": ("cat",)}, [0, 2]),
    ({"min_width": 10**30}, []),
    ({"max_bytes": -(10**30)}, []),
    ({"min_width": -1, "max_width": 10**30}, [7, 3, 2, 1, 0]),
]


@pytest.fixture(scope="module", params=KINDS)
def shelf(request: pytest.FixtureRequest) -> Iterator[Catalog]:
    with opened(request.param) as filled:
        for one in LIBRARY:
            filled.create(one)
        yield filled


@pytest.mark.parametrize(("criteria", "numbers"), CRITERIA, ids=[repr(criteria) for criteria, _ in CRITERIA])
def test_a_search_finds_what_it_asks_for(shelf: Catalog, criteria: dict[str, object], numbers: list[int]) -> None:
    assert numbers_found(shelf, **criteria) == numbers


SHOTS = [
    image(
        8,
        owner="ben",
        width=3500,
        height=3100,
        kind=Format.WEBP,
        length=900_000,
        tags=("red",),
        colors=("#f01010", "#0000ff"),
        exif=Exif(camera="Canon EOS R5", lens="RF 50mm F1.2", taken_at="2015-04-10T20:12:23"),
    ),
    image(
        9,
        owner="ben",
        width=3500,
        height=3100,
        kind=Format.WEBP,
        length=900_000,
        colors=("#1010f0",),
        exif=Exif(camera="", taken_at="2015-04-10T23:30:00-02:00"),
    ),
]
SHOT_SO: list[tuple[dict[str, Any], list[int]]] = [
    ({"camera": "EOS canon"}, [8]),
    ({"camera": "canon", "lens": "50mm f1"}, [8]),
    ({"camera": "canon 50mm"}, []),
    ({"words": "canon"}, []),
    ({"taken_after": datetime(2015, 4, 10, tzinfo=UTC), "taken_before": datetime(2015, 4, 11, tzinfo=UTC)}, [8]),
    ({"taken_after": datetime(2015, 4, 10, 20, 12, 23, tzinfo=UTC)}, [9, 8]),
    ({"taken_after": datetime(2015, 4, 10, 20, 12, 23, 1, tzinfo=UTC)}, [9]),
    ({"taken_before": datetime(2015, 4, 10, 20, 12, 23, tzinfo=UTC)}, []),
    ({"taken_before": datetime(2015, 4, 10, 20, 12, 23, 1, tzinfo=UTC)}, [8]),
    ({"taken_after": datetime(1, 1, 1, tzinfo=UTC), "taken_before": datetime.max.replace(tzinfo=UTC)}, [9, 8]),
    ({"color": "FF0000"}, [8]),
    ({"color": "#0000ff"}, [9, 8]),
    ({"color": "0000ff", "untagged": True}, [9]),
    ({"color": "ff8800"}, []),
    ({"order": Order.OLDEST, "orientation": Orientation.LANDSCAPE, "color": "0000ff"}, [8, 9]),
]


@pytest.fixture(scope="module", params=KINDS)
def roll(request: pytest.FixtureRequest) -> Iterator[Catalog]:
    with opened(request.param) as filled:
        for one in [*LIBRARY, *SHOTS]:
            filled.create(one)
        yield filled


@pytest.mark.parametrize(("criteria", "numbers"), SHOT_SO, ids=[repr(criteria) for criteria, _ in SHOT_SO])
def test_a_search_finds_what_was_shot_so(roll: Catalog, criteria: dict[str, Any], numbers: list[int]) -> None:
    found = everything(roll, Query(owner="ben", **criteria))
    assert [one.id for one in found] == [image(number).id for number in numbers]


SCRIPTS = """
kočka кошка γάτα կատու חתול قطة بلی बिल्ली বিড়াল பூனை పిల్లి ಬೆಕ್ಕು പൂച്ച බළලා แมว ແມວ ཞི་མི ကြောင် კატა ድመት ᏪᏌ ᐴᓯ ឆ្មា ᠮᠤᠤᠷ
猫 ねこ ネコ 고양이 ߖߊ߬ߡߊ 𐤒𐤈 𐐿𐐰𐐻 🐈 🐈‍⬛ 👩🏽‍🚀 🇮🇸 ﬁg ŉ ǅ
"""


def test_tags_in_every_script_are_found_however_they_are_composed(catalog: Catalog) -> None:
    catalog.create(image(0, tags=tuple(SCRIPTS.split())))
    catalog.create(image(1, owner="anna", tags=tuple(SCRIPTS.split())))
    for tag in SCRIPTS.split():
        for form in ("NFC", "NFD"):
            for spelled in (tag, tag.upper(), tag.casefold()):
                asked = unicodedata.normalize(form, spelled)
                assert numbers_found(catalog, tags=(asked,)) == [0], (tag, asked)
        assert numbers_found(catalog, tags=(f"{tag}x",)) == []


SIGNS = ('a"b', "a:b", "tag:cat", "a' OR 1=1 --", "a\\b", "#0", "t#anna#every#0", "%", "*", "a,b")


@pytest.mark.parametrize("tag", SIGNS)
def test_signs_in_a_tag_mean_themselves(catalog: Catalog, tag: str) -> None:
    catalog.create(image(0, tags=(tag,), album=tag))
    catalog.create(image(1, tags=("cat", "a", "b"), album="a"))
    catalog.create(image(2, owner="anna", tags=(tag,), album=tag))
    assert numbers_found(catalog, tags=(tag,)) == [0]
    assert numbers_found(catalog, album=tag) == [0]


def test_what_costly_kinds_are_for_is_refused_without_them(kind: str) -> None:
    with opened(kind, kinds=frozenset()) as bare:
        bare.create(image(0, tags=("cat",), title="sea"))
        assert numbers_found(bare, tags=("cat",)) == [0]
        for criteria in ({"words": "sea"}, {"camera": "canon"}, {"lens": "50mm"}, {"color": "7f6a55"}):
            with pytest.raises(InvalidRequest, match="cannot be searched for here") as refused:
                numbers_found(bare, **criteria)
            assert refused.value.code == "not-searchable"


def test_a_search_follows_every_change_of_an_image(catalog: Catalog) -> None:
    catalog.create(image(0, tags=("cat", "kept"), album="Summer", state=State.PROCESSING))
    catalog.replace(image(0, tags=("dog", "kept"), kind=Format.PNG), version=1)
    assert numbers_found(catalog, tags=("cat",), states=()) == []
    assert numbers_found(catalog, album="summer", states=()) == []
    assert numbers_found(catalog, states=(State.PROCESSING,)) == []
    assert numbers_found(catalog, tags=("dog", "kept"), formats=(Format.PNG,), min_width=4000) == [0]


# ------------------------------------------------------------------ search: anything, anyhow


BOUNDS = st.sampled_from((1, 2, 3, 7, 1000))
"""How many images a page may look at: few, so that pages come short, or as many as there are."""


@at_random
@given(library=libraries(), query=queries(st.integers(1, 5)), work_per_page=BOUNDS)
def test_any_search_finds_what_a_filter_finds_in_the_same_pages_everywhere(
    library: list[Image], query: Query, work_per_page: int
) -> None:
    compare_pages(EMBEDDED, library, query, work_per_page)


@at_random_on_a_network
@given(library=libraries(at_most=12), query=queries(st.integers(1, 5)), work_per_page=BOUNDS)
def test_any_search_in_dynamodb_finds_the_same_pages(library: list[Image], query: Query, work_per_page: int) -> None:
    compare_pages(KINDS, library, query, work_per_page)


@pytest.mark.soak
@for_long
@given(library=libraries(), query=queries(st.integers(1, 5)), work_per_page=BOUNDS)
def test_any_search_finds_the_same_pages_everywhere_for_long(
    library: list[Image], query: Query, work_per_page: int
) -> None:
    compare_pages(KINDS, library, query, work_per_page)


def compare_pages(kinds: tuple[str, ...], library: list[Image], query: Query, work_per_page: int) -> None:
    """Search in catalogs of these kinds, and hold what is found against a filter and one another."""
    with ExitStack() as stack:
        found = []
        for kind in kinds:
            catalog = stack.enter_context(opened(kind, work_per_page=work_per_page))
            for one in library:
                catalog.create(one)
            found.append(pages(catalog, query))
    assert [one for page in found[0] for one in page.items] == found_by(query, library)
    assert all(len(page.items) <= query.limit for page in found[0])
    assert all(each == found[0] for each in found)


@at_random
@given(data=st.data(), library=libraries(), query=queries(st.integers(1, 3)), work_per_page=BOUNDS)
def test_pages_are_right_and_the_same_everywhere_while_images_come_and_go(
    data: st.DataObject, library: list[Image], query: Query, work_per_page: int
) -> None:
    page_through_changes(EMBEDDED, data, library, query, work_per_page)


@at_random_on_a_network
@given(data=st.data(), library=libraries(at_most=12), query=queries(st.integers(1, 3)), work_per_page=BOUNDS)
def test_pages_of_dynamodb_are_right_and_the_same_while_images_come_and_go(
    data: st.DataObject, library: list[Image], query: Query, work_per_page: int
) -> None:
    page_through_changes(KINDS, data, library, query, work_per_page)


@pytest.mark.soak
@for_long
@given(data=st.data(), library=libraries(), query=queries(st.integers(1, 3)), work_per_page=BOUNDS)
def test_pages_are_right_and_the_same_everywhere_while_images_come_and_go_for_long(
    data: st.DataObject, library: list[Image], query: Query, work_per_page: int
) -> None:
    page_through_changes(KINDS, data, library, query, work_per_page)


def page_through_changes(
    kinds: tuple[str, ...], data: st.DataObject, library: list[Image], query: Query, work_per_page: int
) -> None:
    """Go through all pages of a search, change images at random in between, and hold them against a filter."""
    with ExitStack() as stack:
        catalogs = [stack.enter_context(opened(kind, work_per_page=work_per_page)) for kind in kinds]
        now: dict[str, Image] = {}
        for one in library:
            now[one.id] = one
            for catalog in catalogs:
                catalog.create(one)
        throughout = {one.id for one in found_by(query, library)}
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page, *others = (catalog.search(dataclasses.replace(query, cursor=cursor)) for catalog in catalogs)
            assert all(other == page for other in others)
            matching = {one.id: one for one in found_by(query, now.values())}
            assert all(matching.get(one.id) == one for one in page.items)
            seen.extend(one.id for one in page.items)
            throughout &= matching.keys()
            cursor = page.next
            if cursor is None:
                break
            for number in data.draw(st.lists(st.integers(0, 40), max_size=3), label="touched"):
                wished, how = data.draw(images(number)), data.draw(st.sampled_from(("edit", "delete", "forget")))
                known = dict(now)
                for catalog in catalogs:
                    now = dict(known)
                    change(catalog, now, wished, how)
    newest_first = query.order is Order.NEWEST
    assert seen == sorted(set(seen), reverse=newest_first), "in order, and no image twice"
    assert throughout <= set(seen)


def change(catalog: Catalog, now: dict[str, Image], wished: Image, how: str) -> None:
    """Make an image so, or away with it, in the catalog and in what is known of it."""
    current = now.get(wished.id)
    if how == "forget":
        catalog.forget(wished.id)
        now.pop(wished.id, None)
    elif current is None:
        catalog.create(wished)
        now[wished.id] = wished
    elif current.state is not State.DELETED:
        wished = dataclasses.replace(wished, owner=current.owner)
        now[wished.id] = catalog.replace(tombstone(wished) if how == "delete" else wished, version=current.version)


# ------------------------------------------------------------------ pages


def test_pages_are_full_and_the_last_one_ends(catalog: Catalog) -> None:
    for number in range(7):
        catalog.create(image(number, tags=("cat",) if number != 3 else ()))
    sizes = [len(page.items) for page in pages(catalog, Query(owner="local", tags=("cat",), limit=2))]
    assert sizes == [2, 2, 2]


def test_pages_of_the_oldest_go_upwards(kind: str) -> None:
    with opened(kind, work_per_page=4) as catalog:
        for number in range(7):
            catalog.create(image(number, tags=("cat",), colors=("#ff0000" if number % 3 else "#0000ff",)))
        oldest = Query(owner="local", tags=("cat",), order=Order.OLDEST)
        found = pages(catalog, dataclasses.replace(oldest, limit=2))
        assert [[one.id for one in page.items] for page in found] == [
            [image(number).id for number in numbers] for numbers in ([0, 1], [2, 3], [4, 5], [6])
        ]
        found = pages(catalog, dataclasses.replace(oldest, color="ff0000"))
        assert [one.id for page in found for one in page.items] == [image(number).id for number in (1, 2, 4, 5)]


def test_colours_are_near_as_far_as_they_are_said_to_be(catalog: Catalog) -> None:
    shades = [f"#{part:02x}{part:02x}80" for part in range(0, 256, 15)]
    for number, shade in enumerate(shades):
        catalog.create(image(number, colors=(shade,)))
    for wanted in shades[::4]:
        near = [number for number, shade in enumerate(shades) if colors.near(colors.lab(wanted), colors.lab(shade))]
        assert 1 <= len(near) < len(shades)
        assert numbers_found(catalog, color=wanted) == near[::-1]


def test_a_page_whose_matches_are_rare_comes_short_with_a_cursor(kind: str) -> None:
    with opened(kind, work_per_page=10) as catalog:
        for number in range(35):
            catalog.create(image(number, width=5000 if number == 20 else 4000))
        found = pages(catalog, Query(owner="local", min_width=5000))
    assert [[one.id for one in page.items] for page in found] == [[], [image(20).id], [], []]


def test_the_rarest_criterion_is_walked(kind: str) -> None:
    with opened(kind, work_per_page=10) as catalog:
        for number in range(35):
            catalog.create(image(number, tags=("common", "rare") if number == 0 else ("common",)))
        for tags in (("common", "rare"), ("rare", "common")):
            (page,) = pages(catalog, Query(owner="local", tags=tags))
            assert [one.id for one in page.items] == [image(0).id]


@pytest.mark.parametrize(
    "other",
    [
        Query(owner="anna", tags=("cat",)),
        Query(owner="local"),
        Query(owner="local", tags=("dog",)),
        Query(owner="local", tags=("cat", "dog")),
        Query(owner="local", tags=("cat",), min_width=1),
        Query(owner="local", tags=("cat",), uploaded_before=NOW),
        Query(owner="local", album="cat"),
        Query(owner="local", tags=("cat",), states=()),
    ],
)
def test_a_cursor_of_another_search_is_refused(catalog: Catalog, other: Query) -> None:
    cursor = first_cursor(catalog)
    with pytest.raises(InvalidRequest, match="first page"):
        catalog.search(dataclasses.replace(other, cursor=cursor))


def test_a_cursor_fits_the_same_search_however_it_is_written(catalog: Catalog) -> None:
    cursor = first_cursor(catalog)
    same = Query(owner="local", tags=("CAT", "cat"), limit=7, cursor=cursor, states=(State.READY, State.READY))
    assert [one.id for one in catalog.search(same).items] == [image(1).id, image(0).id]


def test_a_cursor_that_was_altered_is_refused(catalog: Catalog) -> None:
    cursor = first_cursor(catalog)
    altered = [cursor[:at] + ("0" if letter != "0" else "1") + cursor[at + 1 :] for at, letter in enumerate(cursor)]
    for text in (*altered, cursor[:-1], cursor + "0", cursor.upper(), f" {cursor}", cursor * 2):
        with pytest.raises(InvalidRequest, match="first page"):
            catalog.search(Query(owner="local", tags=("cat",), cursor=text))


@pytest.mark.parametrize("text", ["", "x", image(1).id, "é", "\x00", "\ud800", "0" * 10**6, "Z" * 42])
def test_a_made_up_cursor_is_refused(catalog: Catalog, text: str) -> None:
    with pytest.raises(InvalidRequest, match="first page"):
        catalog.search(Query(owner="local", cursor=text))


def first_cursor(catalog: Catalog) -> str:
    for number in range(3):
        catalog.create(image(number, tags=("cat",)))
    cursor = catalog.search(Query(owner="local", tags=("cat",), limit=1)).next
    assert cursor is not None
    return cursor


# ------------------------------------------------------------------ search: what is refused


@pytest.mark.parametrize(
    ("criteria", "named"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": -1}, "limit"),
        ({"limit": 201}, "limit"),
        ({"limit": 10**30}, "limit"),
        ({"words": ""}, "q "),
        ({"words": " -_. "}, "q "),
        ({"words": "word " * 10_000}, "q "),
        ({"words": " ".join(f"w{number}" for number in range(100))}, "q "),
        ({"words": "a" * 10**7}, "q "),
        ({"tags": tuple(f"tag {number}" for number in range(10_000))}, "tag "),
        ({"tags": ("",)}, "tag "),
        ({"tags": ("\x00\ud800",)}, "tag "),
        ({"tags": ("x" * 10**6,)}, "tag "),
        ({"album": "\u202e"}, "album "),
        ({"sha256": "abc"}, "sha256 "),
        ({"sha256": "\ud800" * 64}, "sha256 "),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_a_search_that_cannot_be_meant_is_refused_at_once(
    catalog: Catalog, criteria: dict[str, object], named: str
) -> None:
    began = time.thread_time()
    with pytest.raises(InvalidRequest, match=named):
        catalog.search(Query(owner="local", **criteria))  # type: ignore[arg-type]  # as many kinds as criteria
    assert time.thread_time() - began < 1


def test_the_largest_search_there_is_takes_bounded_time(catalog: Catalog, kind: str) -> None:
    for number in range(300 if kind in EMBEDDED else 30):  # a service takes its time for 18,000 terms
        catalog.create(image(number, tags=tuple(f"tag {tag}" for tag in range(50)), title="w1 w2 w3 w4 w5 w6 w7 w8"))
    query = Query(
        owner="local",
        tags=tuple(f"tag {tag}" for tag in range(50)),
        words="w1 w2 w3 w4 w5 w6 w7 w8",
        formats=tuple(Format),
        states=(State.READY, State.FAILED),
        max_bytes=10,
    )
    began = time.thread_time()
    assert everything(catalog, query) == []
    assert time.thread_time() - began < 2


def test_a_catalog_that_works_says_so(catalog: Catalog) -> None:
    catalog.check()


# ------------------------------------------------------------------ between processes


@contextmanager
def processes(path: Path, work: str, count: int = 2) -> Iterator[tuple[subprocess.Popen[str], ...]]:
    """Start some at once on one file, and give them as they begin."""
    workers = tuple(
        subprocess.Popen(
            [sys.executable, str(WORKER), str(path), work, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in NAMES[:count]
    )
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "open\n"
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def told_by(workers: tuple[subprocess.Popen[str], ...]) -> list[list[str]]:
    """Let them begin and return the words that each has printed."""
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    return [worker.communicate(timeout=60)[0].split() for worker in workers]


def test_no_edit_is_lost_between_processes(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    catalog = SqliteCatalog(path)
    catalog.create(image(0))
    with processes(path, "tag") as workers:
        assert told_by(workers) == [["done"]] * 2
    last = catalog.get(image(0).id)
    assert last is not None
    assert set(last.tags) == {f"{name} {number}" for name in ("one", "two") for number in range(TAGS_EACH)}
    assert everything(catalog, Query(owner="local", tags=("one 24", "two 0"))) == [last]
    catalog.close()


def test_of_two_processes_that_claim_a_name_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with processes(path, "claim") as workers:
        told = told_by(workers)
    assert told[0] == told[1]
    assert len(told[0]) == CLAIMS
    catalog = SqliteCatalog(path)
    assert usage(catalog)[0] == CLAIMS
    catalog.close()


def test_four_processes_never_fill_more_than_there_is_room_for(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with processes(path, "fill", count=4) as workers:
        told = [[int(word) for word in words] for words in told_by(workers)]
    by_ticket, directly = (sum(each) for each in zip(*told, strict=True))
    assert by_ticket <= 30
    assert (by_ticket + directly) * 500 == 35_000, "all the room there is, and no more"
    catalog = SqliteCatalog(path)
    assert usage(catalog) == (70, 35_000, by_ticket)
    catalog.close()
