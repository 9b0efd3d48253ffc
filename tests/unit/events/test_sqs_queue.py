"""The queue on SQS: what Lambda takes off it and what is buried, on a real one in the emulator."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from darkroom import aws
from darkroom.errors import Unavailable
from darkroom.events import ImageDeleted, ObjectCreated
from darkroom.events.sqs import UNKNOWN_REASON, SqsQueue
from emulated import arn_of, new_queue, sqs_of
from patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.events import Event, Lease
    from emulator import Emulator

EVENT = ObjectCreated(key="originals/01k0000000000000000000000a", etag="abc")


class Bench:
    """A queue with its dead letters, and a Lambda's hands."""

    def __init__(self, emulator: Emulator, *, most_receives: int = 1000) -> None:
        self.emulator = emulator
        self.failed_url = new_queue(emulator)
        policy = {"deadLetterTargetArn": arn_of(emulator, self.failed_url), "maxReceiveCount": most_receives}
        self.url = new_queue(emulator, VisibilityTimeout="600", RedrivePolicy=json.dumps(policy))
        self.client = aws.client("sqs", endpoint=emulator.url)
        self.queue = SqsQueue(self.client, self.url, self.failed_url)

    def record(self) -> dict[str, Any] | None:
        """Take one message as Lambda's event source gives it to a function."""
        answer = sqs_of(self.emulator).receive_message(
            QueueUrl=self.url, AttributeNames=["All"], MessageAttributeNames=["All"]
        )
        for message in answer.get("Messages", ()):
            return {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {
                    name: {"stringValue": value["StringValue"], "dataType": "String"}
                    for name, value in message.get("MessageAttributes", {}).items()
                },
            }
        return None

    def held(self) -> Lease:
        record = eventually(self.record, what="a message")
        (lease,) = SqsQueue.held(record)
        return lease

    def settle(self, lease: Lease) -> None:
        sqs_of(self.emulator).delete_message(QueueUrl=self.url, ReceiptHandle=lease.receipt)

    def bury(self, *events: Event, attempts: int = 5) -> None:
        for event in events:
            self.queue.publish(event)
            lease = self.held()
            self.queue.bury(lease, f"reason of {event}", attempts=attempts)
            self.settle(lease)


@pytest.fixture
def bench(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    made = Bench(emulator)
    yield made
    made.client.close()


def test_what_is_published_is_given_out_on_its_first_attempt(bench: Bench) -> None:
    bench.queue.publish(EVENT)
    lease = bench.held()
    assert (lease.event, lease.attempt) == (EVENT, 1)


def test_what_is_delayed_is_not_given_out_before_its_time(bench: Bench) -> None:
    bench.queue.publish(EVENT, delay_seconds=2)
    assert bench.record() is None
    assert bench.held().event == EVENT


def test_what_is_reported_as_failed_comes_back_after_the_pause_with_the_next_attempt(bench: Bench) -> None:
    bench.queue.publish(EVENT)
    bench.queue.delay(bench.held().receipt, 0)
    assert bench.held().attempt == 2


def test_what_is_put_in_anew_goes_on_counting_where_it_is_told_to(bench: Bench) -> None:
    bench.queue.publish(ImageDeleted(image_id="a"))
    lease = bench.held()
    bench.queue.again(lease, 0, attempts=41)
    bench.settle(lease)
    again = bench.held()
    assert (again.event, again.attempt) == (lease.event, 42)


def test_what_is_buried_is_kept_with_its_reason(bench: Bench) -> None:
    bench.bury(EVENT, attempts=5)
    (grave,) = bench.queue.buried(10)
    assert (grave.event, grave.reason, grave.attempts) == (EVENT, f"reason of {EVENT}", 5)
    assert abs(datetime.now(UTC) - grave.buried_at) < timedelta(minutes=1)
    assert all(letter.isalnum() or letter == "-" for letter in grave.receipt)
    assert bench.queue.buried(10) == [grave], "looking at it took it away"


@pytest.mark.parametrize("reason", ["", "\x00\n", "§" * 5000])
def test_any_reason_can_be_kept(bench: Bench, reason: str) -> None:
    bench.queue.publish(EVENT)
    bench.queue.bury(bench.held(), reason, attempts=1)
    assert len(bench.queue.buried(10)) == 1


def test_what_sqs_has_buried_by_itself_is_found_too(bench: Bench, emulator: Emulator) -> None:
    strict = Bench(emulator, most_receives=1)
    strict.queue.publish(EVENT)
    strict.queue.delay(strict.held().receipt, 0)
    assert strict.record() is None
    (grave,) = strict.queue.buried(10)
    assert (grave.event, grave.reason) == (EVENT, UNKNOWN_REASON)
    strict.client.close()


def test_one_is_tried_again_another_is_forgotten_and_the_rest_stay(bench: Bench) -> None:
    bench.bury(*(ImageDeleted(image_id=name) for name in "abc"))
    graves = {grave.event.image_id: grave for grave in bench.queue.buried(10)}
    assert bench.queue.revive(graves["a"])
    assert bench.queue.discard(graves["b"])
    assert (bench.held().event, bench.record()) == (ImageDeleted(image_id="a"), None)
    assert [grave.event for grave in bench.queue.buried(10)] == [ImageDeleted(image_id="c")]
    for name in "ab":
        assert not bench.queue.revive(graves[name])
        assert not bench.queue.discard(graves[name])


def test_many_are_buried_and_redriven(bench: Bench) -> None:
    for number in range(23):
        bench.queue.publish(ImageDeleted(image_id=f"{number:02}"))
        lease = bench.held()
        bench.queue.bury(lease, "x", attempts=1)
        bench.settle(lease)
    assert len(bench.queue.buried(100)) == 23
    assert len(bench.queue.buried(5)) == 5
    assert bench.queue.redrive(20) == 20
    assert bench.queue.redrive(20) == 3
    assert bench.queue.depth().buried == 0
    assert bench.queue.depth().waiting == 23


def test_the_depth_tells_waiting_held_and_buried_apart(bench: Bench) -> None:
    bench.bury(EVENT)
    for _ in range(3):
        bench.queue.publish(EVENT)
    bench.held()
    depth = bench.queue.depth()
    assert (depth.waiting, depth.leased, depth.buried) == (2, 1, 1)


def test_a_queue_that_refuses_is_unavailable(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emulator.environment(emulator.allowing()).items():
        monkeypatch.setenv(name, value)
    client = aws.client("sqs", endpoint=emulator.url)
    with pytest.raises(Unavailable, match="SQS"):
        SqsQueue(client, new_queue(emulator)).publish(EVENT)
    client.close()
