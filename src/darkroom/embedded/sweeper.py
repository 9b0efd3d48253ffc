"""The sweep on a schedule."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from darkroom.upkeep import sweep_once

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from darkroom.figures import Figures
    from darkroom.sweep import Sweep

FIRST_SECONDS = 300.0
"""The first sweep comes at most this long after the start, also where the service is started again more often than it
is swept."""
JITTER = 0.1
"""By how much of itself each pause is made longer or shorter, so that many services do not sweep at one moment."""


class Sweeper:
    """Sweeps again and again, and says in the log what it has done. For one thread."""

    def __init__(
        self,
        sweep: Sweep,
        figures: Figures,
        *,
        every_seconds: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``chance`` returns numbers from 0 to 1."""
        self._sweep = sweep
        self._figures = figures
        self._every = every_seconds
        self._chance = chance

    def run(self, stopping: threading.Event) -> None:
        """Sweep until ``stopping`` is set; a sweep that is under way ends soon after that."""
        pause = min(self._every, FIRST_SECONDS) * self._chance()
        while not stopping.wait(pause):
            sweep_once(self._sweep, self._figures, stopping.is_set)
            pause = self._every * (1 + JITTER * (2 * self._chance() - 1))
