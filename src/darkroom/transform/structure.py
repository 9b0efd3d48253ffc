"""What a file is made of, looked at before any of it is decoded: too many parts, or too much packed into a few bytes.

A decoder goes through whatever a file holds, and a file of a few kilobytes can hold a lot: scans that each pass over
the whole picture, texts that inflate to gigabytes, a hundred thousand frames. No picture of a camera or an editor comes
near these bounds. What makes no sense at all is left to the decoder, which refuses it.

Sources: ITU-T T.81 (JPEG), PNG third edition, RFC 9649 (WebP), GIF 89a, TIFF 6.0 and the BigTIFF design, ISO/IEC
23008-12 (HEIF).
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from darkroom.errors import TooLarge, TooManyPixels, UnreadableImage, UnsupportedFormat
from darkroom.model import Format
from darkroom.transform import svg
from darkroom.transform.headers import BoundedReader, TooMuchToRead, boxes, dimensions
from darkroom.transform.plan import Size, check_limits
from darkroom.transform.sniff import HEAD_BYTES, recognise, sniff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.transform import Limits

MOST_PARTS = 20_000
"""Segments or chunks of one file. A PNG of 64 MiB in the usual chunks of 8 KiB has 8,000, a JPEG seldom 300."""
MOST_SCANS = 100
"""Of a JPEG, as libtiff has it too; encoders write 10 to 20."""
MOST_PAGES = 1_000
"""Of a TIFF: whoever asks for the first page has the decoder count them all."""
MOST_TILES = 1_000
"""Pictures to decode for one HEIC or AVIF: 100 megapixels in the usual tiles of 512 by 512 are 381."""
MOST_INFLATED = 8 * 1024 * 1024
"""Bytes that all compressed notes and profiles of one PNG have once inflated; large profiles have 3 MiB."""

MOST_BLOCKS = 500_000
"""Of the data of a GIF, each of up to 255 bytes: 64 MiB are 263,000."""

_TOO_MANY_PARTS = "the file has more parts than any camera or editor writes; save the picture anew"

_DEEPEST = 4
"""How often something may be put together from what was put together."""

_PIECE = 64 * 1024
"""Inflated at a time: what stays in the processor's cache costs least."""

_SCAN, _END, _JFIF = 0xDA, 0xD9, 0xE0
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a body."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_HUFFMAN = frozenset({0xC0, 0xC1, 0xC2})
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
_WHOLE_SCAN = bytes((0, 63, 0))
"""First and last of the 64 waves, and no bits left for later."""
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff]")
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""In the data of a scan, 0xFF is followed by 0, and restarts are marked by D0 to D7."""


def check_before_decoding(content: bytes, limits: Limits) -> None:
    """Refuse a file that says it is too large, or that is made to keep a decoder busy, before any decoder has seen it.

    Raises ``TooLarge``, ``TooManyPixels``, ``UnsupportedFormat``, ``UnreadableImage``; damage of other kinds is left to
    the decoder.
    """
    try:
        told = Size(*dimensions(io.BytesIO(content)))
    except UnreadableImage:
        told = Size(1, 1)
    check_limits(told, 1, limits)
    match recognise(content[:HEAD_BYTES], svg=limits.svg):
        case Format.JPEG:
            _check_jpeg(content)
        case Format.PNG:
            _check_png(content)
        case Format.WEBP:
            _check_webp(content, limits)
        case Format.GIF:
            _check_gif(content, limits)
        case Format.TIFF:
            _check_tiff(content)
        case Format.AVIF | Format.HEIC:
            _check_heif(content)
        case Format.SVG:
            _check_svg(content, limits)


def _check_jpeg(content: bytes) -> None:
    frame, components, scans = 0, 0, 0
    for number, (marker, body) in enumerate(jpeg_segments(content)):
        _check_parts(number)
        if marker in _FRAMES and body + 6 <= len(content):
            frame, components = marker, content[body + 5]
            _check_enough_data(content, frame, body)
        elif marker == _SCAN:
            scans += 1
            if frame not in _PROGRESSIVE and content[body : body + 1] == bytes([components]):
                return  # the whole picture is in this scan, and decoders stop after it
            if scans > MOST_SCANS:
                msg = (
                    f"the picture comes in more than {MOST_SCANS} scans, which no camera or editor writes; save it anew"
                )
                raise UnreadableImage(msg)


def _check_enough_data(content: bytes, frame: int, body: int) -> None:
    """By Huffman's code every block of 8 by 8 takes a bit at least: for its mean, when nothing else is said of it."""
    height, width = struct.unpack_from(">HH", content, body + 1)
    if frame in _HUFFMAN and width * height > 64 * 8 * len(content):
        msg = f"the file is far too short for the {width}×{height} pixels that it says it has; it is cut off"
        raise UnreadableImage(msg)


