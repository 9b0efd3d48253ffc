"""What the transform function does about each event of a batch that fails: whom it tells, and when it comes back."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from darkroom.arrival import GAVE_UP
from darkroom.errors import Unavailable
from darkroom.events import PATIENT_ATTEMPTS, ImageDeleted, backoff
from darkroom.events.sqs import SqsQueue
from darkroom.model import State
from darkroom.serverless.object_created import TROUBLE_SECONDS, Worker
from faults import Faulty
from hands import message
from rooms import Room

TROUBLE = Unavailable("the bucket does not answer; try again")


class Said:
    """Messages as a batch brings them, and what was done about them."""

    held = staticmethod(SqsQueue.held)

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

    def delay(self, receipt: str, seconds: float) -> None:
        self.done.append(("delayed", seconds))

    def again(self, lease: Any, seconds: float, *, attempts: int) -> None:
        self.done.append(("again", lease.event, seconds, attempts))

    def bury(self, lease: Any, reason: str, *, attempts: int) -> None:
        self.done.append(("buried", lease.event, reason, attempts))

    def set_aside(self, record: Any, reason: str) -> None:
        self.done.append(("set aside", record["body"]))


class Office:
    """A worker over a service in memory of which a part may fail."""

    def __init__(self) -> None:
        self.room = Room()
        self.assets, self.catalog = Faulty(self.room.assets), Faulty(self.room.catalog)
        service = dataclasses.replace(self.room.service, assets=self.assets, catalog=self.catalog)
        self.messages = Said()
        self.worker = Worker(service=service, messages=self.messages, attempts=5)

    def take(self, event: Any, *, tries: int = 1) -> list[tuple[Any, ...]]:
        """Have one message worked on, and return what was done about it; what is raised comes last."""
        record = message(event)
        record["attributes"]["ApproximateReceiveCount"] = str(tries)
        self.messages.done.clear()
        try:
            self.worker.take(record)
        except Exception as error:  # noqa: BLE001 # as the batch processor does
            self.messages.done.append(("raised", error))
        return self.messages.done

    def arrival(self) -> Any:
        """Return the event of an original that has arrived."""
        self.room.receive()
        (lease,) = self.room.queue.lease(1, 1000)
        return lease.event


@pytest.fixture
def office() -> Office:
    return Office()


def test_what_works_out_is_nothing_to_tell(office: Office) -> None:
    event = office.arrival()
    assert office.take(event) == []
    image = office.room.catalog.get(event.image_id)
    assert image is not None
    assert image.state is State.READY


@pytest.mark.parametrize("tries", [1, 2, 3, 4])
def test_what_fails_alone_is_reported_and_comes_back_after_a_growing_pause(office: Office, tries: int) -> None:
    event = office.arrival()
    office.assets.fail("put", TROUBLE)
    assert office.take(event, tries=tries) == [("delayed", backoff(tries)), ("raised", TROUBLE)]


def test_the_last_try_tells_the_uploader_then_the_operator_and_raises_no_more(office: Office) -> None:
    event = office.arrival()
    office.assets.fail("put", TROUBLE)
    assert office.take(event, tries=5) == [("buried", event, f"unavailable: {TROUBLE.detail}", 5)]
    image = office.room.catalog.get(event.image_id)
    assert image is not None
    assert image.error is not None
    assert (image.state, image.error.code) == (State.FAILED, GAVE_UP)


def test_an_error_nobody_foresaw_is_not_shown_to_the_uploader(office: Office) -> None:
    event = office.arrival()
    office.assets.fail("put", ZeroDivisionError("secret of the house"))
    ((_, _, reason, _),) = office.take(event, tries=5)
    assert reason == "ZeroDivisionError: secret of the house"
    image = office.room.catalog.get(event.image_id)
    assert image is not None
    assert image.error is not None
    assert "secret" not in image.error.detail
    assert "on our side" in image.error.detail


def test_while_a_store_is_down_the_try_does_not_count_however_often(office: Office) -> None:
    event = office.arrival()
    for tries in (1, 5):
        office.assets.fail("put", TROUBLE)
        office.catalog.fail("check", TROUBLE)
        assert office.take(event, tries=tries) == [("again", event, TROUBLE_SECONDS, tries - 1)]


def test_a_deletion_is_tried_far_more_often_than_a_queue_gives_out_one_message(office: Office) -> None:
    image = office.room.ready()
    office.room.service.delete(image.owner, image.id)
    event = ImageDeleted(image_id=image.id)
    for tries in (1, 6, PATIENT_ATTEMPTS - 1):
        office.assets.fail("delete", TROUBLE)
        assert office.take(event, tries=tries) == [("again", event, backoff(tries), tries)]
    office.assets.fail("delete", TROUBLE)
    ((what, _, _, attempts),) = office.take(event, tries=PATIENT_ATTEMPTS)
    assert (what, attempts) == ("buried", PATIENT_ATTEMPTS)
    assert office.take(event) == []
    assert office.room.objects() == {}


def test_a_message_of_something_else_is_set_aside(office: Office) -> None:
    assert office.take("hello") == [("set aside", "hello")]
