"""Events twice, late and in any order, tickets used twice, deletes at every step: there is exactly one right result.

On the real database, queue and folders, and in memory.
"""

from __future__ import annotations

import itertools
import random
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

import pytest

import pictures
from darkroom import ledger, names
from darkroom.bucket.notifying import NotifyingBucket
from darkroom.bucket.objects import ObjectBucket
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.errors import AlreadyExists, NotFound
from darkroom.events.sqlite import SqliteQueue
from darkroom.model import Edit, Image, Original, OriginalPolicy, State
from darkroom.transform.inline import InlineTransform
from rooms import OWNER, PICTURE, Room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from darkroom.events import Event
    from darkroom.steps import Step
    from darkroom.transform import Order, Rendered

POLICIES = list(OriginalPolicy)
OTHER = pictures.jpeg(40, 30, quality=40).ljust(len(PICTURE), b"\0")[: len(PICTURE)]
"""As long as the picture, so that the same ticket would take it."""
FOCUS = (1.0, 0.0)


class RememberedTransform(InlineTransform):
    """Decodes and encodes once what would be the same again: thousands of times the same picture here."""

    def __init__(self) -> None:
        self._rendered: dict[tuple[str, object], Rendered] = {}

    def render(self, original: BinaryIO, order: Order) -> Rendered:
        """See the port."""
        known = ledger.sha256_of(original), order.focus
        if known not in self._rendered:
            original.seek(0)
            self._rendered[known] = super().render(original, order)
        return self._rendered[known]


TRANSFORM = RememberedTransform()


@pytest.fixture
def make_room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[OriginalPolicy], Room]]:
    numbers = itertools.count()
    opened: list[SqliteCatalog | SqliteQueue] = []

    def make(policy: OriginalPolicy) -> Room:
        room = Room(originals=policy)
        room.replaced(transform=TRANSFORM)
        if request.param == "embedded":
            folder = tmp_path / str(next(numbers))
            folder.mkdir()
            queue, catalog = SqliteQueue(folder / "queue", room.clock), SqliteCatalog(folder / "catalog")
            opened.extend((queue, catalog))
            room.uploads, room.assets = ObjectBucket.folder(folder / "uploads"), ObjectBucket.folder(folder / "assets")
            room.queue, room.catalog = queue, catalog  # type: ignore[assignment]  # the same ports
            uploads = NotifyingBucket(room.uploads, queue)
            room.replaced(queue=queue, catalog=catalog, uploads=uploads, assets=room.assets)
        return room

    yield make
    for each in opened:
        each.close()


class Heard:
    """Every event that was published in a room."""

    def __init__(self, room: Room) -> None:
        self.events: list[Event] = []
        publish = room.queue.publish

        def publish_and_remember(event: Event, *, delay_seconds: float = 0.0) -> None:
            self.events.append(event)
            publish(event, delay_seconds=delay_seconds)

        room.queue.publish = publish_and_remember  # type: ignore[method-assign]  # to listen


def upload(room: Room, door: str) -> Image:
    if door == "post":
        return room.receive()
    image = room.open_upload()
    room.send(image)
    return image


def change_focus(room: Room, image: Image) -> None:
    room.service.edit(OWNER, image.id, Edit(focus=FOCUS))


def reprocess(room: Room, image: Image) -> None:
    with suppress(NotFound):  # it arrived by ticket and was not worked on yet
        room.service.reprocess(OWNER, image.id, from_rendition=True)


def delete(room: Room, image: Image) -> None:
    room.service.delete(OWNER, image.id)


STORIES: dict[str, tuple[Callable[[Room, Image], None], ...]] = {
    "uploaded": (),
    "focused": (change_focus,),
    "reprocessed": (reprocess,),
    "focused and reprocessed": (change_focus, reprocess),
    "deleted": (delete,),
    "reprocessed and deleted": (reprocess, delete),
}
RENDERED = ("uploaded", "focused", "reprocessed", "focused and reprocessed")
DOORS = ("post", "ticket")
each_story = pytest.mark.parametrize("story", STORIES)
# On a disk every step takes its time: there only the policy under which originals move about, by the longer way in.
each_case = pytest.mark.parametrize(
    ("make_room", "policy", "door"),
    [
        *(("memory", policy, door) for policy in POLICIES for door in DOORS),
        ("embedded", OriginalPolicy.ARCHIVE, "ticket"),
    ],
    indirect=["make_room"],
)
each_policy = pytest.mark.parametrize(
    ("make_room", "policy"),
    [*(("memory", policy) for policy in POLICIES), ("embedded", OriginalPolicy.ARCHIVE)],
    indirect=["make_room"],
)


def begin(room: Room, story: str, door: str) -> Image:
    """Ask for everything of a story; nobody works on it."""
    image = upload(room, door)
    for act in STORIES[story]:
        act(room, image)
    return image


def told(room: Room, story: str, door: str, step: Callable[[Step], None]) -> Image:
    """Tell a story from beginning to end; ``step`` is called at every step of it, the upload being over."""
    image = upload(room, door)
    if STORIES[story]:
        room.settle()
    room.step = step
    for act in STORIES[story]:
        with suppress(NotFound):  # somebody else was quicker
            act(room, image)
    room.settle()
    room.step = lambda _: None
    return image


