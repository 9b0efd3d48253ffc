"""What people and events can ask of the service, and what becomes of it when a part of it fails or others are quicker.

Dying at any step is in ``test_ledger_kept.py``; here parts answer, but with an error.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import tempfile
import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pictures
from darkroom import figures as f
from darkroom import names
from darkroom.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    OriginalDeleted,
    RenderFailed,
    StorageFull,
    TooLarge,
    TooManyPixels,
    Unavailable,
    UnreadableImage,
    UnsupportedFormat,
    VersionMoved,
)
from darkroom.events import ImageDeleted, ObjectCreated
from darkroom.model import Edit, Format, Image, Original, OriginalPolicy, State
from darkroom.service import CLAIM_LIFE, ERASE_AGAIN_SECONDS
from darkroom.steps import Step
from faults import Faulty
from rooms import ATTEMPTS, OWNER, PICTURE, SMALL, Room

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.transform import Order, Rendered

OTHER = pictures.jpeg(40, 31)
A_FILE: dict[str, Any] = {"filename": "a.jpg", "length": 5}
NO_ROOM = StorageFull("there is no room left")
NO_ANSWER = Unavailable("no answer")


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def keeping() -> Room:
    return Room(originals=OriginalPolicy.KEEP)


def faulty(room: Room, part: str) -> Faulty:
    """Put a part that can be told to fail in the place of one."""
    made = Faulty(getattr(room.service, part))
    room.replaced(**{part: made})
    return made


def now(room: Room, image: Image) -> Image:
    found = room.get(image)
    assert found is not None
    return found


def everything(room: Room) -> list[Image]:
    return [image for image in room.catalog.walk("", 500) if image.state is not State.DELETED]


class Rendering:
    """A transform that does something else first, and may fail as told."""

    def __init__(self, room: Room, *errors: Exception, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._transform = room.service.transform
        self._errors = list(errors)
        self._meanwhile = meanwhile
        self.rendered = 0
        room.replaced(transform=self)

    def render(self, original: Any, order: Order) -> Rendered:
        self.rendered += 1
        self._meanwhile()
        if self._errors:
            raise self._errors.pop(0)
        return self._transform.render(original, order)

    def close(self) -> None:
        self._transform.close()


# ------------------------------------------------------------------ what an uploader says


def test_what_is_said_of_a_file_is_cleaned(room: Room) -> None:
    said = room.service.upload(
        filename="C:\\photos\\..\\caf\u0065\u0301\x00.JPG",
        length=5,
        sha256="AB" * 32,
        tags=("Cat", "cat", "dog\u202e"),
        album=" holidays ",
        title="",
    )
    assert said.filename == "café.JPG"
    assert (said.content_type, said.sha256) == ("image/jpeg", "ab" * 32)
    assert (said.tags, said.album, said.title) == (("Cat", "dog"), "holidays", None)


@pytest.mark.parametrize(
    ("filename", "claimed", "understood"),
    [
        ("a.heif", None, "image/heic"),
        ("a.tif", None, "image/tiff"),
        ("a", None, "application/octet-stream"),
        ("a.exe", None, "application/octet-stream"),
        ("a.jpg", " Image/PNG ", "image/png"),
        ("a.jpg", "", "image/jpeg"),
    ],
)
def test_a_file_goes_by_the_type_that_is_claimed_or_else_by_its_name(
    room: Room, filename: str, claimed: str | None, understood: str
) -> None:
    assert room.service.upload(filename=filename, length=1, content_type=claimed).content_type == understood


@pytest.mark.parametrize(
    ("said", "error", "naming"),
    [
        ({"length": 0}, InvalidRequest, "bytes"),
        ({"length": -5}, InvalidRequest, "bytes"),
        ({"length": 64 * 2**20 + 1}, TooLarge, "67108864"),
        ({"filename": "\x00/.."}, InvalidRequest, "filename"),
        ({"sha256": "ab" * 31}, InvalidRequest, "sha256"),
        ({"sha256": "gh" * 32}, InvalidRequest, "sha256"),
        ({"content_type": "image"}, InvalidRequest, "content_type"),
        ({"content_type": "image/jpeg; q=1"}, InvalidRequest, "content_type"),
        ({"content_type": "image/\r\nx"}, InvalidRequest, "content_type"),
        ({"content_type": "image/" + "x" * 100}, InvalidRequest, "content_type"),
        ({"tags": tuple(map(str, range(51)))}, InvalidRequest, "50"),
        ({"tags": ("x" * 65,)}, InvalidRequest, "64"),
        ({"title": "x" * 501}, InvalidRequest, "500"),
    ],
)
def test_what_is_said_wrongly_is_refused_and_named(
    room: Room, said: dict[str, Any], error: type[Exception], naming: str
) -> None:
    with pytest.raises(error, match=naming):
        room.service.upload(**A_FILE | said)


def test_a_ticket_is_for_exactly_what_was_promised_and_for_as_long_as_the_rules_say(room: Room) -> None:
    upload = room.service.upload(filename="a.png", length=77, sha256="ab" * 32)
    image, ticket = room.service.open_upload(OWNER, upload)
    assert (image.state, image.promised_bytes, image.promised_sha256) == (State.AWAITING, 77, "ab" * 32)
    assert image.uploaded_at == names.moment_of(image.id)
    assert timedelta(0) <= image.uploaded_at + timedelta(minutes=15) - ticket.expires_at < timedelta(seconds=1)
    assert {name.lower(): value for name, value in ticket.headers.items()}["content-type"] == "image/png"
    assert image.id in ticket.url


# ------------------------------------------------------------------ the small door


def png_of(width: int, height: int) -> bytes:
    """Return a PNG that says it is so large."""
    small = pictures.png(8, 8)
    return small[:16] + width.to_bytes(4) + height.to_bytes(4) + small[24:]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(b"hello", UnsupportedFormat, id="no-picture"),
        pytest.param(PICTURE[:20], UnreadableImage, id="cut-off"),
        pytest.param(png_of(40_000, 1), TooManyPixels, id="wide"),
        pytest.param(png_of(20_000, 20_000), TooManyPixels, id="large"),
        pytest.param(PICTURE + bytes(4 * 2**20), TooLarge, id="long"),
    ],
)
def test_what_cannot_become_an_image_is_refused_at_once_and_leaves_nothing(
    room: Room, body: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        room.receive(body)
    assert everything(room) == []
    assert room.kept() == []
    assert room.queue.depth().waiting == 0


def test_what_cannot_be_stored_leaves_no_image_and_may_be_sent_again(room: Room) -> None:
    faulty(room, "uploads").fail("put", NO_ROOM)
    with pytest.raises(StorageFull):
        room.receive(key="k")
    assert everything(room) == []
    image = room.receive(key="k")
    room.settle()
    assert now(room, image).state is State.READY
    assert room.differences() == []


def test_what_was_stored_but_not_announced_leaves_nothing_either(room: Room) -> None:
    faulty(room, "uploads").fail("put", NO_ROOM, afterwards=True)
    with pytest.raises(StorageFull):
        room.receive()
    assert everything(room) == []
    assert room.kept() == []
    room.settle()
    assert room.differences() == []


def test_an_upload_that_failed_the_second_time_does_not_take_back_the_first(room: Room) -> None:
    image = room.receive(key="k")
    faulty(room, "uploads").fail("put", NO_ANSWER)
    with pytest.raises(Unavailable):
        room.receive(key="k")
    room.settle()
    assert now(room, image).state is State.READY
    assert room.differences() == []


@pytest.mark.parametrize("afterwards", [False, True])
def test_an_upload_that_failed_does_not_take_back_what_was_promised_to_the_same_one_meanwhile(
    room: Room, *, afterwards: bool
) -> None:
    """A client that gave up waiting sends the same once more, while the first request is still stuck in a full disk."""
    uploads = faulty(room, "uploads")
    promised: list[Image] = []
    forget = room.catalog.forget

    def forget_after_the_other(image_id: str, *, version: int | None = None) -> None:
        promised.append(room.receive(key="k"))
        forget(image_id, version=version)

    uploads.fail("put", NO_ROOM, afterwards=afterwards)
    room.catalog.forget = forget_after_the_other  # type: ignore[method-assign]  # the other comes at the worst moment
    with pytest.raises(StorageFull):
        room.receive(key="k")
    (image,) = promised
    room.settle()
    assert now(room, image).state is State.READY
    assert room.differences() == []


def test_what_was_taken_back_is_not_promised_to_the_same_one(room: Room) -> None:
    uploads = room.service.uploads
    put = uploads.put

    def take_back_and_put(*arguments: Any, **named: Any) -> object:
        stat = put(*arguments, **named)
        room.catalog.forget(image.id)
        return stat

    image = room.receive(key="k")
    uploads.put = take_back_and_put  # type: ignore[method-assign]  # the other comes at the worst moment
    room.uploads.delete(names.original_key(image.id))
    with pytest.raises(Unavailable):
        room.receive(key="k")


# ------------------------------------------------------------------ idempotency keys


def opened(room: Room, *, key: str | None, owner: str = OWNER, **said: Any) -> tuple[Image, Any]:
    upload = room.service.upload(**A_FILE | said)
    return room.service.open_upload(owner, upload, idempotency_key=key)


def test_the_same_request_under_the_same_key_has_the_same_answer(room: Room) -> None:
    first = opened(room, key="k", tags=("a",))
    room.clock.advance(60)
    assert opened(room, key="k", tags=("a",)) == first
    assert opened(room, key="other", tags=("a",))[0].id != first[0].id
    assert opened(room, key=None, tags=("a",))[0].id != first[0].id
    assert opened(room, key="k", owner="somebody-else")[0].id != first[0].id
    assert len(everything(room)) == 4


def test_the_same_file_under_the_same_key_is_one_image(room: Room) -> None:
    image = room.receive(key="k")
    assert room.receive(key="k").id == image.id
    room.work()
    assert room.receive(key="k") == now(room, image), "ready by now, and not worked on again"
    assert room.queue.depth().waiting == 0
    assert len(everything(room)) == 1


@pytest.mark.parametrize(
    "other", [{"length": 6}, {"filename": "b.jpg"}, {"tags": ("x",)}, {"sha256": "ab" * 32}, {"title": "t"}]
)
def test_another_request_under_the_same_key_is_refused(room: Room, other: dict[str, Any]) -> None:
    opened(room, key="k")
    with pytest.raises(Conflict, match="Idempotency-Key"):
        opened(room, key="k", **other)
    assert len(everything(room)) == 1


def test_other_bytes_and_another_door_are_another_request(room: Room) -> None:
    room.receive(key="k")
    same_length = PICTURE[:-2] + b"\0\0"
    for attempt in (lambda: room.receive(same_length, key="k"), lambda: opened(room, key="k", filename="cat.jpg")):
        with pytest.raises(Conflict, match="Idempotency-Key"):
            attempt()


def test_a_key_is_free_again_after_a_day(room: Room) -> None:
    first = opened(room, key="k")[0]
    room.clock.advance(CLAIM_LIFE.total_seconds() + 1)
    assert opened(room, key="k", filename="quite-another.jpg")[0].id != first.id


def test_the_key_of_a_deleted_image_brings_nothing_back(room: Room) -> None:
    image = room.receive(key="k")
    room.work()
    room.service.delete(OWNER, image.id)
    with pytest.raises(NotFound, match="new key"):
        room.receive(key="k")
    room.settle()
    assert everything(room) == []
    assert room.differences() == []


# ------------------------------------------------------------------ an original that has arrived


def test_a_photo_becomes_ready_and_is_counted_and_written_down(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "darkroom.images")
    image = room.receive()
    room.clock.advance(3)
    room.work()
    ready = now(room, image)
    assert (ready.state, ready.original, ready.error) == (State.READY, Original.DELETED, None)
    assert ready.facts is not None
    assert ready.facts.source.sha256 == hashlib.sha256(PICTURE).hexdigest()
    assert {(one.name, one.format) for one in ready.variants} == {
        ("card", Format.WEBP),
        ("card", Format.JPEG),
        ("small", Format.JPEG),
    }
    assert room.figures.total(f.TRANSFORMS, format="jpeg", outcome="ready") == 1
    assert room.figures.total(f.RECEIVED_BYTES, door="post") == len(PICTURE)
    assert len(room.figures.times(f.TRANSFORM_SECONDS, outcome="ready")) == 1
    (line,) = [vars(record) for record in caplog.records if record.getMessage() == "image ready"]
    steps = [line[f"{step}_seconds"] for step in ("render", "shelve", "commit")]
    assert all(seconds >= 0 for seconds in steps)
    assert sum(steps) <= line["seconds"] + 0.01
    assert line["waited_seconds"] >= 0
    assert (line["image"], line["owner"], line["format"]) == (image.id, OWNER, "jpeg")
    assert (line["width"], line["height"], line["bytes"]) == (40, 30, len(PICTURE))
    assert line["variant_bytes"] == sum(map(len, room.objects().values()))


def test_an_object_that_belongs_to_no_image_is_left_alone(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    unknown = names.new_id(room.clock(), bytes(names.RANDOM_BYTES))
    room.uploads.put(names.original_key(unknown), PICTURE, content_type="image/jpeg")
    for key in (names.original_key(unknown), "originals/nonsense", "elsewhere"):
        room.service.handle(ObjectCreated(key=key, etag="e"))
    assert room.kept() == [names.original_key(unknown)]
    assert caplog.messages.count("object without image") == 3


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"<?php phpinfo();", "unsupported-format", id="no-picture"),
        pytest.param(pictures.jpeg(400, 300)[:3000], "unreadable-image", id="cut-off"),
        pytest.param(png_of(40_000, 1), None, id="wide"),
    ],
)
def test_what_turns_out_to_be_no_image_fails_for_good_with_a_reason(
    room: Room, caplog: pytest.LogCaptureFixture, body: bytes, code: str | None
) -> None:
    image = room.open_upload(body)
    room.send(image, body)
    room.work()
    failed = now(room, image)
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert code in {None, failed.error.code}
    assert len(failed.error.detail) > 10
    assert room.kept() == [names.original_key(image.id)], "the original is kept, for a person to look at"
    assert room.queue.depth().buried == room.queue.depth().waiting == 0
    assert room.objects() == {}
    assert room.figures.total(f.TRANSFORMS, format="unknown", outcome=failed.error.code) == 1
    (line,) = [vars(record) for record in caplog.records if record.getMessage() == "image failed"]
    assert (line["image"], line["code"], line["detail"]) == (image.id, failed.error.code, failed.error.detail)


def test_more_bytes_than_the_limits_allow_now_fail_the_image(room: Room) -> None:
    image = room.receive()
    rules = room.service.rules
    room.replaced(rules=dataclasses.replace(rules, limits=dataclasses.replace(rules.limits, bytes=10)))
    room.work()
    error = now(room, image).error
    assert error is not None
    assert error.code == "too-large"


def test_a_render_that_failed_is_tried_again(room: Room) -> None:
    Rendering(room, RenderFailed("it crashed"), RenderFailed("it crashed again"))
    image = room.receive()
    room.work()
    assert now(room, image).state is State.PROCESSING
    room.settle()
    assert now(room, image).state is State.READY
    assert room.differences() == []


def test_after_the_last_try_the_uploader_is_told_and_may_have_it_tried_again(room: Room) -> None:
    rendering = Rendering(room, *[RenderFailed("it crashed")] * ATTEMPTS)
    image = room.receive()
    room.settle()
    failed = now(room, image)
    assert rendering.rendered == ATTEMPTS
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert failed.error.code == "gave-up"
    assert "it crashed" in failed.error.detail
    assert room.queue.depth().buried == 1
    room.service.reprocess(OWNER, image.id)
    room.settle()
    assert (now(room, image).state, now(room, image).error) == (State.READY, None)
    assert room.differences() == []


def test_a_buried_event_that_is_given_out_again_makes_the_failed_image_ready(room: Room) -> None:
    Rendering(room, *[RenderFailed("it crashed")] * ATTEMPTS)
    image = room.receive()
    room.settle()
    assert room.queue.redrive(10) == 1
    room.settle()
    assert now(room, image).state is State.READY


def test_an_original_that_has_not_come_through_yet_is_waited_for_and_then_given_up(room: Room) -> None:
    image = room.receive()
    body = room.uploads.get(names.original_key(image.id)).body
    room.uploads.delete(names.original_key(image.id))
    room.work()
    assert now(room, image).state is State.PROCESSING
    room.uploads.put(names.original_key(image.id), body, content_type="image/jpeg")
    room.settle()
    assert now(room, image).state is State.READY

    lost = room.receive(OTHER)
    room.uploads.delete(names.original_key(lost.id))
    room.settle()
    error = now(room, lost).error
    assert error is not None
    assert error.code == "gave-up"


def test_a_picture_that_breaks_the_decoding_process_has_failed_for_that_reason(room: Room) -> None:
    image = room.receive()
    event = ObjectCreated(key=names.original_key(image.id), etag="e")
    room.service.give_up(event, "rendering took longer than 60 seconds", code=RenderFailed.code)
    error = now(room, image).error
    assert error is not None
    assert error.code == "render-failed"
    assert error.detail.startswith("rendering took longer than 60 seconds")


@pytest.mark.parametrize("outcome", ["ready", "deleted", "unknown"])
def test_giving_up_spoils_nothing_that_has_ended_otherwise(room: Room, outcome: str) -> None:
    image = room.ready()
    if outcome == "deleted":
        room.service.delete(OWNER, image.id)
    key = "originals/unknown" if outcome == "unknown" else names.original_key(image.id)
    before = now(room, image)
    room.service.give_up(ObjectCreated(key=key, etag="e"), "the end")
    room.service.give_up(ImageDeleted(image_id=image.id), "the end")
    assert now(room, image) == before


def test_who_fails_at_what_another_has_made_ready_meanwhile_does_not_spoil_it(room: Room) -> None:
    image = room.receive()
    stat = room.uploads.stat(names.original_key(image.id))
    other = room.service
    Rendering(
        room,
        UnreadableImage("a stricter decoder"),
        meanwhile=lambda: other.handle(ObjectCreated(key=stat.key, etag=stat.etag)),
    )
    room.settle()
    assert (now(room, image).state, now(room, image).error) == (State.READY, None)
    assert room.differences() == []


# ------------------------------------------------------------------ parts that fail in the middle


DELETE, ARCHIVE = OriginalPolicy.DELETE, OriginalPolicy.ARCHIVE


@pytest.mark.parametrize(
    ("part", "verb", "policy", "afterwards"),
    [
        ("catalog", "get", DELETE, False),
        ("uploads", "open", DELETE, False),
        ("assets", "put", DELETE, False),
        ("assets", "put", DELETE, True),
        ("catalog", "replace", DELETE, False),
        ("catalog", "replace", DELETE, True),
        ("uploads", "delete", DELETE, False),
        ("uploads", "delete", DELETE, True),
        ("uploads", "put", ARCHIVE, False),
        ("uploads", "put", ARCHIVE, True),
        ("uploads", "delete", ARCHIVE, False),
        ("uploads", "delete", ARCHIVE, True),
    ],
)
def test_a_part_that_fails_once_delays_an_image_and_costs_nothing(
    part: str,
    verb: str,
    policy: OriginalPolicy,
    afterwards: bool,  # noqa: FBT001  # pytest names them
) -> None:
    room = Room(originals=policy)
    image = room.receive()
    failing = faulty(room, part)
    failing.fail(verb, NO_ANSWER, afterwards=afterwards)
    room.settle()
    assert failing.is_spent
    ready = now(room, image)
    assert ready.state is State.READY
    assert ready.original is (Original.DELETED if policy is OriginalPolicy.DELETE else Original.KEPT)
    assert room.kept() == ([names.archive_key(image.id)] if policy is OriginalPolicy.ARCHIVE else [])
    assert len(room.objects()) == 3
    assert room.differences() == []
    assert room.queue.depth().buried == 0


def test_a_full_disk_while_shelving_is_waited_for(room: Room) -> None:
    image = room.receive()
    assets = faulty(room, "assets")
    assets.fail("put", NO_ROOM)
    assets.fail("put", NO_ROOM)
    room.settle()
    assert now(room, image).state is State.READY
    assert room.differences() == []


@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "afterwards"])
def test_edges_are_told_of_new_bytes_even_if_they_could_not_be_told_at_once(keeping: Room, *, afterwards: bool) -> None:
    image = keeping.ready()
    keeping.purged.told.clear()
    keeping.service.reprocess(OWNER, image.id)
    faulty(keeping, "purges").fail("purge", NO_ANSWER, afterwards=afterwards)
    keeping.settle()
    assert now(keeping, image).state is State.READY
    assert image.id in {told for told, _ in keeping.purged.told}


def test_the_first_time_there_is_nothing_that_edges_have_to_forget(room: Room) -> None:
    room.ready()
    assert room.purged.told == []


# ------------------------------------------------------------------ deleting


@pytest.mark.parametrize("policy", list(OriginalPolicy))
def test_of_a_deleted_image_nothing_is_left_and_nobody_is_told_that_it_was_there(policy: OriginalPolicy) -> None:
    room = Room(originals=policy)
    image = room.ready()
    room.service.delete(OWNER, image.id)
    assert room.objects() == {}
    assert room.kept() == []
    assert room.purged.told[-1][0] == image.id
    assert room.service.delivered(image.id) is None
    for attempt in (
        lambda: room.service.image(OWNER, image.id),
        lambda: room.service.delete(OWNER, image.id),
        lambda: room.service.edit(OWNER, image.id, Edit(title="x")),
        lambda: room.service.reprocess(OWNER, image.id, from_rendition=True),
        lambda: room.service.original(OWNER, image.id),
    ):
        with pytest.raises(NotFound):
            attempt()
    tombstone = now(room, image)
    assert (tombstone.filename, tombstone.facts, tombstone.variants) == ("", None, ())


@pytest.mark.parametrize("policy", list(OriginalPolicy))
@pytest.mark.parametrize(
    "at",
    [
        Step.EVENT_TAKEN,
        Step.RENDERED,
        Step.LEDGER_WRITTEN,
        Step.OBJECT_SHELVED,
        Step.STALE_REMOVED,
        Step.COMMITTED,
        Step.ORIGINAL_ARCHIVED,
        Step.ORIGINAL_DISPOSED,
    ],
)
def test_an_image_that_is_deleted_while_it_is_made_is_gone(policy: OriginalPolicy, at: Step) -> None:
    room = Room(originals=policy)
    image = room.receive()

    def delete(step: Step) -> None:
        if step is at:
            room.step = lambda _: None
            room.service.delete(OWNER, image.id)

    room.step = delete
    room.settle()
    if at is Step.ORIGINAL_ARCHIVED and policy is not OriginalPolicy.ARCHIVE:
        return
    assert now(room, image).state is State.DELETED
    assert room.objects() == {}
    assert room.kept() == []
    assert room.queue.depth().buried == 0


def test_what_is_sent_to_the_ticket_of_a_deleted_image_is_removed_unread(room: Room) -> None:
    image = room.open_upload()
    room.service.delete(OWNER, image.id)
    rendering = Rendering(room)
    room.send(image)
    room.work()
    assert room.kept() == []
    assert room.objects() == {}
    assert rendering.rendered == 0


def test_a_transform_during_which_the_image_is_deleted_brings_nothing_back(room: Room) -> None:
    image = room.receive()
    Rendering(room, meanwhile=lambda: room.service.delete(OWNER, image.id))
    room.work()
    assert room.objects() == {}
    assert room.kept() == []
    assert now(room, image).state is State.DELETED


@pytest.mark.parametrize(
    ("part", "verb"), [("assets", "delete"), ("uploads", "delete"), ("purges", "purge"), ("catalog", "replace")]
)
def test_an_erasure_that_failed_is_finished_by_the_queue_or_was_never_begun(room: Room, part: str, verb: str) -> None:
    image = room.ready()
    faulty(room, part).fail(verb, NO_ANSWER)
    with pytest.raises(Unavailable):
        room.service.delete(OWNER, image.id)
    if part == "catalog":
        assert room.service.image(OWNER, image.id) == image
    else:
        with pytest.raises(NotFound):
            room.service.image(OWNER, image.id)
    room.clock.advance(ERASE_AGAIN_SECONDS)
    room.settle()
    if part == "catalog":
        assert now(room, image) == image
        assert len(room.objects()) == 3
    else:
        assert room.objects() == {}
        assert room.kept() == []
        assert image.id in {told for told, _ in room.purged.told}


def test_what_cannot_be_promised_is_not_begun(room: Room) -> None:
    image = room.ready()
    faulty(room, "queue").fail("publish", NO_ROOM)
    with pytest.raises(StorageFull):
        room.service.delete(OWNER, image.id)
    assert room.service.image(OWNER, image.id) == image
    assert len(room.objects()) == 3


def test_a_late_promise_of_an_erasure_harms_no_living_image(room: Room) -> None:
    image = room.ready()
    room.service.handle(ImageDeleted(image_id=image.id))
    room.service.handle(ImageDeleted(image_id="unknown"))
    assert now(room, image) == image
    assert len(room.objects()) == 3


def test_a_delete_wins_against_whoever_writes_in_between(room: Room) -> None:
    image = room.ready()
    faulty(room, "catalog").fail("replace", VersionMoved("in between"), VersionMoved("again"))
    room.service.delete(OWNER, image.id)
    assert now(room, image).state is State.DELETED


# ------------------------------------------------------------------ editing


def test_what_is_not_given_stays_as_it_is(room: Room) -> None:
    image = room.ready()
    titled = room.service.edit(OWNER, image.id, Edit(title="A title", album="An album", tags=("Cat", "dog")))
    assert (titled.title, titled.album, titled.tags) == ("A title", "An album", ("Cat", "dog"))
    changed = room.service.edit(OWNER, image.id, Edit(add_tags=("CAT", "bird"), remove_tags=("DOG", "fish")))
    assert (changed.title, changed.album, changed.tags) == ("A title", "An album", ("Cat", "bird"))
    cleared = room.service.edit(OWNER, image.id, Edit(title=None, album="", tags=()))
    assert (cleared.title, cleared.album, cleared.tags) == (None, None, ())
    assert cleared.variants == image.variants


def test_an_edit_that_changes_nothing_writes_nothing(room: Room) -> None:
    image = room.ready()
    assert (
        room.service.edit(OWNER, image.id, Edit(add_tags=(), remove_tags=("x",), focus=None)).version == image.version
    )


@pytest.mark.parametrize(
    "edit",
    [
        Edit(title="x" * 501),
        Edit(tags=tuple(map(str, range(51)))),
        Edit(add_tags=("",)),
        Edit(remove_tags=("\x00",)),
        Edit(album="x" * 65),
        Edit(focus=(0.5, 1.1)),
        Edit(focus=(-0.1, 0.5)),
        Edit(focus=(float("nan"), 0.5)),
    ],
)
def test_a_wrong_edit_changes_nothing(room: Room, edit: Edit) -> None:
    image = room.ready()
    with pytest.raises(InvalidRequest):
        room.service.edit(OWNER, image.id, edit)
    assert now(room, image) == image


def test_a_change_meant_for_another_version_is_refused(room: Room) -> None:
    image = room.ready()
    room.service.edit(OWNER, image.id, Edit(title="first"), version=image.version)
    with pytest.raises(VersionMoved, match=str(image.version)):
        room.service.edit(OWNER, image.id, Edit(title="second"), version=image.version)
    assert now(room, image).title == "first"


def test_one_who_named_a_version_is_told_when_others_were_quicker(room: Room) -> None:
    image = room.ready()
    faulty(room, "catalog").fail("replace", VersionMoved("in between"))
    with pytest.raises(VersionMoved):
        room.service.edit(OWNER, image.id, Edit(title="second"), version=image.version)


def test_of_edits_at_the_same_time_none_is_lost(room: Room) -> None:
    image = room.ready()

    def add(name: str) -> None:
        for number in range(12):
            room.service.edit(OWNER, image.id, Edit(add_tags=(f"{name}{number}",)))

    threads = [threading.Thread(target=add, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(now(room, image).tags) == {f"{name}{number}" for name in "abcd" for number in range(12)}


@pytest.mark.parametrize("at", [Step.EVENT_TAKEN, Step.RENDERED, Step.STALE_REMOVED, Step.COMMITTED])
def test_what_people_write_while_it_is_made_is_kept(room: Room, at: Step) -> None:
    image = room.receive()

    def write(step: Step) -> None:
        if step is at:
            room.step = lambda _: None
            room.service.edit(OWNER, image.id, Edit(title="meanwhile", add_tags=("x",)))

    room.step = write
    room.settle()
    ready = now(room, image)
    assert (ready.state, ready.title, ready.tags) == (State.READY, "meanwhile", ("x",))
    assert Rendering(room).rendered == 0
    assert room.differences() == []


def test_a_commit_that_somebody_was_quicker_than_is_written_once_more_and_not_rendered_again(room: Room) -> None:
    image = room.receive()
    rendering = Rendering(room)
    faulty(room, "catalog").fail("replace", VersionMoved("in between"), VersionMoved("and again"))
    room.work()
    assert now(room, image).state is State.READY
    assert rendering.rendered == 1


# ------------------------------------------------------------------ the focus


def test_a_new_focus_renders_anew_where_variants_are_cropped_by_it(keeping: Room) -> None:
    image = keeping.ready(pictures.jpeg(90, 30))
    before = keeping.objects()
    edited = keeping.service.edit(OWNER, image.id, Edit(focus=(1.0, 0.5)))
    assert (edited.state, edited.focus) == (State.PROCESSING, (1.0, 0.5))
    keeping.settle()
    after = keeping.objects()
    assert now(keeping, image).state is State.READY
    assert before.keys() == after.keys()
    assert before[f"i/{image.id}/card.jpg"] != after[f"i/{image.id}/card.jpg"]
    assert before[f"i/{image.id}/small.jpg"] == after[f"i/{image.id}/small.jpg"]
    assert keeping.purged.told


@pytest.mark.parametrize("why", ["nothing is cropped", "the original is gone"])
def test_a_new_focus_is_only_remembered_where_nothing_can_follow_it(why: str) -> None:
    room = Room(recipes=(SMALL,), originals=OriginalPolicy.KEEP) if why == "nothing is cropped" else Room()
    image = room.ready()
    edited = room.service.edit(OWNER, image.id, Edit(focus=(1.0, 0.5)))
    assert (edited.state, edited.focus, edited.generation) == (State.READY, (1.0, 0.5), image.generation)
    assert room.queue.depth().waiting == 0


def test_a_focus_set_before_the_original_comes_is_obeyed(room: Room) -> None:
    body = pictures.jpeg(90, 30)
    image = room.open_upload(body)
    room.service.edit(OWNER, image.id, Edit(focus=(1.0, 0.5)))
    room.send(image, body)
    room.settle()
    same = Room()
    other = same.open_upload(body)
    same.send(other, body)
    same.settle()
    assert now(room, image).state is State.READY
    assert sorted(room.objects().values()) != sorted(same.objects().values())


# ------------------------------------------------------------------ making anew, and originals


@pytest.mark.parametrize("policy", [OriginalPolicy.KEEP, OriginalPolicy.ARCHIVE])
def test_a_kept_original_is_what_it_is_made_from_again(policy: OriginalPolicy) -> None:
    room = Room(originals=policy)
    image = room.ready()
    for generation in (2, 3):
        asked = room.service.reprocess(OWNER, image.id)
        assert (asked.state, asked.generation) == (State.PROCESSING, generation)
        room.settle()
        ready = now(room, image)
        assert (ready.state, ready.facts, ready.variants) == (State.READY, image.facts, image.variants)
    assert room.kept() == [
        names.archive_key(image.id) if policy is OriginalPolicy.ARCHIVE else names.original_key(image.id)
    ]
    assert room.differences() == []


def test_from_a_rendition_only_where_that_is_allowed_and_what_is_known_of_the_original_stays(room: Room) -> None:
    body = pictures.jpeg(200, 150, exif=pictures.camera_exif())
    image = room.ready(body)
    with pytest.raises(OriginalDeleted):
        room.service.reprocess(OWNER, image.id)
    assert now(room, image) == image
    room.service.reprocess(OWNER, image.id, from_rendition=True)
    room.settle()
    ready = now(room, image)
    assert ready.state is State.READY
    assert ready.facts is not None
    assert image.facts is not None
    assert (ready.facts.source, ready.facts.exif) == (image.facts.source, image.facts.exif)
    assert (ready.original, ready.from_rendition) == (Original.DELETED, False)
    assert room.kept() == []


def test_making_anew_is_tried_again_when_others_write_in_between(keeping: Room) -> None:
    image = keeping.ready()
    faulty(keeping, "catalog").fail("replace", VersionMoved("in between"))
    assert keeping.service.reprocess(OWNER, image.id).state is State.PROCESSING
    keeping.settle()
    assert now(keeping, image).state is State.READY


def test_what_has_not_arrived_cannot_be_made_anew(room: Room) -> None:
    image = room.open_upload()
    with pytest.raises(NotFound, match="not arrived"):
        room.service.reprocess(OWNER, image.id)
    assert now(room, image) == image


def test_an_image_whose_second_making_fails_is_failed_and_its_first_pictures_stay(keeping: Room) -> None:
    image = keeping.ready()
    Rendering(keeping, UnreadableImage("a stricter decoder"))
    keeping.service.reprocess(OWNER, image.id)
    keeping.settle()
    failed = now(keeping, image)
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert failed.variants == image.variants
    assert len(keeping.objects()) == 3
    keeping.service.reprocess(OWNER, image.id)
    keeping.settle()
    assert now(keeping, image).state is State.READY


@pytest.mark.parametrize("policy", [OriginalPolicy.KEEP, OriginalPolicy.ARCHIVE])
def test_a_kept_original_is_given_back_as_it_came(policy: OriginalPolicy) -> None:
    room = Room(originals=policy)
    image = room.receive()
    for _ in range(2):
        found, stat, file = room.service.original(OWNER, image.id)
        with file:
            assert file.read() == PICTURE
        assert (found.id, stat.bytes) == (image.id, len(PICTURE))
        room.settle()


@pytest.mark.parametrize("known_by", ["promise", "facts"])
def test_an_original_that_is_not_what_came_is_not_given_out(keeping: Room, known_by: str) -> None:
    promised = hashlib.sha256(PICTURE).hexdigest()
    image = keeping.receive(sha256=promised) if known_by == "promise" else keeping.ready()
    keeping.uploads.put(names.original_key(image.id), PICTURE[:-1] + b"\0", content_type="image/jpeg")
    with pytest.raises(Unavailable, match="backup"):
        keeping.service.original(OWNER, image.id)
    assert keeping.figures.total(f.DAMAGED_OBJECTS, finder="delivery") == 1


def test_a_variant_that_stands_in_for_a_lost_original_is_not_given_out_as_one(keeping: Room) -> None:
    image = keeping.ready()
    keeping.uploads.delete(names.original_key(image.id))
    keeping.service.reprocess(OWNER, image.id, from_rendition=True)
    with pytest.raises(OriginalDeleted):
        keeping.service.original(OWNER, image.id)


def test_what_is_deleted_while_it_is_asked_for_anew_is_said_to_be_gone(keeping: Room) -> None:
    image = keeping.ready()

    def delete(reached: Step) -> None:
        if reached is Step.REPROCESS_WRITTEN:
            keeping.service.delete(OWNER, image.id)

    keeping.step = delete
    with pytest.raises(NotFound):
        keeping.service.reprocess(OWNER, image.id)


def test_an_original_that_is_not_there_is_said_to_be_so(room: Room) -> None:
    awaiting = room.open_upload()
    with pytest.raises(NotFound, match="not arrived"):
        room.service.original(OWNER, awaiting.id)
    image = room.ready()
    with pytest.raises(OriginalDeleted, match="removed"):
        room.service.original(OWNER, image.id)
    with pytest.raises(NotFound):
        room.service.original("somebody-else", image.id)


def test_an_archived_original_survives_an_event_that_comes_twice() -> None:
    room = Room(originals=OriginalPolicy.ARCHIVE)
    image = room.receive()
    stat = room.uploads.stat(names.original_key(image.id))
    again = ObjectCreated(key=stat.key, etag=stat.etag)
    room.settle()
    room.service.handle(again)
    room.service.handle(again)
    assert room.kept() == [names.archive_key(image.id)]
    assert room.uploads.get(names.archive_key(image.id)).body == PICTURE


def test_an_original_that_two_archive_at_once_is_archived_once() -> None:
    room = Room(originals=OriginalPolicy.ARCHIVE)
    image = room.receive()
    stat = room.uploads.stat(names.original_key(image.id))
    again = ObjectCreated(key=stat.key, etag=stat.etag)

    def be_quicker(step: Step) -> None:
        if step is Step.COMMITTED:
            room.step = lambda _: None
            room.service.handle(again)

    room.step = be_quicker
    room.work()
    assert room.queue.depth().waiting == 0, "who came second has nothing to try again"
    assert room.uploads.get(names.archive_key(image.id)).body == PICTURE
    assert room.differences() == []


# ------------------------------------------------------------------ is it well


@pytest.mark.parametrize("part", ["catalog", "uploads", "assets"])
def test_it_is_well_only_while_all_its_parts_answer(room: Room, part: str) -> None:
    room.service.check()
    faulty(room, part).fail("check", Unavailable(f"the {part} is away"))
    with pytest.raises(Unavailable, match=part):
        room.service.check()
    room.service.check()


def test_a_body_that_was_received_is_taken_over(room: Room) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "body"
        path.write_bytes(PICTURE)
        room.service.receive(OWNER, room.service.upload(filename="a.jpg", length=len(PICTURE)), path)
    assert room.uploads.get(room.kept()[0]).body == PICTURE
