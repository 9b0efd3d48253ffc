"""Width and height from a file's header, in plain Python: no pixel is decoded. Most formats are read by imagesize."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

import imagesize  # type: ignore[import-untyped]  # ships no types; used in this file only

from darkroom.errors import UnreadableImage, UnsupportedFormat
from darkroom.model import Format
from darkroom.transform import svg
from darkroom.transform.sniff import HEAD_BYTES, recognise

if TYPE_CHECKING:
    from collections.abc import Iterator

# A phone's picture with all its metadata takes some hundred reads; what takes more is made to keep us busy.
_MOST_READS = 10_000
_MOST_BYTES = 1024 * 1024
_FARTHEST = 2**40


def dimensions(original: BinaryIO) -> tuple[int, int]:
    """Read them as stored, before EXIF orientation: a limit on sides and pixels does not care which way up.

    Also of an SVG, whether or not it is accepted. A JPEG of a kind that no browser shows is no accepted format either,
    and the sentence says which it is.
    """
    original.seek(0)
    found = recognise(original.read(HEAD_BYTES), svg=True)
    if found is Format.SVG:
        return svg.extent(original)
    bounded = BoundedReader(original)
    if found in {Format.AVIF, Format.HEIC}:
        width, height = _heif(bounded)
    elif found is Format.GIF:
        width, height = _gif(bounded)
    elif found is Format.JPEG:
        width, height = _jpeg(bounded)
    else:
        width, height = imagesize.get(bounded, exif_rotation=False)
    if width < 1 or height < 1:
        msg = f"the file begins like {found} but its header says no size; it is damaged, so save it anew"
        raise UnreadableImage(msg)
    return width, height


class TooMuchToRead(ValueError):
    """A header that is made to keep its readers busy."""


class BoundedReader:
    """Lets a parser read and seek within reason, and then no more: ``TooMuchToRead``, a ``ValueError``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reads = self._bytes = 0

    def read(self, size: int = -1) -> bytes:
        self._reads += 1
        self._bytes += size
        if size < 0 or self._reads > _MOST_READS or self._bytes > _MOST_BYTES:
            raise TooMuchToRead("the header asks for more reading than any picture's")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if not 0 <= offset <= _FARTHEST:
            msg = "the header points outside any file"
            raise ValueError(msg)
        return self._file.seek(offset, whence)

    def read_at(self, start: int, end: int) -> bytes:
        """Read exactly the bytes from ``start`` to ``end``."""
        self.seek(start)
        found = self.read(end - start)
        if len(found) != end - start:
            msg = "the file ends too early"
            raise ValueError(msg)
        return found


_DECODED = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
"""Frames of a JPEG that are decoded: baseline, extended and progressive, by Huffman's code or arithmetic."""
_LOSSLESS = frozenset({0xC3, 0xCB})
_JPEG_LS = 0xF7
_NO_FRAME = frozenset({0xC4, 0xC8, 0xCC})
"""Between the frames' markers: tables, and one that is reserved."""
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a body."""
_SCAN, _END = 0xDA, 0xD9


def _jpeg(file: BoundedReader) -> tuple[int, int]:
    """Return the sides that the frame's header says, or ``(-1, -1)`` (ITU-T T.81, B.2.2; T.87 for JPEG-LS).

    Not by imagesize, which does not tell the kind: what cannot be decoded looks damaged to a decoder, and whoever sent
    it would save it anew in the same way.
    """
    try:
        marker, precision, height, width = _jpeg_frame(file)
    except (ValueError, struct.error):
        return -1, -1
    kind = None
    if marker == _JPEG_LS:
        kind = "of the kind JPEG-LS"
    elif marker in _LOSSLESS:
        kind = "of the lossless kind"
    elif marker not in _DECODED:
        kind = "of the hierarchical kind"
    elif precision != 8:
        kind = f"of {precision} bits a sample"
    if kind is not None:
        msg = f"this JPEG is {kind}, which is not read here, nor by browsers; save it as a usual JPEG, with 8 bits"
        raise UnsupportedFormat(msg)
    return width, height


def _jpeg_frame(file: BoundedReader) -> tuple[int, int, int, int]:
    """Return the frame's marker, bits of a sample, height and width."""
    at = 2
    while True:
        marker = file.read_at(at, at + 2)
        kind, body = marker[1], at + 4
        if marker[0] != 0xFF or kind == 0xFF:  # a byte between the segments, as some cameras write, or one that fills
            at += 1
        elif kind in _ALONE:
            at += 2
        elif kind in {_SCAN, _END}:
            raise ValueError(marker)
        elif kind == _JPEG_LS or (0xC0 <= kind <= 0xCF and kind not in _NO_FRAME):
            precision, height, width = struct.unpack(">BHH", file.read_at(body, body + 5))
            return kind, precision, height, width
        else:
            (length,) = struct.unpack(">H", file.read_at(at + 2, body))
            at += 2 + max(2, length)


