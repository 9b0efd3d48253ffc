"""Which colours are near each other, and what near ones have in common. Pure.

Colours are compared in Oklab (Björn Ottosson, "A perceptual color space for image processing", 2020), by the straight
distance, as CSS Color 4 of the W3C measures the difference of two colours (deltaEOK): 0.02 is just noticeable there. In
place of its lightness stands the one of Ottosson's "Okhsv and Okhsl" (2021): by the first, the blacks of photos are far
from black. Coordinates are thousandths, as whole numbers, so that every database compares the same ones.
"""

from __future__ import annotations

import itertools
import math
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

COLORS_MAX = 5
"""How many main colours a picture has at most."""

NEAR = 100
"""Thousandths: two colours less than so far apart are near. Five times what can just be told apart."""

CELL = 200
"""The side of the cubes that Oklab is divided into, greys in their middles. What is near a colour lies in 1 to 8."""

_COLOR = re.compile("#[0-9a-f]{6}")


class Lab(NamedTuple):
    """A colour in Oklab: lightness, how red rather than green, how yellow rather than blue; in thousandths."""

    lightness: int
    a: int
    b: int


def is_color(text: str) -> bool:
    """Tell whether ``text`` is ``#rrggbb``, in small letters."""
    return _COLOR.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def lab(color: str) -> Lab:
    """Return a colour of sRGB, ``#rrggbb``, in Oklab."""
    red, green, blue = (_linear(part) for part in bytes.fromhex(color[1:]))
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    middle = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    lightness = 0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short
    return Lab(
        round(1000 * _toe(lightness)),
        round(1000 * (1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short)),
        round(1000 * (0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short)),
    )


def near(one: Lab, other: Lab) -> bool:
    """Tell whether two colours are near each other."""
    return sum((x - y) ** 2 for x, y in zip(one, other, strict=True)) < NEAR**2


def cell(color: Lab) -> str:
    """Return the name of the cube a colour lies in."""
    return _name(map(_cell_of, color))


def cells_near(color: Lab) -> frozenset[str]:
    """Return the names of all cubes that something near the colour may lie in."""
    sides = [range(_cell_of(x - NEAR + 1), _cell_of(x + NEAR - 1) + 1) for x in color]
    return frozenset(_name(cube) for cube in itertools.product(*sides) if _reaches(color, cube))


def _reaches(color: Lab, cube: tuple[int, ...]) -> bool:
    """Tell whether any point of the cube is near."""
    firsts = (CELL * number - CELL // 2 for number in cube)
    beside = (max(first - x, x - (first + CELL - 1), 0) for x, first in zip(color, firsts, strict=True))
    return sum(distance**2 for distance in beside) < NEAR**2


def _cell_of(x: int) -> int:
    return (x + CELL // 2) // CELL


def _name(cube: Iterable[int]) -> str:
    return ",".join(map(str, cube))


def _toe(lightness: float) -> float:
    """Return the lightness that is about CIELAB's."""
    x = 1.206 / 1.03 * lightness
    return (x - 0.206 + math.sqrt((x - 0.206) ** 2 + 0.12 * x)) / 2


@cache
def _linear(byte: int) -> float:
    """Return how much light a component of sRGB stands for (IEC 61966-2-1)."""
    part = byte / 255
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
