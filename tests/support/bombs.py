"""Files that are small to send and dear to decode, or say they are: what a picture service is stopped with.

Every function returns the bytes of a file. Sizes are those of the worst that the limits of an upload let through, or
large enough to take seconds where nobody looks before decoding.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING

from PIL import Image

import heic_writer
import pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE


# ------------------------------------------------------------------ PNG


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join([_chunk(b"IHDR", header), *chunks, _chunk(b"IEND", b"")])


def _deflated_zeros(length: int) -> bytes:
    """Compress so many zeros without ever having them: one mebibyte, over and over."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    whole, rest = divmod(length, MEBIBYTE)
    end = zlib.compressobj(9, zlib.DEFLATED, -15)
    tail = end.compress(bytes(rest)) + end.flush()
    adler = (length % 65_521) << 16 | 1  # of zeros only: the first sum stays 1, the second counts them
    return b"\x78\xda" + block * whole + tail + struct.pack(">I", adler)


def _small_png(*chunks: bytes) -> bytes:
    """Return a picture of 8 by 8 with more chunks before its pixels."""
    pixels = zlib.compress(bytes(8 * (1 + 3 * 8)))
    return _png(8, 8, *chunks, _chunk(b"IDAT", pixels))


def png_header_only() -> bytes:
    return _png(50_000, 50_000)


def png_flat() -> bytes:
    """Two bits a pixel would be honest; a bit each is enough for 50,000 by 50,000 in 300 kB."""
    row = 1 + 50_000 // 8
    return _png(50_000, 50_000, _chunk(b"IDAT", _deflated_zeros(row * 50_000)), depth=1, colour=0)


def png_flat_within_the_sides() -> bytes:
    row = 1 + 32_000 // 8
    return _png(32_000, 32_000, _chunk(b"IDAT", _deflated_zeros(row * 32_000)), depth=1, colour=0)


def png_profile() -> bytes:
    return _small_png(_chunk(b"iCCP", b"profile\0\0" + _deflated_zeros(4 * GIBIBYTE - MEBIBYTE)))


def png_profile_that_says_its_length() -> bytes:
    """The decoder reads the first bytes of a profile, which hold its length, before it makes room for the rest."""
    length = 48 * MEBIBYTE
    head = struct.pack(">I4sI4s4s4s", length, b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ").ljust(36, b"\0")
    profile = head + b"acsp" + bytes(length - 40)
    return _small_png(_chunk(b"iCCP", b"profile\0\0" + zlib.compress(profile, 9)))


def png_text() -> bytes:
    return _small_png(_chunk(b"zTXt", b"Comment\0\0" + _deflated_zeros(4 * GIBIBYTE)))


def png_international_text() -> bytes:
    return _small_png(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + _deflated_zeros(4 * GIBIBYTE)))


def png_raw_exif_text() -> bytes:
    """EXIF as some old tools keep it: hexadecimal in a compressed text."""
    return _small_png(_chunk(b"zTXt", b"Raw profile type exif\0\0" + _deflated_zeros(4 * GIBIBYTE)))


def png_many_texts() -> bytes:
    """Each within the bounds of one text, all together not."""
    text = _chunk(b"zTXt", b"Comment\0\0" + _deflated_zeros(40 * MEBIBYTE))
    return _small_png(text * 1_000)


def png_countless_texts() -> bytes:
    return _small_png(_chunk(b"tEXt", b"a\0b") * 3_000_000)


def png_exif() -> bytes:
    return _small_png(_chunk(b"eXIf", exif_of_one_value(4 * MEBIBYTE)))


# ------------------------------------------------------------------ EXIF


