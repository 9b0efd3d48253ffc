"""Deliveries counted in plain numbers, given on about once a second: a hit costs no log line and no shared counter."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from darkroom.figures import DELIVERED_BYTES, DELIVERIES

if TYPE_CHECKING:
    from darkroom.figures import Figures

log = logging.getLogger("darkroom.deliveries")

FLUSH_SECONDS = 1.0
LOG_SECONDS = 10.0


class Tally:
    """The deliveries of one worker. For the thread of the event loop; no timer runs while nothing is delivered."""

    def __init__(
        self, figures: Figures, *, flush_seconds: float = FLUSH_SECONDS, log_seconds: float = LOG_SECONDS
    ) -> None:
        """Give numbers on to ``figures`` every ``flush_seconds`` and to the log every ``log_seconds``."""
        self._figures = figures
        self._flush_seconds = flush_seconds
        self._log_seconds = log_seconds
        self._counts: dict[tuple[str, int], int] = {}
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._unlogged: Counter[str] = Counter()
        self._logged_at = time.monotonic()

    def count(self, outcome: str, status: int, length: int) -> None:
        """Count one delivery of ``length`` bytes of body."""
        kind = (outcome, status)
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._bytes += length
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._flush_seconds, self._on_time)

    def close(self) -> None:
        """Give on and log everything counted so far."""
        if self._timer is not None:
            self._timer.cancel()
        self._give_on()
        self._log()

    def _on_time(self) -> None:
        self._timer = None
        self._give_on()
        if time.monotonic() - self._logged_at >= self._log_seconds:
            self._log()
        elif self._unlogged:
            self._timer = asyncio.get_running_loop().call_later(self._flush_seconds, self._on_time)

    def _give_on(self) -> None:
        counts, self._counts = self._counts, {}
        for (outcome, status), amount in counts.items():
            self._figures.add(DELIVERIES, amount, outcome=outcome, status=str(status))
            self._unlogged[outcome] += amount
        if self._bytes:
            self._figures.add(DELIVERED_BYTES, self._bytes)
            self._unlogged["bytes"] += self._bytes
            self._bytes = 0

    def _log(self) -> None:
        if self._unlogged:
            log.info("deliveries", extra=dict(self._unlogged))
            self._unlogged.clear()
        self._logged_at = time.monotonic()
