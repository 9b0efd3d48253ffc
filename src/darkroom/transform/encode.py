"""From finished pixels to a file: each format's settings, and nothing that the picture does not need.

The settings are chosen by measurement.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pyvips

from darkroom.errors import RenderFailed
from darkroom.model import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.transform.plan import Encoding

COST = {Format.JPEG: 1, Format.PNG: 6, Format.AVIF: 6, Format.WEBP: 10, Format.GIF: 10}
"""About how long a pixel takes to encode, next to JPEG; the longest work is begun first."""

_LONG_ANIMATION = 10_000_000
"""Pixels of all frames together from which an animation is encoded in a hurry."""


_TABLE = 5
"""Which of its quantization tables libjpeg takes: that of Klein, Silverstein and Carney, "Relevance of human vision to
JPEG-DCT compression" (1992). At equal SSIMULACRA2 a photo has an eighth fewer bytes than with the table that the
standard gives as an example (ITU-T T.81, annex K), which most others take, in no more time (bench/quality.py).
"""


class Encoded(NamedTuple):
    """A finished file and the format that it is in."""

    format: Format
    body: bytes


@contextmanager
def writing() -> Iterator[None]:
    """What was read can be written: if not, the fault is here and not in the original."""
    try:
        yield
    except pyvips.Error as error:
        msg = "an encoder failed on a picture that was read; it will be tried again"
        raise RenderFailed(msg) from error


def encode(picture: pyvips.Image, frame_height: int, encoding: Encoding) -> Encoded:
    """Return a file without any metadata.

    ``picture`` is 8-bit sRGB in memory: grey, red, green and blue, or either with alpha; the frames of an animation,
    each ``frame_height`` high, lie below one another.

    What each format is made with is chosen by measurement (bench/quality.py). JPEG is baseline with
    its own Huffman tables: progressive is no smaller at this size, takes twice as long to make and to show, and those
    who are given a JPEG are the old and the small. Trellis saves a few bytes in a hundred for many times the processor
    time. AVIF has effort 0, because effort 1 takes twice to three times as long and effort 4 forty times. Long
    animations are encoded in a hurry, since a hundred megapixels of them take a minute: WebP in half the time and 6 %
    larger, GIF in two thirds of it.
    """
    return Encoded(encoding.format, _file(picture, frame_height, encoding))


def _file(picture: pyvips.Image, frame_height: int, encoding: Encoding) -> bytes:
    quality = encoding.quality
    hurry = picture.width * picture.height > _LONG_ANIMATION and picture.height > frame_height
    match encoding.format:
        case Format.JPEG:
            options = {"optimize_coding": True, "quant_table": _TABLE}
            return bytes(picture.jpegsave_buffer(Q=quality, keep="none", **options))
        case Format.AVIF:
            return bytes(picture.heifsave_buffer(Q=quality, compression="av1", effort=0, bitdepth=8, keep="none"))
        case Format.WEBP:
            effort = 2 if hurry else 4
            body = bytes(picture.webpsave_buffer(Q=quality, effort=effort, page_height=frame_height, keep="none"))
            return _with_alpha_said(body) if picture.hasalpha() else body
        case Format.GIF:
            effort, dither = (1, 0.0) if hurry else (4, 0.5)
            return bytes(picture.gifsave_buffer(effort=effort, dither=dither, page_height=frame_height, keep="none"))
        case _:
            return _without_resolution(bytes(picture.pngsave_buffer(filter="all", keep="none")))


def _with_alpha_said(webp: bytes) -> bytes:
    """Set the flag for transparency of an extended WebP (RFC 9649, 2.7).

    The encoder cuts clear borders off the frames of an animation; when nothing clear is left in them, it says that
    there is none, and readers who believe it paint the borders black.
    """
    if webp[12:16] != b"VP8X":
        return webp
    return webp[:20] + bytes([webp[20] | 0x10]) + webp[21:]


def _without_resolution(png: bytes) -> bytes:
    """Cut out the chunk that says how large to print a picture: it is the original's, and libvips always writes it."""
    at = 8
    while (kind := png[at + 4 : at + 8]) not in {b"pHYs", b"IDAT"}:
        at += 12 + int.from_bytes(png[at : at + 4])
    return png[:at] + png[at + 21 :] if kind == b"pHYs" else png
