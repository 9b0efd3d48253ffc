"""The upload door alone, for a real server: ``granian --interface asginl --factory door_server:app``.

Everything lies in the folder named by ``DOOR_FOLDER``: the bucket, the queue of events, bodies being received.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from darkroom.bucket.notifying import NotifyingBucket
from darkroom.bucket.objects import ObjectBucket
from darkroom.embedded.door import UploadDoor
from darkroom.errors import AlreadyExists, NotFound
from darkroom.events.sqlite import SqliteQueue
from darkroom.figures.memory import MemoryFigures
from darkroom.http.cross_origin import CrossOrigin
from darkroom.http.reception import Reception
from darkroom.names import UPLOAD_PREFIX, original_key
from darkroom.service import utc_now
from darkroom.uploads.signed import SignedTickets
from darkroom.uploads.staged import StagedParts

SECRET = b"a secret of the tests, and no other"
ORIGIN = "https://shop.example"
LIMIT = 64 * 1024 * 1024
IDLE_SECONDS = 1.0
MINIMUM_RATE = 50_000
MOST_AT_A_TIME = 4


def queue(folder: Path) -> SqliteQueue:
    """Return the queue that the door publishes to."""
    return SqliteQueue(folder / "events.sqlite", utc_now)


def bucket_of(folder: Path) -> NotifyingBucket:
    """Return the bucket that the door puts into."""
    return NotifyingBucket(ObjectBucket.folder(folder / "bucket"), queue(folder))


def parts(folder: Path, tickets: SignedTickets) -> StagedParts:
    """Return where parts wait."""
    return StagedParts(bucket_of(folder), tickets.issue_parts, folder / "incoming")


def app() -> CrossOrigin:
    """Return the door."""
    folder = Path(os.environ["DOOR_FOLDER"])
    (folder / "incoming").mkdir()
    bucket = bucket_of(folder)

    def admit(image_id: str) -> None:
        """There is no catalog here: what is complete is told by its object."""
        with suppress(NotFound):
            bucket.stat(original_key(image_id))
            raise AlreadyExists("it is complete")

    reception = Reception(
        folder / "incoming",
        limit=LIMIT,
        idle_seconds=IDLE_SECONDS,
        minimum_rate=MINIMUM_RATE,
        most_at_a_time=MOST_AT_A_TIME,
    )
    tickets = SignedTickets(SECRET, "", utc_now)
    door = UploadDoor(tickets, bucket, parts(folder, tickets), admit, reception, MemoryFigures())
    return CrossOrigin(door, origins=(ORIGIN,), prefixes=(UPLOAD_PREFIX,))
