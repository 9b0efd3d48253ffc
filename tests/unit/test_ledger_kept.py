"""Ledger and buckets agree, whatever happens: at every step of every flow, killed anywhere."""

from __future__ import annotations

import dataclasses
import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pictures
from darkroom import ledger, names
from darkroom.errors import AlreadyExists, NotFound, OriginalDeleted, VersionMoved
from darkroom.events import ImageDeleted, ObjectCreated
from darkroom.model import Edit, Format, Original, OriginalPolicy, Shelved, State
from darkroom.steps import Step
from rooms import CARD, OWNER, PICTURE, QUALITY, SMALL, Killed, Room, killing_after, killing_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.model import Image

OTHER = pictures.jpeg(50, 50)
POLICIES = list(OriginalPolicy)


def keys_of(image: Image) -> set[str]:
    return set(ledger.keys(image))


# ------------------------------------------------------------------ what is written when


@pytest.mark.parametrize("door", [Room.receive, Room.open_upload])
def test_an_image_is_born_with_the_names_of_all_that_will_be_made_of_it(door: Callable[[Room], Image]) -> None:
    image = door(Room())
    assert image.objects == tuple(Shelved(name=name) for name in ("card.webp", "card.jpg", "small.jpg"))


def test_a_ready_image_vouches_for_exactly_the_bytes_that_lie_there() -> None:
    room = Room()
    image = room.ready()
    assert {names.asset_prefix(image.id) + one.name: one.checksum for one in image.objects} == {
        key: ledger.checksum(body) for key, body in room.objects().items()
    }
    assert len(room.objects()) == 3


def test_no_object_is_put_before_the_ledger_names_it() -> None:
    """Also when the recipes have changed since the image was asked for."""
    room = Room(recipes=(SMALL,))
    image = room.receive()
    room.replaced(recipes=(CARD, SMALL))

    def look(step: Step) -> None:
        stored = room.get(image)
        assert stored is not None
        assert set(room.objects()) <= keys_of(stored), step

    room.step = look
    room.work()
    stored = room.get(image)
    assert stored is not None
    assert stored.state is State.READY
    assert keys_of(stored) == set(room.objects())
    assert len(stored.objects) == 3


def test_what_the_recipes_no_longer_make_goes_with_a_reprocess() -> None:
    room = Room(originals=OriginalPolicy.KEEP)
    image = room.ready()
    room.replaced(recipes=(dataclasses.replace(SMALL, formats=(Format.WEBP,), quality=QUALITY),))
    room.service.reprocess(OWNER, image.id)
    room.work()
    stored = room.get(image)
    assert stored is not None
    assert [one.name for one in stored.objects] == ["small.webp"]
    assert set(room.objects()) == keys_of(stored)
    told = {name for image_id, names_told in room.purged.told if image_id == image.id for name in names_told}
    assert told == {"card.webp", "card.jpg", "small.jpg", "small.webp"}


def test_while_it_is_made_anew_nothing_is_vouched_for_and_nothing_is_forgotten() -> None:
    room = Room(originals=OriginalPolicy.KEEP)
    image = room.ready()
    again = room.service.reprocess(OWNER, image.id)
    assert again.objects == ledger.promise(image.objects, ())
    assert again.asked_at == room.clock.now
    focused = room.service.edit(OWNER, image.id, Edit(focus=(0.1, 0.2)))
    assert (focused.state, focused.generation) == (State.PROCESSING, 3)
    room.work()
    assert room.differences() == []


# ------------------------------------------------------------------ deleting


@pytest.mark.parametrize("policy", POLICIES)
def test_delete_removes_what_the_ledger_names_without_looking_for_more(policy: OriginalPolicy) -> None:
    room = Room(originals=policy)
    room.ready(OTHER)
    before = room.objects(), room.kept()
    image = room.ready()
    room.assets.put(f"i/{image.id}/stray.jpg", b"nobody said that this is there", content_type="image/jpeg")
    room.service.delete(OWNER, image.id)
    assert room.objects().keys() - before[0].keys() == {f"i/{image.id}/stray.jpg"}
    assert room.kept() == before[1]
    tombstone = room.get(image)
    assert tombstone is not None
    assert tombstone.objects == image.objects, "whoever renders still has to know what to remove"


