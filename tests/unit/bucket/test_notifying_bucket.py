"""An original that has arrived is published before anybody is told that it was stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clock import Clock
from darkroom.bucket.notifying import NotifyingBucket
from darkroom.bucket.objects import ObjectBucket
from darkroom.errors import AlreadyExists, NotFound, StorageFull
from darkroom.events import Event, ObjectCreated
from darkroom.events.memory import MemoryQueue

if TYPE_CHECKING:
    from pathlib import Path

    from darkroom.bucket import Bucket, Stat

KEY = "originals/01k0000000000000000000000a"
JPEG = "image/jpeg"


class WatchfulQueue(MemoryQueue):
    """Notes whether the object was there when its event came, and can be full."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(Clock())
        self._bucket = bucket
        self.full = False
        self.published: list[Event] = []

    def publish(self, event: Event, *, delay_seconds: float = 0.0) -> None:
        if self.full:
            msg = "the disk is full"
            raise StorageFull(msg)
        assert isinstance(event, ObjectCreated)
        assert self._bucket.stat(event.key).etag == event.etag
        self.published.append(event)
        super().publish(event, delay_seconds=delay_seconds)


@pytest.fixture
def plain() -> ObjectBucket:
    return ObjectBucket.memory()


@pytest.fixture
def queue(plain: ObjectBucket) -> WatchfulQueue:
    return WatchfulQueue(plain)


@pytest.fixture
def bucket(plain: ObjectBucket, queue: WatchfulQueue) -> NotifyingBucket:
    return NotifyingBucket(plain, queue)


def test_an_original_is_published_once_it_is_stored(
    bucket: NotifyingBucket, queue: WatchfulQueue, tmp_path: Path
) -> None:
    first = bucket.put(KEY, b"body", content_type=JPEG, create_only=True)
    (tmp_path / "upload").write_bytes(b"again")
    second = bucket.put(KEY, tmp_path / "upload", content_type=JPEG)
    assert queue.published == [ObjectCreated(key=KEY, etag=first.etag), ObjectCreated(key=KEY, etag=second.etag)]


@pytest.mark.parametrize("key", ["archive/01k0000000000000000000000a", "i/01k/large.jpg", "originals"])
def test_nothing_else_is_published(bucket: NotifyingBucket, queue: WatchfulQueue, key: str) -> None:
    bucket.put(key, b"body", content_type=JPEG)
    with pytest.raises(AlreadyExists):
        bucket.put(key, b"body", content_type=JPEG, create_only=True)
    assert queue.published == []


def test_a_repeated_upload_publishes_what_is_there(
    bucket: NotifyingBucket, plain: ObjectBucket, queue: WatchfulQueue
) -> None:
    unannounced = plain.put(KEY, b"body", content_type=JPEG)
    with pytest.raises(AlreadyExists):
        bucket.put(KEY, b"body", content_type=JPEG, create_only=True)
    assert queue.published == [ObjectCreated(key=KEY, etag=unannounced.etag)]


def test_a_put_that_cannot_be_published_fails_and_repeating_it_sets_things_right(
    bucket: NotifyingBucket, queue: WatchfulQueue
) -> None:
    queue.full = True
    with pytest.raises(StorageFull):
        bucket.put(KEY, b"body", content_type=JPEG, create_only=True)
    queue.full = False
    with pytest.raises(AlreadyExists):
        bucket.put(KEY, b"body", content_type=JPEG, create_only=True)
    assert [event.key for event in queue.published if isinstance(event, ObjectCreated)] == [KEY]


def test_an_object_that_went_before_it_could_be_published_again_needs_no_event(queue: WatchfulQueue) -> None:
    class Fleeting(ObjectBucket):
        def __init__(self) -> None:
            super().__init__(ObjectBucket.memory()._store)

        def put(self, key: str, body: bytes | Path, **_said: object) -> Stat:
            raise AlreadyExists(key)

    with pytest.raises(AlreadyExists):
        NotifyingBucket(Fleeting(), queue).put(KEY, b"body", content_type=JPEG, create_only=True)
    assert queue.published == []


def test_the_other_verbs_are_those_of_the_bucket_below(bucket: NotifyingBucket, plain: ObjectBucket) -> None:
    bucket.put(KEY, b"body", content_type=JPEG)
    opened, file = bucket.open(KEY)
    with file:
        assert file.read() == b"body"
    assert opened == bucket.stat(KEY) == plain.stat(KEY) == next(bucket.list("originals/"))
    assert bucket.get(KEY) == plain.get(KEY)
    bucket.check()
    bucket.delete(KEY)
    with pytest.raises(NotFound):
        plain.stat(KEY)
