"""What a file consists of, byte by byte: the parts of a finished picture by name, and that there is nothing else.

Written from the formats' specifications and apart from the service and its libraries, so that a test of what is in a
file does not ask those who made it. It reads what the service writes, not everything that is allowed. Every function
yields names and raises ``AssertionError`` where a byte belongs to no part.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from darkroom.model import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

PIXELS_ONLY = {
    Format.JPEG: {"SOI", "JFIF", "DQT", "SOF0", "DHT", "SOS", "EOI"},
    Format.PNG: {"IHDR", "PLTE", "tRNS", "IDAT", "IEND"},
    Format.WEBP: {"VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF"},
    Format.GIF: {"screen", "NETSCAPE2.0", "control", "image", "trailer"},
    Format.AVIF: {
        *("ftyp", "meta", "hdlr", "pitm", "iloc", "iinf", "infe", "iprp", "ipco", "ipma", "mdat"),
        *("ispe", "pixi", "av1C", "colr nclx", "item av01", "iref", "auxl", "auxC"),
    },
}
"""All that a picture needs, by format: what shows it, and nothing that tells of it."""


def parts(form: Format, body: bytes) -> set[str]:
    """Return the names of all parts of a file."""
    walk = {
        Format.JPEG: _jpeg,
        Format.PNG: _png,
        Format.WEBP: _webp,
        Format.GIF: _gif,
        Format.AVIF: _avif,
    }[form]
    return set(walk(body))


def _jpeg(body: bytes) -> Iterator[str]:
    assert body[:2] == b"\xff\xd8"
    yield "SOI"
    at = 2
    while True:
        assert body[at] == 0xFF, "a segment begins with its marker"
        marker, (length,) = body[at + 1], struct.unpack_from(">H", body, at + 2)
        names = {0xDB: "DQT", 0xC0: "SOF0", 0xC4: "DHT", 0xDA: "SOS", 0xDD: "DRI", 0xFE: "COM"}
        name = names.get(marker, f"marker {marker:02x}")
        if marker == 0xE0:
            assert body[at + 4 : at + 9] == b"JFIF\0"
            assert (length, body[at + 16 : at + 18]) == (16, b"\0\0"), "no thumbnail in it"
            name = "JFIF"
        if marker == 0xE2 and body[at + 4 : at + 16] == b"ICC_PROFILE\0":
            name = "ICC_PROFILE"
        yield name
        at += 2 + length
        if name == "SOS":
            break
    end = body.index(b"\xff\xd9", at)  # in coded pixels a 0xFF is followed by 0
    assert all(body[i + 1] == 0 for i in range(at, end) if body[i] == 0xFF)
    yield "EOI"
    assert end + 2 == len(body), "nothing lies behind the end"


def _png(body: bytes) -> Iterator[str]:
    assert body[:8] == b"\x89PNG\r\n\x1a\n"
    at, name = 8, ""
    while at < len(body):
        length, kind = struct.unpack_from(">I4s", body, at)
        assert name != "IEND", "nothing lies behind the end"
        name = kind.decode()
        yield name
        at += 12 + length
    assert (at, name) == (len(body), "IEND")


def _webp(body: bytes) -> Iterator[str]:
    kind, length, form = struct.unpack_from("<4sI4s", body)
    assert (kind, form, length + 8) == (b"RIFF", b"WEBP", len(body))
    yield from _riff(body, 12, len(body))


def _riff(body: bytes, at: int, end: int) -> Iterator[str]:
    while at < end:
        kind, length = struct.unpack_from("<4sI", body, at)
        name = kind.decode()
        yield name
        if name == "VP8X":
            assert body[at + 8] & 0b00001100 == 0, "it announces no EXIF or XMP"
        if name == "ANMF":
            yield from _riff(body, at + 24, at + 8 + length)
        at += 8 + length + length % 2
    assert at == end


def _gif(body: bytes) -> Iterator[str]:
    assert body[:6] == b"GIF89a"
    at = 13 + _table(body[10])
    yield "screen"
    while body[at] != 0x3B:
        if body[at] == 0x2C:
            yield "image"
            at = _blocks(body, at + 11 + _table(body[at + 9]))
        else:
            assert body[at] == 0x21
            label, size = body[at + 1], body[at + 2]
            told = body[at + 3 : at + 3 + size]
            if label == 0xFF:
                yield told.decode()
            else:
                yield {0xF9: "control", 0xFE: "comment", 0x01: "text"}[label]
            at = _blocks(body, at + 2)
    yield "trailer"
    assert at + 1 == len(body), "nothing lies behind the end"


def _table(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _blocks(body: bytes, at: int) -> int:
    while body[at]:
        at += 1 + body[at]
    return at + 1


_HOLDERS = {"iprp": 0, "ipco": 0, "iref": 4, "iinf": 6}
"""Boxes that consist of boxes, and what they say before the first."""


def _avif(body: bytes) -> Iterator[str]:
    described = 0
    pixels = 0
    for name, start, end in _boxes(body, 0, len(body)):
        if name == "mdat":
            pixels += end - start
        if name == "iloc":
            described += sum(length for _, length in _extents(body[start:end]))
        yield _closer(name, body[start:end])
    assert described == pixels, "every byte of the data is of an item"


def _boxes(body: bytes, at: int, end: int) -> Iterator[tuple[str, int, int]]:
    while at < end:
        size, kind = struct.unpack_from(">I4s", body, at)
        name = kind.decode()
        assert 8 <= size <= end - at
        yield name, at + 8, at + size
        if name == "meta":
            yield from _boxes(body, at + 12, at + size)
        elif name in _HOLDERS:
            yield from _boxes(body, at + 8 + _HOLDERS[name], at + size)
        at += size
    assert at == end


def _closer(name: str, content: bytes) -> str:
    if name == "colr":
        return f"colr {content[:4].decode()}"
    if name == "infe":
        assert content[0] == 2
        return f"item {content[8:12].decode()}"
    return name


def _extents(content: bytes) -> Iterator[tuple[int, int]]:
    version, sizes, more = content[0], content[4], content[5]
    offset, length, base = sizes >> 4, sizes & 15, more >> 4
    assert version < 2
    items = int.from_bytes(content[6:8])
    at = 8
    for _ in range(items):
        at += 4 + 2 * version
        start = int.from_bytes(content[at : at + base])
        at += base
        count = int.from_bytes(content[at : at + 2])
        at += 2
        for _ in range(count):
            begins = int.from_bytes(content[at : at + offset])
            yield start + begins, int.from_bytes(content[at + offset : at + offset + length])
            at += offset + length
    assert at == len(content)
