"""Uploads in parts through a door of our own: the parts wait as objects in the bucket of originals, until one is made.

Nobody is told of them there: only what lies under ``originals/`` is an arrival.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom import names
from darkroom.errors import AlreadyExists, InvalidRequest, NotFound, StorageFull, Unavailable
from darkroom.uploads import PartedPromise, Ticket, missing_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO

    from darkroom.bucket import Bucket, Stat

STAGED = "staged"
"""What every such upload is called: an image has one, and its parts lie under its id."""

_CHUNK = 1024 * 1024
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class StagedParts:
    """``PartedTickets`` over ``bucket``, which publishes what arrives."""

    def __init__(
        self,
        bucket: Bucket,
        issue: Callable[[PartedPromise], tuple[Ticket, ...]],
        folder: Path,
        *,
        reserve: int = 0,
    ) -> None:
        """``issue`` makes the tickets; parts are put together in ``folder``, which leaves ``reserve`` bytes free."""
        self._bucket = bucket
        self._issue = issue
        self._folder = folder
        self._reserve = reserve

    def begin(self, key: str, content_type: str) -> str:  # noqa: ARG002 # told from the bytes, like all in the bucket
        return STAGED

    def issue(self, promise: PartedPromise) -> tuple[Ticket, ...]:
        return self._issue(promise)

    def received(self, promise: PartedPromise) -> tuple[int, ...]:
        there = {stat.key: stat.bytes for stat in self._bucket.list(names.parts_prefix(_id_of(promise.key)))}
        expected = enumerate(promise.lengths, start=1)
        return tuple(
            number for number, length in expected if there.get(names.part_key(_id_of(promise.key), number)) == length
        )

    def keep(self, image_id: str, number: int, body: Path) -> Stat:
        """Keep a part that has come; ``body`` is taken over."""
        return self._bucket.put(names.part_key(image_id, number), body, content_type="application/octet-stream")

    def take_back(self, image_id: str, number: int) -> None:
        """Remove a part that nobody waits for any more."""
        self._bucket.delete(names.part_key(image_id, number))

    def join(self, promise: PartedPromise) -> None:
        self._need_all(promise)
        descriptor, name = tempfile.mkstemp(dir=self._folder)
        joined = Path(name)
        try:
            with _translated(), os.fdopen(descriptor, "wb", buffering=0) as whole:
                sha256 = self._write(promise, whole)
            if promise.sha256 not in {None, sha256}:
                msg = "the parts together do not have the SHA-256 of the ticket; put them again, unchanged"
                raise InvalidRequest(msg, code="checksum-mismatch")
            self._bucket.put(promise.key, joined, content_type=promise.content_type, create_only=True)
        except NotFound:  # whoever completed it at the same time was quicker
            self._need_all(promise)
            raise
        finally:
            joined.unlink(missing_ok=True)

    def drop(self, key: str, upload: str) -> None:  # noqa: ARG002 # there is one of each key
        for stat in list(self._bucket.list(names.parts_prefix(_id_of(key)))):
            self._bucket.delete(stat.key)

    def _need_all(self, promise: PartedPromise) -> None:
        missing = set(range(1, len(promise.lengths) + 1)) - set(self.received(promise))
        if not missing:
            return
        with suppress(NotFound):
            self._bucket.stat(promise.key)
            # Parts go only once the arrival has been published.
            msg = "this upload was completed before"
            raise AlreadyExists(msg)
        raise missing_parts(missing)

    def _write(self, promise: PartedPromise, whole: FileIO) -> str:
        """Write all the parts, one after the other, and return the SHA-256 of that in hex."""
        digest = hashlib.sha256()
        for number in range(1, len(promise.lengths) + 1):
            _, part = self._bucket.open(names.part_key(_id_of(promise.key), number))
            with part:
                while chunk := part.read(_CHUNK):
                    self._check_room(len(chunk))
                    digest.update(chunk)
                    whole.write(chunk)
        return digest.hexdigest()

    def _check_room(self, length: int) -> None:
        disk = os.statvfs(self._folder)
        if disk.f_bavail * disk.f_frsize - length < self._reserve:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            msg = "there is no room left to put the parts together; free some and complete the upload again"
            raise StorageFull(msg) from error
        msg = f"the parts cannot be put together ({error.strerror}); complete the upload again"
        raise Unavailable(msg) from error


def _id_of(key: str) -> str:
    image_id = names.parse_original_key(key)
    if image_id is None:
        msg = f"{key!r} is not where an original arrives"
        raise ValueError(msg)
    return image_id
