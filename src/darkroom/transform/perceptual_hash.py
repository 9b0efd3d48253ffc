"""A perceptual hash: the signs of a picture's slow waves, which survive what copies go through.

Resizing, recompressing and recolouring change the strength of waves, and hardly ever the sign of a strong one. After
the DCT hashes known as pHash (Zauner, 2010) and PDQ (Facebook, 2019), with the sign in place of the median.
"""

from __future__ import annotations

import math
from operator import mul

from darkroom.catalog.perceptual_hash import BAND_BITS, BANDS, UNCERTAIN

SIDE = 32
"""Pixels of the picture's each side, whatever its shape."""

_WAVES = 16
_COSINES = [[math.cos(math.pi / SIDE * wave * (at + 0.5)) for at in range(SIDE)] for wave in range(_WAVES)]
_LEAST_STRENGTH = 0.7
"""Grey levels: with weaker waves a picture is as good as plain, and its signs are chance."""


def perceptual_hash(grey: bytes) -> str | None:
    """Return the hash (``catalog/perceptual_hash.py``) of 32 by 32 grey pixels, as bytes; ``None`` of a plain area."""
    if len(grey) != SIDE * SIDE:
        msg = f"{len(grey)} bytes are no {SIDE}×{SIDE} grey pixels"
        raise ValueError(msg)
    waves = _slow_waves(grey)
    slow = [waves[y][x] for y in range(8) for x in range(8) if x or y]
    if math.sqrt(sum(wave * wave for wave in slow)) / (SIDE * SIDE) < _LEAST_STRENGTH:
        return None
    ordered = [waves[y][x] for x, y in _by_slowness()]
    banded = BANDS * BAND_BITS
    in_bands = [ordered[at] for band in range(BANDS) for at in range(band, banded, BANDS)]
    signs = "".join("1" if wave > 0 else "0" for wave in in_bands + ordered[banded:]) + "0"
    return f"{int(signs, 2):064x}" + "".join(
        f"{at:x}" for band in range(BANDS) for at in _weakest(in_bands[band * BAND_BITS : (band + 1) * BAND_BITS])
    )


def _weakest(band: list[float]) -> list[int]:
    return sorted(range(len(band)), key=lambda at: abs(band[at]))[:UNCERTAIN]


def _by_slowness() -> list[tuple[int, int]]:
    """Return (across, down) of every wave but the constant one, the slowest first."""
    every = [(x, y) for y in range(_WAVES) for x in range(_WAVES) if x or y]
    return sorted(every, key=lambda wave: (wave[0] + wave[1], wave[1]))


def _slow_waves(grey: bytes) -> list[list[float]]:
    """Return the amplitudes of the cosine transform (DCT-II, not scaled), by row: how often they turn down, across."""
    rows = [grey[at : at + SIDE] for at in range(0, len(grey), SIDE)]
    by_row = [[sum(map(mul, row, wave)) for wave in _COSINES] for row in rows]
    columns = list(zip(*by_row, strict=True))
    return [[sum(map(mul, column, wave)) for column in columns] for wave in _COSINES]
