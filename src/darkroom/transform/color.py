"""The main colours of a picture, from a small sketch of its pixels."""

from __future__ import annotations

from collections import Counter

from darkroom.catalog.colors import COLORS_MAX

NOTHING_SEEN = "#ffffff"
"""What is said of a picture that is transparent all over."""

SHARE = 0.05
"""The part of what can be seen that has to be of a colour for it to be a main one."""

_OPAQUE_ENOUGH = 128
_REACH = 48
"""How far apart, summed over red, green and blue, two pixels may be and still be of one colour."""
_ROUNDS = 4

_Pixel = tuple[int, int, int]


def main_colors(rgba: bytes) -> tuple[str, ...]:
    """Return the colours that many pixels share, as ``#rrggbb``: one at least, the first that of the most.

    ``rgba`` has four bytes a pixel. The mean of all would be mud, a colour that is nowhere in the picture. So this
    begins at the fullest of 16³ boxes and moves to the mean of the pixels within reach until it stands in the middle
    of a crowd (mean shift: Fukunaga and Hostetler, 1975), wherever the boxes' borders happen to lie. What is within
    twice that reach is of that colour or between it and another, and is left out when the next one is looked for.
    """
    pixels = [(red, green, blue) for red, green, blue, alpha in _in_fours(rgba) if alpha >= _OPAQUE_ENOUGH]
    least = SHARE * len(pixels)
    found: list[str] = []
    while pixels and len(found) < COLORS_MAX:
        color, crowd = _crowd(pixels)
        if found and crowd < least:
            break
        found.append("#{:02x}{:02x}{:02x}".format(*color))
        pixels = [pixel for pixel in pixels if _apart(pixel, color) > 2 * _REACH]
    return tuple(found) or (NOTHING_SEEN,)


def _crowd(pixels: list[_Pixel]) -> tuple[_Pixel, int]:
    """Return the middle of the densest crowd of pixels, and how many it has."""
    boxes = Counter((red >> 4, green >> 4, blue >> 4) for red, green, blue in pixels)
    (red, green, blue), _ = max(boxes.items(), key=lambda box: (box[1], box[0]))
    color = (red * 16 + 8, green * 16 + 8, blue * 16 + 8)
    for _ in range(_ROUNDS):
        crowd = [pixel for pixel in pixels if _apart(pixel, color) <= _REACH]
        before, color = color, (_mean(crowd, 0), _mean(crowd, 1), _mean(crowd, 2))
        if color == before:
            break
    return color, len(crowd)


def _apart(one: _Pixel, other: _Pixel) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1]) + abs(one[2] - other[2])


def _in_fours(rgba: bytes) -> zip[tuple[int, int, int, int]]:
    return zip(rgba[0::4], rgba[1::4], rgba[2::4], rgba[3::4], strict=True)


def _mean(pixels: list[_Pixel], band: int) -> int:
    return round(sum([pixel[band] for pixel in pixels]) / len(pixels))
