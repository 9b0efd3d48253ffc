"""Results on demand: made once, of the best there is, and never left behind for an image that changed or is gone."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

import pictures
from darkroom import names
from darkroom.errors import InvalidRequest, NotFound, RenderFailed, Unavailable, UnreadableImage
from darkroom.events import ResultWanted
from darkroom.model import Edit, Format, OriginalPolicy, State
from darkroom.ondemand import NOT_ENLARGED, OnDemand, result_name
from darkroom.results import stamp_of
from darkroom.sweep import Ages, Sweep
from darkroom.transform.inline import InlineTransform
from darkroom.transform.options import parse
from darkroom.transform.recipes import Recipe
from rooms import OWNER, QUALITY, Room

SMALL = Recipe(name="small", width=40, height=40, formats=(Format.JPEG,), quality=QUALITY)
LARGE = Recipe(name="large", width=200, height=200, formats=(Format.AVIF, Format.JPEG), quality=QUALITY)
PICTURE = pictures.jpeg(400, 300)
WIDTH = parse("width=60").transformation


class Watched(InlineTransform):
    """Remembers what it was shown, and does ``meanwhile`` before it answers."""

    def __init__(self):
        self.seen = []
        self.meanwhile = lambda: None

    def make(self, original, wish):
        self.seen.append(len(original.read()))
        made = super().make(original, wish)
        self.meanwhile()
        return made


@pytest.fixture
def room():
    return Room(recipes=(LARGE, SMALL), originals=OriginalPolicy.KEEP)


@pytest.fixture
def transform(room):
    watched = Watched()
    room.replaced(transform=watched)
    return watched


@pytest.fixture
def image(room, transform):
    return room.ready(PICTURE)


def make(room, image, wanted=WIDTH, kind=Format.JPEG, **patience):
    OnDemand(room.service).make(image.id, wanted, kind, **patience)


def key(image, wanted=WIDTH, kind=Format.JPEG):
    return names.asset_prefix(image.id) + result_name(wanted, kind)


def results_of(room):
    return sorted(each for each in room.objects() if "/t/" in each)


def test_a_result_is_made_once_and_lies_under_its_canonical_key(room, transform, image):
    for _ in range(3):
        make(room, image)
    assert len(transform.seen) == 1
    assert results_of(room) == [f"i/{image.id}/t/width=60.jpg"]
    found = room.results.find(image.id, "t/width=60.jpg")
    assert found.stamp == stamp_of(image)
    assert found.kept_size == ""


def test_the_version_of_the_image_does_not_move(room, image):
    make(room, image)
    assert room.get(image) == image


def test_of_many_at_once_one_renders(room, transform, image):
    gate = threading.Event()
    transform.meanwhile = lambda: gate.wait(10)
    with ThreadPoolExecutor(30) as pool:
        waiting = [pool.submit(make, room, image) for _ in range(30)]
        gate.set()
        for each in waiting:
            each.result()
    assert len(transform.seen) == 1


def test_who_waits_longer_than_patience_is_told_to_ask_again(room, image):
    room.results.claim(image.id, "t/width=60.jpg", 60)
    with pytest.raises(Unavailable, match="being made") as refused:
        make(room, image, patience=0.05)
    assert refused.value.retry_after == 1


def test_a_maker_that_died_is_replaced_once_its_time_is_over(room, transform, image):
    room.results.claim(image.id, "t/width=60.jpg", 60)
    room.clock.advance(61)
    make(room, image)
    assert len(transform.seen) == 1


@pytest.mark.parametrize("harm", ["lost", "damaged"])
def test_a_result_that_is_not_as_it_was_put_is_made_anew(room, transform, image, harm):
    make(room, image)
    body = room.assets.get(key(image)).body
    if harm == "lost":
        room.assets.delete(key(image))
    else:
        room.assets.put(key(image), body[:-5], content_type="image/jpeg")
    make(room, image)
    assert room.assets.get(key(image)).body == body
    assert len(transform.seen) == 2


def test_a_result_that_the_ledger_lost_is_made_anew_in_its_place(room, transform, image):
    make(room, image)
    room.results.forget(image.id, "t/width=60.jpg", room.clock() + timedelta(days=1))
    make(room, image)
    assert len(transform.seen) == 2
    assert results_of(room) == [key(image)]


# ------------------------------------------------------------------ of what it is made


def sizes(room, image):
    found = {variant.key: variant for variant in image.variants}
    return {f"{each.name}.{each.format}": len(room.assets.get(each.key).body) for each in found.values()}


def test_the_cheapest_that_is_as_good_is_read(room, transform, image):
    known = sizes(room, image)
    make(room, image, parse("width=20").transformation)
    make(room, image, parse("width=60").transformation)
    make(room, image, parse("width=190").transformation)
    assert transform.seen == [known["small.jpeg"], known["large.jpeg"], len(PICTURE)]


def test_without_an_original_the_largest_there_is_and_a_word_of_it():
    room = Room(recipes=(LARGE, SMALL), originals=OriginalPolicy.DELETE)
    watched = Watched()
    room.replaced(transform=watched)
    image = room.ready(PICTURE)
    make(room, image, parse("width=300").transformation)
    made = room.results.find(image.id, "t/width=300.jpg")
    assert made.kept_size == "200x150"
    make(room, image, parse("width=150").transformation)
    assert room.results.find(image.id, "t/width=150.jpg").kept_size == ""
    assert set(watched.seen) == {sizes(room, image)["large.jpeg"]}, "never the AVIF"


def test_an_avif_is_read_where_there_is_nothing_else():
    only = dataclasses.replace(LARGE, formats=(Format.AVIF,))
    room = Room(recipes=(only,), originals=OriginalPolicy.DELETE)
    image = room.ready(PICTURE)
    make(room, image)
    assert len(results_of(room)) == 1


def test_a_picture_cropped_by_its_recipe_is_no_source():
    crop = Recipe(name="card", width=100, height=30, fit="cover", formats=(Format.JPEG,), quality=QUALITY)
    room = Room(recipes=(crop,), originals=OriginalPolicy.DELETE)
    image = room.ready(PICTURE)
    with pytest.raises(Unavailable, match="nothing is kept"):
        make(room, image)
    assert not room.results.owns(image.id, "t/width=60.jpg")


def test_an_original_that_is_lost_gives_way_to_a_rendition(room, transform, image):
    room.uploads.delete(names.original_key(image.id))
    make(room, image, parse("width=300").transformation)
    assert room.results.find(image.id, "t/width=300.jpg").kept_size == "200x150"


# ------------------------------------------------------------------ what goes wrong


class Failing(InlineTransform):
    def __init__(self, error):
        self.error = error

    def make(self, original, wish):
        raise self.error


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (RenderFailed("crashed"), RenderFailed),
        (UnreadableImage("our copy is broken"), Unavailable),
        (InvalidRequest("crop begins outside"), InvalidRequest),
        (MemoryError(), MemoryError),
    ],
)
def test_nothing_is_kept_of_a_failure(room, image, error, raised):
    room.replaced(transform=Failing(error))
    with pytest.raises(raised):
        make(room, image)
    assert not room.results.owns(image.id, "t/width=60.jpg")
    assert results_of(room) == []
    room.replaced(transform=InlineTransform())
    make(room, image)
    assert len(results_of(room)) == 1


def test_a_bucket_that_is_full_keeps_nothing(room, image):
    class Full:
        def __getattr__(self, name):
            return getattr(room.assets, name)

        def put(self, *_args, **_said):
            raise Unavailable("the disk is full")

    assets = room.service.assets
    room.replaced(assets=Full())
    with pytest.raises(Unavailable):
        make(room, image)
    assert not room.results.owns(image.id, "t/width=60.jpg")
    room.replaced(assets=assets)
    make(room, image)


def test_the_bucket_is_told_what_readers_are_told_of_a_picture_that_was_too_small():
    told = {}

    class Telling:
        def __init__(self, assets):
            self._assets = assets

        def __getattr__(self, name):
            return getattr(self._assets, name)

        def put(self, key, body, **said):
            told[key] = said.pop("told")
            return self._assets.put(key, body, **said)

    room = Room(recipes=(LARGE, SMALL), originals=OriginalPolicy.DELETE)
    image = room.ready(PICTURE)
    room.replaced(assets=Telling(room.service.assets))
    make(room, image)
    assert told.pop(key(image)) is None
    make(room, image, parse("width=300").transformation)
    assert list(told.values()) == [{NOT_ENLARGED: "200x150"}]


def test_nothing_is_made_from_what_is_not_as_it_was_stored(room, transform, image):
    original = names.original_key(image.id)
    room.uploads.put(original, PICTURE[:-1] + b"\0", content_type="image/jpeg")
    transform.seen.clear()
    make(room, image, parse("width=390").transformation)
    assert len(PICTURE) not in transform.seen
    for variant in image.variants:
        room.assets.put(variant.key, b"damaged", content_type="image/jpeg")
    with pytest.raises(Unavailable):
        make(room, image, parse("width=391").transformation)


def test_a_used_ticket_does_not_decide_what_results_are_made_from():
    room = Room(recipes=(SMALL,), originals=OriginalPolicy.ARCHIVE)
    image = room.ready(PICTURE)
    watched = Watched()
    room.replaced(transform=watched)
    room.uploads.put(names.original_key(image.id), pictures.jpeg(500, 300), content_type="image/jpeg")
    make(room, image, parse("width=390").transformation)
    assert watched.seen == [len(PICTURE)]


def test_there_is_nothing_of_an_image_that_is_not_ready(room):
    image = room.receive(PICTURE)
    with pytest.raises(NotFound):
        make(room, image)
    with pytest.raises(NotFound):
        OnDemand(room.service).make("01k0000000000000000000000a", WIDTH, Format.JPEG)


# ------------------------------------------------------------------ when the image changes or goes


def test_delete_takes_results_along_and_none_can_be_made_any_more(room, image):
    make(room, image)
    room.service.delete(OWNER, image.id)
    assert room.objects() == {}
    assert (image.id, "t/width=60.jpg") in [(one, name) for one, names_ in room.purged.told for name in names_]
    with pytest.raises(NotFound):
        make(room, image)


def test_what_is_being_made_while_its_image_is_deleted_is_not_kept(room, transform, image):
    transform.meanwhile = lambda: room.service.delete(OWNER, image.id)
    with pytest.raises(NotFound):
        make(room, image)
    assert room.objects() == {}


def test_what_was_put_by_a_maker_that_then_died_goes_with_its_image(room, image):
    room.results.claim(image.id, "t/width=60.jpg", 60)
    room.assets.put(key(image), b"put, and never finished", content_type="image/jpeg")
    room.service.delete(OWNER, image.id)
    assert room.objects() == {}
    room.assets.put(key(image), b"even later", content_type="image/jpeg")
    room.clock.advance(60)
    room.work()
    assert room.objects() == {}, "the erasure that was promised removes it again"


def test_a_focus_ends_the_results_made_for_another(room, transform, image):
    cover = parse("width=30,height=60,fit=cover").transformation
    make(room, image, cover)
    before = room.assets.get(key(image, cover)).body
    room.service.edit(OWNER, image.id, Edit(focus=(0.0, 0.5)))
    assert results_of(room) == []
    make(room, image, cover)
    assert room.assets.get(key(image, cover)).body != before


def test_what_was_made_for_another_focus_is_never_good_even_if_it_stayed(room, transform, image):
    cover = parse("width=30,height=60,fit=cover").transformation
    make(room, image, cover)
    stale = room.results.find(image.id, result_name(cover, Format.JPEG))
    moved = dataclasses.replace(room.get(image), focus=(0.0, 0.5))
    room.catalog.replace(moved, version=moved.version)  # and died before anything else
    make(room, image, cover)
    assert room.results.find(image.id, stale.name).stamp != stale.stamp


def test_what_is_being_made_while_the_focus_changes_is_made_again(room, transform, image):
    cover = parse("width=30,height=60,fit=cover").transformation

    def change():
        transform.meanwhile = lambda: None
        room.service.edit(OWNER, image.id, Edit(focus=(0.0, 0.5)))

    transform.meanwhile = change
    make(room, image, cover)
    assert len(transform.seen) == 2
    assert room.results.find(image.id, result_name(cover, Format.JPEG)).stamp == stamp_of(room.get(image))


def test_reprocessing_ends_all_results(room, image):
    make(room, image)
    room.service.reprocess(OWNER, image.id)
    room.work()
    assert room.get(image).state is State.READY
    assert results_of(room) == []
    make(room, image)
    assert len(results_of(room)) == 1


# ------------------------------------------------------------------ upkeep


def test_unused_results_go_and_come_back(room, transform, image):
    make(room, image)
    room.clock.advance(86_400 * 31)
    assert OnDemand(room.service).forget_unused(room.clock() - timedelta(days=30)) == 1
    assert results_of(room) == []
    make(room, image)
    assert len(transform.seen) == 2


def test_used_results_stay(room, image):
    make(room, image)
    room.clock.advance(86_400 * 31)
    room.results.find(image.id, "t/width=60.jpg")
    assert OnDemand(room.service).forget_unused(room.clock() - timedelta(days=30)) == 0
    assert len(results_of(room)) == 1


def test_a_sweep_leaves_results_alone_and_takes_what_nobody_entered(room, image):
    make(room, image)
    room.assets.put(f"i/{image.id}/t/width=61.jpg", b"nobody knows of it", content_type="image/jpeg")
    room.clock.advance(86_400 * 365)
    ages = Ages.of(
        ticket_life=timedelta(minutes=15),
        longest_upload=timedelta(hours=1),
        attempts=5,
        longest_try=timedelta(minutes=2),
        failures=timedelta(days=14),
        tombstones=timedelta(days=30),
    )
    Sweep(room.service, ages, defaults=dict).run()
    assert results_of(room) == [key(image)]


def test_a_message_has_a_result_made(room, image):
    room.queue.publish(ResultWanted(image_id=image.id, options="width=60", extension="avif"))
    room.queue.publish(ResultWanted(image_id="01k0000000000000000000000a", options="width=60", extension="avif"))
    room.queue.publish(ResultWanted(image_id=image.id, options="crop=5000:0:5:5", extension="avif"))
    room.work()
    assert results_of(room) == [f"i/{image.id}/t/width=60.avif"]
    assert room.queue.depth().waiting == room.queue.depth().buried == 0
