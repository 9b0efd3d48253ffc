"""Numbers by chance, the same for the same seed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

_BELL_FROM = 50.0


def poisson(mean: float, chance: random.Random) -> int:
    """Return how many of something that happens by itself, ``mean`` on average, have happened."""
    if mean > _BELL_FROM:  # there the bell is near enough
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    left, count = math.exp(-mean), 0
    product = chance.random()
    while product > left:
        product *= chance.random()
        count += 1
    return count
