"""Events are worked on until they are settled or buried, whatever fails, and none is lost when the processor stops."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from clock import Clock
from darkroom.arrival import GAVE_UP, RENDER_TRIES
from darkroom.embedded.processor import Pace, Processor
from darkroom.errors import RenderFailed, StorageFull, Unavailable
from darkroom.events import PATIENT_ATTEMPTS, EdgePurge, ImageDeleted, ObjectCreated
from darkroom.events.memory import MemoryQueue
from darkroom.trials import OUR_SIDE
from patience import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from darkroom.events import Event, Lease

ATTEMPTS = 3
QUICK = Pace(lease=10.0, extend=0.005, idle=0.001, trouble=0.001, drain=5.0)
"""Real seconds, but for the lease: that one is on the clock of the queue."""
HANDED_BACK_AT_ONCE = Pace(lease=10.0, extend=0.005, idle=0.001, trouble=0.001, drain=0.05)
MOMENT = 0.03
"""Long enough for a quick processor to do what it should not."""


def event(name: str = "a") -> ObjectCreated:
    return ObjectCreated(key=f"originals/{name}", etag="e1")


class TroubledQueue(MemoryQueue):
    """A queue whose verbs raise as often as ``trouble`` says, and that counts what it was asked."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.trouble: dict[str, int] = {}
        self.asked: list[str] = []

    def lease(self, count: int, seconds: float) -> Sequence[Lease]:
        self._ask("lease")
        return super().lease(count, seconds)

    def extend(self, lease: Lease, seconds: float) -> bool:
        self._ask("extend")
        return super().extend(lease, seconds)

    def settle(self, lease: Lease) -> bool:
        self._ask("settle")
        return super().settle(lease)

    def retry(self, lease: Lease, delay_seconds: float) -> bool:
        self._ask("retry")
        return super().retry(lease, delay_seconds)

    def bury(self, lease: Lease, reason: str) -> bool:
        self._ask("bury")
        return super().bury(lease, reason)

    def _ask(self, verb: str) -> None:
        self.asked.append(verb)
        if self.trouble.get(verb, 0) > 0:
            self.trouble[verb] -= 1
            raise Unavailable("the database queue.sqlite3 does not answer (locked); try again")


class Worker:
    """What stands for the service: it does as it is told, and writes down what was asked of it."""

    def __init__(self, do: Callable[[Event], object] = lambda _event: None) -> None:
        self.do = do
        self.handled: list[Event] = []
        self.given_up: list[tuple[Event, str]] = []
        self.codes: list[str] = []
        self.give_up_fails = 0
        self.checks: list[Exception] = []
        """What the stores answer when they are asked how they are, one after the other; then they are well."""
        self.checked = 0

    def check(self) -> None:
        self.checked += 1
        if self.checks:
            raise self.checks.pop(0)

    def handle(self, event: Event) -> None:
        self.handled.append(event)
        self.do(event)

    def give_up(self, event: Event, reason: str, *, code: str = GAVE_UP) -> None:
        if self.give_up_fails:
            self.give_up_fails -= 1
            raise Unavailable("the catalog does not answer")
        self.given_up.append((event, reason))
        self.codes.append(code)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> TroubledQueue:
    return TroubledQueue(clock)


class Running:
    """A processor at work on a thread of its own."""

    def __init__(self, processor: Processor) -> None:
        self.stop = processor.stop
        self._thread = threading.Thread(target=processor.run)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def wait(self, seconds: float) -> None:
        self._thread.join(seconds)
        assert not self.is_running, "the processor did not stop"


@contextmanager
def running(worker: Any, queue: MemoryQueue, *, pace: Pace = QUICK, threads: int = 1) -> Iterator[Running]:
    """Run a processor until the end of the ``with``."""
    processor = Running(Processor(worker, queue, threads=threads, attempts=ATTEMPTS, pace=pace))
    try:
        yield processor
    finally:
        processor.stop()
        processor.wait(10)


def failing(error: Exception) -> Callable[[Event], None]:
    def fail(_event: Event) -> None:
        raise error

    return fail


def is_empty(queue: MemoryQueue) -> bool:
    depth = queue.depth()
    return (depth.waiting, depth.leased, depth.buried) == (0, 0, 0)


# ------------------------------------------------------------------ work


def test_every_event_is_worked_on_once_and_settled(queue: TroubledQueue) -> None:
    events = [event(str(number)) for number in range(20)] + [ImageDeleted(image_id="x")]
    worker = Worker()
    with running(worker, queue, threads=3):
        for each in events:
            queue.publish(each)
        eventually(lambda: is_empty(queue), what="an empty queue")
    assert sorted(map(repr, worker.handled)) == sorted(map(repr, events))
    assert worker.given_up == []


