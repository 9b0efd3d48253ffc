"""What an operator sees of the whole service: what is stored, what it saves and what was delivered."""

from __future__ import annotations

import pytest

import pictures
from darkroom import overview
from darkroom.cost.measured import Counted
from darkroom.model import OriginalPolicy
from rooms import OWNER, Room


@pytest.fixture(params=[OriginalPolicy.KEEP, OriginalPolicy.DELETE])
def room(request: pytest.FixtureRequest) -> Room:
    return Room(originals=request.param)


def test_what_each_owner_has_is_what_is_told_them(room: Room) -> None:
    room.ready()
    room.ready(pictures.jpeg(640, 480))
    owners = [f"owner{number}" for number in range(overview.MOST_OWNERS + 5)]
    found = overview.stored(room.service, [OWNER, *owners, OWNER])
    assert len(found) == overview.MOST_OWNERS
    assert found[0].owner == OWNER
    assert found[0].usage == room.service.usage(OWNER)
    assert [one.usage.bytes for one in found[1:]] == [0] * (overview.MOST_OWNERS - 1)


def test_what_is_saved_is_what_the_images_say(room: Room) -> None:
    images = [room.ready(pictures.jpeg(width, 400)) for width in (600, 500)]
    room.receive()  # which is not made yet
    found = overview.saved(room.service, overview.stored(room.service, [OWNER]))
    assert found.images == 2
    assert found.originals == sum(image.facts.source.bytes for image in images if image.facts)
    assert found.originals_kept == (found.originals if room.service.rules.originals is OriginalPolicy.KEEP else 0)
    assert found.variants == sum(variant.bytes for image in images for variant in image.variants)
    largest = [[each for each in image.variants if each.width == image.variants[0].width] for image in images]
    assert found.opened == sum(min(each.bytes for each in among) for among in largest)
    assert found.kept == found.originals_kept + found.variants


def test_where_there_is_nothing_nothing_is_saved(room: Room) -> None:
    found = overview.saved(room.service, overview.stored(room.service, [OWNER]))
    assert (found.images, found.originals, found.kept, found.opened) == (0, 0, 0, 0)
    assert overview.delivered(Counted('darkroom_deliveries_total{outcome="hot",status="200"} 3'), found).pictures == 3


def test_what_was_delivered_is_compared_with_originals_of_the_same_number() -> None:
    saved = overview.Saved(images=4, originals=4_000_000, originals_kept=0, variants=1, opened=1)
    text = """
darkroom_deliveries_total{outcome="hot",status="200"} 5
darkroom_deliveries_total{outcome="made",status="200"} 2
darkroom_deliveries_total{outcome="hot",status="304"} 100
darkroom_deliveries_total{outcome="default",status="404"} 100
darkroom_delivered_bytes_total 70000
"""
    found = overview.delivered(Counted(text), saved)
    assert (found.pictures, found.bytes, found.as_originals) == (7, 70_000, 7_000_000)
