"""Exports and imports through the ports: equal on the other side, again without effect, and nothing half-done."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import io
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pictures
from darkroom import names, transfer
from darkroom.catalog.documents import to_document
from darkroom.errors import Conflict, NotFound, Refused, Unavailable
from darkroom.holdings import Place
from darkroom.model import Edit, Image, OriginalPolicy, State
from darkroom.transfer import LINE_BYTES, Collection, Extent, OnConflict, Outcome, bring, check, export
from libraries import FIRST, libraries
from rooms import OWNER, Room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class Parcel:
    """A ``Target`` and an ``Origin`` in memory."""

    written: list[bytes] = field(default_factory=list)
    objects: dict[tuple[Place, str], bytes] = field(default_factory=dict)

    def write(self, line: str) -> None:
        self.written.append(line.encode())

    def keep(self, place: Place, key: str, body: BinaryIO) -> tuple[int, str]:
        whole = self.objects[place, key] = body.read()
        return len(whole), hashlib.sha256(whole).hexdigest()

    def drop(self, place: Place, key: str) -> None:
        del self.objects[place, key]

    def lines(self) -> Iterator[bytes]:
        yield from self.written

    def open(self, place: Place, key: str) -> BinaryIO:
        try:
            return io.BytesIO(self.objects[place, key])
        except KeyError as error:
            msg = f"{place}/{key} is missing"
            raise NotFound(msg) from error

    @property
    def documents(self) -> list[Any]:
        return [json.loads(line) for line in self.written]

    def change(self, number: int, change: Callable[[Any], Any]) -> Parcel:
        """Return another, whose line of this number (from 1) is changed."""
        changed = copy.deepcopy(self)
        changed.written[number - 1] = (json.dumps(change(json.loads(self.written[number - 1]))) + "\n").encode()
        return changed


def collection(room: Room) -> Collection:
    return Collection(
        catalog=room.catalog, uploads=room.uploads, assets=room.assets, queue=room.queue, purges=room.purged
    )


def exported(room: Room, *, with_objects: bool = True, told: Callable[[Extent], None] = lambda _: None) -> Parcel:
    parcel = Parcel()
    export(collection(room), parcel, release="0.1.0", now=FIRST, with_objects=with_objects, told=told)
    return parcel


def brought(parcel: Parcel, room: Room, scratch: Path, on_conflict: OnConflict = OnConflict.SKIP) -> list[Outcome]:
    """Check and import; return what became of each image."""
    outcomes: list[Outcome] = []
    check(parcel, collection(room), on_conflict)
    bring(parcel, collection(room), scratch, on_conflict, outcomes.append)
    return outcomes


def images(room: Room) -> dict[str, Image]:
    return {image.id: image for image in room.catalog.walk("", 500)}


def without_tags_of_place(image: Image | None) -> Image | None:
    """Leave out what belongs to the deployment: the entity tag of the object under the original's key."""
    return None if image is None else dataclasses.replace(image, original_etag=None)


def originals(room: Room) -> dict[str, bytes]:
    found = {}
    for key in room.kept():
        with room.uploads.open(key)[1] as file:
            found[key] = file.read()
    return found


def assert_equal(one: Room, other: Room) -> None:
    living = {image_id: image for image_id, image in images(one).items() if image.state is not State.DELETED}
    assert {key: without_tags_of_place(image) for key, image in images(other).items()} == {
        key: without_tags_of_place(image) for key, image in living.items()
    }
    assert other.objects() == one.objects()
    assert originals(other) == originals(one)
    assert other.differences() == one.differences() == []


@pytest.fixture
def room() -> Room:
    """A little of everything that there may be."""
    room = Room(originals=OriginalPolicy.KEEP)
    sea = room.ready(pictures.png(60, 40))
    room.service.edit(OWNER, sea.id, Edit(tags=("Sea", "Straße"), album="Summer", title="Ein Tag", focus=(0.0, 1.0)))
    gone = room.ready(pictures.jpeg(33, 44))
    room.service.delete(OWNER, gone.id)
    room.receive(pictures.jpeg(200, 150)[:1500])
    room.settle()
    room.receive(pictures.jpeg(70, 30))
    return room


# ------------------------------------------------------------------ there and back


def test_everything_that_lives_is_equal_on_the_other_side(room: Room, tmp_path: Path) -> None:
    other = Room(originals=OriginalPolicy.KEEP)
    assert brought(exported(room), other, tmp_path) == [Outcome.CREATED] * 3
    assert_equal(room, other)
    room.settle()
    other.settle()  # the image that was on its way is made ready there too
    assert_equal(room, other)
    assert {image.state for image in images(other).values()} == {State.READY, State.FAILED}
    assert list(tmp_path.iterdir()) == []