def test_what_was_put_by_somebody_who_still_rendered_goes_when_the_event_comes_back() -> None:
    room = Room()
    image = room.receive()

    def delete_meanwhile(step: Step) -> None:
        if step is Step.LEDGER_WRITTEN:
            room.step = killing_at(Step.OBJECT_SHELVED, 2)
            with suppress(Killed):
                room.service.delete(OWNER, image.id)

    room.step = delete_meanwhile
    with pytest.raises(Killed):
        room.work()
    assert len(room.objects()) == 2
    room.step = lambda _: None
    room.settle()
    assert room.objects() == {}
    assert room.kept() == []


FLOWS: dict[str, Callable[[Room, Image], object]] = {
    "receive": lambda room, image: room.receive(OTHER),
    "delete": lambda room, image: room.service.delete(OWNER, image.id),
    "reprocess": lambda room, image: room.service.reprocess(OWNER, image.id, from_rendition=True),
    "focus": lambda room, image: room.service.edit(OWNER, image.id, Edit(focus=(0.9, 0.1))),
}


def steps_of(policy: OriginalPolicy, flow: str) -> list[Step]:
    """Return every step that the flow and all events that follow from it pass."""
    room = Room(originals=policy)
    image = room.ready()
    passed: list[Step] = []
    room.step = passed.append
    FLOWS[flow](room, image)
    room.settle()
    return passed


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("flow", FLOWS)
def test_killed_at_any_step_events_bring_ledger_and_buckets_together(policy: OriginalPolicy, flow: str) -> None:
    for cut, step in enumerate(steps_of(policy, flow)):
        room = Room(originals=policy)
        image = room.ready()
        room.step = killing_after(cut)
        with suppress(Killed):
            FLOWS[flow](room, image)
            room.settle()
        room.step = lambda _: None
        room.settle()
        assert unexplained(room) == [], f"killed at {step}, step {cut}"


def unexplained(room: Room) -> list[str]:
    """Return the differences, without those of images whose event was never published.

    Whoever died between a write and its event was given no answer; the sweep ends what he began.
    """
    stuck = {one.id for one in room.catalog.walk("", 500) if one.state is State.PROCESSING}
    return [difference for difference in room.differences() if not any(one in difference for one in stuck)]


def test_every_step_is_passed_by_some_flow() -> None:
    passed = {step for policy in POLICIES for flow in FLOWS for step in steps_of(policy, flow)}
    room = Room()
    room.step = passed.add
    broken = room.open_upload(b"no picture")
    room.send(broken, b"no picture")
    room.work()
    elsewhere = {Step.PARTS_REMOVED, Step.JOB_CREATED, Step.JOB_IMAGE_DONE, Step.JOB_SAVED}
    assert passed == set(Step) - elsewhere, "uploads in parts and jobs are tried so in test_inparts.py, test_bulk.py"


ACTIONS = st.sampled_from(("receive", "open", "wait", "send", "focus", "reprocess", "rendition", "delete", "twice"))


@settings(max_examples=60, deadline=None)
@given(
    policy=st.sampled_from(POLICIES),
    story=st.lists(st.tuples(ACTIONS, st.integers(0, 2), st.none() | st.integers(0, 12)), max_size=14),
)
def test_whatever_is_done_and_wherever_it_dies_nothing_is_without_owner(
    policy: OriginalPolicy, story: list[tuple[str, int, int | None]]
) -> None:
    room = Room(originals=policy)
    images: list[Image] = []
    for action, which, cut in story:
        room.step = killing_after(cut) if cut is not None else lambda _: None
        chosen = images[which % len(images)] if images else None
        with suppress(Killed, NotFound, OriginalDeleted, VersionMoved):
            do(room, images, action, chosen)
    room.step = lambda _: None
    room.settle()
    assert unexplained(room) == []
    for key in room.objects():
        image = room.catalog.get(key.split("/")[1])
        assert image is not None
        assert key in keys_of(image)
        assert image.state is not State.DELETED


def do(room: Room, images: list[Image], action: str, chosen: Image | None) -> None:
    if action == "receive":
        images.append(room.receive())
    elif action == "open":
        images.append(room.open_upload())
    elif action == "wait":
        room.clock.advance(20)
    elif chosen is not None and action in WISHES:
        WISHES[action](room, chosen)
    room.work()


def send(room: Room, image: Image) -> None:
    with suppress(AlreadyExists):
        room.send(image)


