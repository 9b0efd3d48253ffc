"""A bucket that tells the queue what arrives, as clouds do for theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from darkroom.errors import AlreadyExists, NotFound
from darkroom.events import ObjectCreated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from darkroom.bucket import Bucket, Stat, Stored
    from darkroom.events import Queue

ANNOUNCED_PREFIX = "originals/"
"""Only what lies here is work to do; what goes into the archive has been worked on already."""


class NotifyingBucket:
    """A ``Bucket`` over another one: a ``put`` of an original returns once its arrival is published.

    A process may die between storing and publishing. So a ``create_only`` put that finds the object there publishes it
    again before it says so: whoever repeats an upload that got no answer sets things right.
    """

    def __init__(self, bucket: Bucket, queue: Queue) -> None:
        self._bucket = bucket
        self._queue = queue

    def put(
        self,
        key: str,
        body: bytes | Path,
        *,
        content_type: str,
        create_only: bool = False,
        lasting: bool = True,
        told: Mapping[str, str] | None = None,
    ) -> Stat:
        try:
            stat = self._bucket.put(
                key, body, content_type=content_type, create_only=create_only, lasting=lasting, told=told
            )
        except AlreadyExists:
            self._announce_again(key)
            raise
        self._announce(stat)
        return stat

    def _announce(self, stat: Stat) -> None:
        if stat.key.startswith(ANNOUNCED_PREFIX):
            self._queue.publish(ObjectCreated(key=stat.key, etag=stat.etag))

    def _announce_again(self, key: str) -> None:
        try:
            present = self._bucket.stat(key)
        except NotFound:  # worked on and removed since, so its arrival was known
            return
        self._announce(present)

    def get(self, key: str) -> Stored:
        return self._bucket.get(key)

    def open(self, key: str) -> tuple[Stat, BinaryIO]:
        return self._bucket.open(key)

    def stat(self, key: str) -> Stat:
        return self._bucket.stat(key)

    def delete(self, key: str) -> None:
        self._bucket.delete(key)

    def list(self, prefix: str) -> Iterator[Stat]:
        return self._bucket.list(prefix)

    def roots(self) -> tuple[str, ...]:
        return self._bucket.roots()

    def check(self) -> None:
        self._bucket.check()
