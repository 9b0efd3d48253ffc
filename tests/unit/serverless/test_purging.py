"""Many purges are one invalidation, and none is lost when CloudFront does not take it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkroom.errors import Unavailable
from darkroom.events import EdgePurge, ImageDeleted, backoff
from darkroom.events.sqs import SqsQueue
from darkroom.serverless.purge import purged
from hands import message

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST, SECOND = "01k3v9m0c4qdhsyx7g6e8rb2tz", "01k3v9m0c4qdhsyx7g6e8rb2ta"


class Messages:
    held = staticmethod(SqsQueue.held)

    def __init__(self) -> None:
        self.delayed: list[float] = []

    def delay(self, receipt: str, seconds: float) -> None:
        self.delayed.append(seconds)


class Edge:
    def __init__(self, *, busy: bool = False) -> None:
        self.busy = busy
        self.forgot: list[set[str]] = []

    def forget_all(self, image_ids: Iterable[str]) -> None:
        if self.busy:
            raise Unavailable("CloudFront refuses (TooManyInvalidationsInProgress: wait); try again")
        self.forgot.append(set(image_ids))


def of(*image_ids: str, tries: int = 1) -> list[dict[str, Any]]:
    records = [message(EdgePurge(image_id=one, names=("small.jpg",))) for one in image_ids]
    for each in records:
        each["attributes"]["ApproximateReceiveCount"] = str(tries)
    return records


def test_a_batch_is_one_invalidation_that_names_each_image_once() -> None:
    edge = Edge()
    assert purged(of(FIRST, SECOND, FIRST), Messages(), edge) == {"batchItemFailures": []}
    assert edge.forgot == [{FIRST, SECOND}]


def test_what_cloudfront_does_not_take_comes_back_later_all_of_it() -> None:
    messages, records = Messages(), of(FIRST, SECOND, tries=3)
    answer = purged(records, messages, Edge(busy=True))
    assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == [each["messageId"] for each in records]
    assert messages.delayed == [backoff(3)] * 2


def test_what_is_no_purge_is_passed_over_and_holds_up_none() -> None:
    edge = Edge()
    records = [message("hello"), message(ImageDeleted(image_id=SECOND)), *of(FIRST)]
    assert purged(records, Messages(), edge) == {"batchItemFailures": []}
    assert edge.forgot == [{FIRST}]


def test_without_any_purge_cloudfront_is_not_asked() -> None:
    edge = Edge()
    assert purged([message("hello")], Messages(), edge) == {"batchItemFailures": []}
    assert edge.forgot == []