def exif_of_one_value(length: int) -> bytes:
    """Return a block of ``length`` whose every entry is nearly all of it: whoever copies them takes thousandfold."""
    count = min(65_535, (length - 64) // 24)
    entries = b"".join(struct.pack("<HHII", 0x010E, 2, length - 16, 8) for _ in range(count))
    block = b"II*\0" + struct.pack("<IH", 8, count) + entries + bytes(4)
    return block.ljust(length, b"\0")


def exif_that_loops() -> bytes:
    """Return directories that name one another as their part and as the next."""
    at = [8 + 30 * n for n in range(2_000)]
    body = b"".join(
        struct.pack("<HHHIIHHII", 2, 0x8769, 4, 1, at[(n + 1) % 2_000], 0x8825, 4, 1, at[(n + 7) % 2_000])
        + struct.pack("<I", at[(n + 3) % 2_000])
        for n in range(2_000)
    )
    return b"II*\0" + struct.pack("<I", 8) + body


# ------------------------------------------------------------------ JPEG


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body


def jpeg_header_only(width: int = 65_500, height: int = 65_500) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"
    return b"\xff\xd8" + _segment(0xDB, b"\0" + b"\1" * 64) + _segment(0xC0, frame) + b"\xff\xd9"


def jpeg_with_little_data() -> bytes:
    """As large as is allowed, and cut off after a few bytes of its pixels."""
    whole = pictures.encode(Image.new("RGB", (32, 32)), "JPEG")
    return _resized_jpeg(whole, 32_000, 3_100)


def progressive_with_little_data() -> bytes:
    whole = pictures.encode(Image.new("RGB", (32, 32)), "JPEG", progressive=True)
    return _resized_jpeg(whole, 32_000, 3_100)


def _resized_jpeg(content: bytes, width: int, height: int) -> bytes:
    at = next(content.index(marker) for marker in (b"\xff\xc0\x00\x11", b"\xff\xc2\x00\x11") if marker in content)
    return content[: at + 5] + struct.pack(">HH", height, width) + content[at + 9 :]


def jpeg_of_many_scans(width: int = 10_000, height: int = 10_000, *, scans: int = 896) -> bytes:
    """Return a progressive JPEG whose every coefficient comes bit by bit, in 896 scans, all as the standard has it.

    ITU-T T.81, G.1: a scan takes one bit of a band of coefficients further. Here nothing is ever there, so a scan is a
    few runs of "end of band" over 32,767 blocks, yet the decoder passes over every block of the picture in each.
    """
    blocks = -(-width // 8) * -(-height // 8)
    mean, band = _bits("0" * blocks), _bits(_empty_band(blocks))
    all_scans = [
        _scan(coefficient, coefficient, 0 if bit == 13 else bit + 1, bit, band if coefficient else mean)
        for coefficient in range(64)
        for bit in range(13, -1, -1)
    ]
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"
    tables = _huffman(0x00, [0]) + _huffman(0x10, [0xE0])
    return (
        b"\xff\xd8"
        + _segment(0xDB, b"\0" + b"\1" * 64)
        + _segment(0xC2, frame)
        + tables
        + b"".join(all_scans[:scans])
        + b"\xff\xd9"
    )


def _huffman(place: int, symbols: list[int]) -> bytes:
    """Return a table of codes of one bit each."""
    return _segment(0xC4, bytes([place, len(symbols)]) + bytes(15) + bytes(symbols))


def _scan(first: int, last: int, high: int, low: int, data: bytes) -> bytes:
    return _segment(0xDA, bytes([1, 1, 0, first, last, high << 4 | low])) + data


def _empty_band(blocks: int) -> str:
    """EOB14 (the code 0, then 14 bits of the run) is a run of 16,384 blocks and so many more."""
    whole, rest = divmod(blocks, 32_767)
    runs = ["0" + "1" * 14] * whole
    while rest:
        run = min(rest, 32_767)
        if run >= 16_384:
            runs.append("0" + f"{run - 16_384:014b}")
            rest -= run
        else:  # the last run may say more blocks than there are
            runs.append("0" + "0" * 14)
            rest = 0
    return "".join(runs)


def _bits(text: str) -> bytes:
    padded = text + "1" * (-len(text) % 8)
    return int(padded, 2).to_bytes(len(padded) // 8).replace(b"\xff", b"\xff\0")


def jpeg_exif() -> bytes:
    picture = pictures.encode(Image.new("RGB", (8, 8)), "JPEG")
    return picture[:2] + _segment(0xE1, b"Exif\0\0" + exif_of_one_value(65_000)) + picture[2:]


def jpeg_exif_loops() -> bytes:
    picture = pictures.encode(Image.new("RGB", (8, 8)), "JPEG")
    return picture[:2] + _segment(0xE1, b"Exif\0\0" + exif_that_loops()[:65_000]) + picture[2:]


def jpeg_countless_segments() -> bytes:
    picture = pictures.encode(Image.new("RGB", (8, 8)), "JPEG")
    return picture[:2] + _segment(0xE5, b"") * (15 * MEBIBYTE) + picture[2:]


# ------------------------------------------------------------------ GIF


def _gif(width: int, height: int, frames: int, frame: bytes) -> bytes:
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(3) + b"\xff" * 3
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    return b"GIF89a" + screen + loop + frame * frames + b";"


_DOT = b"\x21\xf9\x04\0\5\0\0\0\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
"""A frame of one pixel, for 50 ms."""


def gif_of_many_frames() -> bytes:
    return _gif(1, 1, 100_000, _DOT)


def gif_of_many_large_frames() -> bytes:
    """As many frames as are allowed, all of them a dot on a large screen."""
    return _gif(2_000, 2_000, 1_000, _DOT)


def gif_of_a_large_screen() -> bytes:
    return _gif(65_535, 65_535, 1, _DOT)


# ------------------------------------------------------------------ WebP


def _riff(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _webp(*chunks: bytes) -> bytes:
    return _riff(b"RIFF", b"WEBP" + b"".join(chunks))


def _canvas(width: int, height: int, flags: int) -> bytes:
    return _riff(
        b"VP8X", bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    )


def _webp_pixels(width: int = 8, height: int = 8) -> bytes:
    return pictures.encode(Image.new("RGB", (width, height)), "WEBP", lossless=True)[12:]


def _webp_frame(width: int, height: int, pixels: bytes) -> bytes:
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return _riff(b"ANMF", bytes(6) + sizes + (50).to_bytes(3, "little") + b"\0" + pixels)


def _animated_webp(width: int, height: int, frames: int) -> bytes:
    frame = _webp_frame(8, 8, _webp_pixels())
    return _webp(_canvas(width, height, 0x02), _riff(b"ANIM", bytes(6)), frame * frames)


def webp_of_a_large_canvas() -> bytes:
    return _animated_webp(16_777_216, 256, 1)


def webp_of_a_large_picture() -> bytes:
    """A lossless picture of one colour takes a few dozen bytes at any size; 16,383 a side is the most there is."""
    pixels = bytearray(_webp_pixels())
    pixels[9:13] = (16_382 << 14 | 16_382 | int.from_bytes(pixels[9:13], "little") & 0xF0000000).to_bytes(4, "little")
    return _webp(bytes(pixels))


def webp_of_many_frames() -> bytes:
    return _animated_webp(8, 8, 100_000)


def webp_of_many_large_frames() -> bytes:
    return _animated_webp(10_000, 10_000, 1_000)


def webp_exif() -> bytes:
    return _webp(_canvas(8, 8, 0x08), _webp_pixels(), _riff(b"EXIF", exif_of_one_value(4 * MEBIBYTE)))


# ------------------------------------------------------------------ TIFF


_SHORT, _LONG = 3, 4


def _directory(width: int, height: int, *, following: int, strips: tuple[int, int] = (8, 8), bands: int = 1) -> bytes:
    """Return a directory of a grey picture whose one strip (offset, length) is named; uncompressed, of 8 bits."""
    fields = [
        (256, _LONG, 1, width),
        (257, _LONG, 1, height),
        (258, _SHORT, 1, 8),
        (259, _SHORT, 1, 1),
        (262, _SHORT, 1, 1),
        (273, _LONG, 1, strips[0]),
        (277, _SHORT, 1, bands),
        (278, _LONG, 1, height),
        (279, _LONG, 1, strips[1]),
    ]
    entries = b"".join(struct.pack("<HHII", *field) for field in fields)
    return struct.pack("<H", len(fields)) + entries + struct.pack("<I", following)


_DIRECTORY_BYTES = 2 + 9 * 12 + 4


def _tiff(*directories: bytes) -> bytes:
    return b"II*\0" + struct.pack("<I", 16) + bytes(8) + b"".join(directories)


def tiff_of_a_large_picture() -> bytes:
    return _tiff(_directory(60_000, 60_000, following=0))


def tiff_with_little_data() -> bytes:
    return _tiff(_directory(32_000, 3_100, following=0, strips=(8, 32_000 * 3_100)))


def tiff_of_many_bands() -> bytes:
    return _tiff(_directory(10_000, 10_000, following=0, bands=65_535))


def tiff_of_many_bands_within_the_file() -> bytes:
    """Four million pixels of a thousand channels: every row names the same deflated bytes."""
    width, height, bands = 1_000, 4_000, 1_000
    row = _deflated_zeros(width * bands)
    entries = 9
    at = 16 + 2 + entries * 12 + 4
    places, lengths = at + len(row), at + len(row) + 4 * height
    fields = [
        (256, _LONG, 1, width),
        (257, _LONG, 1, height),
        (258, _SHORT, 1, 8),
        (259, _SHORT, 1, 8),
        (262, _SHORT, 1, 1),
        (273, _LONG, height, places),
        (277, _SHORT, 1, bands),
        (278, _LONG, 1, 1),
        (279, _LONG, height, lengths),
    ]
    directory = struct.pack("<H", entries) + b"".join(struct.pack("<HHII", *field) for field in fields) + bytes(4)
    return _tiff(directory, row, struct.pack("<I", at) * height, struct.pack("<I", len(row)) * height)


def tiff_that_loops() -> bytes:
    return _tiff(_directory(8, 8, following=16))


def tiff_that_loops_late() -> bytes:
    return _tiff(*_directories(60_000, last=16 + 17 * _DIRECTORY_BYTES))


def tiff_of_many_pages() -> bytes:
    return _tiff(*_directories(100_000, last=0))


def _directories(count: int, *, last: int) -> Iterator[bytes]:
    for number in range(1, count + 1):
        following = 16 + number * _DIRECTORY_BYTES if number < count else last
        yield _directory(8, 8, following=following)


# ------------------------------------------------------------------ AVIF and HEIC


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def _full(kind: bytes, body: bytes, version: int = 0) -> bytes:
    return _box(kind, bytes([version, 0, 0, 0]) + body)


def _ispe(width: int, height: int) -> bytes:
    return _full(b"ispe", struct.pack(">II", width, height))


_Item = tuple[bytes, bytes, list[bytes], list[int]]
"""Its kind, its data, its properties, and the items (from 1) that it is made of or, if it is EXIF, that it is of."""


def _heif(brand: bytes, items: list[_Item]) -> bytes:
    """Return a file of which the first item is the picture; what several items have in common is there once."""
    stored = b"".join(dict.fromkeys(data for _, data, _, _ in items))
    properties: list[bytes] = []
    owned, entries, references = b"", b"", b""
    for number, (kind, _, wanted, parts) in enumerate(items, 1):
        entries += _full(b"infe", struct.pack(">HH", number, 0) + kind + b"\0", version=2)
        owned += struct.pack(">HB", number, len(wanted))
        for each in wanted:
            if each not in properties:
                properties.append(each)
            owned += bytes([properties.index(each) + 1])
        if parts:
            relation = b"cdsc" if kind == b"Exif" else b"dimg"
            references += _box(relation, struct.pack(f">HH{len(parts)}H", number, len(parts), *parts))

    def meta(start: int) -> bytes:
        places = b""
        for number, (_, data, _, _) in enumerate(items, 1):
            places += struct.pack(">HHHII", number, 0, 1, start + stored.index(data), len(data))
        return _full(
            b"meta",
            _full(b"hdlr", bytes(4) + b"pict" + bytes(13))
            + _full(b"pitm", struct.pack(">H", 1))
            + _full(b"iinf", struct.pack(">H", len(items)) + entries)
            + _full(b"iref", references)
            + _box(b"iprp", _box(b"ipco", b"".join(properties)) + _full(b"ipma", struct.pack(">I", len(items)) + owned))
            + _full(b"iloc", b"\x44\x00" + struct.pack(">H", len(items)) + places),
        )

    kind = _box(b"ftyp", brand + bytes(4) + b"mif1" + brand)
    start = len(kind) + len(meta(0)) + 8
    return kind + meta(start) + _box(b"mdat", stored)


def _avif_tile(side: int) -> _Item:
    whole = pictures.encode(Image.new("RGB", (side, side)), "AVIF", speed=10)
    at = whole.index(b"av1C") - 4
    configuration = whole[at : at + int.from_bytes(whole[at : at + 4])]
    data = whole[whole.index(b"mdat") + 4 :]
    return b"av01", data, [configuration, _ispe(side, side), _full(b"pixi", b"\3\10\10\10")], []


def _heic_tile(side: int) -> _Item:
    picture = Image.new("RGB", (side, side))
    data = b"".join(struct.pack(">I", len(nal)) + nal for nal in heic_writer._slices(picture))
    return b"hvc1", data, [heic_writer._decoder_configuration(picture), _ispe(side, side)], []


def _grid(rows: int, columns: int, side: int, *, parts: list[int]) -> _Item:
    width, height = columns * side, rows * side
    data = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)
    return b"grid", data, [_ispe(width, height)], parts


def _overlay(parts: list[int]) -> _Item:
    data = struct.pack(">BB4HII", 0, 1, 0, 0, 0, 65_535, 64, 64) + bytes(8 * len(parts))
    return b"iovl", data, [_ispe(64, 64)], parts


def _pictures_in_pictures(tile: _Item, depth: int) -> list[_Item]:
    """Return pairs of pictures, either made of both of the next pair: twice as many tiles with every level."""
    pairs = [_overlay([number + 2, number + 3]) for number in range(2, 2 * depth, 2) for _ in range(2)]
    return [_overlay([2, 3]), *pairs, tile, tile]


def avif_of_a_large_canvas(width: int = 60_000, height: int = 60_000) -> bytes:
    kind, data, properties, parts = _avif_tile(64)
    return _heif(b"avif", [(kind, data, [properties[0], _ispe(width, height), properties[2]], parts)])


def avif_with_little_data() -> bytes:
    return avif_of_a_large_canvas(10_000, 10_000)


def avif_grid(rows: int, columns: int, side: int) -> bytes:
    """Return a picture of tiles, all the same one."""
    return _heif(b"avif", [_grid(rows, columns, side, parts=[2] * (rows * columns)), _avif_tile(side)])


def heic_grid(rows: int, columns: int, side: int, *, same: bool = False) -> bytes:
    """Return a picture of tiles, as phones make them; with ``same`` they are all one."""
    tiles = 1 if same else rows * columns
    parts = [2] * (rows * columns) if same else list(range(2, tiles + 2))
    tile = _heic_tile(side)
    return _heif(b"heic", [_grid(rows, columns, side, parts=parts), *[tile] * tiles])


def avif_of_many_tiles() -> bytes:
    """The same tile over and over, within the limits of pixels."""
    return avif_grid(150, 150, 64)


def avif_of_a_large_grid() -> bytes:
    return avif_grid(255, 255, 256)


def avif_of_pictures_in_pictures() -> bytes:
    return _heif(b"avif", _pictures_in_pictures(_avif_tile(64), 30))


def avif_that_is_itself() -> bytes:
    return _heif(b"avif", [_overlay([2]), _overlay([1])])


def avif_exif() -> bytes:
    return _heif(b"avif", [_avif_tile(64), (b"Exif", bytes(4) + exif_of_one_value(4 * MEBIBYTE), [], [1])])


def heic_of_many_tiles() -> bytes:
    return heic_grid(150, 150, 64, same=True)


def heic_of_a_large_grid() -> bytes:
    return heic_grid(255, 255, 256, same=True)


def heic_of_a_large_canvas() -> bytes:
    kind, data, properties, parts = _heic_tile(64)
    return _heif(b"heic", [(kind, data, [properties[0], _ispe(60_000, 60_000)], parts)])


def heic_with_little_data() -> bytes:
    kind, data, properties, parts = _heic_tile(64)
    return _heif(b"heic", [(kind, data, [properties[0], _ispe(10_000, 10_000)], parts)])


def heic_of_pictures_in_pictures() -> bytes:
    return _heif(b"heic", _pictures_in_pictures(_heic_tile(64), 30))


def heic_that_is_itself() -> bytes:
    return _heif(b"heic", [_overlay([2]), _overlay([1])])


# ------------------------------------------------------------------ SVG


def svg_of_entities() -> bytes:
    """Ten entities, each ten times the next: the billion laughs."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n + 1};" * 10}">' for n in range(10))
    return (
        f'<?xml version="1.0"?><!DOCTYPE svg [{entities}<!ENTITY e10 "ha">]>'
        '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><title>&e0;</title></svg>'
    ).encode()


def svg_of_uses() -> bytes:
    """Ten groups, each made of the next one ten times."""
    groups = "".join(f'<g id="g{n}">{f"""<use xlink:href="#g{n + 1}"/>""" * 10}</g>' for n in range(10))
    return pictures.svg(within=f'<defs>{groups}<rect id="g10" width="1" height="1"/></defs><use xlink:href="#g0"/>')


def _patterns(fill: Callable[[int], str]) -> str:
    tiles = "".join(
        f'<pattern id="p{n}" width=".1" height=".1">{f"""<rect width="1" height="1" {fill(n + 1)}/>""" * 10}</pattern>'
        for n in range(8)
    )
    return f"<defs>{tiles}</defs><rect width='2' height='2' {fill(0)}/>"


def svg_of_patterns() -> bytes:
    """Patterns of rectangles that are filled with the next pattern."""
    return pictures.svg(within=_patterns(lambda number: f'fill="url(#p{number})"'))


def svg_of_styles() -> bytes:
    """The same, said by a style sheet."""
    rules = "".join(f".c{number} {{ fill: url(#p{number}) }}" for number in range(9))
    return pictures.svg(within=f"<style>{rules}</style>" + _patterns(lambda number: f'class="c{number}"'))


def svg_of_filters() -> bytes:
    blurs = '<feGaussianBlur stdDeviation="50"/>' * 10_000
    return pictures.svg(within=f'<filter id="f">{blurs}</filter><rect width="2" height="2" filter="url(#f)"/>')


def svg_of_deep_groups() -> bytes:
    return pictures.svg(within="<g>" * 100_000 + "</g>" * 100_000)


def svg_of_a_large_canvas() -> bytes:
    return pictures.svg(60_000, 60_000)


def svg_of_a_large_picture() -> bytes:
    return pictures.svg(within=_embedded(png_flat()))


def svg_of_a_picture_with_a_bomb() -> bytes:
    return pictures.svg(within=_embedded(png_profile()))


def svg_of_comments() -> bytes:
    """Much to skip, in pieces that make a careless search begin anew each time."""
    return pictures.svg(within="<style>" + "/*" * 1_000_000 + "</style>")


def svg_of_endless_attributes() -> bytes:
    return pictures.svg(within="<rect " + "x" * 4_000_000)


def svg_of_rules() -> bytes:
    """Every rule means every element."""
    elements = "".join(f'<g id="e{number}"/>' for number in range(20_000))
    return pictures.svg(within=f"<style>{'*{fill:url(#a)}' * 20_000}</style>{elements}")


def _embedded(picture: bytes) -> str:
    return f'<image width="2" height="2" xlink:href="data:image/png;base64,{base64.b64encode(picture).decode()}"/>'


def svg_of_everything() -> bytes:
    """Return a harmless one with a bit of all that is looked at."""
    tile = '<pattern id="p" width=".5" height=".5"><use xlink:href="#r" fill="red"/></pattern>'
    shades = '<linearGradient id="l"><stop stop-color="#fff"/><stop offset="1"/></linearGradient>'
    blur = '<filter id="f"><feGaussianBlur stdDeviation=".1"/></filter><rect id="r" width=".2" height=".3"/>'
    return pictures.svg(
        before='<?xml version="1.0" encoding="UTF-8"?><!-- by hand --><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" '
        '"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">',
        within=f"<style><![CDATA[ .a {{ fill: url('#l') }} /* no more */]]></style><defs>{tile}{shades}{blur}</defs>"
        f'<a xlink:href="https://example.org/"><rect class="a" width="1" height="1"/></a><circle r="1" fill="url(#p)" '
        f'filter="url(#f)"/>{_embedded(pictures.png(8, 8))}<path d="M0 0h1v1z" style="fill: &#35;f00"/>',
    )


REFUSED: dict[Callable[[], bytes], str] = {
    png_header_only: "too-many-pixels",
    png_flat: "too-many-pixels",
    png_flat_within_the_sides: "too-many-pixels",
    png_profile: "too-large",
    png_profile_that_says_its_length: "too-large",
    png_text: "too-large",
    png_international_text: "too-large",
    png_raw_exif_text: "too-large",
    png_many_texts: "too-large",
    png_countless_texts: "unreadable-image",
    jpeg_header_only: "too-many-pixels",
    jpeg_with_little_data: "unreadable-image",
    progressive_with_little_data: "unreadable-image",
    jpeg_of_many_scans: "unreadable-image",
    jpeg_countless_segments: "unreadable-image",
    gif_of_many_frames: "too-many-pixels",
    gif_of_many_large_frames: "too-many-pixels",
    gif_of_a_large_screen: "too-many-pixels",
    webp_of_a_large_canvas: "too-many-pixels",
    webp_of_a_large_picture: "too-many-pixels",
    webp_of_many_frames: "too-many-pixels",
    webp_of_many_large_frames: "too-many-pixels",
    tiff_of_a_large_picture: "too-many-pixels",
    tiff_with_little_data: "unreadable-image",
    tiff_of_many_bands: "unreadable-image",
    tiff_of_many_bands_within_the_file: "too-many-pixels",
    tiff_that_loops: "unreadable-image",
    tiff_that_loops_late: "unreadable-image",
    tiff_of_many_pages: "unreadable-image",
    avif_of_a_large_canvas: "too-many-pixels",
    avif_with_little_data: "unreadable-image",
    avif_of_many_tiles: "unreadable-image",
    avif_of_a_large_grid: "too-many-pixels",
    avif_of_pictures_in_pictures: "unreadable-image",
    avif_that_is_itself: "unreadable-image",
    heic_of_a_large_canvas: "too-many-pixels",
    heic_with_little_data: "unreadable-image",
    heic_of_many_tiles: "unreadable-image",
    heic_of_a_large_grid: "too-many-pixels",
    heic_of_pictures_in_pictures: "unreadable-image",
    heic_that_is_itself: "unreadable-image",
    svg_of_entities: "unsupported-format",
    svg_of_uses: "unreadable-image",
    svg_of_patterns: "unreadable-image",
    svg_of_styles: "unreadable-image",
    svg_of_filters: "unreadable-image",
    svg_of_deep_groups: "unreadable-image",
    svg_of_a_large_canvas: "too-many-pixels",
    svg_of_a_large_picture: "too-many-pixels",
    svg_of_a_picture_with_a_bomb: "too-large",
    svg_of_endless_attributes: "unreadable-image",
    svg_of_rules: "unreadable-image",
}
"""Each bomb and the code it is refused by."""

HARMLESS: tuple[Callable[[], bytes], ...] = (
    png_exif,
    jpeg_exif,
    jpeg_exif_loops,
    webp_exif,
    avif_exif,
    svg_of_comments,
)
"""Bombs for others: what would go off is not looked at here, so that they are pictures like any other."""
