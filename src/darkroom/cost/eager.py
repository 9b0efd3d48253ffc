"""What it costs to make more objects of an image at once, and to find it under more terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.cost.bill import bill
from darkroom.cost.measured import measured

if TYPE_CHECKING:
    from darkroom.cost.prices import Prices
    from darkroom.cost.scenario import Scenario

SIDES = {"small": 0.6, "medium": 0.3, "large": 0.1}
"""Which share of the views is of which size."""
TAKES = {"avif": 0.93, "webp": 0.97, "jpg": 1.0}
"""Which share of the readers takes a format."""
TERMS = (2, 8, 20)
FIXED_TERMS = 5
"""Terms of every image: every, its state, format, orientation and checksum."""
FIXED_UNITS = 7
"""Units that an upload writes besides those of its terms: its image thrice, its counters twice, and twice the state
that it had before it was ready."""
COUNTED = 4
"""Of an image's own terms at most so many, and at most half, are tags and albums, which are counted too: two units
each. The others are words of the name, the camera, colours: one unit each."""
TERM_BYTES = 187
"""That a term keeps in the database, its key and what is added to every item: bench/dynamodb.py."""
BESIDES_SECONDS = 0.2
"""Seconds of the transform function for everything but rendering."""

_ALL = ("large", "medium", "small")


@dataclass(frozen=True, slots=True)
class Choice:
    """Pictures that are made of each image at once: names of ``measured().pictures``, the processor seconds' set."""

    about: str
    pictures: tuple[str, ...]
    formats: str

    @property
    def stored(self) -> float:
        """Return the bytes that are kept of an image."""
        return sum(measured().pictures[name] for name in self.pictures)

    @property
    def viewed(self) -> float:
        """Return the bytes of a view: each reader takes the best format, in the size it wants or the next there is."""
        kinds = [kind for kind in ("avif", "webp", "jpg") if any(name.endswith(kind) for name in self.pictures)]
        total, taken = 0.0, 0.0
        for kind in kinds:
            share = (TAKES[kind] if kind != kinds[-1] else 1.0) - taken
            taken += share
            total += share * sum(part * measured().pictures[self._of(side, kind)] for side, part in SIDES.items())
        return total

    def _of(self, side: str, kind: str) -> str:
        """Return the picture in a format that is the next to a size."""
        name = f"{side}.{kind}"
        return name if name in self.pictures else next(one for one in self.pictures if one.endswith(kind))


def _sized(kinds: tuple[str, ...], sides: tuple[str, ...] = _ALL) -> tuple[str, ...]:
    return tuple(f"{side}.{kind}" for side in sides for kind in kinds)


CHOICES = (
    Choice("1: a medium JPEG", ("medium.jpg",), "jpeg"),
    Choice("2: small and medium WebP", _sized(("webp",), ("small", "medium")), "webp"),
    Choice("3: JPEG", _sized(("jpg",)), "jpeg"),
    Choice("3: WebP", _sized(("webp",)), "webp"),
    Choice("6: AVIF and JPEG, the default", _sized(("avif", "jpg")), "avif jpeg"),
    Choice("9: AVIF, WebP and JPEG", _sized(("avif", "webp", "jpg")), "avif webp jpeg"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A choice with so many terms of an image's own: US dollars in month 1 and in month 12."""

    choice: Choice
    terms: int
    first: float
    twelfth: float


def grid(scenario: Scenario, prices: Prices) -> tuple[Cell, ...]:
    """Return the bills of all choices with all numbers of terms."""
    found = []
    for choice in CHOICES:
        for terms in TERMS:
            changed = with_choice(scenario, choice, terms)
            first, twelfth = (bill(changed, prices, month).total for month in (1, 12))
            found.append(Cell(choice=choice, terms=terms, first=first, twelfth=twelfth))
    return tuple(found)


def with_choice(scenario: Scenario, choice: Choice, terms: int) -> Scenario:
    """Return the scenario with these pictures and so many terms of an image's own."""
    every = terms + FIXED_TERMS
    return scenario.with_numbers(
        f"{choice.about}, {terms} terms",
        puts=1 + len(choice.pictures),
        stored_bytes=choice.stored,
        view_bytes=choice.viewed,
        transform_seconds=measured().seconds[choice.formats] + BESIDES_SECONDS,
        writes=FIXED_UNITS + every + min(COUNTED, terms // 2),
        item_bytes=1_130 + 88 * len(choice.pictures) + TERM_BYTES * every,
    )