def repeat_events(room: Room, image: Image) -> None:
    room.queue.publish(ImageDeleted(image_id=image.id))
    key = names.original_key(image.id)
    if key in room.kept():
        room.queue.publish(ObjectCreated(key=key, etag=room.uploads.stat(key).etag))


WISHES: dict[str, Callable[[Room, Image], object]] = {
    "send": send,
    "focus": lambda room, image: room.service.edit(OWNER, image.id, Edit(focus=(0.3, 0.7))),
    "reprocess": lambda room, image: room.service.reprocess(OWNER, image.id),
    "rendition": lambda room, image: room.service.reprocess(OWNER, image.id, from_rendition=True),
    "delete": lambda room, image: room.service.delete(OWNER, image.id),
    "twice": repeat_events,
}


# ------------------------------------------------------------------ two at a time


def render_in_the_middle(room: Room, image: Image, at: Step, meanwhile: Callable[[], object]) -> None:
    """Let one worker come to a step, do something else there, and go on."""

    def step(reached: Step) -> None:
        if reached is at:
            room.step = lambda _: None
            meanwhile()

    room.step = step
    room.work()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "at", [Step.EVENT_TAKEN, Step.RENDERED, Step.LEDGER_WRITTEN, Step.OBJECT_SHELVED, Step.STALE_REMOVED]
)
def test_a_render_that_is_overtaken_by_a_later_wish_leaves_that_one_s_pictures(
    policy: OriginalPolicy, at: Step
) -> None:
    room = Room(originals=policy)
    image = room.receive(pictures.jpeg(90, 30))

    def wish() -> None:
        room.service.edit(OWNER, image.id, Edit(focus=(1.0, 0.5)))
        room.work()  # another worker, from beginning to end

    render_in_the_middle(room, image, at, wish)
    room.settle()
    stored = room.get(image)
    assert stored is not None
    assert (stored.state, stored.focus) == (State.READY, (1.0, 0.5))
    assert room.differences() == []
    if policy is OriginalPolicy.DELETE and at in {Step.LEDGER_WRITTEN, Step.OBJECT_SHELVED}:
        return  # the earlier wish's pictures came later, and the original was gone: whole pictures, but cropped so

    wished = Room(originals=policy)
    same = wished.receive(pictures.jpeg(90, 30))
    wished.service.edit(OWNER, same.id, Edit(focus=(1.0, 0.5)))
    wished.settle()
    assert sorted(wished.objects().values()) == sorted(room.objects().values())


@pytest.mark.parametrize("at", [Step.RENDERED, Step.LEDGER_WRITTEN, Step.OBJECT_SHELVED, Step.COMMITTED])
def test_the_same_event_worked_on_twice_at_a_time_has_one_result(at: Step) -> None:
    room = Room()
    image = room.receive()
    stat = room.uploads.stat(names.original_key(image.id))
    again = ObjectCreated(key=stat.key, etag=stat.etag)
    render_in_the_middle(room, image, at, lambda: room.service.handle(again))
    room.settle()
    stored = room.get(image)
    assert stored is not None
    assert (stored.state, stored.generation, stored.original) == (State.READY, 1, Original.DELETED)
    assert room.differences() == []


def test_renders_of_two_releases_that_cross_are_made_anew() -> None:
    """The one puts other bytes under the same names: the ledger would speak of what does not lie there."""
    room = Room(originals=OriginalPolicy.KEEP)
    image = room.receive()
    other_release = dataclasses.replace(
        room.service,
        recipes=tuple(dataclasses.replace(one, quality={Format.JPEG: 5, Format.WEBP: 5}) for one in (CARD, SMALL)),
    )
    stat = room.uploads.stat(names.original_key(image.id))
    again = ObjectCreated(key=stat.key, etag=stat.etag)
    render_in_the_middle(room, image, Step.OBJECT_SHELVED, lambda: other_release.handle(again))
    room.settle()
    stored = room.get(image)
    assert stored is not None
    assert stored.state is State.READY
    assert room.differences() == []


# ------------------------------------------------------------------ the bytes that are rendered


def test_bytes_that_are_not_the_promised_ones_are_not_shown() -> None:
    room = Room()
    image = room.receive(sha256=hashlib.sha256(OTHER).hexdigest())
    room.work()
    stored = room.get(image)
    assert stored is not None
    assert stored.state is State.FAILED
    assert stored.error is not None
    assert stored.error.code == "checksum-mismatch"
    assert room.objects() == {}