def steps_of(room: Room, story: str, door: str) -> list[Step]:
    passed: list[Step] = []
    told(room, story, door, passed.append)
    return passed


def in_the_middle(cut: int, meanwhile: Callable[[], object]) -> Callable[[Step], None]:
    """Return what lets somebody else do something once so many steps were passed."""
    left = cut

    def step(_reached: Step) -> None:
        nonlocal left
        left -= 1
        if left == -1:
            meanwhile()

    return step


def seen(room: Room, image: Image) -> dict[str, object]:
    """Return everything that people and disks can see of an image."""
    return {"image": room.get(image), "objects": room.objects(), "originals": room.kept(), "queue": room.queue.depth()}


def is_right(room: Room, image: Image, story: str) -> None:
    """See that this is what a story must lead to, however its events came."""
    found = room.get(image)
    assert found is not None
    assert room.differences() == []
    assert room.queue.depth().buried == 0
    if delete in STORIES[story]:
        assert found.state is State.DELETED
        assert (room.objects(), room.kept()) == ({}, [])
        return
    assert found.state is State.READY, found.error
    assert found.facts is not None
    kept = Original.DELETED if room.originals is OriginalPolicy.DELETE else Original.KEPT
    assert found.original is kept
    assert len(room.objects()) == 3
    assert found.focus == (FOCUS if change_focus in STORIES[story] else None)


@each_case
@each_story
def test_every_event_that_comes_again_changes_nothing(
    make_room: Callable[[OriginalPolicy], Room], policy: OriginalPolicy, story: str, door: str
) -> None:
    room = make_room(policy)
    heard = Heard(room)
    image = upload(room, door)
    room.settle()
    for act in STORIES[story]:
        act(room, image)
        room.settle()
    is_right(room, image, story)
    before = seen(room, image)
    events = list(heard.events)
    for seed in range(6):
        again = events * 2
        random.Random(seed).shuffle(again)
        for event in again:
            room.queue.publish(event)
        room.settle()
        assert seen(room, image) == before, f"seed {seed}: {again}"


@each_case
@each_story
def test_events_that_come_late_and_in_any_order_lead_to_the_same(
    make_room: Callable[[OriginalPolicy], Room], policy: OriginalPolicy, story: str, door: str
) -> None:
    """Nothing is worked on before all has been asked for; then everything comes, twice, in every order."""
    measured = make_room(policy)
    heard = Heard(measured)
    begin(measured, story, door)
    for order in itertools.permutations(range(len(heard.events))):
        room = make_room(policy)
        heard = Heard(room)
        image = begin(room, story, door)
        for turn in [*order, *order]:
            with suppress(Exception):  # it comes again, as it would
                room.service.handle(heard.events[turn])
        room.settle()
        is_right(room, image, story)


@each_case
@pytest.mark.parametrize("story", RENDERED)
def test_deleted_at_any_step_it_never_comes_back(
    make_room: Callable[[OriginalPolicy], Room], policy: OriginalPolicy, story: str, door: str
) -> None:
    for cut, at in enumerate(steps_of(make_room(policy), story, door)):
        room = make_room(policy)
        heard = Heard(room)

        def delete_it() -> None:
            (only,) = room.catalog.walk("", 2)  # noqa: B023  # called at once
            delete(room, only)  # noqa: B023  # called at once

        image = told(room, story, door, in_the_middle(cut, delete_it))
        assert room.service.delivered(image.id) is None
        for event in heard.events * 2:
            room.queue.publish(event)
        room.settle()
        found = room.get(image)
        assert found is not None
        assert found.state is State.DELETED, f"step {cut}, {at}"
        assert (room.objects(), room.kept()) == ({}, []), f"step {cut}, {at}"
        assert room.queue.depth().buried == 0


@each_policy
@pytest.mark.parametrize("story", RENDERED)
def test_a_ticket_used_again_at_any_step_changes_nothing(
    make_room: Callable[[OriginalPolicy], Room], policy: OriginalPolicy, story: str
) -> None:
    measured = make_room(policy)
    steps = steps_of(measured, story, "ticket")
    wanted = sorted(measured.objects().values())
    for cut, at in enumerate(steps):
        room = make_room(policy)

        def use_again() -> None:
            (only,) = room.catalog.walk("", 2)  # noqa: B023  # called at once
            with suppress(AlreadyExists):
                room.send(only, OTHER)  # noqa: B023  # called at once

        image = told(room, story, "ticket", in_the_middle(cut, use_again))
        use_again()
        room.settle()
        is_right(room, image, story)
        assert sorted(room.objects().values()) == wanted, f"step {cut}, {at}: other bytes are shown"
        found = room.get(image)
        assert found is not None
        assert found.facts is not None
        assert found.facts.source.bytes == len(PICTURE)
        if policy is not OriginalPolicy.DELETE:
            key = names.archive_key(image.id) if policy is OriginalPolicy.ARCHIVE else names.original_key(image.id)
            assert room.uploads.get(key).body == PICTURE, f"step {cut}, {at}: the original is another one"
