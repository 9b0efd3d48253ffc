"""The sweep finds what was left behind, each kind, and nothing else; a dry one changes nothing."""

from __future__ import annotations

import dataclasses
import time
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pictures
from darkroom import ledger, names
from darkroom.bucket import Stat
from darkroom.catalog.dynamodb import DynamoCatalog
from darkroom.errors import NotFound, OriginalDeleted, Unavailable
from darkroom.events import ObjectCreated
from darkroom.model import Edit, Original, OriginalPolicy, Shelved, State
from darkroom.steps import Step
from darkroom.sweep import FEW, Ages, Finding, Kind, Place, Sweep
from libraries import image
from rooms import OWNER, PICTURE, Killed, Room, killing_after, killing_at
from tables import tables_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from darkroom.model import Image
    from emulator import Emulator

AGES = Ages(
    patience=timedelta(minutes=10),
    grace=timedelta(hours=2),
    failures=timedelta(days=3),
    tombstones=timedelta(days=30),
)
LATER = timedelta(days=365)
STRANGER = "01k3v9m0c4qdhsyx7g6e8rb2tz"
"""The id of an image that never was."""


class Files:
    """``Leftovers`` that never were files."""

    def __init__(self) -> None:
        self.there: dict[str, datetime] = {}

    def find(self, before: datetime) -> Iterator[Stat]:
        for key, touched in list(self.there.items()):
            if touched < before:
                yield Stat(key=key, bytes=7, etag="", modified=touched)

    def remove(self, key: str) -> None:
        self.there.pop(key, None)