def test_again_adds_nothing(room: Room, tmp_path: Path) -> None:
    other = Room(originals=OriginalPolicy.KEEP)
    parcel = exported(room)
    brought(parcel, other, tmp_path)
    before, depth = images(other), other.queue.depth()
    for on_conflict in OnConflict:
        assert brought(parcel, other, tmp_path, on_conflict) == [Outcome.UNCHANGED] * 3
    assert (images(other), other.queue.depth()) == (before, depth)
    assert brought(exported(other), room, tmp_path) == [Outcome.UNCHANGED] * 3


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(library=libraries())
def test_any_library_without_objects_is_equal_on_the_other_side(library: list[Image], tmp_path: Path) -> None:
    one, other = Room(), Room()
    for image in library:
        one.catalog.create(
            dataclasses.replace(
                image,
                filename=names.clean_filename(image.filename or "a.jpg"),
                title=names.clean_title(image.title or ""),
                tags=names.clean_tags(image.tags, 50),
                variants=(),
            )
        )
    parcel = exported(one, with_objects=False)
    assert brought(parcel, other, tmp_path) == [Outcome.CREATED] * len(library)
    assert images(other) == images(one)
    assert brought(parcel, other, tmp_path) == [Outcome.UNCHANGED] * len(library)
    assert exported(other, with_objects=False).written == parcel.written


def test_large_objects_too(tmp_path: Path) -> None:
    room, other = Room(originals=OriginalPolicy.KEEP), Room()
    body = pictures.jpeg(50, 40) + random.Random(1).randbytes(3_000_000)
    room.ready(body)
    brought(exported(room), other, tmp_path)
    assert_equal(room, other)
    assert list(tmp_path.iterdir()) == []


def test_the_form_is_the_one_that_is_documented(room: Room) -> None:
    header, *lines, end = exported(room).documents
    assert header == {"darkroom-export": 1, "release": "0.1.0", "made_at": FIRST.isoformat(), "objects": True}
    assert end == {"end": 3}
    living = [image for image in images(room).values() if image.state is not State.DELETED]
    assert [line["image"] for line in lines] == [json.loads(json.dumps(to_document(image))) for image in living]
    first = living[0]
    bodies = originals(room) | room.objects()
    keys = [names.original_key(first.id), *(names.asset_prefix(first.id) + one.name for one in first.objects)]
    assert lines[0]["objects"] == [
        {
            "bucket": "uploads" if key.startswith("originals/") else "assets",
            "key": key,
            "bytes": len(bodies[key]),
            "sha256": hashlib.sha256(bodies[key]).hexdigest(),
        }
        for key in keys
    ]
    assert [set(line) for line in exported(room, with_objects=False).documents[1:-1]] == [{"image"}] * 3


# ------------------------------------------------------------------ while the library is in use


def test_what_changes_during_an_export_is_as_it_was_or_as_it_is(tmp_path: Path) -> None:
    room = Room()
    first, deleted, anew = (room.ready(pictures.jpeg(width, 40)) for width in (40, 50, 60))
    left = [deleted]

    def meanwhile(_: Extent) -> None:
        while left:
            room.service.delete(OWNER, left.pop().id)
            room.service.reprocess(OWNER, anew.id, from_rendition=True)
            room.settle()

    parcel = exported(room, told=meanwhile)
    assert [line["image"]["id"] for line in parcel.documents[1:-1]] == [first.id, anew.id]
    assert not any(deleted.id in key for _, key in parcel.objects)
    other = Room()
    brought(parcel, other, tmp_path)
    assert_equal(room, other)


class Hasty(Parcel):
    """Has something happen in the middle of an image."""

    def keep(self, place: Place, key: str, body: BinaryIO) -> tuple[int, str]:
        kept = super().keep(place, key, body)
        if self.written[1:] == [] and len(self.objects) == 1:
            self.act()
        return kept

    def act(self) -> None: ...


@pytest.mark.parametrize("what", ["delete", "again"])
def test_an_image_that_changes_while_it_is_exported_is_never_a_mixture(what: str, tmp_path: Path) -> None:
    room, other, parcel = Room(), Room(), Hasty()
    image = room.ready(pictures.png(80, 20))

    def act() -> None:
        if what == "delete":
            room.service.delete(OWNER, image.id)
        else:
            room.service.reprocess(OWNER, image.id, from_rendition=True)
            room.settle()

    parcel.act = act  # type: ignore[method-assign] # that is what it is for
    export(collection(room), parcel, release="0.1.0", now=FIRST, with_objects=True)
    brought(parcel, other, tmp_path)
    assert_equal(room, other)
    assert len(parcel.objects) == len(room.objects())


