"""What a file is by its first bytes, whatever it is called. Nothing is decoded, nothing is believed further."""

from __future__ import annotations

import re

from darkroom.errors import UnsupportedFormat
from darkroom.model import Format

HEAD_BYTES = 1024
"""How much of a file ``sniff`` and ``recognise`` want to see; more is not looked at. An SVG begins with comments."""

NOT_AN_IMAGE = "the bytes are no picture this service reads; send JPEG, PNG, WebP, GIF, TIFF, AVIF or HEIC"
"""What a person is told of bytes that ``sniff`` does not know."""

SVG_IS_OFF = (
    "the file is an SVG, which this service is not set to accept; save it as PNG, or ask whoever runs the service to "
    "switch SVG on (DARKROOM_SVG)"
)
"""What a person is told of an SVG where it is switched off."""

_SIGNATURES = (
    (b"\xff\xd8\xff", Format.JPEG),
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"GIF87a", Format.GIF),
    (b"GIF89a", Format.GIF),
    (b"II*\x00", Format.TIFF),
    (b"MM\x00*", Format.TIFF),
    (b"II+\x00", Format.TIFF),  # BigTIFF; its big-endian twin is not accepted, nothing here can read its header
)

# The brands of ISO/IEC 23008-12 (HEIF) and of the AV1 image format that tell how the pixels are coded. The general
# ones (mif1, msf1, miaf) say only "HEIF, coded in some way".
_BRANDS = {
    b"avif": Format.AVIF,
    b"avis": Format.AVIF,
    b"heic": Format.HEIC,
    b"heix": Format.HEIC,
    b"heim": Format.HEIC,
    b"heis": Format.HEIC,
    b"hevc": Format.HEIC,
    b"hevx": Format.HEIC,
    b"hevm": Format.HEIC,
    b"hevs": Format.HEIC,
}


_SVG_ROOT = re.compile(rb"<(?:[A-Za-z_][-.\w]{0,30}:)?svg[\s/>]|<!DOCTYPE\s+(?:[A-Za-z_][-.\w]{0,30}:)?svg[\s>\[]")


def recognise(head: bytes, *, svg: bool) -> Format:
    """Return the format of an original that begins with ``head``; ``svg``: whether that is accepted.

    Raises ``UnsupportedFormat`` when it is no accepted one.
    """
    found = sniff(head)
    if found is not None:
        return found
    if not _is_svg(head[:HEAD_BYTES]):
        raise UnsupportedFormat(NOT_AN_IMAGE)
    if not svg:
        raise UnsupportedFormat(SVG_IS_OFF)
    return Format.SVG


def _is_svg(head: bytes) -> bool:
    """Tell whether the first element, or the document type, after comments and instructions is of SVG."""
    rest = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    while rest.startswith((b"<?", b"<!--")):
        rest = rest.partition(b"?>" if rest.startswith(b"<?") else b"-->")[2].lstrip()
    return _SVG_ROOT.match(rest) is not None


def sniff(head: bytes) -> Format | None:
    """Return the format of a file that begins with ``head``, or ``None`` when it is none of pixels.

    Never SVG: that is a document, for which browsers run programs, and nothing that is delivered may be one.

    ``head`` is the first ``HEAD_BYTES`` of the file, or all of it when it is shorter.
    """
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format.WEBP
    return _by_brand(head[:HEAD_BYTES])


def _by_brand(head: bytes) -> Format | None:
    """Read the ``ftyp`` box of ISO/IEC 14496-12: size, ``ftyp``, major brand, minor version, compatible brands."""
    size = int.from_bytes(head[:4])
    if head[4:8] != b"ftyp" or size < 16 or size % 4:
        return None
    end = min(size, len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end, 4))]
    return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