class SweptRoom(Room):
    """A room with a sweep. Its time begins now, because a bucket in memory keeps real time."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.clock.now = datetime.now(UTC)
        self.defaults: dict[str, str | None] = {}
        self.files = Files()

    def after(self, age: timedelta) -> None:
        """Let time pass, and a second more for what took a moment to do."""
        self.clock.advance(age.total_seconds() + 1)

    def sweep(self, *, dry: bool = False, force: bool = False) -> list[tuple[Kind, str, bool]]:
        """Return what a sweep finds: kind, key or id, and whether it was set right."""
        told: list[tuple[Kind, str, bool]] = []
        sweep = Sweep(self.service, AGES, defaults=lambda: self.defaults, leftovers=self.files)

        def tell(finding: Finding, mended: bool) -> None:  # noqa: FBT001 # as it is called
            told.append((finding.kind, finding.key or finding.image_id, mended))

        self.report = sweep.run(dry=dry, force=force, tell=tell)
        assert sum(count.found for count in self.report.kinds.values()) == len(told)
        assert sum(count.mended for count in self.report.kinds.values()) == sum(mended for _, _, mended in told)
        return told

    def everything(self) -> object:
        """Return all there is, to be compared."""
        events = sorted(repr(entry.event) for entry in self.queue._entries)
        return self.catalog.walk("", 500), self.objects(), self.kept(), events, dict(self.files.there)


@pytest.fixture
def room() -> SweptRoom:
    return SweptRoom()


def put(room: Room, key: str, body: bytes = b"12345") -> str:
    bucket = room.uploads if key.startswith(("originals", "archive", "parts", "u")) else room.assets
    bucket.put(key, body, content_type="application/octet-stream")
    return key


# ------------------------------------------------------------------ each kind


def expired_upload(room: SweptRoom) -> str:
    return room.open_upload().id


def expired_upload_in_parts(room: SweptRoom) -> str:
    image = open_in_parts(room)
    put(room, names.part_key(image.id, 1))
    return image.id


def left_part(room: SweptRoom) -> str:
    image = open_in_parts(room)
    room.send(image, PICTURE)
    room.work()
    return put(room, names.part_key(image.id, 2))


def undeleted_part(room: SweptRoom) -> str:
    image = room.ready()
    room.service.delete(OWNER, image.id)
    forget_events(room)
    return put(room, names.part_key(image.id, 1))


def unowned_part(room: SweptRoom) -> str:
    return put(room, names.part_key(STRANGER, 7))


def open_in_parts(room: SweptRoom) -> Image:
    rules = dataclasses.replace(room.service.rules, part_bytes=100)
    room.service = dataclasses.replace(room.service, rules=rules)
    return room.open_upload()


def unannounced_upload(room: SweptRoom) -> str:
    image = room.open_upload()
    put(room, names.original_key(image.id), PICTURE)
    return image.id


def stuck_image(room: SweptRoom) -> str:
    image = room.receive()
    forget_events(room)
    return image.id


def stuck_rendition(room: SweptRoom) -> str:
    image = room.ready()
    room.step = killing_at(Step.REPROCESS_WRITTEN)
    with pytest.raises(Killed):
        room.service.reprocess(OWNER, image.id, from_rendition=True)
    room.step = lambda _: None
    return image.id


def lost_upload(room: SweptRoom) -> str:
    room.step = killing_at(Step.IMAGE_CREATED)
    with pytest.raises(Killed):
        room.receive()
    room.step = lambda _: None
    return room.catalog.walk("", 1)[0].id


def old_failure(room: SweptRoom) -> str:
    image = room.open_upload(b"no picture")
    room.send(image, b"no picture")
    room.work()
    return image.id


def left_original(room: SweptRoom) -> str:
    image = room.receive()
    room.step = killing_at(Step.COMMITTED)
    with pytest.raises(Killed):
        room.work()
    room.step = lambda _: None
    forget_events(room)
    return names.original_key(image.id)


def undeleted_object(room: SweptRoom) -> str:
    image = room.ready()
    room.service.delete(OWNER, image.id)
    forget_events(room)
    return put(room, names.asset_key(image.id, "small", "jpg"))


def undeleted_original(room: SweptRoom) -> str:
    image = room.ready()
    room.service.delete(OWNER, image.id)
    forget_events(room)
    return put(room, names.original_key(image.id))


def old_tombstone(room: SweptRoom) -> str:
    image = room.ready()
    room.service.delete(OWNER, image.id)
    room.settle()
    return image.id


def unowned_original(room: SweptRoom) -> str:
    return put(room, names.original_key(STRANGER))


def unowned_archive(room: SweptRoom) -> str:
    return put(room, names.archive_key(STRANGER))


def unowned_object(room: SweptRoom) -> str:
    return put(room, names.asset_key(STRANGER, "small", "jpg"))


def object_outside_the_ledger(room: SweptRoom) -> str:
    return put(room, names.asset_key(room.ready().id, "gigantic", "jpg"))


def unowned_default(room: SweptRoom) -> str:
    room.defaults = {put(room, "default/small.jpg"): ledger.checksum(b"12345"), "default/promised.jpg": None}
    return put(room, "default/gigantic.jpg")


def no_ledger(room: SweptRoom) -> str:
    image = room.ready()
    room.catalog.replace(dataclasses.replace(image, objects=()), version=image.version)
    return image.id


def leftover_file(room: SweptRoom) -> str:
    room.files.there["incoming/body"] = room.clock.now
    return "incoming/body"


def forget_events(room: SweptRoom) -> None:
    while leases := room.queue.lease(10, 0):
        for lease in leases:
            room.queue.settle(lease)
    room.queue._entries.clear()


MENDED: list[tuple[Kind, Callable[[SweptRoom], str], timedelta]] = [
    (Kind.EXPIRED_UPLOAD, expired_upload, AGES.grace),
    (Kind.EXPIRED_UPLOAD, expired_upload_in_parts, timedelta(hours=24) + AGES.grace),
    (Kind.LEFT_PART, left_part, AGES.patience),
    (Kind.UNANNOUNCED_UPLOAD, unannounced_upload, AGES.patience),
    (Kind.STUCK_IMAGE, stuck_image, AGES.patience),
    (Kind.STUCK_IMAGE, stuck_rendition, AGES.patience),
    (Kind.LOST_UPLOAD, lost_upload, AGES.patience),
    (Kind.OLD_FAILURE, old_failure, AGES.failures),
    (Kind.LEFT_ORIGINAL, left_original, AGES.patience),
    (Kind.UNDELETED_OBJECT, undeleted_object, AGES.patience),
    (Kind.UNDELETED_OBJECT, undeleted_original, AGES.patience),
    (Kind.UNDELETED_OBJECT, undeleted_part, AGES.patience),
    (Kind.OLD_TOMBSTONE, old_tombstone, AGES.tombstones),
    (Kind.UNOWNED_OBJECT, unowned_original, AGES.grace),
    (Kind.UNOWNED_OBJECT, unowned_part, AGES.grace),
    (Kind.UNOWNED_OBJECT, unowned_archive, AGES.grace),
    (Kind.UNOWNED_OBJECT, unowned_object, AGES.grace),
    (Kind.UNOWNED_OBJECT, object_outside_the_ledger, AGES.grace),
    (Kind.UNOWNED_OBJECT, unowned_default, AGES.grace),
    (Kind.NO_LEDGER, no_ledger, timedelta(0)),
    (Kind.LEFTOVER_FILE, leftover_file, AGES.leftovers),
]
EACH = pytest.mark.parametrize(("kind", "make", "age"), [pytest.param(*case, id=case[1].__name__) for case in MENDED])


@EACH
def test_it_is_found_once_it_is_old_enough_and_set_right(
    room: SweptRoom, kind: Kind, make: Callable[[SweptRoom], str], age: timedelta
) -> None:
    subject = make(room)
    if age:
        assert room.sweep() == []
        room.clock.advance(age.total_seconds() - 60)
        assert room.sweep() == [], "too early"
        room.clock.advance(62)
    assert room.sweep() == [(kind, subject, True)]
    room.settle()
    assert room.sweep() == []
    assert room.differences() == []


@EACH
def test_a_dry_sweep_finds_the_same_and_changes_nothing(
    room: SweptRoom, kind: Kind, make: Callable[[SweptRoom], str], age: timedelta
) -> None:
    subject = make(room)
    room.after(age)
    before = room.everything()
    for _ in range(2):
        assert room.sweep(dry=True) == [(kind, subject, False)]
    assert room.everything() == before
    assert room.sweep() == [(kind, subject, True)]


def test_every_kind_is_tried() -> None:
    reported = {Kind.LOST_ORIGINAL, Kind.FOREIGN_OBJECT, Kind.MISSING_OBJECT, Kind.MISSING_RESULT}
    reported.add(Kind.STALE_COUNT)  # only on AWS: below
    assert {kind for kind, _, _ in MENDED} | reported == set(Kind)


# ------------------------------------------------------------------ what becomes of it


def test_an_upload_nobody_was_told_of_becomes_ready(room: SweptRoom) -> None:
    image_ids = [unannounced_upload(room), stuck_image(room), stuck_rendition(room)]
    room.after(AGES.patience)
    room.sweep()
    room.settle()
    assert {room.catalog.get(image_id).state for image_id in image_ids} == {State.READY}  # type: ignore[union-attr]


def test_an_upload_without_bytes_says_so(room: SweptRoom) -> None:
    image_id = lost_upload(room)
    room.after(AGES.patience)
    room.sweep()
    failed = room.service.image(OWNER, image_id)
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert failed.error.code == "original-missing"
    assert failed.original is Original.DELETED


def test_a_failed_image_stays_and_says_that_its_original_is_gone(room: SweptRoom) -> None:
    image_id = old_failure(room)
    room.after(AGES.failures)
    room.sweep()
    failed = room.service.image(OWNER, image_id)
    assert (failed.state, failed.original, room.kept()) == (State.FAILED, Original.DELETED, [])
    with pytest.raises(OriginalDeleted):
        room.service.reprocess(OWNER, image_id)


def test_a_failed_image_that_was_tried_again_is_kept_from_then_on(room: SweptRoom) -> None:
    image_id = old_failure(room)
    room.after(AGES.failures - timedelta(hours=1))
    room.service.reprocess(OWNER, image_id)
    room.settle()
    room.after(timedelta(hours=2))
    assert room.sweep() == []


def test_what_is_removed_is_purged_from_every_edge(room: SweptRoom) -> None:
    key = unowned_object(room)
    room.after(AGES.grace)
    room.sweep()
    assert (STRANGER, (key.rpartition("/")[2],)) in room.purged.told


def test_an_archived_original_that_is_also_where_it_arrived_goes_there() -> None:
    room = SweptRoom(originals=OriginalPolicy.ARCHIVE)
    image = room.receive()
    room.step = killing_at(Step.ORIGINAL_ARCHIVED)
    with pytest.raises(Killed):
        room.work()
    room.step = lambda _: None
    forget_events(room)
    room.after(AGES.patience)
    assert room.sweep() == [(Kind.LEFT_ORIGINAL, names.original_key(image.id), True)]
    assert room.kept() == [names.archive_key(image.id)]


# ------------------------------------------------------------------ what is reported


@pytest.mark.parametrize(
    "key", ["i/junk/small.jpg", "i/readme.txt", "originals/junk", "archive/a/b", "robots.txt", "uploads.txt", "x/y/z"]
)
def test_what_somebody_else_put_there_is_told_and_left_alone(room: SweptRoom, key: str) -> None:
    put(room, key)
    room.after(LATER)
    for _ in range(2):
        assert room.sweep() == [(Kind.FOREIGN_OBJECT, key, False)]
    assert room.report.kinds[Kind.FOREIGN_OBJECT].bytes == 5


def test_a_missing_object_is_made_anew_where_the_original_is_kept() -> None:
    room = SweptRoom(originals=OriginalPolicy.KEEP)
    image = room.ready()
    before = room.objects()
    for one in image.objects[:2]:
        room.assets.delete(names.asset_prefix(image.id) + one.name)
    found = room.sweep()
    assert [(kind, mended) for kind, _, mended in found] == [(Kind.MISSING_OBJECT, True)] * 2
    room.settle()
    assert room.objects() == before
    assert room.service.image(OWNER, image.id).generation == 2, "made anew once"


def test_a_missing_object_is_told_where_the_original_is_gone(room: SweptRoom) -> None:
    image = room.ready()
    key = names.asset_key(image.id, "small", "jpg")
    room.assets.delete(key)
    for _ in range(2):
        assert room.sweep() == [(Kind.MISSING_OBJECT, key, False)]
    assert room.get(image) == image


def test_a_kept_original_that_is_lost_is_told() -> None:
    room = SweptRoom(originals=OriginalPolicy.KEEP)
    image = room.ready()
    room.uploads.delete(names.original_key(image.id))
    assert room.sweep() == [(Kind.LOST_ORIGINAL, image.id, False)]


def test_a_missing_default_image_is_told(room: SweptRoom) -> None:
    room.defaults = {"default/small.jpg": "sum"}
    assert room.sweep() == [(Kind.MISSING_OBJECT, "default/small.jpg", False)]


# ------------------------------------------------------------------ what it leaves alone


@pytest.mark.parametrize("policy", list(OriginalPolicy))
def test_in_a_library_in_order_nothing_is_found_however_old_it_is(policy: OriginalPolicy) -> None:
    room = SweptRoom(originals=policy)
    for width in (40, 41, 42):
        room.ready(pictures.jpeg(width, 30))
    room.service.delete(OWNER, room.ready().id)
    room.settle()
    room.after(AGES.tombstones - timedelta(minutes=5))
    before = room.everything()
    assert room.sweep() == []
    assert room.everything() == before
    assert (room.report.images, room.report.objects) == (4, 9 + (policy is not OriginalPolicy.DELETE) * 3)


def test_work_that_waits_behind_other_work_is_not_stuck(room: SweptRoom) -> None:
    room.receive()
    for _ in range(3):
        room.after(AGES.patience)
        assert room.sweep() == []
    assert room.queue.depth().waiting == 1


def test_an_event_that_is_never_taken_does_not_hide_the_stuck_for_ever(room: SweptRoom) -> None:
    room.queue.publish(ObjectCreated(key="of another release", etag="e"))
    image_id = stuck_image_beside_events(room)
    room.after(AGES.patience + AGES.grace)
    assert room.sweep() == [(Kind.STUCK_IMAGE, image_id, True)]


def stuck_image_beside_events(room: SweptRoom) -> str:
    image = room.receive()
    room.queue._entries[1:] = []
    return image.id


def test_so_many_unowned_objects_that_the_catalog_must_be_wrong_are_left_alone(room: SweptRoom) -> None:
    image = room.ready()
    for number in range(FEW + 1):
        put(room, names.asset_key(STRANGER, f"n{number}", "jpg"))
    room.after(AGES.grace)
    found = room.sweep()
    assert {(kind, mended) for kind, _, mended in found} == {(Kind.UNOWNED_OBJECT, False)}
    assert len(room.objects()) == FEW + 4
    first = room.report
    assert {mended for _, _, mended in room.sweep(force=True)} == {True}
    assert [first.withheld, room.report.withheld] == [True, False]
    assert set(room.objects()) == set(ledger.keys(image))


def test_a_few_unowned_objects_are_no_reason_to_doubt_the_catalog(room: SweptRoom) -> None:
    for number in range(FEW):
        put(room, names.asset_key(STRANGER, f"n{number}", "jpg"))
    room.after(AGES.grace)
    room.sweep()
    assert room.objects() == {}


# ------------------------------------------------------------------ beside everything else


def test_what_changes_between_the_look_and_the_second_look_is_no_finding(
    room: SweptRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image is read, and by the time its objects are listed it has been deleted and erased."""
    image = room.ready()
    walk = room.catalog.walk

    def walk_before_delete(after: str, limit: int, *, state: State | None = None) -> tuple[Image, ...]:
        found = walk(after, limit, state=state)
        if found:
            monkeypatch.undo()
            room.service.delete(OWNER, image.id)
        return found

    monkeypatch.setattr(room.catalog, "walk", walk_before_delete)
    assert room.sweep() == []


