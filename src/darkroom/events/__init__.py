"""Port: what happened and still has to be worked on. An event is given out at least once, then settled or buried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCreated:
    """An object has arrived in the upload bucket, or is to be worked on anew."""

    key: str
    etag: str

    @property
    def image_id(self) -> str:
        """The id of the image whose original it is; any text where the key is none of ours."""
        return self.key.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDeleted:
    """An image has become a tombstone: what was made for it has to go."""

    image_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePurge:
    """What an edge in front keeps of an image is to be forgotten: everything, of which these names are known."""

    image_id: str
    names: tuple[str, ...]
    """Of objects that changed or went, under the image's asset prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultWanted:
    """A result is to be made that nobody waits for: its canonical options, and the extension of its format."""

    image_id: str
    options: str
    extension: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkStep:
    """A job over many images is to be gone on with."""

    owner: str
    job_id: str

    @property
    def image_id(self) -> str:
        """The id of the job: what the event is about."""
        return self.job_id


Event = ObjectCreated | ImageDeleted | EdgePurge | ResultWanted | BulkStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One event, for one worker, for a while. ``attempt`` counts from 1; ``receipt`` names this delivery only."""

    event: Event
    receipt: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Buried:
    """An event that nobody will be given again unless a person asks for it, and why.

    ``receipt`` names this burial only, in letters, digits and ``-``.
    """

    event: Event
    receipt: str
    reason: str
    attempts: int
    buried_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much lies in the queue: events waiting or delayed, leased, and buried.

    ``oldest_seconds`` says for how long the event that waits longest has been due; 0 when none is due, ``None`` where
    the queue does not tell.
    """

    waiting: int
    leased: int
    buried: int
    oldest_seconds: float | None


PATIENT = (ImageDeleted, EdgePurge)
"""Events for whose end nobody waits, and whose end must come: giving up would leave public what was deleted."""
PATIENT_ATTEMPTS = 100
"""Tries for those: about eight hours."""

FIRST_DELAY_SECONDS = 2.0
LONGEST_DELAY_SECONDS = 300.0


def backoff(attempt: int) -> float:
    """Return the seconds to wait after the failed ``attempt`` (from 1): 2, 4, 8 … up to five minutes."""
    return float(min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** max(0, min(attempt, 30) - 1)))


class Queue(Protocol):
    """A durable queue of events, and of those that were buried: what whoever publishes or looks after it needs.

    Every published event is given out at least once, by ``LeasedQueue`` or, where a deployment has somebody else for
    that, by them. Events of a kind this release does not know wait for a release that does.
    """

    def publish(self, event: Event, *, delay_seconds: float = 0.0) -> None:
        """Keep ``event``, available after the delay. Durable when it returns.

        Raises ``StorageFull``, ``Unavailable``.
        """
        ...

    def buried(self, limit: int) -> Sequence[Buried]:
        """Return up to ``limit`` buried events, newest first."""
        ...

    def redrive(self, count: int) -> int:
        """Make up to ``count`` buried events available again, the first buried first, and return how many.

        Their attempts are counted from 1 again.
        """
        ...

    def revive(self, grave: Buried) -> bool:
        """As ``redrive``, for this one; ``False`` when it is buried no more."""
        ...

    def discard(self, grave: Buried) -> bool:
        """Forget a buried event for good; ``False`` when it is buried no more."""
        ...

    def depth(self) -> Depth:
        """Return how much lies in the queue."""
        ...


class LeasedQueue(Queue, Protocol):
    """A queue that gives its events out itself. Many processes may lease; no event is ever held twice at a time.

    A lease that runs out (its worker died) makes the event available again with the next attempt. ``extend``,
    ``settle``, ``retry`` and ``bury`` with a receipt that is no longer the current one change nothing and return
    ``False``: the event belongs to somebody else by now. A receipt stays the current one until the event is leased
    again, so a worker that was late, but whose event nobody took, can still end its work.
    """

    def lease(self, count: int, seconds: float) -> Sequence[Lease]:
        """Take up to ``count`` events for ``seconds``, the ones due longest first.

        Empty when none is due, and cheap then, because it is polled; never waits for one.
        """
        ...

    def extend(self, lease: Lease, seconds: float) -> bool:
        """Hold the lease until ``seconds`` from now."""
        ...

    def settle(self, lease: Lease) -> bool:
        """The work is done: forget the event."""
        ...

    def retry(self, lease: Lease, delay_seconds: float) -> bool:
        """The work failed for now: make the event available again after the delay."""
        ...

    def bury(self, lease: Lease, reason: str) -> bool:
        """The work failed for good: keep the event, with its reason, where a person finds it."""
        ...
