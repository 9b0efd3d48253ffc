"""What an owner has, and the most that the operator lets one have. Pure; every catalog counts and refuses alike.

Counted is what ``GET /v1/images`` shows, so that anybody can count again. An upload counts in full from the moment it
is accepted, whether its bytes have come or not: else many that are opened at once would each find room.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from darkroom.errors import OverQuota
from darkroom.model import Image, Original, State

DELETED_FIRST_SECONDS = 3600
"""What is told as ``Retry-After`` when only deleting makes room, which no time brings."""
TICKETS_PASS_SECONDS = 10
"""What is told when too many tickets are open: each is over as soon as its upload is processed, mostly in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one owner has.

    ``images`` in any state but deleted; ``bytes`` of their originals, kept or still to come, and their variants;
    ``open_tickets``: uploads awaiting their bytes, or the processing of them, whose ticket has not expired.
    """

    images: int
    bytes: int
    open_tickets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The most that each owner may have; ``None``: as much as it likes. ``ticket_life`` is how long a ticket is open.

    Variants count once they are made. So they, and nothing else, may bring ``bytes`` above its limit.
    """

    images: int | None = None
    bytes: int | None = None
    open_tickets: int | None = None
    ticket_life: timedelta = timedelta(minutes=15)

    @property
    def unlimited(self) -> bool:
        """Whether nothing is limited."""
        return self.images is None and self.bytes is None and self.open_tickets is None

    def admit(self, image: Image, usage: Usage) -> None:
        """Return if the owner may have ``image`` on top of ``usage``; raises ``OverQuota`` saying why not."""
        if self.images is not None and usage.images >= self.images:
            msg = f"you have {usage.images} images of {self.images} allowed; delete some to make room"
            raise OverQuota(msg, retry_after=DELETED_FIRST_SECONDS)
        more = stored_bytes(image)
        if self.bytes is not None and usage.bytes + more > self.bytes:
            msg = (
                f"this file has {more} bytes, and you have {usage.bytes} of {self.bytes} bytes allowed in use; "
                "delete images to make room"
            )
            raise OverQuota(msg, retry_after=DELETED_FIRST_SECONDS)
        if image.state is State.AWAITING and self.open_tickets is not None and usage.open_tickets >= self.open_tickets:
            msg = (
                f"you have {usage.open_tickets} open uploads of {self.open_tickets} allowed; "
                "send their bytes, or wait until their tickets expire"
            )
            raise OverQuota(msg, retry_after=TICKETS_PASS_SECONDS)


def stored_bytes(image: Image) -> int:
    """Return how many bytes of its owner's an image takes; a tombstone none."""
    if image.state is State.DELETED:
        return 0
    length = image.promised_bytes if image.facts is None else image.facts.source.bytes
    return (length if image.original is Original.KEPT else 0) + sum(variant.bytes for variant in image.variants)
