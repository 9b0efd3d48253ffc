"""What a file is by its first bytes, whatever it is called. Nothing is decoded, nothing is believed further."""

from __future__ import annotations

from darkroom.model import Format

HEAD_BYTES = 64
"""How much of a file ``sniff`` wants to see; more is not looked at."""

NOT_AN_IMAGE = "the bytes are no picture this service reads; send JPEG, PNG, WebP, GIF, TIFF, AVIF or HEIC"
"""What a person is told of bytes that ``sniff`` does not know."""

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


def sniff(head: bytes) -> Format | None:
    """Return the format of a file that begins with ``head``, or ``None`` when it is no accepted one.

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