def jpeg_segments(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield each marker and where its body begins, behind the length."""
    at, pattern = 2, _NEXT_MARKER
    while (found := pattern.search(content, at)) is not None:
        marker, at = content[found.end() - 1], found.end()
        pattern = _NEXT_MARKER
        if marker == _END:
            return
        if marker in _ALONE:
            continue
        yield marker, at + 2
        at += int.from_bytes(content[at : at + 2])
        if marker == _SCAN:
            pattern = _AFTER_SCAN


def without_false_alarms(jpeg: bytes) -> bytes:
    """Return a JPEG without what makes its decoder warn though every browser shows it: so a warning means damage.

    These are bytes between the segments before the picture; a JFIF of another version than 1; and scans of a sequential
    JPEG that do not say that they are whole, as they must (ITU-T T.81, B.2.3), where many phones write zeros.
    """
    jpeg = _without_gaps(jpeg)
    mended = bytearray()

    def write(at: int, wanted: bytes) -> None:
        nonlocal mended
        end = at + len(wanted)
        if end <= len(jpeg) and jpeg[at:end] != wanted:
            mended = mended or bytearray(jpeg)
            mended[at:end] = wanted

    for marker, body in jpeg_segments(jpeg):
        if marker == _JFIF and jpeg[body : body + 5] == b"JFIF\0":
            write(body + 5, b"\1")
        elif marker in _FRAMES and marker not in _SEQUENTIAL:
            break
        elif marker == _SCAN and body < len(jpeg):
            write(body + 1 + 2 * jpeg[body], _WHOLE_SCAN)
            if jpeg[body] > 1:
                break  # all colours in one scan, the only one
    return bytes(mended) or jpeg


def _without_gaps(jpeg: bytes) -> bytes:
    """Return it without what lies between its segments, up to the first scan."""
    segments, end, gaps = [jpeg[:2]], 2, False
    for marker, body in jpeg_segments(jpeg):
        start = body - 4
        gaps = gaps or bool(jpeg[end:start].strip(b"\xff"))
        if marker == _SCAN:
            return b"".join([*segments, jpeg[start:]]) if gaps else jpeg
        end = body - 2 + int.from_bytes(jpeg[body - 2 : body])
        segments.append(jpeg[start:end])
    return jpeg


def _check_png(content: bytes) -> None:
    left = MOST_INFLATED
    for number, (kind, at, end) in enumerate(_chunks(content, 8, ">I4s", trailer=4)):
        _check_parts(number)
        packed = _packed(content, kind, at, end)
        if packed is not None:
            left -= _inflated(content[packed:end], left)
        if left < 0:
            msg = f"notes or profile of the file inflate to more than {MOST_INFLATED} bytes; save it without them"
            raise TooLarge(msg)
        if kind == b"IEND":
            return


def _packed(content: bytes, kind: bytes, at: int, end: int) -> int | None:
    """Return where the compressed data of a chunk begins, if it has any."""
    if kind not in {b"iCCP", b"zTXt", b"iTXt"}:
        return None
    keyword = content.find(b"\0", at, min(end, at + 80))
    if keyword < 0:
        return None
    if kind != b"iTXt":
        return keyword + 2
    if content[keyword + 1 : keyword + 2] != b"\1":
        return None
    language = content.find(b"\0", keyword + 3, end)
    translated = content.find(b"\0", language + 1, end) if language >= 0 else -1
    return translated + 1 if translated >= 0 else None


def _inflated(packed: bytes, most: int) -> int:
    """Return how many bytes come out; once it is more than ``most``, not all are counted."""
    unpacker, length = zlib.decompressobj(), 0
    with suppress(zlib.error):
        for at in range(0, len(packed), _PIECE):
            piece = packed[at : at + _PIECE]
            while piece and length <= most:
                length += len(unpacker.decompress(piece, _PIECE))
                piece = unpacker.unconsumed_tail
    return length


def _check_webp(content: bytes, limits: Limits) -> None:
    frames = 0
    for number, (kind, _, _) in enumerate(_chunks(content, 12, "<4sI", trailer=0)):
        _check_parts(number)
        frames += kind == b"ANMF"
        if frames > limits.frames:
            msg = f"the animation has more than {limits.frames} frames, the most that are accepted; so shorten it"
            raise TooManyPixels(msg)


def _check_gif(content: bytes, limits: Limits) -> None:
    """Nothing but the end itself may be missing: of an animation its decoder shows the frames that are whole."""
    frames, blocks, at = 0, 0, 13 + _palette(content[10:11])
    while content[at : at + 1] in {b",", b"!"}:
        if content[at : at + 1] == b",":
            frames += 1
            at += 11 + _palette(content[at + 9 : at + 10])
        else:
            at += 2
        if frames > limits.frames:
            msg = f"the animation has more than {limits.frames} frames, the most that are accepted; so shorten it"
            raise TooManyPixels(msg)
        while at < len(content) and content[at]:
            at += 1 + content[at]
            blocks += 1
            if blocks > MOST_BLOCKS:
                raise UnreadableImage(_TOO_MANY_PARTS)
        at += 1
        if at > len(content):
            raise UnreadableImage("the file ends in the middle of a picture; it is cut off, so upload it anew")


def _palette(packed: bytes) -> int:
    """Return the bytes of the table of colours that follows what is packed into this byte."""
    return 3 * 2 ** (1 + (packed[0] & 7)) if packed and packed[0] & 0x80 else 0


def _chunks(content: bytes, at: int, head: str, *, trailer: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, beginning and end of each chunk's body: of PNG with a checksum behind it, of WebP padded to even."""
    while at + 8 <= len(content):
        first, second = struct.unpack_from(head, content, at)
        kind, length = (first, second) if isinstance(first, bytes) else (second, first)
        end = at + 8 + length
        yield kind, at + 8, min(end, len(content))
        at = end + (trailer or length % 2)


def _check_parts(number: int) -> None:
    if number >= MOST_PARTS:
        raise UnreadableImage(_TOO_MANY_PARTS)


def _check_tiff(content: bytes) -> None:
    order = "<" if content[:2] == b"II" else ">"
    large = content[2:4] == b"+\0"
    count_form, pointer_form, entry_bytes = ("Q", "Q", 20) if large else ("H", "I", 12)
    pages = 0
    try:
        (at,) = struct.unpack_from(f"{order}{pointer_form}", content, 8 if large else 4)
        while at:
            pages += 1
            if pages > MOST_PAGES:
                msg = f"the file has more than {MOST_PAGES} pages, or they name one another in circles; send one page"
                raise UnreadableImage(msg)
            (entries,) = struct.unpack_from(f"{order}{count_form}", content, at)
            at += struct.calcsize(f"={count_form}")
            if pages == 1:
                _check_kind_of_tiff(content[at : at + entry_bytes * min(entries, 100)], order, entry_bytes)
            at += entry_bytes * entries
            (at,) = struct.unpack_from(f"{order}{pointer_form}", content, at)
    except (struct.error, OverflowError):  # the decoder says what is wrong with it
        return


_COMPRESSION, _PHOTOMETRIC, _SHORT = 259, 262, 3
_JPEG_IN_TIFF, _LUMINANCE_AND_COLOURS = 7, 6
_UNKNOWN_COMPRESSIONS = {34712: "JPEG 2000", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL"}


def _check_kind_of_tiff(directory: bytes, order: str, entry_bytes: int) -> None:
    """Refuse by its kind what is not damaged and yet cannot be decoded, or only with wrong colours."""
    told = {}
    for at in range(0, len(directory) - entry_bytes + 1, entry_bytes):
        tag, form = struct.unpack_from(f"{order}HH", directory, at)
        if form == _SHORT and tag in {_COMPRESSION, _PHOTOMETRIC}:
            (told[tag],) = struct.unpack_from(f"{order}H", directory, at + (12 if entry_bytes > 12 else 8))
    compression = told.get(_COMPRESSION, 1)
    kind = None
    if compression in _UNKNOWN_COMPRESSIONS:
        kind = f"compressed by {_UNKNOWN_COMPRESSIONS[compression]}"
    elif told.get(_PHOTOMETRIC) == _LUMINANCE_AND_COLOURS and compression != _JPEG_IN_TIFF:
        kind = "in YCbCr"
    if kind is not None:
        msg = f"this TIFF is {kind}, which is not read here; save it in RGB, with LZW or without compression"
        raise UnsupportedFormat(msg)


def _check_heif(content: bytes) -> None:
    try:
        parts = _parts(BoundedReader(io.BytesIO(content)))
    except TooMuchToRead:
        raise UnreadableImage(_TOO_MANY_PARTS) from None
    except (ValueError, LookupError, struct.error, StopIteration):  # the decoder says what is wrong with it
        return

    @cache
    def tiles(item: int, depth: int) -> int:
        """Count them as they are decoded: one that is laid in two places twice, one that is part of itself forever."""
        if depth > _DEEPEST:
            return MOST_TILES + 1
        return sum(tiles(part, depth + 1) for part in parts[item]) if item in parts else 1

    if any(tiles(item, 0) > MOST_TILES for item in parts):
        msg = f"the picture is put together from more than {MOST_TILES} others; save it as one"
        raise UnreadableImage(msg)


def _parts(file: BoundedReader) -> dict[int, list[int]]:
    """Return of each item that is made of others which they are."""
    meta = next((start, end) for kind, start, end in boxes(file, 0, file.seek(0, 2)) if kind == b"meta")
    found: dict[int, list[int]] = {}
    for kind, start, end in boxes(file, meta[0] + 4, meta[1]):
        if kind != b"iref":
            continue
        form = "H" if file.read_at(start, start + 1) == b"\0" else "I"
        for relation, at, beyond in boxes(file, start + 4, end):
            if relation == b"dimg":
                body = file.read_at(at, beyond)
                item, count = struct.unpack_from(f">{form}H", body)
                found.setdefault(item, []).extend(
                    struct.unpack_from(f">{count}{form}", body, struct.calcsize(f">{form}H"))
                )
    return found


def _check_svg(content: bytes, limits: Limits) -> None:
    """As for others, and for the pictures in it too, all together."""
    svg.extent(io.BytesIO(content))
    pixels = 0
    for picture in svg.pictures_within(content):
        if sniff(picture[:HEAD_BYTES]) not in {Format.JPEG, Format.PNG}:
            raise UnsupportedFormat("a picture in the SVG is neither JPEG nor PNG; save the whole as PNG")
        width, height = dimensions(io.BytesIO(picture))
        pixels += width * height
        if pixels > limits.pixels:
            msg = f"the pictures in the SVG have more than {limits.pixels} pixels together; make them smaller"
            raise TooManyPixels(msg)
        check_before_decoding(picture, replace(limits, svg=False))
