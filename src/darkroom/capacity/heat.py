"""Units a second on single keys of the database: a key takes 1,000 a second, however large the table is."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.capacity.chances import poisson

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 300
"""Of a peak that are looked at."""
MOST_KEYS = 256
"""Of a kind that are looked at one by one; the hottest of more is not much hotter."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of key: how many there are among which the uploads are divided by hash, and what one upload writes."""

    name: str
    keys: float
    units: float


@dataclass(frozen=True, slots=True)
class Heat:
    """Units a second of the hottest key of a kind: on average over the seconds, and in the hottest of a hundred."""

    kind: str
    mean: float
    hottest: float


def heat(kinds: Sequence[Kind], *, uploads: float, seed: int) -> tuple[Heat, ...]:
    """Return how hot keys become where ``uploads`` come a second, each by itself."""
    chance = random.Random(seed)  # noqa: S311 # not a secret
    found = []
    for kind in kinds:
        looked_at = max(1, min(round(kind.keys), MOST_KEYS))
        seconds = sorted(
            kind.units * max(poisson(uploads / max(1.0, kind.keys), chance) for _ in range(looked_at))
            for _ in range(SECONDS)
        )
        found.append(Heat(kind.name, sum(seconds) / SECONDS, seconds[-1 - SECONDS // 100]))
    return tuple(found)
