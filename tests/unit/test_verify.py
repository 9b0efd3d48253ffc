"""Verification finds every byte that is not as it was stored, and repairs what can be."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, BinaryIO

import pytest

import pictures
from darkroom import ledger, names
from darkroom.figures import DAMAGED_OBJECTS
from darkroom.model import Edit, Format, Original, OriginalPolicy, State
from darkroom.ondemand import OnDemand
from darkroom.transform.options import parse
from darkroom.verify import Defaults, Fault, Verification, Verifier
from rooms import OWNER, PICTURE, Room

if TYPE_CHECKING:
    from darkroom.bucket import Bucket, Stat
    from darkroom.model import Image

Told = list[tuple[Fault, str, bool]]


class VerifiedRoom(Room):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.distrusted = 0

    def verify(self, *, repair: bool = False, defaults: dict[str, str | None] | None = None) -> Told:
        """Return what is wrong: fault, key, and whether it is made anew."""
        told: Told = []

        def distrust() -> None:
            self.distrusted += 1

        verifier = Verifier(self.service, Defaults(lambda: defaults or {}, distrust))
        self.result: Verification = verifier.run(
            repair=repair, tell=lambda faulty, repaired: told.append((faulty.fault, faulty.key, repaired))
        )
        assert self.result.sound == (not told)
        return told


def flip(bucket: Bucket, key: str, bit: int = 0) -> str:
    """Change one bit of a stored object."""
    body = bytearray(bucket.get(key).body)
    body[bit // 8] ^= 1 << bit % 8
    bucket.put(key, bytes(body), content_type="application/octet-stream")
    return key


def small(image: Image) -> str:
    return names.asset_key(image.id, "small", "jpg")


@pytest.fixture
def keeping() -> VerifiedRoom:
    return VerifiedRoom(originals=OriginalPolicy.KEEP)


@pytest.fixture
def deleting() -> VerifiedRoom:
    return VerifiedRoom()


@pytest.mark.parametrize("policy", list(OriginalPolicy))
def test_a_sound_library_is_read_to_the_last_byte(policy: OriginalPolicy) -> None:
    room = VerifiedRoom(originals=policy)
    room.ready()
    room.ready(pictures.jpeg(60, 60))
    room.service.delete(OWNER, room.ready().id)
    room.open_upload()
    assert room.verify() == []
    stored = [*room.objects().values(), *(room.uploads.get(key).body for key in room.kept())]
    assert (room.result.images, room.result.objects, room.result.bytes, room.result.unrecorded) == (
        3,
        len(stored),
        sum(map(len, stored)),
        0,
    )


@pytest.mark.parametrize("bit", [0, 1000, -1])
def test_one_flipped_bit_is_found_wherever_it_is(keeping: VerifiedRoom, bit: int) -> None:
    keeping.ready()
    image = keeping.ready()
    keys = [*ledger.keys(image), names.original_key(image.id)]
    for key in keys:
        bucket = keeping.assets if key.startswith("i/") else keeping.uploads
        whole = bucket.get(key).body
        flip(bucket, key, bit % (8 * len(whole)))
        fault = Fault.DAMAGED_OBJECT if key.startswith("i/") else Fault.DAMAGED_ORIGINAL
        assert keeping.verify() == [(fault, key, False)]
        bucket.put(key, whole, content_type="application/octet-stream")
    assert keeping.verify() == []
    assert keeping.figures.total(DAMAGED_OBJECTS, finder="verify") == len(keys)


def test_an_archived_original_is_read_too() -> None:
    room = VerifiedRoom(originals=OriginalPolicy.ARCHIVE)
    image = room.ready()
    key = flip(room.uploads, names.archive_key(image.id))
    assert room.verify() == [(Fault.DAMAGED_ORIGINAL, key, False)]


def test_what_is_missing_is_told(keeping: VerifiedRoom) -> None:
    image = keeping.ready()
    keeping.assets.delete(small(image))
    keeping.uploads.delete(names.original_key(image.id))
    assert keeping.verify() == [
        (Fault.MISSING_OBJECT, small(image), False),
        (Fault.MISSING_ORIGINAL, names.original_key(image.id), False),
    ]


def test_what_the_disk_cannot_read_is_told_and_the_rest_is_read(
    deleting: VerifiedRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = deleting.ready()
    other = deleting.ready()
    flip(deleting.assets, small(other))
    open_ = deleting.assets.open

    def failing(key: str) -> tuple[Stat, BinaryIO]:
        stat, file = open_(key)
        if key == small(image):
            file.close()
            file = open("/proc/self/mem", "rb", buffering=0)  # noqa: PTH123, SIM115 # reading at 0 is EIO
        return stat, file

    monkeypatch.setattr(deleting.assets, "open", failing)
    assert deleting.verify() == [
        (Fault.UNREADABLE, small(image), False),
        (Fault.DAMAGED_OBJECT, small(other), False),
    ]


def test_a_failed_upload_is_compared_with_what_was_promised(keeping: VerifiedRoom) -> None:
    body = b"no picture, but promised"
    image = keeping.open_upload(body, sha256=hashlib.sha256(body).hexdigest())
    keeping.send(image, body)
    keeping.work()
    assert keeping.verify() == []
    flip(keeping.uploads, names.original_key(image.id))
    assert keeping.verify() == [(Fault.DAMAGED_ORIGINAL, names.original_key(image.id), False)]


def test_what_nothing_was_recorded_of_is_counted_and_believed(deleting: VerifiedRoom) -> None:
    image = deleting.ready()
    unrecorded = dataclasses.replace(image, objects=ledger.promise(image.objects, ()))
    deleting.catalog.replace(unrecorded, version=image.version)
    flip(deleting.assets, small(image))
    assert deleting.verify() == []
    assert deleting.result.unrecorded == 3


def test_what_is_made_anew_while_it_is_read_is_not_called_damaged(
    keeping: VerifiedRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = keeping.ready(pictures.jpeg(90, 30))
    open_ = keeping.assets.open

    def anew(key: str) -> tuple[Stat, BinaryIO]:
        monkeypatch.undo()
        keeping.service.edit(OWNER, image.id, Edit(focus=(1.0, 0.5)))
        keeping.settle()
        return open_(key)

    monkeypatch.setattr(keeping.assets, "open", anew)
    assert keeping.verify() == []


# ------------------------------------------------------------------ repairing


def test_a_damaged_object_is_made_anew_from_the_original(keeping: VerifiedRoom) -> None:
    image = keeping.ready()
    before = keeping.objects()
    for one in image.objects:
        flip(keeping.assets, names.asset_prefix(image.id) + one.name)
    assert [repaired for _, _, repaired in keeping.verify(repair=True)] == [True] * 3
    assert keeping.result.repairs == 1
    keeping.settle()
    assert keeping.objects() == before
    assert keeping.verify() == []


def test_without_an_original_it_is_made_from_a_whole_variant_of_full_size(deleting: VerifiedRoom) -> None:
    image = deleting.ready()
    for key in (small(image), names.asset_key(image.id, "card", "jpg")):
        flip(deleting.assets, key)
    assert {repaired for _, _, repaired in deleting.verify(repair=True)} == {True}
    deleting.settle()
    assert deleting.verify() == []
    assert deleting.service.image(OWNER, image.id).variants[0].width == image.variants[0].width


def test_what_cannot_be_made_anew_in_full_size_is_left_as_it_is(deleting: VerifiedRoom) -> None:
    image = deleting.ready()
    for name in ("card.jpg", "card.webp"):
        flip(deleting.assets, names.asset_prefix(image.id) + name)
    assert {repaired for _, _, repaired in deleting.verify(repair=True)} == {False}
    assert deleting.get(image) == image


def test_nothing_is_made_from_a_damaged_original(keeping: VerifiedRoom) -> None:
    image = keeping.ready()
    flip(keeping.assets, small(image))
    flip(keeping.uploads, names.original_key(image.id), 8 * (len(PICTURE) - 1))
    assert {repaired for _, _, repaired in keeping.verify(repair=True)} == {False}
    assert keeping.get(image) == image


def test_a_lost_original_alone_is_nothing_to_repair(keeping: VerifiedRoom) -> None:
    image = keeping.ready()
    keeping.uploads.delete(names.original_key(image.id))
    assert [repaired for _, _, repaired in keeping.verify(repair=True)] == [False]
    assert keeping.get(image) == image
    keeping.assets.delete(small(image))
    assert [repaired for _, _, repaired in keeping.verify(repair=True)] == [True, True]
    keeping.settle()
    again = keeping.service.image(OWNER, image.id)
    assert (again.state, again.original) == (State.READY, Original.DELETED)


def test_damaged_default_images_are_made_anew_at_the_next_start(deleting: VerifiedRoom) -> None:
    deleting.assets.put("default/small.jpg", b"whole", content_type="image/jpeg")
    defaults = {"default/small.jpg": ledger.checksum(b"whole"), "default/ledger.json": None}
    assert deleting.verify(defaults=defaults, repair=True) == []
    flip(deleting.assets, "default/small.jpg")
    assert deleting.verify(defaults=defaults) == [(Fault.DAMAGED_OBJECT, "default/small.jpg", False)]
    assert deleting.distrusted == 0
    assert deleting.verify(defaults=defaults, repair=True) == [(Fault.DAMAGED_OBJECT, "default/small.jpg", True)]
    assert deleting.distrusted == 1


def test_a_damaged_picture_made_on_demand_is_found_and_comes_back_when_it_is_asked_for(keeping: VerifiedRoom) -> None:
    image = keeping.ready()
    wanted = parse("width=20").transformation
    OnDemand(keeping.service).make(image.id, wanted, Format.JPEG)
    key = f"i/{image.id}/t/width=20.jpg"
    whole = keeping.assets.get(key).body
    assert keeping.verify() == []
    assert keeping.result.objects == 5
    flip(keeping.assets, key, 999)
    assert keeping.verify() == [(Fault.DAMAGED_OBJECT, key, False)]
    assert keeping.verify(repair=True) == [(Fault.DAMAGED_OBJECT, key, True)]
    assert keeping.verify() == []
    OnDemand(keeping.service).make(image.id, wanted, Format.JPEG)
    assert keeping.assets.get(key).body == whole
    assert keeping.get(image) == image, "the image itself was touched"
