"""What every queue of events promises, whatever keeps it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clock import Clock
from darkroom.events import BulkStep, Depth, EdgePurge, ImageDeleted, ObjectCreated
from darkroom.events.memory import MemoryQueue
from darkroom.events.sqlite import SqliteQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.events import Event, LeasedQueue

WORKER = Path(__file__).parents[1] / "support" / "queue_worker.py"
EMPTY = Depth(waiting=0, leased=0, buried=0, oldest_seconds=0.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def queue(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[LeasedQueue]:
    if request.param == "memory":
        yield MemoryQueue(clock)
    else:
        durable = SqliteQueue(tmp_path / "events.sqlite", clock)
        yield durable
        durable.close()


def arrival(name: str) -> ObjectCreated:
    return ObjectCreated(key=f"originals/{name}", etag=f"etag of {name}")


def names_leased(queue: LeasedQueue, count: int = 10, seconds: float = 30) -> list[str]:
    leased = [lease.event for lease in queue.lease(count, seconds)]
    return [event.key.removeprefix("originals/") for event in leased if isinstance(event, ObjectCreated)]


@pytest.mark.parametrize(
    "event",
    [
        arrival("Grüße, \u2028“\x00”.jpg"),
        ImageDeleted(image_id="01k0000000000000000000000a"),
        EdgePurge(image_id="01k0000000000000000000000a", names=("large.avif", "t/width=7.jpg")),
        EdgePurge(image_id="01k0000000000000000000000a", names=()),
        BulkStep(owner="anna", job_id="01k0000000000000000000000a"),
    ],
)
def test_an_event_comes_out_as_it_went_in_on_its_first_attempt(queue: LeasedQueue, event: Event) -> None:
    queue.publish(event)
    (lease,) = queue.lease(10, 30)
    assert lease.event == event
    assert lease.attempt == 1


def test_an_event_that_is_leased_is_given_to_nobody_else(queue: LeasedQueue, clock: Clock) -> None:
    queue.publish(arrival("a"))
    assert names_leased(queue, seconds=30) == ["a"]
    clock.advance(29.9)
    assert queue.lease(10, 30) == []


def test_no_more_events_are_leased_than_were_asked_for(queue: LeasedQueue) -> None:
    for name in "abc":
        queue.publish(arrival(name))
    assert names_leased(queue, count=2) == ["a", "b"]
    assert names_leased(queue, count=2) == ["c"]
    assert names_leased(queue, count=2) == []


def test_the_event_that_is_due_longest_comes_first(queue: LeasedQueue, clock: Clock) -> None:
    queue.publish(arrival("due last"), delay_seconds=20)
    queue.publish(arrival("due second"), delay_seconds=10)
    queue.publish(arrival("due first"))
    queue.publish(arrival("due third"), delay_seconds=10)
    clock.advance(20)
    assert names_leased(queue) == ["due first", "due second", "due third", "due last"]


def test_a_delayed_event_is_not_given_out_before_its_time(queue: LeasedQueue, clock: Clock) -> None:
    queue.publish(arrival("a"), delay_seconds=5)
    clock.advance(4.999)
    assert names_leased(queue) == []
    clock.advance(0.001)
    assert names_leased(queue) == ["a"]


def test_a_lease_that_ran_out_comes_back_with_the_next_attempt(queue: LeasedQueue, clock: Clock) -> None:
    queue.publish(arrival("a"))
    for attempt in (1, 2, 3):
        (lease,) = queue.lease(10, 30)
        assert lease.event == arrival("a")
        assert lease.attempt == attempt
        clock.advance(30)


def test_a_stale_receipt_changes_nothing(queue: LeasedQueue, clock: Clock) -> None:
    queue.publish(arrival("a"))
    (stale,) = queue.lease(1, 30)
    clock.advance(30)
    (current,) = queue.lease(1, 30)
    clock.advance(5)

    assert not queue.extend(stale, 300)
    assert not queue.retry(stale, 0)
    assert not queue.bury(stale, "too late")
    assert not queue.settle(stale)

    assert queue.depth() == Depth(waiting=0, leased=1, buried=0, oldest_seconds=0.0)
    assert queue.lease(1, 30) == []
    clock.advance(25)
    (next_one,) = queue.lease(1, 30)
    assert next_one.attempt == 3
    assert not queue.settle(current)
    assert queue.settle(next_one)


def test_a_late_worker_whose_event_nobody_took_can_still_settle_it(queue: LeasedQueue, clock: Clock) -> None:
    queue.publish(arrival("a"))
    (lease,) = queue.lease(1, 30)
    clock.advance(31)
    assert queue.settle(lease)
    assert queue.lease(1, 30) == []


def test_receipts_are_never_the_same_twice(queue: LeasedQueue, clock: Clock) -> None:
    receipts = []
    for name in "abc":
        queue.publish(arrival(name))
    for _ in range(3):
        receipts += [lease.receipt for lease in queue.lease(10, 1)]
        clock.advance(1)
    assert len(set(receipts)) == 9
    assert all(len(receipt) >= 16 for receipt in receipts)


def test_an_extended_lease_holds_from_now_on(queue: LeasedQueue, clock: Clock) -> None:
    queue.publish(arrival("a"))
    (lease,) = queue.lease(1, 30)
    clock.advance(20)
    assert queue.extend(lease, 30)
    clock.advance(29)
    assert queue.lease(1, 30) == []
    clock.advance(1)
    assert names_leased(queue) == ["a"]


def test_a_settled_event_is_gone(queue: LeasedQueue, clock: Clock) -> None:
    queue.publish(arrival("a"))
    (lease,) = queue.lease(1, 30)
    assert queue.settle(lease)
    assert not queue.settle(lease)
    clock.advance(3600)
    assert queue.lease(1, 30) == []
    assert queue.depth() == EMPTY


def test_a_retried_event_comes_back_after_its_delay_with_the_next_attempt(queue: LeasedQueue, clock: Clock) -> None:
    queue.publish(arrival("a"))
    (lease,) = queue.lease(1, 300)
    assert queue.retry(lease, 8)
    assert not queue.settle(lease)
    clock.advance(7.9)
    assert queue.lease(1, 30) == []
    clock.advance(0.1)
    (again,) = queue.lease(1, 30)
    assert again.attempt == 2


def test_a_buried_event_is_kept_with_its_reason_and_given_to_nobody(queue: LeasedQueue, clock: Clock) -> None:
    queue.publish(arrival("a"))
    queue.lease(1, 30)
    clock.advance(30)
    (lease,) = queue.lease(1, 30)
    assert queue.bury(lease, "the file is no image: “§”")
    buried_at = clock.now
    clock.advance(3600)

    assert queue.lease(1, 30) == []
    (grave,) = queue.buried(10)
    assert grave.event == arrival("a")
    assert grave.reason == "the file is no image: “§”"
    assert grave.attempts == 2
    assert grave.buried_at == buried_at
    assert not queue.bury(lease, "again")
    assert queue.depth() == Depth(waiting=0, leased=0, buried=1, oldest_seconds=0.0)


def bury(queue: LeasedQueue, *names: str) -> None:
    for name in names:
        queue.publish(arrival(name))
        (lease,) = queue.lease(1, 30)
        assert queue.bury(lease, f"reason of {name}")


def test_the_newest_of_the_buried_come_first(queue: LeasedQueue) -> None:
    bury(queue, "a", "b", "c")
    assert [grave.reason for grave in queue.buried(2)] == ["reason of c", "reason of b"]


def test_buried_events_are_worked_on_again_when_a_person_asks(queue: LeasedQueue) -> None:
    bury(queue, "a", "b", "c")
    assert queue.redrive(2) == 2
    assert [lease.event for lease in queue.lease(10, 30) if lease.attempt == 1] == [arrival("a"), arrival("b")]
    assert [grave.event for grave in queue.buried(10)] == [arrival("c")]
    assert queue.redrive(10) == 1
    assert queue.redrive(10) == 0
    assert queue.buried(10) == []


def test_one_buried_event_is_worked_on_again_and_the_others_rest(queue: LeasedQueue) -> None:
    bury(queue, "a", "b", "c")
    grave = queue.buried(10)[1]
    assert queue.revive(grave)
    assert [(lease.event, lease.attempt) for lease in queue.lease(10, 30)] == [(arrival("b"), 1)]
    assert [other.event for other in queue.buried(10)] == [arrival("c"), arrival("a")]
    assert not queue.revive(grave)
    assert not queue.discard(grave)
    assert queue.lease(10, 30) == []


def test_a_buried_event_that_is_discarded_is_gone_for_good(queue: LeasedQueue, clock: Clock) -> None:
    bury(queue, "a", "b")
    newest = queue.buried(10)[0]
    assert queue.discard(newest)
    assert not queue.discard(newest)
    assert not queue.revive(newest)
    assert [grave.event for grave in queue.buried(10)] == [arrival("a")]
    clock.advance(1)
    bury(queue, "c")  # which a database may give the same number
    assert not queue.discard(newest)
    assert [grave.event for grave in queue.buried(10)] == [arrival("c"), arrival("a")]
    assert queue.depth() == Depth(waiting=0, leased=0, buried=2, oldest_seconds=0.0)


def test_the_depth_tells_waiting_leased_and_buried_apart(queue: LeasedQueue, clock: Clock) -> None:
    assert queue.depth() == EMPTY
    bury(queue, "buried")
    queue.publish(arrival("leased"))
    assert names_leased(queue, seconds=100) == ["leased"]
    queue.publish(arrival("delayed"), delay_seconds=1000)
    assert queue.depth() == Depth(waiting=1, leased=1, buried=1, oldest_seconds=0.0)

    queue.publish(arrival("waiting"))
    clock.advance(2.5)
    queue.publish(arrival("waiting too"))
    clock.advance(1)
    assert queue.depth() == Depth(waiting=3, leased=1, buried=1, oldest_seconds=3.5)


def test_an_event_whose_worker_died_counts_as_waiting_since_its_lease_ran_out(queue: LeasedQueue, clock: Clock) -> None:
    queue.publish(arrival("a"))
    queue.lease(1, 30)
    clock.advance(37)
    assert queue.depth() == Depth(waiting=1, leased=0, buried=0, oldest_seconds=7.0)


def test_many_threads_take_each_event_once(queue: LeasedQueue) -> None:
    names = [f"{number}" for number in range(150)]
    for name in names:
        queue.publish(arrival(name))

    def drain() -> list[str]:
        taken = []
        while leases := queue.lease(2, 60):
            for lease in leases:
                assert isinstance(lease.event, ObjectCreated)
                assert queue.settle(lease)
                taken.append(lease.event.key.removeprefix("originals/"))
        return taken

    with ThreadPoolExecutor(6) as pool:
        taken = [name for worker in [pool.submit(drain) for _ in range(6)] for name in worker.result()]
    assert sorted(taken) == sorted(names)
    assert queue.depth() == EMPTY


# What only a queue on a disk can promise: it is shared by processes and outlives them.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.sqlite"


@pytest.fixture
def durable(file: Path) -> Iterator[SqliteQueue]:
    queue = SqliteQueue(file, lambda: datetime.now(UTC))
    yield queue
    queue.close()


@contextmanager
def worker(file: Path, task: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process that has opened the queue and waits for ``begin``."""
    with subprocess.Popen(
        [sys.executable, str(WORKER), str(file), task], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert heard(process) == "open"
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def test_what_is_published_outlives_a_publisher_that_is_killed(file: Path, durable: SqliteQueue) -> None:
    with worker(file, "publish") as publisher:
        begin(publisher)
        assert heard(publisher) == "published"
        publisher.kill()
    assert [lease.event for lease in durable.lease(10, 30)] == [ObjectCreated(key="published", etag="e")]


def test_several_processes_settle_each_event_exactly_once(file: Path, durable: SqliteQueue) -> None:
    for number in range(500):
        durable.publish(ObjectCreated(key=f"{number}", etag="e"))
    with worker(file, "drain") as first, worker(file, "drain") as second, worker(file, "drain") as third:
        workers = (first, second, third)
        for process in workers:
            begin(process)
        settled = Counter(key for process in workers for key in process.communicate("end\n", timeout=60)[0].split())
    assert settled == Counter(f"{number}" for number in range(500))
    assert durable.depth() == EMPTY


def test_the_event_of_a_process_killed_at_work_comes_back_with_the_next_attempt(
    file: Path, durable: SqliteQueue
) -> None:
    durable.publish(ObjectCreated(key="hard", etag="e"))
    with worker(file, "hold") as victim:
        begin(victim)
        assert heard(victim) == "hard"
        victim.kill()
    assert durable.lease(1, 30) == []

    later = SqliteQueue(file, lambda: datetime.now(UTC) + timedelta(seconds=31))
    (lease,) = later.lease(1, 30)
    later.close()
    assert lease.event == ObjectCreated(key="hard", etag="e")
    assert lease.attempt == 2


def test_the_buried_outlive_the_process_that_buried_them(file: Path, clock: Clock) -> None:
    gravedigger = SqliteQueue(file, clock)
    bury(gravedigger, "a")
    gravedigger.close()
    visitor = SqliteQueue(file, clock)
    assert [(grave.event, grave.reason) for grave in visitor.buried(10)] == [(arrival("a"), "reason of a")]
    visitor.close()
