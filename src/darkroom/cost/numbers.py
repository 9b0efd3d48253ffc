"""Sets of numbers that an estimate begins from: each with its unit, its bounds, a sentence, and where it comes from."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from darkroom.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

GIVEN = "given"
ASSUMED = "assumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How a number is shown and bounded, and where its default comes from."""

    unit: str
    about: str
    most: float = 1e12
    least: float = 0.0
    source: str = "default"


def number(
    value: float, unit: str, about: str, *, most: float = 1e12, least: float = 0.0, source: str = "default"
) -> float:
    """Declare a number: its default, its unit and a sentence."""
    entry = Entry(unit=unit, about=about, most=most, least=least, source=source)
    return field(default=value, metadata={"entry": entry})


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What the sets have in common. A number out of its bounds raises ``InvalidRequest`` when the set is made."""

    name: str = "yours"
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where a number comes from, by its name; those that are not in here are as they were declared."""

    def __post_init__(self) -> None:
        """Raise ``InvalidRequest`` for a number that is none, or out of its bounds."""
        for name, entry in entries(type(self)).items():
            value = getattr(self, name)
            if math.isnan(value) or not entry.least <= value <= entry.most:
                msg = f"{name} must be a number from {entry.least:g} to {entry.most:g} ({entry.unit}), not {value:g}"
                raise InvalidRequest(msg)

    def with_numbers(self, source: str, **numbers: float) -> Self:
        """Return the set with some numbers changed, which then have this source.

        Raises ``InvalidRequest`` for a name that is no number of it, and for a number out of bounds.
        """
        unknown = numbers.keys() - entries(type(self)).keys()
        if unknown:
            msg = f"{', '.join(sorted(unknown))}: no such number; there are {', '.join(entries(type(self)))}"
            raise InvalidRequest(msg)
        sources = dict(self.sources) | dict.fromkeys(numbers, source)
        return dataclasses.replace(self, **numbers, sources=sources)  # type: ignore[arg-type]  # numbers, by name

    def source_of(self, name: str) -> str:
        """Return where a number comes from."""
        return self.sources.get(name, entries(type(self))[name].source)


def entries(of: type[Numbers]) -> dict[str, Entry]:
    """Return every number of a set, in its order, with unit and meaning."""
    return {one.name: one.metadata["entry"] for one in dataclasses.fields(of) if "entry" in one.metadata}


def amount(number: float) -> str:
    """Return a number for people: whole when it is large, else to four digits."""
    if not math.isfinite(number):
        return "no end"
    return f"{number:,.0f}" if number >= 1000 or number == int(number) else f"{number:,.4g}"