def test_what_cannot_be_read_because_it_is_not_what_was_promised_is_called_so() -> None:
    room = Room()
    image = room.open_upload(sha256=hashlib.sha256(PICTURE).hexdigest())
    room.send(image, PICTURE[:200])
    room.work()
    stored = room.get(image)
    assert stored is not None
    assert stored.error is not None
    assert stored.error.code == "checksum-mismatch"


def test_an_original_that_was_damaged_since_is_not_rendered_again() -> None:
    room = Room(originals=OriginalPolicy.KEEP)
    image = room.ready()
    before = room.objects()
    room.uploads.put(names.original_key(image.id), OTHER, content_type="image/jpeg")
    room.service.reprocess(OWNER, image.id)
    room.work()
    stored = room.get(image)
    assert stored is not None
    assert stored.error is not None
    assert (stored.error.code, "backup" in stored.error.detail) == ("checksum-mismatch", True)
    assert room.objects() == before


def test_a_damaged_rendition_is_not_what_others_are_made_from() -> None:
    room = Room()
    image = room.ready()
    largest = names.asset_key(image.id, "card", "jpg")
    room.assets.put(largest, OTHER, content_type="image/jpeg")
    room.service.reprocess(OWNER, image.id, from_rendition=True)
    assert room.uploads.get(names.archive_key(image.id)).body == room.assets.get(largest.replace("jpg", "webp")).body
    room.settle()
    stored = room.get(image)
    assert stored is not None
    assert stored.state is State.READY
    assert stored.facts is not None
    assert image.facts is not None
    assert stored.facts.source == image.facts.source
    assert (stored.original, room.kept(), room.differences()) == (Original.DELETED, [], [])


def test_without_any_whole_rendition_nothing_is_begun() -> None:
    room = Room()
    image = room.ready()
    for variant in image.variants:
        room.assets.put(variant.key, OTHER, content_type="image/jpeg")
    with pytest.raises(OriginalDeleted):
        room.service.reprocess(OWNER, image.id, from_rendition=True)
    assert room.get(image) == image


def test_an_original_that_is_kept_but_was_lost_is_no_reason_to_begin() -> None:
    room = Room(originals=OriginalPolicy.KEEP)
    image = room.ready()
    room.uploads.delete(names.original_key(image.id))
    with pytest.raises(OriginalDeleted):
        room.service.reprocess(OWNER, image.id)
    assert room.get(image) == image
    room.service.reprocess(OWNER, image.id, from_rendition=True)
    room.settle()
    stored = room.get(image)
    assert stored is not None
    assert (stored.state, stored.original, room.differences()) == (State.READY, Original.DELETED, [])


# ------------------------------------------------------------------ events that come late


def test_a_late_event_with_an_older_tag_never_costs_a_kept_original() -> None:
    """A folder that is copied, to another disk or from a backup, gives all its files new tags."""
    room = Room(originals=OriginalPolicy.KEEP)
    image = room.ready()
    room.queue.publish(ObjectCreated(key=names.original_key(image.id), etag="of another disk"))
    room.settle()
    assert room.kept() == [names.original_key(image.id)]


@pytest.mark.parametrize("policy", [OriginalPolicy.DELETE, OriginalPolicy.ARCHIVE])
def test_what_is_sent_again_under_a_used_ticket_is_removed(policy: OriginalPolicy) -> None:
    room = Room(originals=policy)
    image = room.ready()
    before = room.kept()
    room.send(image, OTHER)
    room.settle()
    assert room.kept() == before
    assert room.get(image) == image
    if policy is OriginalPolicy.ARCHIVE:
        assert room.uploads.get(names.archive_key(image.id)).body == PICTURE


def test_the_original_of_a_failed_image_that_is_gone_is_waited_for_no_more() -> None:
    room = Room()
    image = room.open_upload(b"no picture")
    room.send(image, b"no picture")
    room.work()
    failed = room.get(image)
    assert failed is not None
    room.catalog.replace(dataclasses.replace(failed, original=Original.DELETED), version=failed.version)
    room.uploads.delete(names.original_key(image.id))
    room.queue.publish(ObjectCreated(key=names.original_key(image.id), etag="late"))
    room.settle()
    assert room.queue.depth().buried == 0
