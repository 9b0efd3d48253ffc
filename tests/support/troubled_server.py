"""The service over buckets in memory that are in trouble when told so: ``granian --factory troubled_server:app``.

``TROUBLE_FOLDER`` is where everything else lies, ``TROUBLE_URL`` the address. What each bucket does is read from the
files ``uploads.does`` and ``assets.does`` there at every call: one of ``TROUBLES``, or nothing special.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from darkroom import settings as configuration
from darkroom.bucket.notifying import NotifyingBucket
from darkroom.bucket.objects import ObjectBucket
from darkroom.embedded import wire
from darkroom.embedded.counter import SocketMaker
from darkroom.embedded.layout import Layout
from darkroom.embedded.logs import start_logging
from darkroom.embedded.processor import Pace, Processor
from darkroom.errors import Unavailable
from darkroom.transform.inline import InlineTransform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from darkroom.bucket import Bucket, Stat, Stored

FAILS, HANGS, HALVES = "fails", "hangs", "halves"
TROUBLES = (FAILS, HANGS, HALVES)
BROKEN = "the bucket does not answer (connection reset); try again"
PACE = Pace(trouble=0.1, longest_trouble=1.0)


class TroubledBucket:
    """A ``Bucket`` over another one that fails, hangs, or gives half of what it has, as its file says."""

    def __init__(self, bucket: Bucket, does: Path) -> None:
        self._bucket = bucket
        self._does = does

    def put(self, key: str, body: bytes | Path, **said: Any) -> Stat:
        if self._trouble():
            raise Unavailable(BROKEN)
        return self._bucket.put(key, body, **said)

    def get(self, key: str) -> Stored:
        stored = self._bucket.get(key)
        if self._trouble():
            return dataclasses.replace(stored, body=stored.body[: len(stored.body) // 2])
        return stored

    def open(self, key: str) -> tuple[Stat, BinaryIO]:
        stat, file = self._bucket.open(key)
        if self._trouble():
            half = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # the caller closes it
            with file:
                half.write(file.read(stat.bytes // 2))
            half.seek(0)
            return stat, half
        return stat, file

    def stat(self, key: str) -> Stat:
        self._trouble()
        return self._bucket.stat(key)

    def delete(self, key: str) -> None:
        self._trouble()
        self._bucket.delete(key)

    def list(self, prefix: str) -> Iterator[Stat]:
        self._trouble()
        yield from self._bucket.list(prefix)

    def roots(self) -> tuple[str, ...]:
        self._trouble()
        return self._bucket.roots()

    def check(self) -> None:
        self._trouble()
        self._bucket.check()

    def _trouble(self) -> bool:
        """Fail, or hang as long as it does; tell whether only half is to be given."""
        while (does := self._does.read_text()) == HANGS:
            time.sleep(0.02)
        if does == FAILS:
            raise Unavailable(BROKEN)
        return does == HALVES


def app() -> ASGIApp:
    """Return the service, its events being worked on by two threads."""
    folder = Path(os.environ["TROUBLE_FOLDER"])
    settings = configuration.from_mapping({"DARKROOM_PUBLIC_URL": os.environ["TROUBLE_URL"]}, data=folder, keys=False)
    start_logging("info")
    Layout(folder).prepare()
    parts = wire.service(settings, InlineTransform())
    uploads = TroubledBucket(ObjectBucket.memory(), folder / "uploads.does")
    assets = TroubledBucket(ObjectBucket.memory(), folder / "assets.does")
    announcing = NotifyingBucket(uploads, parts.queue)
    staged = wire.staged_parts(settings, announcing)
    parts = dataclasses.replace(parts, uploads=announcing, parted=staged, assets=assets)
    processor = Processor(parts, parts.queue, threads=2, attempts=settings.attempts, pace=PACE)
    threading.Thread(target=processor.run, daemon=True).start()
    maker = SocketMaker(Layout(settings.data).counter)
    return wire.application(settings, parts, wire.access(settings), wire.secrets_of(settings), maker)