def test_as_many_events_at_a_time_as_there_are_threads(queue: TroubledQueue) -> None:
    together = threading.Barrier(3)
    for name in ("a", "b", "c"):
        queue.publish(event(name))
    with running(Worker(lambda _event: together.wait(5)), queue, threads=3):
        eventually(lambda: is_empty(queue), what="three events that waited for each other")


def test_an_empty_queue_is_asked_no_more_often_for_having_many_threads(queue: TroubledQueue) -> None:
    pace = Pace(extend=0.005, idle=0.02)
    with running(Worker(), queue, pace=pace, threads=30):
        time.sleep(0.4)
    assert 1 <= queue.asked.count("lease") <= 25


# ------------------------------------------------------------------ failures


def test_a_failed_event_comes_back_after_growing_delays(queue: TroubledQueue, clock: Clock) -> None:
    queue.publish(event())
    worker = Worker(failing(Unavailable("no decoding process could be started")))
    with running(worker, queue):
        for attempt, delay in ((1, 2), (2, 4)):
            eventually(lambda: len(worker.handled) == attempt and queue.depth().waiting == 1, what="the event's retry")  # noqa: B023  # called before the next turn
            clock.advance(delay - 0.1)
            time.sleep(MOMENT)
            assert len(worker.handled) == attempt, "too early"
            clock.advance(0.2)
        eventually(lambda: queue.depth().buried == 1, what="the burial")
    assert len(worker.handled) == ATTEMPTS


def test_after_the_last_attempt_the_uploader_is_told_and_the_event_is_buried(
    queue: TroubledQueue, clock: Clock
) -> None:
    queue.publish(event())
    worker = Worker(failing(Unavailable("no decoding process could be started")))
    with running(worker, queue):
        bury(queue, clock)
    assert worker.given_up == [(event(), "no decoding process could be started")]
    assert worker.codes == [GAVE_UP]
    (grave,) = queue.buried(10)
    assert (grave.event, grave.attempts) == (event(), ATTEMPTS)
    assert grave.reason == "unavailable: no decoding process could be started"
    assert worker.handled == [event()] * ATTEMPTS


def test_a_picture_that_breaks_the_decoding_process_is_tried_once_more_and_then_said_to_be_the_cause(
    queue: TroubledQueue, clock: Clock
) -> None:
    queue.publish(event())
    worker = Worker(failing(RenderFailed("the decoding process crashed")))
    with running(worker, queue):
        bury(queue, clock)
    assert worker.handled == [event()] * RENDER_TRIES
    assert worker.given_up == [(event(), "the decoding process crashed")]
    assert worker.codes == ["render-failed"]
    assert queue.buried(1)[0].reason == "render-failed: the decoding process crashed"


@pytest.mark.parametrize(
    "patient", [ImageDeleted(image_id="x"), EdgePurge(image_id="x", names=("small.jpg",))], ids=["delete", "purge"]
)
def test_what_must_not_stay_public_is_tried_for_hours(queue: TroubledQueue, clock: Clock, patient: Event) -> None:
    queue.publish(patient)
    worker = Worker(failing(Unavailable("the edge does not answer")))
    began = clock.now
    with running(worker, queue):

        def is_buried() -> bool:
            clock.advance(301)
            return queue.depth().buried == 1

        eventually(is_buried, what="the burial")
    assert worker.handled == [patient] * PATIENT_ATTEMPTS
    assert clock.now - began > timedelta(hours=7)


def test_chores_are_done_beside_the_events_until_the_end(queue: TroubledQueue) -> None:
    done: list[str] = []

    def chore(stopping: threading.Event) -> None:
        done.append("begun")
        stopping.wait(10)
        done.append("ended")

    processor = Processor(Worker(), queue, threads=1, attempts=ATTEMPTS, pace=QUICK, chores=(chore,))  # type: ignore[arg-type] # as a service
    at_work = Running(processor)
    queue.publish(event())
    eventually(lambda: is_empty(queue) and done == ["begun"], what="the event beside the chore")
    processor.stop()
    at_work.wait(5)
    assert done == ["begun", "ended"]


def test_an_event_that_failed_once_and_then_worked_is_settled(queue: TroubledQueue, clock: Clock) -> None:
    queue.publish(event())
    failures = [RenderFailed("once")]

    def fail_once(_event: Event) -> None:
        if failures:
            raise failures.pop()

    worker = Worker(fail_once)
    with running(worker, queue):
        eventually(lambda: len(worker.handled) == 1 and queue.depth().waiting == 1, what="the first try")
        clock.advance(2)
        eventually(lambda: is_empty(queue), what="an empty queue")
    assert len(worker.handled) == 2
    assert worker.given_up == []


