"""Which views the CDN answers: a sample of images is looked at, view by view, through two layers of LRU caches.

Images are sampled by popularity. Each stands for many of its like, and its views are drawn one by one: when, which
picture, where; of the most popular ones chances are worked out instead (``popular.py``). What an LRU cache does with a
picture depends on the others only through how long it keeps what nobody asks for (Che, Tung and Wang, Hierarchical Web
Caching Systems, 2002), so of every view the time since the one before it at the same cache is taken, and that one time
is found at which the cache is as full as it can be. No cache has to be as large as the real one.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from darkroom.capacity.chances import poisson
from darkroom.capacity.popular import Look, Popular, Readers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from darkroom.capacity.assumptions import Assumptions

GIB = 2**30
PRECISION = 1e-3

SAMPLED = 800
"""Images in a sample, about."""
POPULAR = 300
"""Views from which on an image's views are not drawn one by one: ``popular.py``."""
LOOKED_AT = 30
"""Views of such an image that are looked at all the same."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An image of the sample: for how many it stands, how many views each of those has, and those that were drawn."""

    images: float
    views: float
    home: int
    looks: tuple[Look, ...]

    @property
    def is_popular(self) -> bool:
        """Whether it has more views than were drawn."""
        return self.views > len(self.looks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What became of the views, as shares of all; and how long the caches keep what nobody asks for, in hours."""

    locations: int
    edge: float
    regional: float
    origin: float
    edge_hours: float
    regional_hours: float
    young: float
    """The share of all views that is asked of the bucket in an image's first hour: they lie together there."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What reaches a layer of caches of one image of the sample."""

    images: float
    looks: tuple[Look, ...]


def sample(
    assumed: Assumptions, *, views: float, images: float, locations: int, seed: int, popular: float = POPULAR
) -> tuple[Asked, ...]:
    """Return a sample of a catalogue of so many images, which have ``views`` views each in their lives on average.

    The popularity of the image of rank r is as r to the power of -zipf. Half of the ranks are taken evenly by how many
    views they have, half evenly by how many images they are; so neither the few that everybody looks at nor the many
    that hardly anybody does are missed. Of images with more than ``popular`` views only some views are drawn.
    """
    chance = random.Random(seed)  # noqa: S311 # not a secret
    readers = Readers.of(assumed, locations)
    places, kinds = list(accumulate(readers.places)), list(accumulate(readers.pictures))
    found = []
    for low, high in pairwise(_bounds(assumed.zipf, images)):
        stands_for = (high - low) * images
        each = (high ** (1 - assumed.zipf) - low ** (1 - assumed.zipf)) * views * images / stands_for
        home = _among(places, chance)
        drawn = LOOKED_AT if each > popular else poisson(each, chance)
        looks = sorted(
            Look(
                readers.age(chance.random()),
                home if chance.random() < assumed.home_share else _among(places, chance),
                _among(kinds, chance),
            )
            for _ in range(drawn)
        )
        found.append(Asked(stands_for, each if each > popular else float(drawn), home, tuple(looks)))
    return tuple(found)


def look(
    asked: Sequence[Asked], assumed: Assumptions, *, images_an_hour: float, sizes: Sequence[float], locations: int
) -> Edge:
    """Return what becomes of the views, where so many images are uploaded an hour; ``sizes`` are bytes of pictures."""
    readers = Readers.of(assumed, locations)
    scale = images_an_hour / (sum(one.images for one in asked) or 1.0)
    rest = [Stream(one.images, one.looks) for one in asked if not one.is_popular]
    popular = [Popular(one.images, one.views, one.home, one.looks, readers) for one in asked if one.is_popular]

    busiest = scale * max(readers.places)
    edge_hours = kept_hours(
        assumed.edge_hours,
        assumed.edge_gib * GIB,
        [*waits_of(rest, sizes, busiest)],
        lambda hours: busiest * sum(one.filled(sizes, hours) for one in popular),
    )
    passed = [Stream(one.images, tuple(misses_of(one.looks, edge_hours))) for one in rest]
    inner = [
        Stream(one.images, tuple(Look(age, place % readers.regions, picture) for age, place, picture in one.looks))
        for one in passed
    ]
    part = scale / readers.regions
    regional_hours = kept_hours(
        assumed.regional_hours,
        assumed.regional_gib * GIB,
        [*waits_of(inner, sizes, part)],
        lambda hours: part * sum(one.filled_behind(sizes, edge_hours, hours) for one in popular),
    )
    ended = [Stream(one.images, tuple(misses_of(one.looks, regional_hours))) for one in inner]
    ways = [one.missed(edge_hours, regional_hours) for one in popular]

    total = sum(one.images * one.views for one in asked) or 1.0
    beyond_edge = (sum(one.images * len(one.looks) for one in passed) + sum(way.edge for way in ways)) / total
    origin = (sum(one.images * len(one.looks) for one in ended) + sum(way.both for way in ways)) / total
    young = sum(one.images * sum(look.age < 1 for look in one.looks) for one in ended) + sum(way.young for way in ways)
    return Edge(
        locations=locations,
        edge=1 - beyond_edge,
        regional=beyond_edge - origin,
        origin=origin,
        edge_hours=edge_hours,
        regional_hours=regional_hours,
        young=young / total,
    )


def kept_hours(
    longest: float, room: float, waits: list[tuple[float, float]], others: Callable[[float], float]
) -> float:
    """Return for how many hours, at most ``longest``, an LRU cache of ``room`` bytes keeps what nobody asks for.

    A view fills the cache with its picture until the next one of it, or until it is given up: ``waits`` are hours until
    the next one, and bytes an hour. ``others`` returns the bytes of what is not among them.
    """
    waits.sort()
    filled = list(accumulate((wait * size for wait, size in waits if wait < math.inf), initial=0.0))
    beyond = list(accumulate((size for _, size in reversed(waits)), initial=0.0))[::-1]

    def full(hours: float) -> float:
        index = bisect_left(waits, (hours, 0.0))
        return filled[index] + hours * beyond[index] + others(hours)

    if full(longest) <= room:
        return longest
    low, high = 0.0, longest
    while high - low > PRECISION * high:
        middle = (low + high) / 2
        low, high = (middle, high) if full(middle) <= room else (low, middle)
    return low


def waits_of(streams: Iterable[Stream], sizes: Sequence[float], scale: float) -> Iterator[tuple[float, float]]:
    """Yield of every view how many hours later the next one of the same picture is, and the bytes it stands for."""
    for stream in streams:
        last: dict[tuple[int, int], float] = {}
        for age, place, picture in reversed(stream.looks):
            yield last.get((place, picture), math.inf) - age, stream.images * scale * sizes[picture]
            last[place, picture] = age


def _among(sums: list[float], chance: random.Random) -> int:
    """Return one by chance, of which the shares are summed up."""
    return min(bisect_left(sums, chance.random()), len(sums) - 1)


def misses_of(looks: Iterable[Look], hours: float) -> Iterator[Look]:
    """Yield the views that a cache passes on which forgets what nobody asks for during ``hours``."""
    last: dict[tuple[int, int], float] = {}
    for one in looks:
        age, place, picture = one
        if age - last.get((place, picture), -math.inf) > hours:
            yield one
        last[place, picture] = age


def _bounds(zipf: float, images: float) -> list[float]:
    """Return where the ranks are divided, as shares of all images."""
    half = SAMPLED // 2
    by_views = ((part / half) ** (1 / (1 - zipf)) for part in range(1, half))
    by_images = (part / half for part in range(1, half + 1))
    return [0.0, *sorted({bound for bound in (*by_views, *by_images) if bound >= 1 / images})]