def test_what_is_lost_is_said_and_the_rest_is_exported(room: Room, tmp_path: Path) -> None:
    first = next(iter(images(room).values()))
    prefix = names.asset_prefix(first.id)
    room.assets.delete(f"{prefix}card.webp")
    room.assets.put(f"{prefix}small.jpg", b"rotten", content_type="image/jpeg")
    parcel = Parcel()
    extent = export(collection(room), parcel, release="0", now=FIRST, with_objects=True)
    assert extent.lost == [
        f"assets/{prefix}card.webp is missing",
        f"assets/{prefix}small.jpg has other bytes than recorded",
    ]
    other = Room()
    assert brought(parcel, other, tmp_path) == [Outcome.CREATED] * 3
    assert {key for key in other.objects() if key.startswith(prefix)} == {f"{prefix}card.jpg"}


# ------------------------------------------------------------------ what is there already


def test_another_image_of_the_same_id_stays_or_is_replaced_or_stops_everything(room: Room, tmp_path: Path) -> None:
    parcel = exported(room)
    other = Room(originals=OriginalPolicy.KEEP)
    brought(parcel, other, tmp_path)
    other.settle()
    changed = next(iter(images(other).values()))
    other.service.edit(OWNER, changed.id, Edit(title="mine", focus=(1.0, 0.0)))
    other.settle()
    other.clock.advance(60)
    other.receive(pictures.jpeg(9, 9))
    before, objects = images(other), other.objects()
    with pytest.raises(Conflict, match=rf"line 2: image {changed.id} is here already, and is another"):
        brought(parcel, other, tmp_path, OnConflict.FAIL)
    outcomes = brought(parcel, other, tmp_path, OnConflict.SKIP)
    assert outcomes == [Outcome.SKIPPED, Outcome.UNCHANGED, Outcome.SKIPPED]
    assert (images(other), other.objects()) == (before, objects)
    told = len(other.purged.told)
    outcomes = brought(parcel, other, tmp_path, OnConflict.REPLACE)
    assert outcomes == [Outcome.REPLACED, Outcome.UNCHANGED, Outcome.REPLACED]
    assert changed.id in {image_id for image_id, _ in other.purged.told[told:]}
    now = other.get(changed)
    assert now is not None
    assert (now.title, now.focus, now.state) == ("Ein Tag", (0.0, 1.0), State.READY)
    assert now.generation > before[changed.id].generation
    assert {key: body for key, body in other.objects().items() if changed.id in key} == {
        key: body for key, body in room.objects().items() if changed.id in key
    }
    other.settle()
    assert other.differences() == []


def test_what_another_recipe_had_made_goes_when_an_image_is_replaced(tmp_path: Path) -> None:
    room, other = Room(), Room()
    room.replaced(recipes=room.recipes[:1])
    image = room.ready()
    parcel = exported(room)
    brought(parcel, other, tmp_path)
    other.service.edit(OWNER, image.id, Edit(title="mine"))
    other.service.reprocess(OWNER, image.id, from_rendition=True)
    other.settle()
    assert len(other.objects()) > len(room.objects())
    brought(parcel, other, tmp_path, OnConflict.REPLACE)
    assert other.objects() == room.objects()
    assert other.differences() == []


def test_without_objects_only_what_people_said_is_replaced(tmp_path: Path) -> None:
    room = Room()
    image = room.ready()
    room.service.edit(OWNER, image.id, Edit(title="theirs", tags=("a",)))
    parcel = exported(room, with_objects=False)
    room.service.edit(OWNER, image.id, Edit(title="mine", tags=("b",)))
    room.service.reprocess(OWNER, image.id, from_rendition=True)
    room.settle()
    before = room.get(image)
    assert brought(parcel, room, tmp_path, OnConflict.REPLACE) == [Outcome.REPLACED]
    assert before is not None
    assert room.get(image) == dataclasses.replace(before, title="theirs", tags=("a",), version=before.version + 1)
    assert room.differences() == []


@pytest.mark.parametrize("on_conflict", [OnConflict.SKIP, OnConflict.REPLACE])
def test_what_was_deleted_here_stays_deleted(on_conflict: OnConflict, tmp_path: Path) -> None:
    room = Room()
    image = room.ready()
    parcel = exported(room)
    room.service.delete(OWNER, image.id)
    assert brought(parcel, room, tmp_path, on_conflict) == [Outcome.DELETED]
    assert room.objects() == {}


