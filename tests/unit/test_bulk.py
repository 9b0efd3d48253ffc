"""Work on many images at once: what it does, what it refuses, and how it goes on after a death anywhere."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from darkroom import bulk as rules
from darkroom.bulk import TOGETHER, Bulk, Wish
from darkroom.errors import Conflict, InvalidRequest, NotFound, OverQuota, Unavailable
from darkroom.events import BulkStep
from darkroom.failures import case, retry
from darkroom.jobs import Action, JobState
from darkroom.model import Original, OriginalPolicy, State
from darkroom.steps import Step
from libraries import image
from rooms import OWNER, Killed, Room, killing_after, killing_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.jobs import Job

MANY = 2 * TOGETHER + 7


@pytest.fixture
def room() -> Room:
    return Room()


def fill(room: Room, count: int = MANY, **members: Any) -> list[str]:
    """Put images into the catalog, without anything of them in the buckets."""
    return [room.catalog.create(image(number, **{"tags": ("cat",)} | members)).id for number in range(count)]


def begin(room: Room, action: Action = Action.ADD_TAGS, **wish: Any) -> Job:
    given: dict[str, Any] = {"tags": ("new",)} if action in {Action.ADD_TAGS, Action.REMOVE_TAGS} else {}
    given |= {} if "ids" in wish else {"search": "tag:cat"}
    key = wish.pop("key", None)
    owner = wish.pop("owner", OWNER)
    return Bulk(room.service).begin(owner, Wish(action=action, **given | wish), idempotency_key=key)


def now(room: Room, job: Job) -> Job:
    return Bulk(room.service).job(job.owner, job.id)


def done(room: Room, job: Job) -> Job:
    """Work until there are no events, and return the job."""
    room.settle()
    after = now(room, job)
    assert after.state is JobState.DONE
    assert after.error is None
    return after


def test_every_image_of_a_search_is_counted_and_then_done(room: Room) -> None:
    ids = fill(room)
    other = room.catalog.create(image(900, tags=("dog",)))
    job = begin(room, tags=("new", "CAT"))
    assert (job.state, job.matched, job.done) == (JobState.COUNTING, 0, 0)
    after = done(room, job)
    assert (after.matched, after.done, after.failed, after.errors) == (MANY, MANY, 0, ())
    assert all(room.catalog.get(image_id).tags == ("cat", "new") for image_id in ids)  # type: ignore[union-attr]
    assert room.catalog.get(other.id) == other


def test_a_dry_run_counts_and_changes_nothing(room: Room) -> None:
    fill(room)
    before = room.catalog.walk("", 500)
    after = done(room, begin(room, Action.DELETE, dry_run=True))
    assert (after.matched, after.done, after.failed) == (MANY, 0, 0)
    ids = (*(one.id for one in before[:3]), image(900).id)
    assert done(room, begin(room, Action.DELETE, dry_run=True, ids=ids)).matched == 3
    assert room.catalog.walk("", 500) == before


@pytest.mark.parametrize(
    ("action", "wish", "changed"),
    [
        (Action.ADD_TAGS, {"tags": ("New", "cat")}, {"tags": ("cat", "New")}),
        (Action.REMOVE_TAGS, {"tags": ("CAT", "none")}, {"tags": ()}),
        (Action.SET_ALBUM, {"album": "Summer"}, {"album": "Summer"}),
        (Action.SET_ALBUM, {}, {"album": None}),
    ],
)
def test_what_takes_images_out_of_the_search_leaves_none_behind(
    room: Room, action: Action, wish: dict[str, Any], changed: dict[str, Any]
) -> None:
    ids = fill(room, album="Old")
    search = "album:old" if action is Action.SET_ALBUM else "tag:cat"
    assert done(room, begin(room, action, search=search, **wish)).done == MANY
    for image_id in ids:
        one = room.catalog.get(image_id)
        assert {name: getattr(one, name) for name in changed} == changed


def test_deleted_images_are_gone_with_their_files(room: Room) -> None:
    kept, *gone = [room.ready() for _ in range(3)]
    room.service.catalog.replace(dataclasses.replace(kept, tags=("kept",)), version=kept.version)
    assert done(room, begin(room, Action.DELETE, search="untagged:1")).done == 2
    assert all(one is None or one.state is State.DELETED for one in map(room.get, gone))
    assert not any(key.startswith(f"i/{one.id}") for one in gone for key in room.objects())
    assert room.differences() == []


def test_images_are_made_anew_or_it_is_said_why_not() -> None:
    room = Room(originals=OriginalPolicy.KEEP)
    ready = [room.ready() for _ in range(3)]
    orphan = room.catalog.create(image(1, original=Original.DELETED))
    after = done(room, begin(room, Action.REPROCESS, search="state:ready"))
    assert (after.matched, after.done, after.failed) == (4, 3, 1)
    assert [(one.image_id, one.code) for one in after.errors] == [(orphan.id, "original-deleted")]
    assert [room.get(one).generation for one in ready] == [2, 2, 2]  # type: ignore[union-attr]
    assert room.differences() == []


def test_images_are_made_anew_no_faster_than_they_are_rendered(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "RENDERS_AHEAD", -1)
    fill(room, 3)
    job = begin(room, Action.REPROCESS, from_rendition=True)
    room.work()
    assert (now(room, job).state, now(room, job).done) == (JobState.RUNNING, 0)
    monkeypatch.undo()
    room.clock.advance(rules.BEHIND_SECONDS)
    assert done(room, job).failed == 3  # there is nothing of them


def test_a_list_of_ids_is_done_once_each_and_nobody_elses(room: Room) -> None:
    mine = fill(room, 3)
    theirs = room.catalog.create(image(700, owner="anna"))
    after = done(room, begin(room, ids=(mine[0], theirs.id, mine[1], mine[0], "no id", image(800).id)))
    assert (after.matched, after.done, after.failed) == (2, 2, 3)
    assert [(one.image_id, one.code) for one in after.errors] == [
        (unknown, "not-found") for unknown in (theirs.id, "no id", image(800).id)
    ]
    assert room.catalog.get(theirs.id) == theirs
    assert room.catalog.get(mine[2]).tags == ("cat",)  # type: ignore[union-attr]


def test_a_search_finds_its_owners_images_only(room: Room) -> None:
    fill(room, 3)
    theirs = room.catalog.create(image(700, owner="anna", tags=("cat",)))
    assert done(room, begin(room)).matched == 3
    assert room.catalog.get(theirs.id) == theirs


def test_an_image_that_cannot_take_a_tag_is_told_and_the_others_have_it(room: Room) -> None:
    fill(room, 2)
    full = room.catalog.create(image(500, tags=("cat", *(f"t{number}" for number in range(49)))))
    after = done(room, begin(room))
    assert (after.done, after.failed) == (2, 1)
    assert [(one.image_id, one.code) for one in after.errors] == [(full.id, "invalid-request")]


def test_of_very_many_errors_the_first_are_kept_and_all_are_counted(room: Room) -> None:
    ids = tuple(f"unknown {number}" for number in range(70))
    after = done(room, begin(room, ids=ids))
    assert (after.matched, after.done, after.failed) == (0, 0, 70)
    assert [one.image_id for one in after.errors] == list(ids[:20])


def test_images_that_come_while_it_runs_are_left_alone(room: Room) -> None:
    fill(room)
    job = begin(room)
    room.step = killing_at(Step.JOB_SAVED)
    with pytest.raises(Killed):
        room.work()
    newer = room.catalog.create(image(5000, tags=("cat",)))
    assert done(room, job).done == MANY
    assert room.catalog.get(newer.id) == newer


# ------------------------------------------------------------------ deaths


def steps_of_a_job(action: Action, **wish: Any) -> int:
    passed: list[Step] = []
    room = Room()
    fill(room, TOGETHER + 2)
    room.step = passed.append
    done(room, begin(room, action, **wish))
    return len(passed)


@pytest.mark.parametrize(
    ("action", "wish"),
    [
        (Action.ADD_TAGS, {}),
        (Action.REMOVE_TAGS, {"tags": ("cat",)}),
        (Action.DELETE, {}),
        (Action.SET_ALBUM, {"ids": (*(image(number).id for number in range(3)), "unknown")}),
    ],
)
def test_killed_at_any_step_a_job_goes_on_and_counts_every_image_once(action: Action, wish: dict[str, Any]) -> None:
    count = len(wish["ids"]) - 1 if "ids" in wish else TOGETHER + 2
    every = range(steps_of_a_job(action, **wish))
    # The steps of one image are like those of the next: the first and the last ones, and some in between.
    for cut in [*every[:12], *every[12:-12:17], *every[-12:]]:
        room = Room()
        ids = fill(room, TOGETHER + 2)
        room.step = killing_after(cut)
        try:
            job = begin(room, action, key="mine", **wish)
        except Killed:
            room.step = lambda _: None
            job = begin(room, action, key="mine", **wish)  # the answer never came, so it is asked again
        after = done(room, job)
        assert (after.matched, after.done, after.failed) == (count, count, int("ids" in wish)), f"cut at {cut}"
        found = [room.catalog.get(image_id) for image_id in ids[:count]]
        match action:
            case Action.ADD_TAGS:
                assert all(one is not None and one.tags == ("cat", "new") for one in found)
            case Action.REMOVE_TAGS:
                assert all(one is not None and one.tags == () for one in found)
            case Action.DELETE:
                assert all(one is None or one.state is State.DELETED for one in found)


def test_a_job_that_was_killed_while_images_are_made_anew_asks_for_each_once() -> None:
    for cut in range(12):
        room = Room(originals=OriginalPolicy.KEEP)
        ready = [room.ready() for _ in range(3)]
        job = begin(room, Action.REPROCESS, search="state:ready")
        room.step = killing_after(cut)
        after = done(room, job)
        assert (after.done, after.failed) == (3, 0)
        assert [room.get(one).generation for one in ready] == [2, 2, 2], f"cut at {cut}"  # type: ignore[union-attr]


def test_two_who_work_on_one_job_count_every_image_once(room: Room) -> None:
    fill(room)
    job = begin(room)
    for _ in range(3):
        room.queue.publish(BulkStep(owner=OWNER, job_id=job.id))

    def other_comes_first(step: Step) -> None:
        if step is Step.JOB_IMAGE_DONE and not room.step.__dict__:
            room.step.__dict__["once"] = True
            room.service.handle(BulkStep(owner=OWNER, job_id=job.id))

    room.step = other_comes_first
    after = done(room, job)
    assert (after.matched, after.done, after.failed) == (MANY, MANY, 0)


def test_a_step_ends_in_time_and_the_next_goes_on(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "STEP_SECONDS", -1.0)
    fill(room)
    job = begin(room)
    (lease,) = room.queue.lease(1, 10)
    room.service.handle(lease.event)
    assert now(room, job).version == 1, "there was no time at all"
    monkeypatch.undo()
    assert done(room, job).done == MANY


def broken(room: Room, times: int) -> Callable[[], None]:
    """Have the next searches fail so often; the result ends it."""
    left = times

    class Broken(type(room.catalog)):  # type: ignore[misc]  # the class of an object
        def search(self, query: Any) -> Any:
            nonlocal left
            if left > 0:
                left -= 1
                raise Unavailable("the disk is on strike")
            return super().search(query)

    room.catalog.__class__ = Broken

    def mend() -> None:
        nonlocal left
        left = 0

    return mend


def test_a_store_that_does_not_answer_for_a_while_holds_a_job_up_and_no_more(room: Room) -> None:
    fill(room)
    job = begin(room)
    broken(room, 3)
    for _ in range(10):
        room.clock.advance(300)
        room.work()
    assert done(room, job).done == MANY


def test_a_job_that_cannot_go_on_says_why_and_goes_on_from_the_failure_inbox(room: Room) -> None:
    fill(room)
    job = begin(room)
    mend = broken(room, 1000)
    for _ in range(10):
        room.clock.advance(300)
        room.work()
    stuck = now(room, job)
    assert stuck.error is not None
    assert (stuck.error.code, "on strike" in stuck.error.detail) == ("gave-up", True)
    mend()
    retry(room.service, case(room.service, job.id))
    assert done(room, job).done == MANY


# ------------------------------------------------------------------ again, stopped, refused


def test_the_same_key_is_the_same_job_and_another_wish_under_it_a_conflict(room: Room) -> None:
    fill(room)
    first = begin(room, key="k")
    assert begin(room, key="k").id == first.id
    assert done(room, first).done == MANY
    assert begin(room, key="k").state is JobState.DONE
    with pytest.raises(Conflict):
        begin(room, key="k", tags=("other",))
    assert begin(room, key="k", owner="anna").id != first.id
    assert begin(room).id != begin(room).id


def test_a_job_that_is_stopped_does_nothing_more(room: Room) -> None:
    fill(room)
    job = begin(room)

    def stop(step: Step) -> None:
        if step is Step.JOB_IMAGE_DONE and now(room, job).state is JobState.RUNNING:
            Bulk(room.service).stop(OWNER, job.id)

    room.step = stop
    room.settle()
    after = now(room, job)
    assert (after.state, after.done) == (JobState.STOPPED, 0)
    have = sum("new" in one.tags for one in room.catalog.walk("", 500))
    assert 0 < have <= TOGETHER, "the images that were being done when it was stopped, and no more"
    assert Bulk(room.service).stop(OWNER, job.id) == after
    with pytest.raises(NotFound):
        Bulk(room.service).stop("anna", job.id)


def test_an_owner_has_only_so_many_jobs_at_a_time(room: Room) -> None:
    fill(room, 1)
    jobs = [begin(room) for _ in range(rules.JOBS_MAX)]
    with pytest.raises(OverQuota):
        begin(room)
    begin(room, owner="anna")
    Bulk(room.service).stop(OWNER, jobs[0].id)
    begin(room)


def test_an_event_of_a_job_that_nobody_knows_is_worked_off(room: Room) -> None:
    room.queue.publish(BulkStep(owner=OWNER, job_id="nothing"))
    room.settle()
    assert room.queue.depth().buried == 0


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"search": None}, "either search or ids"),
        ({"search": "tag:cat", "ids": ("x",)}, "either search or ids"),
        ({"ids": (), "search": None}, "ids"),
        ({"ids": tuple(map(str, range(1_001))), "search": None}, "1001 ids"),
        ({"search": "  "}, "state:ready"),
        ({"search": "tag:"}, "tag:"),
        ({"search": "kitten:cat"}, "kitten"),
        ({"search": "word " * 5_000}, "characters"),
        ({"search": "min_width:5 max_width:4"}, "min_width"),
        ({"tags": ()}, "tags"),
        ({"tags": ("x" * 65,)}, "tag"),
        ({"tags": tuple(f"t{number}" for number in range(51))}, "tags"),
        ({"album": "a"}, "album"),
        ({"from_rendition": True}, "from"),
        ({"action": Action.DELETE, "tags": ("a",)}, "tags"),
        ({"action": Action.SET_ALBUM, "album": "\u202e"}, "album"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_wish_that_cannot_be_meant_is_refused_before_anything_is_done(
    room: Room, wish: dict[str, Any], named: str
) -> None:
    given: dict[str, Any] = {"action": Action.ADD_TAGS, "search": "tag:cat"}
    given |= {"tags": ("new",)} if wish.get("action", Action.ADD_TAGS) is Action.ADD_TAGS else {}
    with pytest.raises(InvalidRequest, match=named):
        Bulk(room.service).begin(OWNER, Wish(**given | wish))
    assert list(Bulk(room.service).jobs(OWNER)) == []
    assert room.queue.depth().waiting == 0
