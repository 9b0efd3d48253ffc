"""What the model of ``darkroom capacity`` expects of the caches of a service, for the very views that were replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from darkroom.capacity.edge import Stream, kept_hours, misses_of, waits_of
from darkroom.capacity.popular import Look

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

WORKERS = 2
"""Processes that answer, each with a cache of its own, by default."""
OVERHEAD_BYTES = 4096
"""Of an entry, besides its body."""


class Seen(NamedTuple):
    """A view: when, what, and its bytes."""

    seconds: float
    what: str
    bytes: int


def expected_hits(seen: Sequence[Seen], chance: random.Random, hot_bytes: int) -> float:
    """Return the share of the views that LRU caches of so many bytes answer, empty before, a view going to any."""
    if not seen:
        return 0.0
    numbers = {what: number for number, what in enumerate(dict.fromkeys(one.what for one in seen))}
    sizes = [0.0] * len(numbers)
    for one in seen:
        sizes[numbers[one.what]] = one.bytes + OVERHEAD_BYTES
    began = min(one.seconds for one in seen)
    lasted = max(one.seconds for one in seen) - began
    looks = sorted(Look(one.seconds - began, chance.randrange(WORKERS), numbers[one.what]) for one in seen)
    stream = Stream(1.0, tuple(looks))
    # A picture that nobody asks for again takes its place to the end.
    waits = [(min(wait, lasted), size) for wait, size in waits_of([stream], sizes, 1 / (WORKERS * max(lasted, 1e-9)))]
    kept = kept_hours(lasted + 1, hot_bytes, waits, lambda _: 0.0)
    return 1 - sum(1 for _ in misses_of(looks, kept)) / len(looks)
