"""The process that takes events off the queue and has them worked on."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from darkroom.events import ObjectCreated, backoff

if TYPE_CHECKING:
    from darkroom.events import Lease, Queue
    from darkroom.service import Service

log = logging.getLogger("darkroom.processor")

LEASE_SECONDS = 30.0
EXTEND_EVERY_SECONDS = 10.0
IDLE_SECONDS = 0.02
TROUBLE_SECONDS = 1.0
DRAIN_SECONDS = 8.0


class Processor:
    """Threads that each take one event at a time; another keeps their leases from running out."""

    def __init__(self, service: Service, queue: Queue, *, threads: int, attempts: int) -> None:
        """``attempts`` is how many tries an event is given before its image is failed and the event buried."""
        self._service = service
        self._queue = queue
        self._threads = threads
        self._attempts = attempts
        self._stopping = threading.Event()
        self._held: dict[str, Lease] = {}
        self._lock = threading.Lock()

    def run(self) -> None:
        """Work until ``stop`` is called from a signal handler or another thread; then finish or hand back."""
        workers = ThreadPoolExecutor(self._threads, thread_name_prefix="event")
        for _ in range(self._threads):
            workers.submit(self._take_events)
        while not self._stopping.wait(EXTEND_EVERY_SECONDS):
            self._extend()
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._held and time.monotonic() < deadline:
            time.sleep(0.01)
        for lease in self._leases():
            self._queue.retry(lease, 0.0)
            log.warning("lease handed back", extra={"subject": _subject(lease)})
        workers.shutdown(wait=False, cancel_futures=True)

    def stop(self) -> None:
        """Take no more events."""
        self._stopping.set()

    def _leases(self) -> list[Lease]:
        with self._lock:
            return list(self._held.values())

    def _extend(self) -> None:
        for lease in self._leases():
            try:
                self._queue.extend(lease, LEASE_SECONDS)
            except Exception:
                log.exception("lease not extended")

    def _take_events(self) -> None:
        while not self._stopping.is_set():
            try:
                leases = self._queue.lease(1, LEASE_SECONDS)
            except Exception:
                log.exception("queue does not answer")
                self._stopping.wait(TROUBLE_SECONDS)
                continue
            if not leases:
                self._stopping.wait(IDLE_SECONDS)
                continue
            self._work(leases[0])

    def _work(self, lease: Lease) -> None:
        with self._lock:
            self._held[lease.receipt] = lease
        try:
            self._handle(lease)
        except Exception:
            # The store itself failed; the lease runs out and the event comes back.
            log.exception("event not settled")
        finally:
            with self._lock:
                del self._held[lease.receipt]

    def _handle(self, lease: Lease) -> None:
        try:
            self._service.handle(lease.event)
        except Exception as error:  # noqa: BLE001  # whatever it was, the event is tried again or buried with it
            reason = f"{type(error).__name__}: {error}"
            log.warning("event failed", extra={"subject": _subject(lease), "attempt": lease.attempt, "reason": reason})
            if lease.attempt < self._attempts:
                self._queue.retry(lease, backoff(lease.attempt))
                return
            self._service.give_up(lease.event, reason)
            self._queue.bury(lease, reason)
        else:
            self._queue.settle(lease)


def _subject(lease: Lease) -> str:
    return lease.event.key if isinstance(lease.event, ObjectCreated) else lease.event.image_id
