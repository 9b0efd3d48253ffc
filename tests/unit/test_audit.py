"""The audit finds every difference between catalog and buckets, both ways, and no other."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

import pictures
from darkroom import names
from darkroom.audit import SETTLE_SECONDS, audit
from darkroom.model import Format, OriginalPolicy
from darkroom.ondemand import OnDemand
from darkroom.steps import Step
from darkroom.sweep import Kind
from darkroom.transform.options import parse
from rooms import OWNER, PICTURE, Killed, Room, killing_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.audit import Audit
    from darkroom.model import Image

STRANGER = "01k3v9m0c4qdhsyx7g6e8rb2tz"


@pytest.fixture
def room() -> Room:
    room = Room(originals=OriginalPolicy.KEEP)
    room.clock.now = datetime.now(UTC)
    return room


def differences(room: Room, pause: Callable[[float], None] = lambda _: None) -> list[tuple[Kind, str]]:
    """Return the differences, time having passed by a little since whatever was done."""
    room.clock.now = datetime.now(UTC)
    told: list[tuple[Kind, str]] = []
    result = audit(
        room.service,
        defaults=dict,
        tell=lambda finding: told.append((finding.kind, finding.key or finding.image_id)),
        pause=pause,
    )
    check(result, told)
    return sorted(told)


def check(result: Audit, told: list[tuple[Kind, str]]) -> None:
    assert result.agrees == (not told)
    assert sum(result.differences.values()) == len(told)


def a_library(room: Room) -> Image:
    """Everything there can be: uploads opened, waiting, failed, ready, deleted."""
    room.open_upload()
    failed = room.open_upload(b"no picture")
    room.send(failed, b"no picture")
    room.work()
    room.service.delete(OWNER, room.ready(pictures.jpeg(60, 60)).id)
    image = room.ready()
    room.receive()
    return image


def test_a_library_in_every_state_agrees(room: Room) -> None:
    a_library(room)
    assert differences(room) == []
    room.settle()
    assert differences(room) == []


def test_a_picture_made_on_demand_is_owned_and_missed(room: Room) -> None:
    image = room.ready()
    OnDemand(room.service).make(image.id, parse("width=20").transformation, Format.JPEG)
    assert differences(room) == []
    key = f"i/{image.id}/t/width=20.jpg"
    room.assets.delete(key)
    assert differences(room) == [(Kind.MISSING_RESULT, key)]


PLANTED: list[tuple[Kind, Callable[[Image], str]]] = [
    (Kind.UNOWNED_OBJECT, lambda image: names.asset_key(STRANGER, "small", "jpg")),
    (Kind.UNOWNED_OBJECT, lambda image: names.asset_key(image.id, "planted", "jpg")),
    (Kind.UNOWNED_OBJECT, lambda image: f"i/{image.id}/t/w7.jpg"),
    (Kind.UNOWNED_OBJECT, lambda image: "default/planted.jpg"),
    (Kind.UNOWNED_OBJECT, lambda image: names.original_key(STRANGER)),
    (Kind.UNOWNED_OBJECT, lambda image: names.archive_key(STRANGER)),
    (Kind.LEFT_ORIGINAL, lambda image: names.archive_key(image.id)),
    (Kind.FOREIGN_OBJECT, lambda image: "planted.txt"),
    (Kind.FOREIGN_OBJECT, lambda image: "originals/planted"),
]


@pytest.mark.parametrize(("kind", "key_for"), PLANTED)
def test_bytes_without_an_owner_are_a_difference(room: Room, kind: Kind, key_for: Callable[[Image], str]) -> None:
    image = a_library(room)
    key = key_for(image)
    bucket = room.uploads if key.startswith(("originals", "archive")) else room.assets
    bucket.put(key, b"planted", content_type="image/jpeg")
    told = names.original_key(image.id) if kind is Kind.LEFT_ORIGINAL else key
    assert differences(room) == [(kind, told)]


def test_an_owner_without_its_bytes_is_a_difference(room: Room) -> None:
    image = a_library(room)
    taken = names.asset_key(image.id, "small", "jpg")
    room.assets.delete(taken)
    assert differences(room) == [(Kind.MISSING_OBJECT, taken)]
    room.uploads.delete(names.original_key(image.id))
    assert differences(room) == [(Kind.LOST_ORIGINAL, image.id), (Kind.MISSING_OBJECT, taken)]


def test_what_is_left_of_a_deleted_image_is_a_difference_until_the_job_has_run(room: Room) -> None:
    image = a_library(room)
    room.step = killing_at(Step.ORIGINAL_ERASED)
    with pytest.raises(Killed):
        room.service.delete(OWNER, image.id)
    room.step = lambda _: None
    assert {kind for kind, _ in differences(room)} == {Kind.UNDELETED_OBJECT}
    room.settle()
    assert differences(room) == []


def test_a_ready_image_without_any_ledger_is_a_difference(room: Room) -> None:
    image = a_library(room)
    room.catalog.replace(dataclasses.replace(image, objects=()), version=image.version)
    assert differences(room) == [(Kind.NO_LEDGER, image.id)]


def test_what_is_only_on_its_way_is_none() -> None:
    room = Room()
    image = room.receive(PICTURE)
    room.step = killing_at(Step.COMMITTED)
    with pytest.raises(Killed):
        room.work()
    room.step = lambda _: None
    waited: list[float] = []

    def meanwhile(seconds: float) -> None:
        waited.append(seconds)
        room.uploads.delete(names.original_key(image.id))  # what the event does next

    assert differences(room, meanwhile) == []
    assert waited == [SETTLE_SECONDS]


def test_where_nothing_is_suspicious_nobody_waits(room: Room) -> None:
    a_library(room)

    def pause(seconds: float) -> None:
        pytest.fail("why wait?")

    assert differences(room, pause) == []


def test_an_audit_changes_nothing(room: Room) -> None:
    image = a_library(room)
    room.assets.put(names.asset_key(STRANGER, "small", "jpg"), b"planted", content_type="image/jpeg")
    room.assets.delete(names.asset_key(image.id, "small", "jpg"))
    before = room.catalog.walk("", 500), room.objects(), room.kept(), room.queue.depth().waiting
    differences(room)
    assert (room.catalog.walk("", 500), room.objects(), room.kept(), room.queue.depth().waiting) == before
