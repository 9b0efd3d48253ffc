"""Results that nobody asks for any more go, once in a while; they come back when they are asked for."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from datetime import datetime

log = logging.getLogger("darkroom.results")

EVERY_SECONDS = 3600.0
FIRST_SECONDS = 60.0
"""After the start: what is looked for is days old."""


class Retention:
    """A chore of the processor."""

    def __init__(self, forget_unused: Callable[[datetime], int], *, days: int, clock: Callable[[], datetime]) -> None:
        """``forget_unused`` removes what nobody has used since a moment, and returns how much that was."""
        self._forget_unused = forget_unused
        self._days = days
        self._clock = clock

    def run(self, stopping: threading.Event) -> None:
        """Look for what is unused, about once an hour, until ``stopping`` is set."""
        pause = FIRST_SECONDS
        while not stopping.wait(pause):
            pause = EVERY_SECONDS
            try:
                count = self._forget_unused(self._clock() - timedelta(days=self._days))
            except Exception:
                log.exception("unused results not removed")
            else:
                if count:
                    log.info("unused results removed", extra={"results": count})
