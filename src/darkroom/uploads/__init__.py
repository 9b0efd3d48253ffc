"""Port: who may put which bytes where. A ticket is permission to put one object, once, for a short while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What an uploader says it will send: exactly these many bytes of this type, and with this checksum when given."""

    key: str
    bytes: int
    content_type: str
    sha256: str | None
    """Lower-case hex of the body's SHA-256, or ``None`` when the uploader does not say."""
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What an uploader is given: send exactly the promised bytes by ``method`` to ``url`` with exactly ``headers``."""

    method: str
    url: str
    headers: Mapping[str, str]
    expires_at: datetime


class Tickets(Protocol):
    """Makes tickets; the door they lead to checks them.

    The same promise gives a ticket to the same object with the same bounds, so asking again is harmless. Behind the
    url, whatever the implementation: another length, type, checksum, method or key, an altered or an expired ticket
    is refused with 4xx and stores nothing; a second put under a used ticket is refused with 412 and changes nothing;
    a success is answered only once the object is durable and its arrival has been published.
    """

    def issue(self, promise: Promise) -> Ticket:
        """Return the ticket for a promise. Does not touch the network."""
        ...
