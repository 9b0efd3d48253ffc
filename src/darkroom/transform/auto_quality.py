"""The quality that brings one picture to a wanted score, told from a trial on a part of it.

What a number for quality gives depends on the picture: what is plenty for a drawing in flat colours is too little for a
face before a smooth wall. So a sample of the picture is encoded once, as JPEG, and compared with what it was; how much
was lost, and where, tells by ``auto_coefficients`` what each format needs. These are fitted to measured scores
(SSIMULACRA2) by ``bench/quality_auto.py``, which also tells how often the prediction is right: ``docs/quality.md``.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pyvips

from darkroom.transform.auto_coefficients import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkroom.model import Format
    from darkroom.transform.plan import Encoding

TRIAL_QUALITY = 60
_TILE = 64
"""Pixels of a side of a part that is looked at."""
_MOST_TILES = 16
_LEAST_SIDE = 16
"""Of a picture that anything can be told of."""
_C1, _C2 = 1.0, 9.0
"""What keeps SSIM from dividing by nothing: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment" (2004)."""
_FLAT = 1.5
"""Variance of lightness under which a block has no structure."""
_ROUGH = 10.0
"""Variance of lightness from which a block says nothing of the picture's noise."""


LEAST, MOST = 30, 95
"""Qualities that are ever chosen: under them AVIF smears, above them bytes are spent on what nobody sees."""
JOINED = (0, 1, 2, 4, 6, 9, 10, 12, 13)
"""Which of the features are multiplied with one another."""


def quality(told: Sequence[float], form: Format, target: int) -> int:
    """Return the quality that brings a picture of these ``features`` near a score of ``target``, in a lossy format."""
    off = (target - 70) / 10
    products = (told[one] * told[other] for at, one in enumerate(JOINED) for other in JOINED[at:])
    terms = (1.0, off, off * off, *told, *products)
    reached = sum(weight * term for weight, term in zip(WEIGHTS[form], terms, strict=True))
    return round(min(max(reached, LEAST), MOST))


def fitting(encoding: Encoding, told: Sequence[float] | None, target: int | None) -> Encoding:
    """Return an encoding with the quality for a score, if there is one to aim at and its format has qualities."""
    if told is None or target is None or encoding.quality is None:
        return encoding
    return replace(encoding, quality=quality(told, encoding.format, target))


def features(picture: pyvips.Image) -> tuple[float, ...] | None:
    """Return what is told of an 8-bit sRGB picture in memory, or ``None`` for one that is too small.

    Of the trial: bits for each pixel, mean square error of lightness and of colour; what is lost of blue and of red
    with half their resolution; of the trial again, dissimilarity (1 - SSIM) over blocks of 8 and 16 pixels, error
    where there is little to hide it; of the picture: the least structure and the contrast of lightness, and its
    megapixels; of all these the logarithms. Then, as they are, the share of blocks without structure and the mean
    lightness, both from 0 to 1.
    """
    if min(picture.width, picture.height) < _LEAST_SIDE:
        return None
    sample = _sample(picture)
    trial = sample.jpegsave_buffer(Q=TRIAL_QUALITY, optimize_coding=True, keep="none")
    x, y = _planes(sample), _planes(pyvips.Image.jpegload_buffer(trial))
    light, other, apart = x[0], y[0], x - y
    squares = apart * apart
    moments = light.bandjoin([other, light * light, other * other, light * other, squares[1] + squares[2]])
    blocks = moments.copy_memory().shrink(8, 8)
    told = _told(blocks)
    coarse = x - x.shrink(2, 2).zoom(2, 2)
    blue, red = ((coarse * coarse).stats()(4, band)[0] for band in (2, 3))
    joined = _told(blocks.shrink(2, 2))
    logarithms = (
        8 * len(trial) / (sample.width * sample.height),
        told.error + 0.02,
        told.chroma + 0.02,
        blue + 0.02,
        red + 0.02,
        told.unlike + 0.001,
        told.worst + 0.001,
        joined.unlike + 0.001,
        joined.worst + 0.001,
        told.seen + 0.001,
        told.quiet + 0.1,
        told.contrast + 1,
        picture.width * picture.height / 1e6,
    )
    return (*map(math.log, logarithms), told.flat, told.light)


def _sample(picture: pyvips.Image) -> pyvips.Image:
    """Return red, green and blue of tiles that are spread evenly, or of all of it where it is not much larger."""
    plain = picture.flatten(background=128) if picture.hasalpha() else picture
    plain = plain.colourspace("srgb") if plain.bands < 3 else plain
    across, down = plain.width // _TILE, plain.height // _TILE
    if across * down <= _MOST_TILES:
        return plain.crop(0, 0, plain.width // 16 * 16, plain.height // 16 * 16).copy_memory()
    share = math.sqrt(_MOST_TILES / (across * down))
    columns = max(1, min(_MOST_TILES, round(across * share)))
    rows = max(1, _MOST_TILES // columns)
    lefts = [round((number + 0.5) * plain.width / columns - _TILE / 2) for number in range(columns)]
    tops = [round((number + 0.5) * plain.height / rows - _TILE / 2) for number in range(rows)]
    tiles = [plain.crop(max(0, left), max(0, top), _TILE, _TILE) for top in tops for left in lefts]
    return pyvips.Image.arrayjoin(tiles, across=columns).copy_memory()


def _planes(picture: pyvips.Image) -> pyvips.Image:
    return picture.copy(interpretation="srgb").colourspace("lab").copy_memory()


class _Told(NamedTuple):
    """Means over blocks."""

    unlike: float
    worst: float
    error: float
    chroma: float
    seen: float
    quiet: float
    contrast: float
    flat: float
    light: float


def _told(blocks: pyvips.Image) -> _Told:
    """Compare before and after by each block's means of x, y, x², y², xy and the error of colour."""
    numbers = array("f", bytes(blocks.write_to_memory()))
    count = len(numbers) // 6
    unlike = worst = error = seen = quiet = light = square = 0.0
    flat = 0
    for at in range(0, len(numbers), 6):
        x, y, xx, yy, xy = numbers[at : at + 5]
        variance = xx - x * x
        likeness = (2 * x * y + _C1) * (2 * (xy - x * y) + _C2)
        apart = 1 - likeness / ((x * x + y * y + _C1) * (variance + yy - y * y + _C2))
        unlike += apart
        worst += apart**4
        wrong = xx - 2 * xy + yy
        error += wrong
        seen += wrong / (variance + 3)
        quiet += min(variance, _ROUGH)
        flat += variance < _FLAT
        light += x
        square += xx
    return _Told(
        unlike=unlike / count,
        worst=(worst / count) ** 0.25,
        error=error / count,
        chroma=sum(numbers[5::6]) / count,
        seen=seen / count,
        quiet=quiet / count,
        contrast=max(0.0, square / count - (light / count) ** 2),
        flat=flat / count,
        light=light / count / 100,
    )
