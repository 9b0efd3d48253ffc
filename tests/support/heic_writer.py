"""A HEIC file of a picture, by another hand than the library that reads it, and in parts to build bombs of.

The pixels go in as they are: HEVC can code a block as plain samples (PCM), which takes no more arithmetic than two
constants. One slice for each block of 32 by 32 keeps it so, because the arithmetic coder begins anew in each.
Sources: ITU-T H.265 (7.3 for the syntax, 9.3 for the coder), ISO/IEC 23008-12 (HEIF), ISO/IEC 14496-15 (hvcC).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

_BLOCK = 32
_VPS, _SPS, _PPS, _IDR = 32, 33, 34, 19

_PCM_FOLLOWS = b"\x86\x80"
"""part_mode 1 (context at its first state), pcm_flag 1, flush, zeros up to a whole byte."""
_SLICE_ENDS = b"\xfe\x80"
"""end_of_slice_segment_flag 1 from a fresh coder, flush with the stop bit, zeros up to a whole byte."""

_PROFILE = (1, 0x60000000, 0x900000000000, 93)
"""Main profile and what it is compatible with, progressive frames only, level 3.1."""


_TURNS = {1: (0, None), 2: (0, 1), 3: (2, None), 4: (0, 0), 5: (1, 0), 6: (3, None), 7: (3, 0), 8: (1, None)}
"""What the container says for an EXIF orientation: quarter turns against the clock, then the axis of a mirror."""


def heic(
    stored: Image.Image,
    *,
    orientation: int = 1,
    exif: bytes | None = None,
    icc: bytes | None = None,
    xmp: bytes | None = None,
    second: bool = False,
) -> bytes:
    """Return ``stored`` as HEIC, with notes (irot, imir) to turn it upright as EXIF's ``orientation`` would.

    With ``second`` the file holds another picture beside the primary one: the same on its head.
    """
    slices = b"".join(struct.pack(">I", len(nal)) + nal for nal in _slices(stored))
    items = [(b"hvc1", slices)]
    if exif is not None:
        items.append((b"Exif", struct.pack(">I", 0) + exif.removeprefix(b"Exif\0\0")))
    if xmp is not None:
        items.append((b"mime", xmp))
    if second:
        others = b"".join(struct.pack(">I", len(nal)) + nal for nal in _slices(stored.rotate(180)))
        items.append((b"hvc1", others))
    color = b"nclx" + struct.pack(">HHHB", 1, 13, 6, 0x80)
    properties = [
        _decoder_configuration(stored),
        _full(b"ispe", struct.pack(">II", *stored.size)),
        _box(b"colr", color),
    ]
    if icc is not None:
        properties.append(_box(b"colr", b"prof" + icc))
    turns, mirror = _TURNS[orientation]
    if turns:
        properties.append(_box(b"irot", bytes([turns])))
    if mirror is not None:
        properties.append(_box(b"imir", bytes([mirror])))
    kind = _box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")
    start = len(kind) + len(_meta(items, properties, 0)) + 8
    return kind + _meta(items, properties, start) + _box(b"mdat", b"".join(body for _, body in items))


# ------------------------------------------------------------------ HEIF


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def _full(kind: bytes, body: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags) + body)


def _meta(items: list[tuple[bytes, bytes]], properties: list[bytes], start: int) -> bytes:
    entries, places = b"", b""
    for number, (kind, body) in enumerate(items, 1):
        told = b"\0application/rdf+xml\0" if kind == b"mime" else b"\0"
        entries += _full(b"infe", struct.pack(">HH", number, 0) + kind + told, version=2)
        places += struct.pack(">HHHII", number, 0, 1, start, len(body))
        start += len(body)
    pictures = [number for number, (kind, _) in enumerate(items, 1) if kind == b"hvc1"]
    owned = struct.pack(">I", len(pictures))
    for number in pictures:
        given = range(1, len(properties) + 1 if number == 1 else 4)
        owned += struct.pack(">HB", number, len(given)) + bytes(0x80 | at for at in given)
    notes = [number for number in range(1, len(items) + 1) if number not in pictures]
    references = b"".join(_box(b"cdsc", struct.pack(">HHH", number, 1, 1)) for number in notes)
    return _full(
        b"meta",
        _full(b"hdlr", bytes(4) + b"pict" + bytes(13))
        + _full(b"pitm", struct.pack(">H", 1))
        + _full(b"iinf", struct.pack(">H", len(items)) + entries)
        + _full(b"iref", references)
        + _box(b"iprp", _box(b"ipco", b"".join(properties)) + _full(b"ipma", owned))
        + _full(b"iloc", b"\x44\x00" + struct.pack(">H", len(items)) + places),
    )


def _decoder_configuration(picture: Image.Image) -> bytes:
    idc, compatible, constraints, level = _PROFILE
    head = struct.pack(">BBI", 1, idc, compatible) + constraints.to_bytes(6) + bytes([level])
    head += struct.pack(">HBBBBHB", 0xF000, 0xFC, 0xFD, 0xF8, 0xF8, 0, 0x0F)
    sets = ((_VPS, _video_set()), (_SPS, _sequence_set(picture)), (_PPS, _picture_set()))
    arrays = b"".join(struct.pack(">BHH", 0x80 | kind, 1, len(nal)) + nal for kind, nal in sets)
    return _box(b"hvcC", head + bytes([len(sets)]) + arrays)


# ------------------------------------------------------------------ HEVC


@dataclass
class _Bits:
    text: list[str] = field(default_factory=list)

    def put(self, value: int, length: int = 1) -> _Bits:
        self.text.append(f"{value:0{length}b}")
        return self

    def golomb(self, *values: int) -> _Bits:
        for value in values:
            digits = f"{value + 1:b}"
            self.text.append("0" * (len(digits) - 1) + digits)
        return self

    def profile(self) -> _Bits:
        idc, compatible, constraints, level = _PROFILE
        return self.put(idc, 8).put(compatible, 32).put(constraints, 48).put(level, 8)

    def closed(self) -> bytes:
        """Return the bits with the closing one and zeros up to a whole byte."""
        whole = "".join(self.text) + "1"
        whole += "0" * (-len(whole) % 8)
        return int(whole, 2).to_bytes(len(whole) // 8)


def _nal(kind: int, body: bytes) -> bytes:
    """Keep three bytes that look like the start of another unit from appearing inside."""
    safe = bytearray()
    zeros = 0
    for byte in body:
        if zeros >= 2 and byte <= 3:
            safe.append(3)
            zeros = 0
        safe.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes([kind << 1, 1]) + bytes(safe)


def _video_set() -> bytes:
    bits = _Bits().put(0, 4).put(3, 2).put(0, 6).put(0, 3).put(1).put(0xFFFF, 16).profile()
    return _nal(_VPS, bits.put(1).golomb(0, 0, 0).put(0, 6).golomb(0).put(0).put(0).closed())


def _sequence_set(picture: Image.Image) -> bytes:
    columns, rows = _blocks(picture)
    right, bottom = columns * _BLOCK - picture.width, rows * _BLOCK - picture.height
    bits = _Bits().put(0, 4).put(0, 3).put(1).profile().golomb(0, 1, columns * _BLOCK, rows * _BLOCK)
    bits.put(1).golomb(0, right // 2, 0, bottom // 2)  # what is cut off, counted in pixels of the colour planes
    bits.golomb(0, 0, 0).put(1).golomb(0, 0, 0)
    bits.golomb(2, 0, 0, 3, 0, 0)  # coding blocks of 32 and no other, transforms of 4 to 32
    bits.put(0).put(0).put(0)
    bits.put(1).put(7, 4).put(7, 4).golomb(2, 0).put(1)  # PCM of 8 bits in blocks of 32, unfiltered
    return _nal(_SPS, bits.golomb(0).put(0).put(0).put(0).put(0).put(0).closed())


def _picture_set() -> bytes:
    bits = _Bits().golomb(0, 0).put(0).put(0).put(0, 3).put(0).put(0).golomb(0, 0, 0).put(0).put(0).put(0)
    bits.golomb(0, 0).put(0, 7)
    bits.put(1).put(0).put(1)  # no deblocking
    return _nal(_PPS, bits.put(0).put(0).golomb(0).put(0).put(0).closed())


def _blocks(picture: Image.Image) -> tuple[int, int]:
    return -(-picture.width // _BLOCK), -(-picture.height // _BLOCK)


def _slices(picture: Image.Image) -> Iterator[bytes]:
    columns, rows = _blocks(picture)
    whole = (columns * _BLOCK, rows * _BLOCK)
    planes = picture.convert("RGB").convert("YCbCr").crop((0, 0, *whole)).split()
    halves = [planes[0], *(plane.resize((whole[0] // 2, whole[1] // 2)) for plane in planes[1:])]
    for number in range(columns * rows):
        row, column = divmod(number, columns)
        header = _Bits().put(number == 0).put(0).golomb(0)
        if number:
            header.put(number, (columns * rows - 1).bit_length())
        header.golomb(2, 0)  # of intra blocks, with the quantiser that the picture set names
        samples = b""
        for plane, side in zip(halves, (_BLOCK, _BLOCK // 2, _BLOCK // 2), strict=True):
            left, top = column * side, row * side
            samples += plane.crop((left, top, left + side, top + side)).tobytes()
        yield _nal(_IDR, header.closed() + _PCM_FOLLOWS + samples + _SLICE_ENDS)