def test_an_image_that_never_keeps_still_is_left_to_the_next_sweep(
    room: SweptRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = room.ready()
    key = names.asset_key(image.id, "small", "jpg")
    room.assets.delete(key)
    stat = room.uploads.stat

    def stat_and_edit(key: str) -> Stat:
        room.service.edit(OWNER, image.id, Edit(title=f"{room.service.image(OWNER, image.id).version}"))
        return stat(key)

    monkeypatch.setattr(room.uploads, "stat", stat_and_edit)
    assert room.sweep() == []
    monkeypatch.undo()
    assert room.sweep() == [(Kind.MISSING_OBJECT, key, False)]


def test_an_upload_that_changes_while_it_is_given_up_is_kept(room: SweptRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    image_id = expired_upload(room)
    room.after(AGES.grace)
    forget = room.catalog.forget

    def title_first(wanted: str, *, version: int | None = None) -> None:
        room.service.edit(OWNER, image_id, Edit(title="still wanted"))
        forget(wanted, version=version)

    monkeypatch.setattr(room.catalog, "forget", title_first)
    assert room.sweep() == [(Kind.EXPIRED_UPLOAD, image_id, False)]
    assert room.service.image(OWNER, image_id).title == "still wanted"


def test_a_sweep_ends_early_when_it_is_told_to(room: SweptRoom) -> None:
    for _ in range(3):
        expired_upload(room)
    room.after(AGES.grace)
    answers = iter((False, True))
    sweep = Sweep(room.service, AGES, defaults=dict)
    report = sweep.run(stopping=lambda: next(answers))
    assert (report.whole, report.kinds[Kind.EXPIRED_UPLOAD].mended) == (False, 1)
    assert len(room.catalog.walk("", 10)) == 2


def test_a_bucket_in_trouble_ends_the_sweep_and_nothing_is_taken_for_missing(
    room: SweptRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = room.ready()

    def fail(prefix: str) -> Iterator[Stat]:
        raise Unavailable("the disk is gone")

    monkeypatch.setattr(room.assets, "list", fail)
    with pytest.raises(Unavailable):
        room.sweep()
    assert room.get(image) == image


# ------------------------------------------------------------------ ages


def test_the_ages_follow_from_how_long_things_may_take() -> None:
    ages = Ages.of(
        ticket_life=timedelta(minutes=15),
        longest_upload=timedelta(hours=18),
        attempts=5,
        longest_try=timedelta(seconds=70),
        failures=timedelta(days=14),
        tombstones=timedelta(days=30),
    )
    pauses = timedelta(seconds=2 + 4 + 8 + 16)
    assert ages.patience == pauses + 5 * timedelta(seconds=70) + timedelta(minutes=5)
    assert ages.grace == timedelta(hours=18, minutes=15) + ages.patience
    assert (ages.failures, ages.tombstones) == (timedelta(days=14), timedelta(days=30))


def test_no_age_is_shorter_than_what_could_still_happen() -> None:
    ages = Ages.of(
        ticket_life=timedelta(hours=24),
        longest_upload=timedelta(days=50),
        attempts=1,
        longest_try=timedelta(seconds=1),
        failures=timedelta(0),
        tombstones=timedelta(days=1),
    )
    assert ages.failures >= ages.grace
    assert ages.tombstones >= 2 * ages.grace


# ------------------------------------------------------------------ whatever happened before


ACTIONS = st.sampled_from(("receive", "open", "send", "focus", "reprocess", "rendition", "delete", "lose", "wait"))


@settings(max_examples=60, deadline=None)
@given(
    policy=st.sampled_from(list(OriginalPolicy)),
    story=st.lists(st.tuples(ACTIONS, st.integers(0, 2), st.none() | st.integers(0, 12)), max_size=12),
)
def test_after_a_sweep_ledger_and_buckets_agree_and_every_upload_has_ended(
    policy: OriginalPolicy, story: list[tuple[str, int, int | None]]
) -> None:
    """Whatever was done, wherever it died, and whatever events were lost."""
    room = SweptRoom(originals=policy)
    for action, which, cut in story:
        room.step = killing_after(cut) if cut is not None else lambda _: None
        images = room.catalog.walk("", 500)
        with suppress(Killed, NotFound, OriginalDeleted):
            act(room, action, images[which % len(images)] if images else None)
            room.work()
    room.step = lambda _: None
    for _ in range(2):
        room.settle()
        room.after(AGES.grace)
        room.sweep()
    room.settle()
    assert room.sweep() == []
    assert room.differences() == []
    assert {image.state for image in room.catalog.walk("", 500)} <= {State.READY, State.FAILED, State.DELETED}


def act(room: SweptRoom, action: str, chosen: Image | None) -> None:
    if action == "receive":
        room.receive()
    elif action == "open":
        room.open_upload()
    elif action == "wait":
        room.clock.advance(20)
    elif action == "lose":
        forget_events(room)
    elif chosen is not None:
        ON_AN_IMAGE[action](room, chosen)


def send(room: SweptRoom, image: Image) -> None:
    if image.state is State.AWAITING and names.original_key(image.id) not in room.kept():
        room.send(image)


ON_AN_IMAGE: dict[str, Callable[[SweptRoom, Image], object]] = {
    "send": send,
    "focus": lambda room, image: room.service.edit(OWNER, image.id, Edit(focus=(0.3, 0.7))),
    "reprocess": lambda room, image: room.service.reprocess(OWNER, image.id),
    "rendition": lambda room, image: room.service.reprocess(OWNER, image.id, from_rendition=True),
    "delete": lambda room, image: room.service.delete(OWNER, image.id),
}


def test_places_are_told_apart(room: SweptRoom) -> None:
    unowned_original(room)
    unowned_object(room)
    room.after(AGES.grace)
    places: list[Place] = []
    Sweep(room.service, AGES, defaults=dict).run(dry=True, tell=lambda finding, _: places.append(finding.place))
    assert sorted(places) == [Place.ASSETS, Place.UPLOADS]


# ------------------------------------------------------------------ counts


def test_a_count_that_a_cut_off_write_left_wrong_is_told_and_mended(room: SweptRoom, emulator: Emulator) -> None:
    with (
        tables_in(emulator) as tables,
        closing(DynamoCatalog(tables.client, tables.make(), clock=time.time)) as counted,
    ):
        room.service = dataclasses.replace(room.service, catalog=counted)
        counted.create(image(1, tags=("cat",), objects=(Shelved(name="a"),), original=Original.DELETED))
        key = {"pk": {"S": "l#local#tag"}, "sk": {"S": "gone"}}
        left = key | {"writer": {"S": "00000001aaaaaaaa"}, "counted": {"N": "1"}}
        tables.client.put_item(TableName=counted._table._name, Item=left)
        wrong = (Kind.STALE_COUNT, "local tag:gone")
        assert room.sweep(dry=True) == [(*wrong, False)]
        assert room.sweep() == [(*wrong, True)]
        assert room.sweep() == []
