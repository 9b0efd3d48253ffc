"""A few bytes that stand for a picture until it is there: ThumbHash, by Evan Wallace (https://evanw.github.io/thumbhash/).

Written here from the format's description: the package that has it fails on every picture with transparency.
"""

from __future__ import annotations

import math
from operator import mul
from typing import NamedTuple

_SIDE_MAX = 100
_WAVES, _WAVES_BESIDE_ALPHA = 7, 5
"""How many waves of lightness the longer side has."""


class _Channel(NamedTuple):
    """A channel as cosine waves: its mean, the largest amplitude, and the others from 0 to 1, where 0.5 is none."""

    mean: float
    scale: float
    waves: list[float]


def thumbhash(width: int, height: int, rgba: bytes) -> bytes:
    """Return the hash of a picture of at most 100 by 100 pixels, four bytes each, alpha not premultiplied.

    It has 5 bytes of header (one more with transparency) and half a byte for each wave: 25 bytes at most, and it
    tells the picture's aspect.
    """
    if max(width, height) > _SIDE_MAX or len(rgba) != 4 * width * height:
        msg = f"{width}×{height} pixels in {len(rgba)} bytes are no small picture"
        raise ValueError(msg)
    alpha = [value / 255 for value in rgba[3::4]]
    red, green, blue = (_over_its_mean(rgba[band::4], alpha) for band in range(3))
    see_through = sum(alpha) < width * height
    most = _WAVES_BESIDE_ALPHA if see_through else _WAVES
    across = max(1, _round(most * width / max(width, height)))
    down = max(1, _round(most * height / max(width, height)))

    lightness = [(r + g + b) / 3 for r, g, b in zip(red, green, blue, strict=True)]
    yellow_blue = [(r + g) / 2 - b for r, g, b in zip(red, green, blue, strict=True)]
    red_green = [r - g for r, g in zip(red, green, strict=True)]
    light = _channel(lightness, width, max(3, across), max(3, down))
    yellow = _channel(yellow_blue, width, 3, 3)
    ruddy = _channel(red_green, width, 3, 3)
    clear = _channel(alpha, width, 5, 5) if see_through else None

    landscape = width > height
    header = _packed(
        (_round(63 * light.mean), 6),
        (_round(31.5 + 31.5 * yellow.mean), 6),
        (_round(31.5 + 31.5 * ruddy.mean), 6),
        (_round(31 * light.scale), 5),
        (see_through, 1),
        (down if landscape else across, 3),
        (_round(63 * yellow.scale), 6),
        (_round(63 * ruddy.scale), 6),
        (landscape, 1),
    )
    waves = light.waves + yellow.waves + ruddy.waves
    if clear is not None:
        header += _packed((_round(15 * clear.mean), 4), (_round(15 * clear.scale), 4))
        waves += clear.waves
    return header + _packed(*((_round(15 * wave), 4) for wave in waves))


def _over_its_mean(band: bytes, alpha: list[float]) -> list[float]:
    """Return a band from 0 to 1, laid over the mean of what can be seen of it."""
    weight = sum(alpha)
    mean = sum(value / 255 * seen for value, seen in zip(band, alpha, strict=True)) / weight if weight else 0.0
    return [mean * (1 - seen) + value / 255 * seen for value, seen in zip(band, alpha, strict=True)]


def _channel(values: list[float], width: int, across: int, down: int) -> _Channel:
    """Take the cosine transform of rows, then of columns, of those waves that lie in the corner of slow ones."""
    height = len(values) // width
    horizontal = _cosines(width, across)
    vertical = _cosines(height, down)
    rows = [values[at : at + width] for at in range(0, len(values), width)]
    by_row = [[_product(row, wave) / width for wave in horizontal] for row in rows]
    amplitudes = [
        _product([row[x] for row in by_row], vertical[y]) / height
        for y in range(down)
        for x in range(across)
        if x * down < across * (down - y)
    ]
    mean, *others = amplitudes
    scale = max(abs(amplitude) for amplitude in others)
    return _Channel(mean, scale, [0.5 + 0.5 * amplitude / scale if scale else 0.0 for amplitude in others])


def _cosines(length: int, count: int) -> list[list[float]]:
    return [[math.cos(math.pi / length * wave * (at + 0.5)) for at in range(length)] for wave in range(count)]


def _product(values: list[float], wave: list[float]) -> float:
    return float(sum(map(mul, values, wave)))


def _round(value: float) -> int:
    """Round halves up, as the format does."""
    return math.floor(value + 0.5)


def _packed(*fields: tuple[int, int]) -> bytes:
    """Lay numbers of so many bits one after the other, the lowest bits first; the last byte is filled with zeros."""
    whole = length = 0
    for value, bits in fields:
        whole |= min(max(0, value), (1 << bits) - 1) << length
        length += bits
    return whole.to_bytes((length + 7) // 8, "little")