def test_an_import_that_was_cut_off_is_finished_by_the_next(room: Room, tmp_path: Path) -> None:
    parcel = exported(room)
    for after in range(1, 12):
        other = Room(originals=OriginalPolicy.KEEP)
        puts = [0]
        real_put = other.assets.put

        def put(*given: Any, puts: list[int] = puts, after: int = after, real: Any = real_put, **named: Any) -> Any:
            puts[0] += 1
            if puts[0] == after:
                raise Unavailable("the disk went away")
            return real(*given, **named)

        other.assets.put = put  # type: ignore[method-assign] # a fault where there is none in memory
        try:
            brought(parcel, other, tmp_path)
        except Unavailable:
            for image in images(other).values():
                assert not [one for one in other.differences() if image.id in one]
        brought(parcel, other, tmp_path)
        assert_equal(room, other)


def test_two_imports_at_once_make_one_library(room: Room, tmp_path: Path) -> None:
    parcel, other = exported(room), Room(originals=OriginalPolicy.KEEP)
    create = other.catalog.create
    late: list[list[Outcome]] = []

    def create_late(image: Image) -> Image:
        if not late:
            late.append([])
            late[0] += brought(parcel, other, tmp_path)
        return create(image)

    other.catalog.create = create_late  # type: ignore[method-assign,assignment] # the other import comes in between
    assert brought(parcel, other, tmp_path) == [Outcome.UNCHANGED] * 3
    assert late == [[Outcome.CREATED] * 3]
    assert_equal(room, other)


# ------------------------------------------------------------------ what is not believed


def refused(parcel: Parcel, tmp_path: Path) -> str:
    """Import what must be refused; return why, when nothing was changed."""
    room = Room()
    there = room.ready()
    with pytest.raises(Refused) as error:
        brought(parcel, room, tmp_path, OnConflict.REPLACE)
    assert images(room) == {there.id: there}
    assert len(room.objects()) == len(there.objects)
    assert room.queue.depth().waiting == 0
    return error.value.detail


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"not json\n", "it is no JSON (Expecting value"),
        (b"\n", "it is no JSON (Expecting value"),
        (b'{"image": {}\n', "it is no JSON"),
        (b"[]\n", "it is no JSON object"),
        (b'"x"\n', "it is no JSON object"),
        (b"{}\n", "its image is no JSON object"),
        (b'{"image": NaN, "objects": []}\n', "it is no JSON (NaN is no number of JSON)"),
        (b"\xff\xfe{}\n", "it is no JSON ('utf-8' codec"),
        (b"[" * 200_000 + b"\n", "it is no JSON ("),
        (b'{"a": "' + b"x" * LINE_BYTES + b'"}\n', f"it is longer than {LINE_BYTES} bytes"),
        (b"1" * 10_000 + b"\n", "it is no JSON ("),
    ],
)
def test_a_line_that_is_none_is_named(room: Room, tmp_path: Path, line: bytes, said: str) -> None:
    parcel = exported(room)
    parcel.written.insert(2, line)
    detail = refused(parcel, tmp_path)
    assert detail.startswith(f"line 3: {said}")
    assert detail.endswith("; nothing was imported")


def row_with(**changes: object) -> Callable[[Any], Any]:
    return lambda line: line | {"objects": [line["objects"][1] | changes]}


def with_key(key: str) -> Callable[[Any], Any]:
    return lambda line: row_with(key=key.replace("ID", line["image"]["id"]))(line)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_key("../../../etc/passwd"), "is no object of image"),
        (with_key("/etc/passwd"), "is no object of image"),
        (with_key("i/ID/../../x"), "is no object of image"),
        (with_key("i/01k0000000000000000000000a/card.webp"), "is no object of image"),
        (with_key("originals/ID"), "is no object of image"),
        (with_key("i/ID/stranger.jpg"), "is no object that the image has"),
        (row_with(bucket="attic"), "is not a valid Place"),
        (row_with(bucket="uploads"), "is no object of image"),
        (row_with(bytes=-1), "is no object of image"),
        (row_with(bytes="9"), "is no object of image"),
        (row_with(bytes=7), "is damaged: its bytes are not those that were exported"),
        (row_with(sha256="ab" * 32), "has another checksum than the image says"),
        (row_with(sha256="ab"), "is no SHA-256"),
        (lambda line: line | {"objects": line["objects"] * 2}, "an object is listed twice"),
        (lambda line: line | {"objects": None}, "no list of at most"),
        (lambda line: line | {"objects": [{}] * 10_001}, "no list of at most"),
        (lambda line: line | {"image": line["image"] | {"id": "../x"}}, "is no id"),
        (lambda line: line | {"image": line["image"] | {"format": 2}}, "document format 2, this program reads 1"),
    ],
)
def test_a_line_that_no_export_has_is_named(
    room: Room, tmp_path: Path, change: Callable[[Any], Any], said: str
) -> None:
    detail = refused(exported(room).change(2, change), tmp_path)
    assert detail.startswith("line 2: ")
    assert said in detail


