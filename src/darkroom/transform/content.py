"""What is in a picture, as far as it decides how it is encoded.

Screenshots, text and flat art are often smaller when nothing of them is lost. Tried on pages in a browser at one to
three pixels a point, on pages of text, diagrams, a poster, gradients and photographs: of a screenshot in its own size,
a lossless WebP has 0.12 to 0.75 of the bytes of an AVIF at quality 60; made smaller, its edges have so many colours
that the AVIF is the smaller one. A PNG with a palette has 0.2 to 0.9 of the bytes of a JPEG at quality 80, of most that
were made smaller too, and scores 10 to 60 more (SSIMULACRA2).
"""

from __future__ import annotations

import pyvips

from darkroom.transform.plan import Content

LARGEST = 4_000_000
"""Pixels a picture may have for this to be tried: time and memory are bounded, and 1920 × 1920 is within."""

_ROWS = 16
"""Rows that are looked at, from top to bottom."""

_ALIKE = 0.4
"""Of the samples that are the same as the one to the left. Drawings have 0.44 to 1, photographs 0.04 to 0.5."""

_MOST_COLORS = 1000
"""Different ones in the rows that are looked at. What comes out smaller has up to 730, photographs have thousands."""

_HOPELESS = 3.2
"""How much larger than the lossy file a hasty PNG is at most. What comes out smaller had 0.9 to 2.9, what does not 3.3
and more; the hasty PNG takes a tenth of the time of the AVIF, and a third of the drawings are done with at that."""

_LEAST_SAVED = 4096
"""Bytes: for less it is not worth to have another format in a slot than its name says."""

_FAITHFUL = 0.25
"""Of the JPEG's mean squared error that a palette may have. Pages and drawings have 0.001 to 0.05, and always score
more; at 0.9 a page with a photograph in it scored 9 less."""


_STRONG = 48
"""By how much the difference of two channels changes from one pixel to the next at an edge that is all colour."""

_COLORED = 0.02
"""Of the pixels that lie at such an edge. Coloured text on black has 0.036, photographs up to 0.014."""


def look_at(picture: pyvips.Image) -> Content:
    """Return what is in a picture that lies in memory: 1 % of the time that the variants of a photograph take."""
    rows = picture.subsample(1, max(1, picture.height // _ROWS)).copy_memory()
    return Content(drawn=_is_drawn(rows), colored_edges=_has_colored_edges(rows))


def _has_colored_edges(rows: pyvips.Image) -> bool:
    """Tell by rows of a picture whether many of its edges are of colour."""
    if rows.bands < 3 or rows.width < 2:
        return False
    colors = rows.extract_band(0, n=2).cast("short") - rows.extract_band(1, n=2)
    width = rows.width - 1
    steps = colors.crop(1, 0, width, rows.height) - colors.crop(0, 0, width, rows.height)
    return float((steps.abs() > _STRONG).bandor().avg()) >= 255 * _COLORED


def _is_drawn(rows: pyvips.Image) -> bool:
    """Tell by rows of a picture whether it looks drawn. Greys that one can see through are left as they are."""
    samples, bands = rows.write_to_memory(), rows.bands
    here, left = (int.from_bytes(part, "little") for part in (samples[bands:], samples[:-bands]))
    apart = (here ^ left).to_bytes(len(samples), "little")
    if bands == 2 or apart.count(0) < _ALIKE * len(samples):
        return False
    if bands == 3:
        samples = rows.bandjoin(255).write_to_memory()
    pixels = memoryview(samples) if bands == 1 else memoryview(samples).cast("I")
    return len(set(pixels)) <= _MOST_COLORS


def as_webp(picture: pyvips.Image, lossy: bytes, keep: str) -> bytes | None:
    """Return a drawn picture as a WebP that loses nothing, if it is smaller than a lossy file of it.

    ``keep`` is what libvips is to keep of what goes with the pixels, here and below.
    """
    if _is_hopeless(picture, len(lossy)):
        return None
    body = bytes(picture.webpsave_buffer(lossless=True, Q=75, effort=4, keep=keep))
    return body if len(body) <= len(lossy) - _LEAST_SAVED else None


def as_png(picture: pyvips.Image, lossy: bytes, keep: str) -> bytes | None:
    """Return a drawn picture as a PNG with a palette, if it is smaller than a JPEG of it and much nearer to it."""
    if _is_hopeless(picture, len(lossy)):
        return None
    body = _with_palette(picture, keep=keep, effort=1)
    if len(body) > len(lossy) - _LEAST_SAVED:
        return None
    jpeg = pyvips.Image.jpegload_buffer(lossy).colourspace("srgb")
    return body if _error(picture, _shown(body, picture)) <= _FAITHFUL * _error(picture, jpeg) else None


def as_smaller_png(picture: pyvips.Image, plain: bytes, keep: str) -> bytes | None:
    """Return a drawn picture as a PNG with a palette, if that is smaller than a ``plain`` one and loses nothing."""
    body = _with_palette(picture, keep=keep, effort=10)  # less of it changes colours that there is a place for
    if len(body) >= len(plain):
        return None
    return body if (_shown(body, picture) - picture).abs().max() == 0 else None


def _is_hopeless(picture: pyvips.Image, most: int) -> bool:
    hasty = picture.pngsave_buffer(filter="none", compression=1, keep="none")
    return most <= _LEAST_SAVED or len(hasty) > _HOPELESS * most


def _with_palette(picture: pyvips.Image, *, keep: str, effort: int) -> bytes:
    return bytes(picture.pngsave_buffer(palette=True, dither=0, effort=effort, keep=keep))


def _shown(png: bytes, picture: pyvips.Image) -> pyvips.Image:
    """Return what a PNG of a picture shows, with as many bands."""
    shown = pyvips.Image.pngload_buffer(png)
    if shown.bands == picture.bands:
        return shown
    shown = shown.colourspace("srgb")
    return shown.bandjoin(255) if shown.bands < picture.bands else shown.extract_band(0, n=picture.bands)


def _error(picture: pyvips.Image, shown: pyvips.Image) -> float:
    apart = picture - shown
    return float((apart * apart).avg())
