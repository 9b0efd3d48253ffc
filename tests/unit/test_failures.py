"""The failure inbox: what is in it, and what trying again and giving up do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import pictures
from darkroom import failures, names
from darkroom.errors import NotFound, OriginalDeleted, Unavailable
from darkroom.events import EdgePurge
from darkroom.model import OriginalPolicy, State
from rooms import OWNER, Room

if TYPE_CHECKING:
    from darkroom.model import Image
    from darkroom.transform import Order, Rendered


class TroubledTransform:
    """A transform that cannot, until it can."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._real = room.service.transform

    def render(self, original: object, order: Order) -> Rendered:
        raise Unavailable("out of order")

    def close(self) -> None:
        """Nothing."""

    def mended(self) -> None:
        self._room.replaced(transform=self._real)


@pytest.fixture
def room() -> Room:
    return Room()


def refused(room: Room) -> Image:
    """An image that failed because its bytes are no picture."""
    image = room.open_upload(b"no picture")
    room.send(image, b"no picture")
    room.work()
    return room.service.image(OWNER, image.id)


def gave_up(room: Room) -> tuple[Image, TroubledTransform]:
    """An image whose event was buried after the last try."""
    trouble = TroubledTransform(room)
    room.replaced(transform=trouble)
    image = room.receive()
    room.settle()
    return room.service.image(OWNER, image.id), trouble


def buried_purge(room: Room, image_id: str) -> None:
    room.queue.publish(EdgePurge(image_id=image_id, names=("small.jpg",)))
    (lease,) = room.queue.lease(1, 10)
    room.queue.bury(lease, "the edge said 403")


def test_where_nothing_failed_there_is_nothing(room: Room) -> None:
    image = room.ready()
    assert list(failures.cases(room.service)) == []
    for image_id in (image.id, "nonsense"):
        with pytest.raises(NotFound):
            failures.case(room.service, image_id)


def test_a_failed_image_and_its_buried_event_are_one_case(room: Room) -> None:
    first = refused(room)
    second, _ = gave_up(room)
    third = refused(room)
    listed = list(failures.cases(room.service))
    assert [(one.image_id, len(one.buried)) for one in listed] == [(first.id, 0), (second.id, 1), (third.id, 0)]
    assert all(one.image == room.service.image(OWNER, one.image_id) for one in listed)
    assert "out of order" in listed[1].buried[0].reason
    assert failures.case(room.service, second.id) == listed[1]


def test_a_buried_event_of_an_image_that_is_well_is_a_case_of_its_own(room: Room) -> None:
    image = room.ready()
    buried_purge(room, image.id)
    (only,) = failures.cases(room.service)
    assert (only.image_id, only.image, len(only.buried)) == (image.id, None, 1)


def test_trying_again_makes_the_image_and_empties_the_inbox(room: Room) -> None:
    image, trouble = gave_up(room)
    trouble.mended()
    failures.retry(room.service, failures.case(room.service, image.id))
    assert room.queue.depth().waiting == 1, "its event once, not twice"
    room.settle()
    assert room.service.image(OWNER, image.id).state is State.READY
    assert list(failures.cases(room.service)) == []


def test_trying_again_gives_other_events_out_again(room: Room) -> None:
    image = room.ready()
    buried_purge(room, image.id)
    failures.retry(room.service, failures.case(room.service, image.id))
    room.settle()
    assert room.purged.told[-1] == (image.id, ("small.jpg",))
    assert list(failures.cases(room.service)) == []
    assert room.get(image) == image


def test_an_image_whose_original_is_gone_cannot_be_tried_again(room: Room) -> None:
    image = refused(room)
    room.service.drop_original(image)
    with pytest.raises(OriginalDeleted):
        failures.retry(room.service, failures.case(room.service, image.id))
    assert len(list(failures.cases(room.service))) == 1


def test_an_image_that_failed_while_it_was_made_anew_is_made_of_what_it_has(room: Room) -> None:
    image = room.ready()
    trouble = TroubledTransform(room)
    room.replaced(transform=trouble)
    room.service.reprocess(OWNER, image.id, from_rendition=True)
    room.settle()
    assert room.service.image(OWNER, image.id).state is State.FAILED
    assert room.kept() == [], "the copy it was to be made from"
    trouble.mended()
    failures.retry(room.service, failures.case(room.service, image.id))
    room.settle()
    assert room.service.image(OWNER, image.id).state is State.READY
    assert room.differences() == []


@pytest.mark.parametrize("policy", list(OriginalPolicy))
def test_giving_up_leaves_nothing(policy: OriginalPolicy) -> None:
    room = Room(originals=policy)
    kept = room.ready(pictures.jpeg(60, 60))
    image, _ = gave_up(room)
    failures.drop(room.service, failures.case(room.service, image.id))
    room.settle()
    assert list(failures.cases(room.service)) == []
    with pytest.raises(NotFound):
        room.service.image(OWNER, image.id)
    assert names.original_key(image.id) not in room.kept()
    assert room.differences() == []
    assert room.get(kept) == kept


def test_giving_up_an_event_leaves_the_image(room: Room) -> None:
    image = room.ready()
    buried_purge(room, image.id)
    failures.drop(room.service, failures.case(room.service, image.id))
    room.settle()
    assert list(failures.cases(room.service)) == []
    assert room.get(image) == image


def newest(room: Room, count: int) -> tuple[list[str], bool]:
    found = failures.newest_failed(room.service, count)
    return [image.id for image in found.images], found.more


def test_the_newest_come_first_however_long_ago(room: Room) -> None:
    assert newest(room, 2) == ([], False)
    ids = []
    for days in (0, 40, 2, 0.3, 0.01):
        room.clock.advance(86_400 * days)
        ids.insert(0, refused(room).id)
    assert newest(room, 5) == (ids, False)
    assert newest(room, 6) == (ids, False)
    assert newest(room, 4) == (ids[:4], True)
    assert newest(room, 1) == (ids[:1], True)
    room.clock.advance(86_400 * 400)
    assert newest(room, 9) == (ids, False)


def test_of_a_flood_no_more_is_looked_at_than_anybody_reads(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "LOOK_AT", 3)
    for _ in range(4):
        refused(room)
    room.clock.advance(86_400)
    assert newest(room, 2) == ([], True)
    late = refused(room).id
    assert newest(room, 2) == ([late], True)  # the four before are more than is looked at


def test_images_and_buried_events_are_brought_together_by_what_happened_last(room: Room) -> None:
    first, _ = gave_up(room)
    room.clock.advance(60)
    second = refused(room)
    room.clock.advance(60)
    buried_purge(room, "0" * 26)
    graves = room.queue.buried(10)
    found = failures.brought_together(room.service, [second], graves)
    assert [(one.image_id, one.image, len(one.buried)) for one in found] == [
        ("0" * 26, None, 1),
        (second.id, second, 0),
        (first.id, first, 1),
    ]
