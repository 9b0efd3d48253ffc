"""Where tickets lead to: our own door, in a process of its own, and S3; each with a look at what lies behind it."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs, urlsplit

import pytest

from darkroom.events import ObjectCreated
from darkroom.events.sns import from_message
from darkroom.uploads.multipart import MultipartUploads
from darkroom.uploads.presigned import PresignedTickets, connect
from door_process import running_door
from emulated import announcing, new_bucket, received, s3_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from darkroom.uploads import PartedTickets, Tickets
    from emulator import Emulator

ORIGIN, STRANGER = "https://shop.example", "https://stranger.example"
"""Pages of the first may use a ticket."""


class Door(Protocol):
    """Where tickets lead to, and a look at what lies behind it."""

    @property
    def tickets(self) -> Tickets:
        """Tickets that lead here."""
        ...

    @property
    def parted(self) -> PartedTickets:
        """Tickets for parts that lead here."""
        ...

    def checks(self, url: str) -> bool:
        """Tell whether the door at hand looks at a url's signature at all: an emulator may take more than the real one.

        S3 takes a url without method or signature for unsigned, and refuses; the emulator lets unsigned requests in.
        """
        ...

    def stored(self, key: str) -> bytes | None:
        """Return the object that lies under ``key``."""
        ...

    def published(self, key: str) -> list[str]:
        """Return the entity tags under which the arrival of ``key`` was published."""
        ...


@contextmanager
def signed(request: pytest.FixtureRequest) -> Iterator[Door]:
    factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    with running_door(factory.mktemp("door")) as door:
        yield door


@dataclass
class S3Door:
    """The door of a bucket on S3, which tells a queue what arrives."""

    emulator: Emulator
    tickets: Tickets
    parted: PartedTickets
    bucket: str
    queue: str
    arrivals: list[ObjectCreated] = field(default_factory=list)

    def checks(self, url: str) -> bool:
        query = parse_qs(urlsplit(url).query)
        # The same signature twice is none of S3's business either: what was signed is unchanged.
        return (
            query.get("X-Amz-Algorithm", [""])[0] == "AWS4-HMAC-SHA256" and len(query.get("X-Amz-Signature", ())) == 1
        )

    def stored(self, key: str) -> bytes | None:
        s3 = s3_of(self.emulator)
        try:
            body: bytes = s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            return None
        return body

    def published(self, key: str) -> list[str]:
        # S3 tells a moment later.
        for message in received(self.emulator, self.queue, wait_seconds=1):
            self.arrivals += [event for event in from_message(message["Body"]) if isinstance(event, ObjectCreated)]
        return [event.etag for event in self.arrivals if event.key == key]


@contextmanager
def presigned(request: pytest.FixtureRequest) -> Iterator[Door]:
    emulator: Emulator = request.getfixturevalue("emulator")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.environment().items():
            patch.setenv(name, value)
        client = connect(endpoint=emulator.url)
    bucket = new_bucket(emulator, cors_origins=(ORIGIN,))
    with closing(client):
        yield S3Door(
            emulator,
            PresignedTickets(client, bucket, now),
            MultipartUploads(client, bucket, now),
            bucket,
            announcing(emulator, bucket),
        )


def now() -> datetime:
    """Return the aware time of now."""
    return datetime.now(UTC)


DOORS: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Door]]] = {
    "signed": signed,
    "presigned": presigned,
}
