"""Port: who may put which bytes where. A ticket is permission to put one object, once, for a short while.

Long files come in parts, each by a ticket of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from darkroom.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
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


MOST_PARTS = 1000
"""More are not made of one file: its parts are longer then. So all of them are told, and listed, in one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartedPromise(Promise):
    """A promise that is kept in parts. ``upload`` is what ``PartedTickets.begin`` returned."""

    upload: str
    part_bytes: int

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many bytes each part has: all the same but for the last, which is what is left."""
        whole, rest = divmod(self.bytes, self.part_bytes)
        return (self.part_bytes,) * whole + ((rest,) if rest else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class PartedTicket:
    """What an uploader of a long file is given: a ticket for each part, in their order.

    ``received`` are the numbers, from 1, of the parts that are there already; ``token`` completes the upload when all
    of them are.
    """

    part_bytes: int
    parts: tuple[Ticket, ...]
    received: tuple[int, ...]
    token: str
    expires_at: datetime


def part_bytes_of(length: int, wanted: int) -> int:
    """Return how long the parts of a file are: as ``wanted``, unless they would be more than ``MOST_PARTS``."""
    return max(wanted, -(-length // MOST_PARTS))


class PartedTickets(Protocol):
    """Uploads in parts, each of which is put by a ticket of its own, in any order, again and again until all are there.

    Behind the url of a part, whatever the implementation: another length, method, part or object, an altered or an
    expired ticket, and a part of what has been completed or dropped, is refused with 4xx and keeps nothing; a success
    is answered only once the part is durable; the part that was put last counts. Every verb may raise ``Unavailable``.
    """

    def begin(self, key: str, content_type: str) -> str:
        """Begin an upload and return what it is called; one that is neither completed nor dropped goes by itself."""
        ...

    def issue(self, promise: PartedPromise) -> tuple[Ticket, ...]:
        """Return a ticket for each part. Does not touch the network."""
        ...

    def received(self, promise: PartedPromise) -> tuple[int, ...]:
        """Return the numbers of the parts that are there, in their order; none of what is completed or dropped."""
        ...

    def join(self, promise: PartedPromise) -> None:
        """Make one object of the parts, in one step: when it returns it is durable, and its arrival is published.

        Raises ``Conflict`` (``parts-missing``), naming them, unless all parts are there; ``InvalidRequest``
        (``checksum-mismatch``) where the checksum of the whole can be told beforehand; ``AlreadyExists`` when there is
        an object under the key, whose arrival then was, or now is, published. The parts stay in all three.
        """
        ...

    def drop(self, key: str, upload: str) -> None:
        """Remove all parts of an upload; one that is not there is no error."""
        ...


def missing_parts(numbers: Collection[int]) -> Conflict:
    """Return the error for parts that have not come."""
    shown = ", ".join(map(str, sorted(numbers)[:MOST_SHOWN])) + (", …" if len(numbers) > MOST_SHOWN else "")
    msg = f"{len(numbers)} of the parts are not there ({shown}); put them, then complete the upload again"
    return Conflict(msg, code="parts-missing")


MOST_SHOWN = 20
