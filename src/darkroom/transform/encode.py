"""From finished pixels to a file: each format's settings, and nothing that the picture does not need.

The settings are chosen by measurement.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pyvips

from darkroom.errors import RenderFailed
from darkroom.model import Format
from darkroom.transform.content import LARGEST, as_png, as_smaller_png, as_webp

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

_SMALL = 400 * 400
"""Pixels up to which an AVIF has colours at the full resolution, and a WebP sharp ones: at 320 pixels across they have
0.91 and 0.92 of the bytes then, at the same score (SSIMULACRA2, bench/quality.py). A JPEG has more."""

_TRIES = 3
"""How often a file that is too large is made anew."""

_STEEPNESS = 0.02
"""How the logarithm of the bytes grows with the quality, about."""


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
    """Return a file without any metadata, but for the profile of wide colours.

    ``picture`` is in memory, 8-bit sRGB, or Display P3 with its profile if ``encoding`` says so: grey, red, green and
    blue, or either with alpha; the frames of an animation, each ``frame_height`` high, lie below one another. Where
    ``encoding`` says what may be made instead, that is made, losing nothing, if it is smaller. It has at most as many
    bytes as ``encoding`` says, if three more tries achieve it.
    """
    small = picture.width * picture.height <= _SMALL and picture.height == frame_height
    small = small and encoding.format is not Format.JPEG
    encoding = replace(encoding, full_color=encoding.full_color or small)
    body = _file(picture, frame_height, encoding)
    if encoding.instead is not None and picture.width * picture.height <= LARGEST:
        smaller = _losing_nothing(picture, encoding, body)
        if smaller is not None:
            return Encoded(encoding.instead, smaller)
    return Encoded(encoding.format, _within(picture, frame_height, encoding, body))


def _kept(encoding: Encoding) -> str:
    """Return what libvips is to keep of what goes with the pixels."""
    return "icc" if encoding.wide else "none"


def _losing_nothing(picture: pyvips.Image, encoding: Encoding, body: bytes) -> bytes | None:
    """Return a file in the other format that is allowed, if it is smaller than ``body`` and no worse."""
    if encoding.instead is Format.WEBP:
        return as_webp(picture, body, _kept(encoding))
    png = (as_smaller_png if encoding.format is Format.PNG else as_png)(picture, body, _kept(encoding))
    return None if png is None else _without_resolution(png)


def _within(picture: pyvips.Image, frame_height: int, encoding: Encoding, body: bytes) -> bytes:
    """Return a file that is no larger than the one there is already, of which it is a copy without what that tells.

    Nobody sees that its quality is lower: what was lost is what the other file has not got either.
    """
    most, quality = encoding.at_most, encoding.quality
    if most is None or len(body) <= most:
        return body
    if quality is None:
        return _denser(picture, frame_height, encoding, body)
    for number in range(_TRIES):
        if encoding.full_color:
            encoding = replace(encoding, full_color=False)
        else:
            steps = math.ceil(math.log(len(body) / most) / _STEEPNESS) + 1
            quality = max(1, quality - steps * (1 + number))  # the lower it is, the less a step of it saves
            encoding = replace(encoding, quality=quality)
        body = _file(picture, frame_height, encoding)
        if len(body) <= most:
            break
    return body


def _denser(picture: pyvips.Image, frame_height: int, encoding: Encoding, body: bytes) -> bytes:
    """Return a smaller file in a format that loses nothing, if more effort makes one."""
    if encoding.format is Format.GIF:  # what was a GIF has few colours already
        return min(body, _gif(picture, frame_height, effort=7, dither=0.0), key=len)
    keep = _kept(encoding)
    palette = as_smaller_png(picture, body, keep)
    dense = picture.pngsave_buffer(filter="all", compression=9, keep=keep) if palette is None else palette
    return min(body, _without_resolution(bytes(dense)), key=len)


def _file(picture: pyvips.Image, frame_height: int, encoding: Encoding) -> bytes:
    """Return a file.

    What each format is made with is chosen by measurement (bench/quality.py). JPEG is baseline with its own Huffman
    tables: progressive is no smaller at this size, takes twice as long to make and to show, and those who are given a
    JPEG are the old and the small. Trellis saves a few bytes in a hundred for many times the processor time. AVIF has
    effort 0, because effort 1 takes twice to three times as long and effort 4 forty times. Long animations are encoded
    in a hurry, since a hundred megapixels of them take a minute: WebP in half the time and 6 % larger, GIF in two
    thirds of it.
    """
    quality, full, keep = encoding.quality, encoding.full_color, _kept(encoding)
    hurry = picture.width * picture.height > _LONG_ANIMATION and picture.height > frame_height
    match encoding.format:
        case Format.JPEG:
            options = {"optimize_coding": True, "quant_table": _TABLE, "subsample_mode": "off" if full else "auto"}
            return bytes(picture.jpegsave_buffer(Q=quality, keep=keep, **options))
        case Format.AVIF:
            colors = "off" if full else "auto"
            return bytes(
                picture.heifsave_buffer(
                    Q=quality, compression="av1", effort=0, bitdepth=8, subsample_mode=colors, keep=keep
                )
            )
        case Format.WEBP:
            effort = 2 if hurry else 4
            body = bytes(
                picture.webpsave_buffer(
                    Q=quality, effort=effort, smart_subsample=full, page_height=frame_height, keep=keep
                )
            )
            return _with_alpha_said(body) if picture.hasalpha() else body
        case Format.GIF:
            effort, dither = (1, 0.0) if hurry else (4, 0.5)
            return _gif(picture, frame_height, effort=effort, dither=dither)
        case _:
            return _without_resolution(bytes(picture.pngsave_buffer(filter="all", keep=keep)))


def _gif(picture: pyvips.Image, frame_height: int, *, effort: int, dither: float) -> bytes:
    return bytes(picture.gifsave_buffer(effort=effort, dither=dither, page_height=frame_height, keep="none"))


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
