"""The process that takes events off the queue and has them worked on."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.errors import DarkroomError
from darkroom.events import ObjectCreated, backoff
from darkroom.trials import judged, trouble_of_the_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from darkroom.events import Lease, LeasedQueue
    from darkroom.service import Service

log = logging.getLogger("darkroom.processor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The seconds that a processor reckons with."""

    lease: float = 10.0
    """An event whose processor has died is given out again after so long."""
    extend: float = 3.0
    idle: float = 0.02
    """Between two looks into an empty queue: what an upload may wait before it is worked on."""
    trouble: float = 1.0
    """Between the first two tries to reach stores that do not answer; twice as long between the next, and so on …"""
    longest_trouble: float = 30.0
    """… up to this."""
    drain: float = 3.0
    """For the work in hand, once it is to stop."""


class Processor:
    """Threads that each take one event at a time; another keeps their leases from running out."""

    def __init__(
        self,
        service: Service,
        queue: LeasedQueue,
        *,
        threads: int,
        attempts: int,
        pace: Pace | None = None,
        chores: Sequence[Callable[[threading.Event], None]] = (),
    ) -> None:
        """``attempts`` is how many tries an event is given before its image is failed and the event buried.

        ``trials.py`` says which are given fewer, or more. Each of ``chores`` is done in a thread of its own, until the
        event it is given is set.
        """
        self._service = service
        self._queue = queue
        self._attempts = attempts
        self._pace = pace or Pace()
        self._stopping = threading.Event()
        self._held: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._trouble = 0.0
        """How long to wait before the stores are tried again; 0 when they answer."""
        self._threads = [
            threading.Thread(target=self._take_events, name=f"event-{number}", daemon=True) for number in range(threads)
        ]
        self._chores = [threading.Thread(target=chore, args=(self._stopping,), daemon=True) for chore in chores]

    def run(self) -> None:
        """Work until ``stop`` is called from a signal handler or another thread; then finish or hand back."""
        for thread in [*self._threads, *self._chores]:
            thread.start()
        while not self._stopping.wait(self._pace.extend):
            self._extend()
        deadline = time.monotonic() + self._pace.drain
        for thread in [*self._threads, *self._chores]:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._hand_back()

    def stop(self) -> None:
        """Take no more events."""
        self._stopping.set()

    def _leases(self) -> list[Lease]:
        with self._lock:
            return list(self._held.values())

    def _extend(self) -> None:
        for lease in self._leases():
            try:
                self._queue.extend(lease, self._pace.lease)
            except Exception:
                log.exception("lease not extended", extra=_subject(lease))

    def _hand_back(self) -> None:
        for lease in self._leases():
            try:
                handed_back = self._queue.retry(lease, 0.0)
            except Exception:  # the lease runs out instead
                log.exception("lease not handed back", extra=_subject(lease))
            else:
                if handed_back:
                    log.warning("lease handed back", extra=_subject(lease))

    def _take_events(self) -> None:
        while (lease := self._next()) is not None:
            self._work(lease)

    def _next(self) -> Lease | None:
        """Wait for an event, one thread at a time: many threads ask an empty queue no more often than one."""
        with self._looking:
            while not self._stopping.wait(self._trouble):
                try:
                    if self._trouble:
                        self._service.check()
                    leases = self._queue.lease(1, self._pace.lease)
                except Exception as error:  # noqa: BLE001  # whatever it is, it is not the end of this thread
                    self._trouble = min(self._pace.longest_trouble, 2 * self._trouble or self._pace.trouble)
                    _complain("stores do not answer", error, again_in=self._trouble)
                    continue
                self._trouble = 0.0
                if leases:
                    return leases[0]
                self._stopping.wait(self._pace.idle)
        return None

    def _work(self, lease: Lease) -> None:
        with self._lock:
            self._held[lease.receipt] = lease
        try:
            self._handle(lease)
        except Exception:  # the store itself failed: the lease runs out and the event comes back
            log.exception("event not settled", extra=_subject(lease))
        finally:
            with self._lock:
                del self._held[lease.receipt]

    def _handle(self, lease: Lease) -> None:
        try:
            self._service.handle(lease.event)
        except Exception as error:  # noqa: BLE001  # whatever it is, the event has to come to an end
            _complain("event failed", error, **_subject(lease))
            self._go_on_after(error, lease)
        else:
            self._queue.settle(lease)

    def _go_on_after(self, error: Exception, lease: Lease) -> None:
        """Have the event come back, or fail its image and bury it."""
        trouble = trouble_of_the_stores(self._service, error)
        if trouble is not None:
            if trouble.is_general:
                self._trouble = self._trouble or self._pace.trouble
                _complain("stores do not answer", trouble.error, again_in=self._trouble)
            self._queue.retry(lease, backoff(lease.attempt))
            return
        verdict = judged(lease, error, attempts=self._attempts)
        if not verdict.is_final:
            self._queue.retry(lease, backoff(lease.attempt))
            return
        self._service.give_up(lease.event, verdict.told, code=verdict.code)
        self._queue.bury(lease, verdict.reason)


def _complain(what: str, error: Exception, **about: object) -> None:
    """Write down what went wrong, with a trace if it was not foreseen."""
    if isinstance(error, DarkroomError):
        log.warning(what, extra=about | {"reason": error.detail})
    else:
        log.error(what, extra=about, exc_info=error)


def _subject(lease: Lease) -> dict[str, object]:
    name = lease.event.key if isinstance(lease.event, ObjectCreated) else lease.event.image_id
    return {"subject": name, "attempt": lease.attempt}
