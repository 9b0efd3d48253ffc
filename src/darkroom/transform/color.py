"""The main colour of a picture, from a small sketch of its pixels."""

from __future__ import annotations

from collections import Counter

NOTHING_SEEN = "#ffffff"
"""What is said of a picture that is transparent all over."""

_OPAQUE_ENOUGH = 128
_REACH = 48
"""How far apart, summed over red, green and blue, two pixels may be and still be of one colour."""
_ROUNDS = 4


def main_color(rgba: bytes) -> str:
    """Return the colour most pixels share, as ``#rrggbb``.

    ``rgba`` has four bytes a pixel. The mean of all would be mud, a colour that is nowhere in the picture. So this
    begins at the fullest of 16³ boxes and moves to the mean of the pixels within reach until it stands in the middle
    of a crowd (mean shift: Fukunaga and Hostetler, 1975), wherever the boxes' borders happen to lie.
    """
    pixels = [(red, green, blue) for red, green, blue, alpha in _in_fours(rgba) if alpha >= _OPAQUE_ENOUGH]
    if not pixels:
        return NOTHING_SEEN
    boxes = Counter((red >> 4, green >> 4, blue >> 4) for red, green, blue in pixels)
    (red, green, blue), _ = max(boxes.items(), key=lambda box: (box[1], box[0]))
    color = (red * 16 + 8, green * 16 + 8, blue * 16 + 8)
    for _ in range(_ROUNDS):
        crowd = [p for p in pixels if abs(p[0] - color[0]) + abs(p[1] - color[1]) + abs(p[2] - color[2]) <= _REACH]
        before, color = color, (_mean(crowd, 0), _mean(crowd, 1), _mean(crowd, 2))
        if color == before:
            break
    return "#{:02x}{:02x}{:02x}".format(*color)


def _in_fours(rgba: bytes) -> zip[tuple[int, int, int, int]]:
    return zip(rgba[0::4], rgba[1::4], rgba[2::4], rgba[3::4], strict=True)


def _mean(pixels: list[tuple[int, int, int]], band: int) -> int:
    return round(sum([pixel[band] for pixel in pixels]) / len(pixels))
