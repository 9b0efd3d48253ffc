"""The results in memory: for tests, and for a service that keeps nothing."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from darkroom.results import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Entry:
    used_at: datetime
    checksum: str | None = None
    stamp: str = ""
    kept_size: str = ""
    receipt: str | None = None
    claimed_until: datetime = _NEVER


class MemoryResults:
    """``Results`` of one process. ``clock`` returns the present as an aware moment."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, str], _Entry] = {}

    def find(self, image_id: str, name: str) -> Result | None:
        with self._lock:
            entry = self._entries.get((image_id, name))
            if entry is None or entry.checksum is None:
                return None
            entry.used_at = self._clock()
            return Result(
                image_id=image_id, name=name, checksum=entry.checksum, stamp=entry.stamp, kept_size=entry.kept_size
            )

    def finished(self, image_id: str) -> Sequence[Result]:
        with self._lock:
            return [
                Result(image_id=of, name=name, checksum=entry.checksum, stamp=entry.stamp, kept_size=entry.kept_size)
                for (of, name), entry in sorted(self._entries.items())
                if of == image_id and entry.checksum is not None
            ]

    def claim(self, image_id: str, name: str, seconds: float, *, damaged: str | None = None) -> str | None:
        with self._lock:
            now = self._clock()
            entry = self._entries.get((image_id, name))
            if entry is not None:
                is_made = entry.checksum is not None and entry.checksum != damaged
                if is_made or (entry.checksum is None and entry.claimed_until > now):
                    return None
            receipt = secrets.token_hex(8)
            until = now + timedelta(seconds=seconds)
            self._entries[image_id, name] = _Entry(used_at=now, receipt=receipt, claimed_until=until)
            return receipt

    def commit(self, receipt: str, result: Result) -> bool:
        with self._lock:
            entry = self._entries.get((result.image_id, result.name))
            if entry is None or entry.receipt != receipt:
                return False
            self._entries[result.image_id, result.name] = _Entry(
                used_at=self._clock(), checksum=result.checksum, stamp=result.stamp, kept_size=result.kept_size
            )
            return True

    def release(self, receipt: str, image_id: str, name: str) -> None:
        with self._lock:
            entry = self._entries.get((image_id, name))
            if entry is not None and entry.receipt == receipt:
                del self._entries[image_id, name]

    def void(self, image_id: str) -> tuple[str, ...]:
        with self._lock:
            names = sorted(name for one, name in self._entries if one == image_id)
            for name in names:
                self._entries[image_id, name] = _Entry(used_at=self._clock())
            return tuple(names)

    def owns(self, image_id: str, name: str) -> bool:
        with self._lock:
            return (image_id, name) in self._entries

    def unused(self, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
        with self._lock:
            found = [key for key in self._entries if self._is_unused(key, before)]
        return sorted(found, key=lambda key: self._entries[key].used_at)[:limit]

    def forget(self, image_id: str, name: str, before: datetime) -> None:
        with self._lock:
            if self._is_unused((image_id, name), before):
                del self._entries[image_id, name]

    def _is_unused(self, key: tuple[str, str], before: datetime) -> bool:
        entry = self._entries.get(key)
        return entry is not None and entry.used_at < before and entry.claimed_until <= self._clock()