def test_an_object_that_is_missing_or_damaged_or_no_picture_is_named(room: Room, tmp_path: Path) -> None:
    whole = exported(room)
    place, key = next(at for at in whole.objects if at[0] is Place.ASSETS)
    for body, said in ((None, "is missing"), (b"\xff\xd8\xff other", "is damaged"), (b"<html>", "is no picture")):
        parcel = copy.deepcopy(whole)
        if body is None:
            del parcel.objects[place, key]
        else:
            parcel.objects[place, key] = body
        detail = refused(parcel, tmp_path)
        assert detail.startswith(f"line 2: {place}/{key} {said}")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({}, "this is no export of Darkroom"),
        ({"darkroom-export": "1", "objects": True}, "this is no export of Darkroom"),
        ({"darkroom-export": True, "objects": True}, "this is no export of Darkroom"),
        ({"darkroom-export": 0, "objects": True}, "this is no export of Darkroom"),
        ({"darkroom-export": 1}, "this is no export of Darkroom"),
        ({"darkroom-export": 1, "objects": "yes"}, "this is no export of Darkroom"),
    ],
)
def test_what_is_no_export_is_refused(room: Room, tmp_path: Path, header: object, said: str) -> None:
    assert refused(exported(room).change(1, lambda _: header), tmp_path).startswith(f"line 1: {said}")


def test_an_export_of_a_later_release_is_refused(room: Room, tmp_path: Path) -> None:
    parcel = exported(room).change(1, lambda header: header | {"darkroom-export": 2})
    with pytest.raises(Unavailable, match="line 1: this is export format 2, this program reads 1"):
        brought(parcel, Room(), tmp_path)


def test_what_a_later_release_says_besides_is_passed_over(room: Room, tmp_path: Path) -> None:
    parcel = exported(room).change(1, lambda header: header | {"mood": "good"})
    parcel = parcel.change(2, lambda line: line | {"mood": "good", "image": line["image"] | {"mood": "good"}})
    assert brought(parcel, Room(), tmp_path) == [Outcome.CREATED] * 3


def test_an_export_that_is_cut_off_or_added_to_is_refused(room: Room, tmp_path: Path) -> None:
    whole = exported(room)
    for count in range(len(whole.written)):
        cut = dataclasses.replace(whole, written=whole.written[:count])
        assert refused(cut, tmp_path) == (
            f"line {count + 1}: the export is cut off: its last line is missing; nothing was imported"
        )
    shorter = dataclasses.replace(whole, written=[*whole.written[:2], *whole.written[3:]])
    assert refused(shorter, tmp_path).startswith("line 4: the export says that it ends after 3 images, and 2 came")
    longer = dataclasses.replace(whole, written=[*whole.written, whole.written[1]])
    assert refused(longer, tmp_path).startswith("line 6: the export ends on the line before")


def test_an_object_that_changes_between_the_looks_is_not_put(room: Room, tmp_path: Path) -> None:
    parcel, other = exported(room), Room()
    check(parcel, collection(other), OnConflict.SKIP)
    place, key = next(at for at in parcel.objects if at[0] is Place.ASSETS)
    parcel.objects[place, key] = b"\xff\xd8\xff other"
    with pytest.raises(Refused, match="is damaged"):
        bring(parcel, collection(other), tmp_path, OnConflict.SKIP)
    assert key not in other.objects()
    assert images(other) == {}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    text=st.lists(st.sampled_from(['{"image":', "{", "}", "[", '"objects":', "1", ",", "\n", '"end":', "\x00"]))
    | st.lists(st.text(max_size=20))
)
def test_no_bytes_at_all_do_harm(text: list[str], tmp_path: Path) -> None:
    lines = [line + b"\n" for line in "".join(text).encode("utf-8", "surrogatepass").split(b"\n")]
    header = b'{"darkroom-export": 1, "objects": true}\n'
    for written in (lines, [header, *lines]):
        with pytest.raises((Refused, Unavailable)):
            check(Parcel(written=written), collection(Room()), OnConflict.SKIP)
    assert transfer.FORMAT == 1
