"""The queue in this process only: for tests, and for deployments that may forget."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from darkroom.events import Buried, Depth, Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from darkroom.events import Event


@dataclass(slots=True)
class _Entry:
    """An event that is not buried. ``due`` is when it may be leased: after its delay, or when its lease runs out."""

    event: Event
    due: datetime
    receipt: str | None = None
    attempts: int = 0


class MemoryQueue:
    """A ``Queue`` that lasts as long as the process. ``clock`` returns the present as an aware moment."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: list[_Entry] = []
        self._buried: list[Buried] = []

    def publish(self, event: Event, *, delay_seconds: float = 0.0) -> None:
        with self._lock:
            self._entries.append(_Entry(event, self._in(delay_seconds)))

    def lease(self, count: int, seconds: float) -> Sequence[Lease]:
        with self._lock:
            now = self._clock()
            due = sorted((entry for entry in self._entries if entry.due <= now), key=lambda entry: entry.due)[:count]
            for entry in due:
                entry.due = now + timedelta(seconds=seconds)
                entry.receipt = secrets.token_urlsafe(16)
                entry.attempts += 1
            return [Lease(event=e.event, receipt=e.receipt or "", attempt=e.attempts) for e in due]

    def extend(self, lease: Lease, seconds: float) -> bool:
        with self._lock:
            entry = self._held(lease)
            if entry is not None:
                entry.due = self._in(seconds)
            return entry is not None

    def settle(self, lease: Lease) -> bool:
        with self._lock:
            entry = self._held(lease)
            if entry is not None:
                self._entries.remove(entry)
            return entry is not None

    def retry(self, lease: Lease, delay_seconds: float) -> bool:
        with self._lock:
            entry = self._held(lease)
            if entry is not None:
                entry.due = self._in(delay_seconds)
                entry.receipt = None
            return entry is not None

    def bury(self, lease: Lease, reason: str) -> bool:
        with self._lock:
            entry = self._held(lease)
            if entry is not None:
                self._entries.remove(entry)
                self._buried.append(
                    Buried(
                        event=entry.event,
                        receipt=secrets.token_hex(8),
                        reason=reason,
                        attempts=entry.attempts,
                        buried_at=self._clock(),
                    )
                )
            return entry is not None

    def buried(self, limit: int) -> Sequence[Buried]:
        with self._lock:
            return self._buried[::-1][:limit]

    def redrive(self, count: int) -> int:
        with self._lock:
            raised, self._buried = self._buried[:count], self._buried[count:]
            self._entries.extend(_Entry(grave.event, self._clock()) for grave in raised)
            return len(raised)

    def revive(self, grave: Buried) -> bool:
        with self._lock:
            if not self._exhumed(grave):
                return False
            self._entries.append(_Entry(grave.event, self._clock()))
            return True

    def discard(self, grave: Buried) -> bool:
        with self._lock:
            return self._exhumed(grave)

    def depth(self) -> Depth:
        with self._lock:
            now = self._clock()
            leased = sum(entry.receipt is not None and entry.due > now for entry in self._entries)
            return Depth(
                waiting=len(self._entries) - leased,
                leased=leased,
                buried=len(self._buried),
                oldest_seconds=max(((now - e.due).total_seconds() for e in self._entries if e.due <= now), default=0.0),
            )

    def _exhumed(self, grave: Buried) -> bool:
        before = len(self._buried)
        self._buried = [other for other in self._buried if other.receipt != grave.receipt]
        return len(self._buried) < before

    def _in(self, seconds: float) -> datetime:
        return self._clock() + timedelta(seconds=seconds)

    def _held(self, lease: Lease) -> _Entry | None:
        return next((entry for entry in self._entries if entry.receipt == lease.receipt), None)