def test_what_was_not_foreseen_is_in_the_log_and_not_told_to_strangers(
    queue: TroubledQueue, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    queue.publish(event())
    worker = Worker(failing(KeyError("/srv/secret/path")))
    with running(worker, queue):
        bury(queue, clock)
    assert worker.given_up == [(event(), OUR_SIDE)]
    assert "KeyError" in queue.buried(1)[0].reason
    written = [record for record in caplog.records if record.getMessage() == "event failed"]
    assert [(vars(record)["subject"], vars(record)["attempt"]) for record in written] == [
        (event().key, attempt + 1) for attempt in range(ATTEMPTS)
    ]
    assert all(record.exc_info for record in written), "without a trace nobody can find the mistake"


def test_one_event_that_always_fails_holds_up_no_other(queue: TroubledQueue) -> None:
    bad, good = event("bad"), event("good")

    def do(each: Event) -> None:
        if each == bad:
            raise RenderFailed("always")

    worker = Worker(do)
    queue.publish(bad)
    queue.publish(good)
    with running(worker, queue):
        eventually(lambda: good in worker.handled, what="the good event")


def bury(queue: TroubledQueue, clock: Clock) -> None:
    """Move the clock on until the one event in the queue is buried."""

    def look() -> bool:
        depth = queue.depth()
        if depth.waiting:
            clock.advance(10)
        return depth.buried == 1

    eventually(look, what="the burial")


# ------------------------------------------------------------------ long work, and the end


def test_a_lease_is_held_as_long_as_the_work_takes(queue: TroubledQueue, clock: Clock) -> None:
    queue.publish(event())
    go_on = threading.Event()
    worker = Worker(lambda _event: go_on.wait(10))
    with running(worker, queue):
        eventually(lambda: worker.handled, what="the work beginning")
        for _ in range(5):
            extended = queue.asked.count("extend")
            eventually(lambda: queue.asked.count("extend") > extended + 1, what="an extension")  # noqa: B023  # at once
            clock.advance(9)
            assert queue.lease(1, 1) == [], "the event was given to somebody else"
        go_on.set()
        eventually(lambda: is_empty(queue), what="an empty queue")
    assert worker.handled == [event()]


def test_work_in_hand_is_finished_and_nothing_else_begun(queue: TroubledQueue) -> None:
    go_on = threading.Event()
    worker = Worker(lambda _event: go_on.wait(10))
    queue.publish(event("in-hand"))
    queue.publish(event("waiting"))
    with running(worker, queue) as processor:
        eventually(lambda: worker.handled, what="the work beginning")
        processor.stop()
        time.sleep(MOMENT)
        assert processor.is_running, "it did not wait for the work in hand"
        go_on.set()
        processor.wait(5)
    assert worker.handled == [event("in-hand")]
    (left,) = queue.lease(10, 1)
    assert (left.event, left.attempt) == (event("waiting"), 1)


def test_work_that_takes_too_long_is_handed_back_at_once(
    queue: TroubledQueue, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()
    worker = Worker(lambda _event: go_on.wait(10))
    queue.publish(event())
    with running(worker, queue, pace=HANDED_BACK_AT_ONCE) as processor:
        eventually(lambda: worker.handled, what="the work beginning")
        processor.stop()
        processor.wait(2)
        (given_again,) = queue.lease(1, 10)
        assert (given_again.event, given_again.attempt) == (event(), 2)
        go_on.set()
    time.sleep(MOMENT)
    assert queue.depth().leased == 1, "who was too late settled what belongs to somebody else"
    assert "lease handed back" in caplog.messages


def test_an_idle_processor_stops_at_once(queue: TroubledQueue) -> None:
    with running(Worker(), queue, threads=8, pace=Pace()) as processor:
        time.sleep(MOMENT)
        began = time.monotonic()
        processor.stop()
        processor.wait(5)
    assert time.monotonic() - began < 1


# ------------------------------------------------------------------ the store in trouble


def test_a_queue_that_does_not_answer_for_a_while(queue: TroubledQueue, caplog: pytest.LogCaptureFixture) -> None:
    queue.trouble["lease"] = 5
    queue.publish(event())
    worker = Worker()
    with running(worker, queue, threads=2):
        eventually(lambda: is_empty(queue), what="an empty queue")
    assert worker.handled == [event()]
    assert caplog.messages.count("stores do not answer") == 5


def test_while_the_stores_do_not_answer_no_event_is_tried_and_none_is_given_up(
    queue: TroubledQueue, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    down = StorageFull("there is no room left")
    worker = Worker()
    worker.do = lambda _event: failing(down)(_event) if worker.checks else None
    worker.checks = [down] * 5
    for name in ("a", "b", "c"):
        queue.publish(event(name))
    with running(worker, queue, pace=Pace(lease=10.0, extend=0.005, idle=0.001, trouble=0.01, longest_trouble=0.1)):
        eventually(lambda: not worker.checks, what="the end of the trouble")
        assert worker.handled == [event("a")], "events were tried in vain"
        clock.advance(3)
        eventually(lambda: is_empty(queue), what="an empty queue")
    assert worker.given_up == []
    waits = [vars(one)["again_in"] for one in caplog.records if one.getMessage() == "stores do not answer"]
    assert waits == [0.01, 0.02, 0.04, 0.08, 0.1]


@pytest.mark.parametrize("error", [StorageFull("full"), Unavailable("the bucket does not answer")])
def test_an_event_is_not_given_up_for_what_is_wrong_with_the_stores(
    queue: TroubledQueue, clock: Clock, error: Unavailable
) -> None:
    worker = Worker()

    def fail(_event: Event) -> None:
        # Said at this moment, so that it is what the processor is told when it asks why.
        if not isinstance(error, StorageFull):  # else there is some room, but not enough for this picture
            worker.checks = [error]
        raise error

    worker.do = fail
    queue.publish(event())
    tries = 2 * ATTEMPTS

    def look() -> bool:
        if queue.depth().waiting:
            clock.advance(300)
        return len(worker.handled) >= tries

    with running(worker, queue):
        eventually(look, what="the event being tried often")
    assert worker.given_up == []
    assert queue.depth().buried == 0


def test_an_event_that_alone_fails_is_given_up_while_the_stores_are_well(queue: TroubledQueue, clock: Clock) -> None:
    worker = Worker(failing(Unavailable("the object is damaged")))
    queue.publish(event())
    with running(worker, queue):
        bury(queue, clock)
    assert worker.given_up == [(event(), "the object is damaged")]
    assert worker.checked == ATTEMPTS


@pytest.mark.parametrize("verb", ["settle", "retry"])
def test_what_could_not_be_told_to_the_queue_comes_back_with_the_lease_s_end(
    queue: TroubledQueue, clock: Clock, verb: str, caplog: pytest.LogCaptureFixture
) -> None:
    queue.trouble[verb] = 1
    queue.publish(event())
    worker = Worker()
    if verb == "retry":
        errors: list[Exception] = [RenderFailed("once")]
        worker.do = lambda _event: failing(errors.pop())(_event) if errors else None
    with running(worker, queue):
        eventually(lambda: "event not settled" in caplog.messages, what="the trouble being written down")
        assert queue.depth().leased == 1
        clock.advance(11)
        eventually(lambda: is_empty(queue), what="an empty queue")
    assert len(worker.handled) == 2


@pytest.mark.parametrize("verb", ["give-up", "bury"])
def test_a_burial_that_failed_is_made_up_for(
    queue: TroubledQueue, clock: Clock, verb: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(failing(Unavailable("always")))
    if verb == "bury":
        queue.trouble["bury"] = 1
    else:
        worker.give_up_fails = 1
    queue.publish(event())

    def look() -> bool:
        clock.advance(1)
        return queue.depth().buried == 1

    with running(worker, queue):
        eventually(look, what="the burial")
    assert len(worker.handled) == ATTEMPTS + 1
    assert worker.given_up[-1] == (event(), "always")
    assert "event not settled" in caplog.messages


def test_an_extension_that_failed_is_tried_again(queue: TroubledQueue, caplog: pytest.LogCaptureFixture) -> None:
    queue.trouble["extend"] = 2
    queue.publish(event())
    go_on = threading.Event()
    with running(Worker(lambda _event: go_on.wait(10)), queue):
        eventually(lambda: queue.asked.count("extend") > 3, what="extensions after the trouble")
        go_on.set()
        eventually(lambda: is_empty(queue), what="an empty queue")
    assert caplog.messages.count("lease not extended") == 2


def test_a_queue_that_fails_at_the_end_keeps_nobody_from_stopping(
    queue: TroubledQueue, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()
    queue.publish(event())
    worker = Worker(lambda _event: go_on.wait(10))
    with running(worker, queue, pace=HANDED_BACK_AT_ONCE) as processor:
        eventually(lambda: worker.handled, what="the work beginning")
        queue.trouble["retry"] = 1
        processor.stop()
        processor.wait(2)
        go_on.set()
    assert "lease not handed back" in caplog.messages


@pytest.fixture(autouse=True)
def _everything_is_written_down(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "darkroom")
