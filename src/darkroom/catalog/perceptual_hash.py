"""What two pictures that look alike have in common, as text, and how alike they are. Pure.

A perceptual hash is made of a picture's slow waves (``transform/perceptual_hash.py``): 76 hexadecimal digits. The first
64 are one bit for each of 255 waves, the last bit is zero. The slowest 64 waves come first, in four bands of 16 bits;
the last twelve digits say for each band which three of its bits are the least certain, from the left: copies of a
picture mostly differ in these, so an index can look under a few values of a band instead of one (query-directed
probing: Lv et al., Multi-Probe LSH, VLDB 2007). How far copies and others are apart: ``bench/perceptual_hash.py`` and
``docs/decisions/027-perceptual-hash.md``.
"""

from __future__ import annotations

import re

BANDS, BAND_BITS, UNCERTAIN = 4, 16, 3
WAVES = 255

NEAR = 80
"""In how many of the 255 waves two pictures may differ to be called similar."""

_WAVE_DIGITS = 64
_HASH = re.compile(f"[0-9a-f]{{{_WAVE_DIGITS + BANDS * UNCERTAIN}}}")


def is_perceptual_hash(text: str) -> bool:
    """Tell whether ``text`` is one."""
    return _HASH.fullmatch(text) is not None


def distance(one: str, other: str) -> int:
    """Return in how many waves two pictures differ: 0 for equal ones, about 127 for any two."""
    return (int(one[:_WAVE_DIGITS], 16) ^ int(other[:_WAVE_DIGITS], 16)).bit_count()
