"""Readers, and what caches answer of images that are viewed so often that nobody needs to draw their views one by one.

The views of an image come by themselves, so the chance that none of them came to a cache within the hours that it keeps
a picture is known: e to the power of minus how many were to be expected. It is worked out for some views of the image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkroom.capacity.assumptions import Assumptions


class Look(NamedTuple):
    """One view: how old the image is in hours, where the reader is, and which picture of it."""

    age: float
    place: int
    picture: int


class Missed(NamedTuple):
    """Views missed at the edge, those missed at the regional cache too, and those of them in the first hour."""

    edge: float
    both: float
    young: float


@dataclass(frozen=True, slots=True)
class Readers:
    """Where readers are, which pictures they take, and when. Places and pictures are shares."""

    places: tuple[float, ...]
    pictures: tuple[float, ...]
    home_share: float
    regions: int
    new_hours: float
    life_hours: float

    @classmethod
    def of(cls, assumed: Assumptions, locations: int) -> Readers:
        """Return the readers of so many edge locations."""
        raw = [rank**-assumed.skew for rank in range(1, locations + 1)]
        small, medium = assumed.small_share, min(assumed.medium_share, 1 - assumed.small_share)
        sides = (small, medium, max(0.0, 1 - small - medium))
        return cls(
            places=tuple(weight / sum(raw) for weight in raw),
            pictures=tuple(side * part for side in sides for part in (assumed.modern_share, 1 - assumed.modern_share)),
            home_share=assumed.home_share,
            regions=max(1, min(round(assumed.regional), math.ceil(locations / 10))),
            new_hours=assumed.new_hours,
            life_hours=assumed.life_days * 24,
        )

    def at(self, place: int, home: int) -> float:
        """Return the share of the views at a place of an image that was uploaded at ``home``."""
        return (1 - self.home_share) * self.places[place] + self.home_share * (place == home)

    def before(self, age: float) -> float:
        """Return the share of its views that an image has had at an age."""
        return math.log1p(max(0.0, age) / self.new_hours) / math.log1p(self.life_hours / self.new_hours)

    def age(self, share: float) -> float:
        """Return the age at which an image has had so much of its views."""
        return self.new_hours * math.expm1(share * math.log1p(self.life_hours / self.new_hours))

    def rate(self, age: float) -> float:
        """Return the share of its views that an image has in an hour at an age."""
        return 1 / ((self.new_hours + age) * math.log1p(self.life_hours / self.new_hours))


@dataclass(frozen=True, slots=True)
class Popular:
    """An image that stands for ``images`` with ``views`` each, and some of its views."""

    images: float
    views: float
    home: int
    looks: tuple[Look, ...]
    readers: Readers

    @property
    def _each(self) -> float:
        return self.images * self.views / len(self.looks)

    def _expected(self, look: Look, hours: float) -> float:
        """Return how many views of its picture came to its place in the hours before."""
        within = self.readers.before(look.age) - self.readers.before(look.age - hours)
        return self.views * self.readers.at(look.place, self.home) * self.readers.pictures[look.picture] * within

    def _passed(self, look: Look, hours: float) -> float:
        """Return which share of the views its region's locations pass on, of those that are of its picture."""
        within = self.readers.before(look.age) - self.readers.before(look.age - hours)
        within *= self.views * self.readers.pictures[look.picture]
        places = range(look.place % self.readers.regions, len(self.readers.places), self.readers.regions)
        return sum(
            share * math.exp(-share * within) for share in (self.readers.at(place, self.home) for place in places)
        )

    def missed(self, edge_hours: float, regional_hours: float) -> Missed:
        """Return how many views are missed."""
        edge = both = young = 0.0
        for one in self.looks:
            at_edge = math.exp(-self._expected(one, edge_hours))
            within = self.readers.before(one.age) - self.readers.before(one.age - regional_hours)
            came = self.views * self.readers.pictures[one.picture] * self._passed(one, edge_hours) * within
            at_both = at_edge * math.exp(-came)
            edge += at_edge
            both += at_both
            young += at_both * (one.age < 1)
        return Missed(edge * self._each, both * self._each, young * self._each)

    def filled(self, sizes: Sequence[float], hours: float) -> float:
        """Return the bytes it takes in the caches of all locations, an upload an hour."""
        found = 0.0
        for one in self.looks:
            rate = self.views * self.readers.at(one.place, self.home) * self.readers.pictures[one.picture]
            rate *= self.readers.rate(one.age)
            found += sizes[one.picture] * -math.expm1(-self._expected(one, hours)) / rate
        return found * self._each

    def filled_behind(self, sizes: Sequence[float], edge_hours: float, hours: float) -> float:
        """Return the bytes it takes in all regional caches, an upload an hour."""
        found = 0.0
        for one in self.looks:
            at_edge = math.exp(-self._expected(one, edge_hours))
            within = self.readers.before(one.age) - self.readers.before(one.age - hours)
            rate = self.views * self.readers.pictures[one.picture] * self._passed(one, edge_hours)
            if rate > 0:
                stays = -math.expm1(-rate * within) / (rate * self.readers.rate(one.age))
                found += at_edge * sizes[one.picture] * stays
        return found * self._each
