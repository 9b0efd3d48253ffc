"""What two pictures that look alike have in common, as text, and how alike they are. Pure.

A perceptual hash is made of a picture's slow waves (``transform/perceptual_hash.py``): 76 hexadecimal digits. The first
64 are one bit for each of 255 waves, the last bit is zero. The slowest 64 waves come first, in four bands of 16 bits;
the last twelve digits say for each band which three of its bits are the least certain, from the left: copies of a
picture mostly differ in these.

An index keeps each picture under the value of each of its bands (``terms``), and looks for its like under those values
and under what they may have been (``probes``): hash tables over parts of the code, as in Multi-Index Hashing (Norouzi,
Punjani, Fleet: Fast Search in Hamming Space with Multi-Index Hashing, CVPR 2012), with the bits that are likely to have
changed instead of all near values (Lv et al., Multi-Probe LSH, VLDB 2007). So it finds most of what is near, not all.
How far copies and others are apart, and how many are found: ``bench/perceptual_hash.py``, and decisions 027 and 034.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BANDS, BAND_BITS, UNCERTAIN = 4, 16, 3
WAVES = 255

NEAR = 80
"""In how many of the 255 waves two pictures may differ to be called similar."""

_WAVE_DIGITS = 64
_BAND_DIGITS = BAND_BITS // 4
_FLIPS = tuple(1 << at for at in range(BAND_BITS))
_HASH = re.compile(f"[0-9a-f]{{{_WAVE_DIGITS + BANDS * UNCERTAIN}}}")


def is_perceptual_hash(text: str) -> bool:
    """Tell whether ``text`` is one."""
    return _HASH.fullmatch(text) is not None


def distance(one: str, other: str) -> int:
    """Return in how many waves two pictures differ: 0 for equal ones, about 127 for any two."""
    return (int(one[:_WAVE_DIGITS], 16) ^ int(other[:_WAVE_DIGITS], 16)).bit_count()


def terms(text: str) -> frozenset[str]:
    """Return what a picture of this hash is indexed under: one term for each band."""
    return frozenset(_term(band, value) for band, (value, _) in enumerate(_bands(text)))


def probes(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the terms to look for the like of this hash under, in steps: what is likely to lead to some comes first.

    First every band as it is and with any of its uncertain bits turned, then with any one bit turned, then with both.
    """
    steps: tuple[list[str], ...] = ([], [], [])
    for band, (value, uncertain) in enumerate(_bands(text)):
        likely = {value}
        for at in uncertain:
            likely |= {one ^ _FLIPS[BAND_BITS - 1 - at] for one in likely}
        once = {value ^ flip for flip in _FLIPS} - likely
        both = {one ^ flip for one in likely for flip in _FLIPS} - likely - once
        for step, values in zip(steps, (likely, once, both), strict=True):
            step.extend(_term(band, one) for one in sorted(values))
    return tuple(tuple(step) for step in steps)


def nearest(
    text: str, under: Callable[[tuple[str, ...], int], Iterable[tuple[str, str]]], *, work: int
) -> dict[str, int]:
    """Return the ids of pictures that are near, with the distance, the nearest first.

    ``under`` returns id and hash of the newest so many pictures under any of some terms; it is asked for no more than
    ``work`` in all, so that where very many share a band the newest are looked at.
    """
    found: dict[str, int] = {}
    for step in probes(text):
        if work > 0:
            candidates = list(under(step, work))
            work -= len(candidates)
            found.update((name, distance(text, other)) for name, other in candidates)
    near = ((apart, name) for name, apart in found.items() if apart <= NEAR)
    return {name: apart for apart, name in sorted(near)}


def _bands(text: str) -> list[tuple[int, tuple[int, ...]]]:
    """Return the value of each band, and which of its bits, from the left, are uncertain."""
    uncertain = text[_WAVE_DIGITS:]
    return [
        (
            int(text[band * _BAND_DIGITS : (band + 1) * _BAND_DIGITS], 16),
            tuple(int(digit, 16) for digit in uncertain[band * UNCERTAIN : (band + 1) * UNCERTAIN]),
        )
        for band in range(BANDS)
    ]


def _term(band: int, value: int) -> str:
    return f"near:{band}{value:0{_BAND_DIGITS}x}"
