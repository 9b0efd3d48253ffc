"""How long uploads wait to be processed: three days, step by step, with the ups and downs of a day and a burst."""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.capacity.chances import poisson

if TYPE_CHECKING:
    from collections.abc import Callable

STEP = 10.0
"""Seconds."""
DAY = 86_400.0
DAYS = 3
PEAK_HOUR = 20.0
FIRST_BATCHES, MORE_A_MINUTE = 5.0, 300.0
"""How Lambda begins to read a queue, and how fast it adds to that (its Developer Guide, "Configuring scaling behavior
for SQS event source mappings")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What the queue came to: seconds that the oldest waited at the worst moment, the most that waited, how long after
    the burst it took until nothing waited, and what was left at the end.
    """

    oldest_seconds: float
    most: float
    drained_seconds: float
    left: float
    came: float
    done: float


def day_shape(peak: float) -> Callable[[float], float]:
    """Return how many times the mean a moment of the day has, by its seconds: a hill of height ``peak``, mean 1."""
    low, high = 0.0, 1e6
    while high - low > 1e-9 * high:
        steep = (low + high) / 2
        low, high = (steep, high) if hill_mean(steep) > 1 / peak else (low, steep)
    steep = low

    def at(seconds: float) -> float:
        angle = 2 * math.pi * (seconds / DAY - PEAK_HOUR / 24)
        return float(peak * ((1 + math.cos(angle)) / 2) ** steep)

    return at


def hill_mean(steep: float) -> float:
    """Return the mean over a turn of ((1 + cos) / 2) to a power."""
    return math.exp(math.lgamma(steep + 0.5) - math.lgamma(steep + 1)) / math.sqrt(math.pi)


def three_days(  # what describes a day
    *,
    mean: float,
    peak: float,
    burst: float,
    burst_minutes: float,
    workers: float,
    seconds_each: float,
    seed: int,
) -> Backlog:
    """Return what becomes of a queue that ``mean`` images a second come to, on three days with a burst on the second.

    Up to ``workers`` at a time take ``seconds_each`` for each; how many there are rises as Lambda has them rise. What
    is taken in the step in which it came has not waited.
    """
    chance = random.Random(seed)  # noqa: S311 # not a secret
    shape = day_shape(peak)
    begins = DAY + PEAK_HOUR * 3600
    ends = begins + burst_minutes * 60
    waiting: deque[list[float]] = deque()
    level, oldest, most, came, done, drained = 0.0, 0.0, 0.0, 0.0, 0.0, math.inf
    at_work = FIRST_BATCHES
    step = 0
    while step * STEP < DAYS * DAY:
        now = step * STEP
        rate = mean * (max(shape(now), burst) if begins <= now < ends else shape(now))
        arrived = poisson(rate * STEP, chance)
        if arrived:
            waiting.append([now, arrived])
        came += arrived
        level += arrived
        room = could = at_work / seconds_each * STEP
        while room > 0 and waiting:
            taken = min(room, waiting[0][1])
            room -= taken
            level -= taken
            done += taken
            waiting[0][1] -= taken
            if waiting[0][1] <= 0:
                waiting.popleft()
        used = (could - room) / STEP * seconds_each
        change = MORE_A_MINUTE / 60 * STEP
        at_work = min(workers, at_work + change if waiting else max(FIRST_BATCHES, used, at_work - change))
        oldest = max(oldest, now + STEP - waiting[0][0] if waiting else 0.0)
        most = max(most, level if waiting else 0.0)
        if now >= ends and not waiting:
            drained = min(drained, now + STEP - ends)
        step += 1
    return Backlog(oldest_seconds=oldest, most=most, drained_seconds=drained, left=came - done, came=came, done=done)