def _gif(file: BoundedReader) -> tuple[int, int]:
    """Return the logical screen, or ``(-1, -1)``. Not by imagesize, which takes 65,535 for -1."""
    try:
        width, height = struct.unpack("<HH", file.read_at(6, 10))
    except ValueError:
        return -1, -1
    return width, height


def _heif(file: BoundedReader) -> tuple[int, int]:
    """Return the extent of the primary item (ISO/IEC 23008-12), or ``(-1, -1)``.

    Not by imagesize: its release 2.0.1 takes the rotation property for four bytes longer than it is, and so finds no
    size in what phones write; and it reads counts that a stranger can set to billions.
    """
    try:
        return _primary_extent(file)
    except (ValueError, LookupError, struct.error, StopIteration):
        return -1, -1


def _primary_extent(file: BoundedReader) -> tuple[int, int]:
    top = boxes(file, 0, file.seek(0, 2))
    meta_start, meta_end = next((start, end) for kind, start, end in top if kind == b"meta")
    meta = {kind: (start, end) for kind, start, end in boxes(file, meta_start + 4, meta_end)}
    pitm = file.read_at(*meta[b"pitm"])
    (primary,) = struct.unpack_from(">H" if pitm[0] == 0 else ">I", pitm, 4)
    properties: list[tuple[bytes, int, int]] = []
    indices: list[int] = []
    for kind, start, end in boxes(file, *meta[b"iprp"]):
        if kind == b"ipco":
            properties = list(boxes(file, start, end))
        elif kind == b"ipma":
            indices += _associations(file.read_at(start, end), primary)
    owned = (properties[index - 1] for index in indices if index > 0)
    extent = next(file.read_at(start, end) for kind, start, end in owned if kind == b"ispe")
    width, height = struct.unpack(">4xII", extent)
    return width, height


def boxes(file: BoundedReader, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, beginning and end of the payload of each box that lies between ``start`` and ``end``."""
    while start < end:
        size, kind = struct.unpack(">I4s", file.read_at(start, start + 8))
        payload = start + 8
        if size == 1:
            payload = start + 16
            (size,) = struct.unpack(">Q", file.read_at(start + 8, payload))
        box_end = start + size if size else end
        if not payload <= box_end <= end:
            msg = "a box is larger than what it lies in"
            raise ValueError(msg)
        yield kind, payload, box_end
        start = box_end


def _associations(body: bytes, item: int) -> list[int]:
    """Return the indices, from 1, of the properties that an ``ipma`` box gives to ``item``."""
    wide_item, wide_index = body[0] > 0, body[3] & 1
    (count,) = struct.unpack_from(">I", body, 4)
    at = 8
    for _ in range(count):
        (found,) = struct.unpack_from(">I" if wide_item else ">H", body, at)
        at += 4 if wide_item else 2
        length = body[at]
        at += 1
        if found == item:
            form = f">{length}{'H' if wide_index else 'B'}"
            essential = 0x8000 if wide_index else 0x80
            return [index & (essential - 1) for index in struct.unpack_from(form, body, at)]
        at += length * (2 if wide_index else 1)
    return []
