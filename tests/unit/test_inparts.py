"""An upload in parts: opened, taken up again, completed once, and gone when its image is."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from darkroom import names
from darkroom.catalog.quotas import Quota
from darkroom.errors import AlreadyExists, Conflict, Expired, InvalidRequest, NotFound, OverQuota
from darkroom.inparts import InParts
from darkroom.model import State
from darkroom.steps import Step
from darkroom.uploads import PartedTicket
from rooms import OWNER, PICTURE, Killed, Room, killing_at

if TYPE_CHECKING:
    from pathlib import Path

    from darkroom.model import Image

PART = 64 * 1024
BODY = PICTURE + b"\0" * (3 * PART - 100 - len(PICTURE))
"""A picture, and after its end what decoders pass over: three parts."""


@pytest.fixture
def room() -> Room:
    return parted_room()


def parted_room() -> Room:
    room = Room()
    room.service = dataclasses.replace(room.service, rules=dataclasses.replace(room.service.rules, part_bytes=PART))
    return room


def opened(
    room: Room, body: bytes = BODY, *, sha256: str | None = None, key: str | None = None
) -> tuple[Image, PartedTicket]:
    upload = room.service.upload(filename="cat.jpg", length=len(body), sha256=sha256)
    image, ticket = room.service.open_upload(OWNER, upload, idempotency_key=key)
    assert isinstance(ticket, PartedTicket)
    return image, ticket


def send(room: Room, image: Image, folder: Path, *numbers: int, body: bytes = BODY) -> None:
    """Do what the door does with parts."""
    for number in numbers or range(1, 4):
        InParts(room.service).admit(image.id)
        path = folder / "part"
        path.write_bytes(body[(number - 1) * PART : number * PART])
        room.parts.keep(image.id, number, path)


def waiting(room: Room) -> list[str]:
    return [stat.key for stat in room.uploads.list(names.PARTS)]


def test_a_file_of_one_part_comes_whole_and_a_longer_one_in_parts(room: Room) -> None:
    upload = room.service.upload(filename="cat.jpg", length=PART)
    assert not isinstance(room.service.open_upload(OWNER, upload)[1], PartedTicket)
    _, ticket = opened(room)
    assert (len(ticket.parts), ticket.part_bytes, ticket.received) == (3, PART, ())
    assert ticket.expires_at == room.clock() + timedelta(hours=24)


def test_all_parts_become_one_original_and_a_ready_image(room: Room, tmp_path: Path) -> None:
    image, ticket = opened(room, sha256=hashlib.sha256(BODY).hexdigest())
    send(room, image, tmp_path, 3, 1, 2)
    InParts(room.service).complete(image.id, ticket.token)
    assert waiting(room) == []
    room.work()
    ready = room.get(image)
    assert ready is not None
    assert (ready.state, ready.parts) == (State.READY, None)
    assert ready.facts is not None
    assert ready.facts.source.bytes == len(BODY)


def test_after_a_break_it_is_told_what_is_there(room: Room, tmp_path: Path) -> None:
    image, ticket = opened(room)
    send(room, image, tmp_path, 1, 3)
    again = InParts(room.service).again(InParts(room.service).by_token(image.id, ticket.token))
    assert (again.received, again.token, again.expires_at) == ((1, 3), ticket.token, ticket.expires_at)


def test_the_same_idempotency_key_gives_the_same_upload(room: Room, tmp_path: Path) -> None:
    image, ticket = opened(room, key="once")
    send(room, image, tmp_path, 2)
    same, again = opened(room, key="once")
    assert (same.id, again.token, again.received) == (image.id, ticket.token, (2,))
    send(room, image, tmp_path)
    InParts(room.service).complete(image.id, ticket.token)
    room.work()
    with pytest.raises(AlreadyExists):
        opened(room, key="once")


def test_nothing_is_completed_without_all_parts_the_token_and_time(room: Room, tmp_path: Path) -> None:
    image, ticket = opened(room)
    send(room, image, tmp_path, 1, 2)
    in_parts = InParts(room.service)
    with pytest.raises(Conflict, match="3") as refusal:
        in_parts.complete(image.id, ticket.token)
    assert refusal.value.code == "parts-missing"
    send(room, image, tmp_path, 3)
    for image_id, token in ((image.id, "0" * 32), ("0" * 26, ticket.token), ("nonsense", ticket.token)):
        with pytest.raises(NotFound):
            in_parts.complete(image_id, token)
    room.clock.advance(24 * 3600)
    for asked in (lambda: in_parts.complete(image.id, ticket.token), lambda: in_parts.again(image)):
        with pytest.raises(Expired):
            asked()
    assert waiting(room) == [names.part_key(image.id, number) for number in (1, 2, 3)]


def test_another_checksum_keeps_the_parts_for_another_try(room: Room, tmp_path: Path) -> None:
    image, ticket = opened(room, sha256=hashlib.sha256(BODY).hexdigest())
    send(room, image, tmp_path, 1, 3)
    send(room, image, tmp_path, 2, body=b"x" * len(BODY))
    with pytest.raises(InvalidRequest) as refusal:
        InParts(room.service).complete(image.id, ticket.token)
    assert refusal.value.code == "checksum-mismatch"
    send(room, image, tmp_path, 2)
    InParts(room.service).complete(image.id, ticket.token)
    assert room.uploads.get(names.original_key(image.id)).body == BODY
    assert waiting(room) == []


def test_completing_twice_does_no_harm_at_any_time(room: Room, tmp_path: Path) -> None:
    image, ticket = opened(room)
    send(room, image, tmp_path)
    for _ in range(2):
        InParts(room.service).complete(image.id, ticket.token)
    room.settle()
    InParts(room.service).complete(image.id, ticket.token)
    room.settle()
    ready = room.get(image)
    assert ready is not None
    assert (ready.state, ready.version) == (State.READY, 2)
    assert list(room.uploads.list("")) == []


def test_no_part_is_waited_for_once_it_is_complete_or_deleted(room: Room, tmp_path: Path) -> None:
    in_parts = InParts(room.service)
    complete, ticket = opened(room)
    send(room, complete, tmp_path)
    in_parts.complete(complete.id, ticket.token)
    for _ in range(2):
        with pytest.raises(AlreadyExists):
            in_parts.admit(complete.id)
        room.settle()
    deleted, ticket = opened(room)
    room.service.delete(OWNER, deleted.id)
    with pytest.raises(NotFound):
        in_parts.admit(deleted.id)
    with pytest.raises(NotFound):
        in_parts.complete(deleted.id, ticket.token)
    whole = room.service.open_upload(OWNER, room.service.upload(filename="a.jpg", length=1))[0]
    with pytest.raises(NotFound):
        in_parts.admit(whole.id)


def test_the_parts_of_a_deleted_image_go_also_those_that_came_late(room: Room, tmp_path: Path) -> None:
    image, _ = opened(room)
    send(room, image, tmp_path, 1, 2)
    room.service.delete(OWNER, image.id)
    assert waiting(room) == []
    path = tmp_path / "late"
    path.write_bytes(BODY[:PART])
    room.parts.keep(image.id, 1, path)
    room.settle()
    assert waiting(room) == []


@pytest.mark.parametrize("step", [Step.ORIGINAL_STORED, Step.PARTS_REMOVED])
def test_a_completion_that_dies_is_ended_by_its_event_or_the_next_one(room: Room, tmp_path: Path, step: Step) -> None:
    for again in (False, True):
        image, ticket = opened(room)
        send(room, image, tmp_path)
        room.step = killing_at(step)
        with pytest.raises(Killed):
            InParts(room.service).complete(image.id, ticket.token)
        room.step = lambda _: None
        if again:
            InParts(room.service).complete(image.id, ticket.token)
        room.settle()
        ready = room.get(image)
        assert ready is not None
        assert ready.state is State.READY


def test_an_upload_that_died_before_its_arrival_was_told_is_told_by_the_next_completion(
    room: Room, tmp_path: Path
) -> None:
    image, ticket = opened(room)
    send(room, image, tmp_path)
    room.uploads.put(names.original_key(image.id), BODY, content_type="image/jpeg")
    InParts(room.service).complete(image.id, ticket.token)
    room.settle()
    ready = room.get(image)
    assert ready is not None
    assert ready.state is State.READY
    assert list(room.uploads.list("")) == []


def test_whoever_asks_is_told_that_it_is_complete_only_once_its_arrival_is_told(room: Room, tmp_path: Path) -> None:
    """A completion died before that, and its uploader asks how far it came: nobody completes it again then."""
    image, ticket = opened(room)
    send(room, image, tmp_path)
    room.uploads.put(names.original_key(image.id), BODY, content_type="image/jpeg")
    with pytest.raises(AlreadyExists):
        InParts(room.service).again(InParts(room.service).by_token(image.id, ticket.token))
    room.settle()
    ready = room.get(image)
    assert ready is not None
    assert ready.state is State.READY


def test_quotas_hold_for_uploads_in_parts(room: Room) -> None:
    quota = Quota(open_tickets=1)
    room.service = dataclasses.replace(room.service, rules=dataclasses.replace(room.service.rules, quota=quota))
    opened(room)
    with pytest.raises(OverQuota):
        opened(room)
