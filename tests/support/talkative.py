"""Pictures that tell everything a file can tell: where, when, with what and by whom it was made, in every place for it.

``SECRET`` is in each of these places, as text, and the position in ``pictures.LATITUDE`` in those for a place.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from PIL import ExifTags, Image, PngImagePlugin

import pictures
from darkroom.model import Format

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = b"Ottoline of 7 Rook Lane"

_ASCII, _BYTES, _UNDEFINED = 2, 1, 7
_XMP_TAG, _IPTC_TAG, _PHOTOSHOP_TAG = 700, 33723, 34377


def told_by(form: Format, width: int, height: int, *, alpha: bool = False, frames: int = 1) -> bytes:
    """Return a file with all that its format can carry; ``alpha`` and ``frames`` where it has them."""
    picture = pictures.scene(width, height, alpha=alpha)
    others = [pictures.scene(width, height, alpha=alpha, seed=number) for number in range(1, frames)]
    content = _WRITERS[form](picture, others)
    assert content.count(SECRET) >= 3
    return content


def exif() -> bytes:
    """Return an EXIF block with a place, names, a remark, a maker's note and a thumbnail."""
    said = Image.Exif()
    said.load(pictures.camera_exif())
    name = SECRET.decode()
    said[ExifTags.Base.ImageDescription] = said[ExifTags.Base.Artist] = said[ExifTags.Base.Copyright] = name
    said[ExifTags.Base.XPAuthor] = name.encode("utf-16-le")
    inner = said.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.MakerNote] = b"Brightbox\0" + SECRET
    inner[ExifTags.Base.UserComment] = b"ASCII\0\0\0" + SECRET
    inner[ExifTags.Base.CameraOwnerName] = inner[ExifTags.Base.BodySerialNumber] = name
    return _with_thumbnail(said.tobytes(), pictures.jpeg(32, 24, comment=SECRET))


def _with_thumbnail(block: bytes, thumbnail: bytes) -> bytes:
    """Hang the directory of a thumbnail behind the first one, as cameras do."""
    tiff = bytearray(block.removeprefix(b"Exif\0\0"))
    order = "<" if tiff[:2] == b"II" else ">"
    (first,) = struct.unpack_from(f"{order}I", tiff, 4)
    (entries,) = struct.unpack_from(f"{order}H", tiff, first)
    struct.pack_into(f"{order}I", tiff, first + 2 + 12 * entries, len(tiff))
    start = len(tiff) + 2 + 2 * 12 + 4
    tiff += struct.pack(f"{order}HHHIIHHIII", 2, 0x0201, 4, 1, start, 0x0202, 4, 1, len(thumbnail), 0) + thumbnail
    return b"Exif\0\0" + bytes(tiff)


def xmp() -> bytes:
    """Return an XMP packet."""
    return (
        b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>"
        b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about='' "
        b"xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:exif='http://ns.adobe.com/exif/1.0/' "
        b"exif:GPSLatitude='48.858370N'><dc:creator>" + SECRET + b"</dc:creator></rdf:Description></rdf:RDF>"
        b"</x:xmpmeta><?xpacket end='w'?>"
    )


def iptc() -> bytes:
    """Return an IPTC record: by-line, city, caption."""
    fields = ((80, SECRET), (90, b"Paris"), (120, SECRET))
    return b"".join(b"\x1c\x02" + struct.pack(">BH", number, len(text)) + text for number, text in fields)


def photoshop() -> bytes:
    """Return Photoshop's resources with the IPTC record among them."""
    record = iptc()
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record + bytes(len(record) % 2)


def _jpeg(picture: Image.Image, _: list[Image.Image]) -> bytes:
    plain = pictures.encode(
        picture, "JPEG", quality=92, exif=exif(), comment=SECRET, dpi=(301, 301), icc_profile=pictures.srgb_profile()
    )
    segments = (
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp()),
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + xmp()),
        (0xED, b"Photoshop 3.0\0" + photoshop()),
        (0xEC, b"Ducky\0" + SECRET),
        (0xE5, b"Samsung " + SECRET),
    )
    said = b"".join(bytes((0xFF, marker)) + struct.pack(">H", 2 + len(body)) + body for marker, body in segments)
    # What a phone puts behind the end: a film, a depth map, another picture with its own EXIF.
    return plain[:2] + said + plain[2:] + b"MotionPhoto_Data" + SECRET + pictures.jpeg(16, 16, exif=exif())


def _png(picture: Image.Image, _: list[Image.Image]) -> bytes:
    told = PngImagePlugin.PngInfo()
    told.add_text("Author", SECRET.decode())
    told.add_text("Comment", SECRET.decode(), zip=True)
    told.add_itxt("XML:com.adobe.xmp", xmp().decode())
    told.add_itxt("Title", SECRET.decode(), zip=True)
    told.add_text("Raw profile type exif", _raw("exif", exif()), zip=True)
    told.add_text("Raw profile type iptc", _raw("iptc", photoshop()), zip=True)
    told.add(b"tIME", struct.pack(">HBBBBB", 2024, 5, 17, 9, 31, 2))
    told.add(b"prVt", SECRET)
    plain = pictures.encode(
        picture, "PNG", exif=exif(), pnginfo=told, dpi=(301, 301), icc_profile=pictures.srgb_profile()
    )
    return plain + SECRET


def _raw(kind: str, block: bytes) -> str:
    """Return a block as ImageMagick writes it into a text."""
    return f"\n{kind}\n{len(block):8}\n{block.hex()}\n"


def _webp(picture: Image.Image, others: list[Image.Image]) -> bytes:
    moving = {"save_all": True, "append_images": others, "duration": 80} if others else {}
    plain = pictures.encode(
        picture, "WEBP", exif=exif(), xmp=xmp(), icc_profile=pictures.srgb_profile(), quality=90, **moving
    )
    plain += b"prVt" + struct.pack("<I", len(SECRET)) + SECRET + bytes(len(SECRET) % 2)
    return plain[:4] + struct.pack("<I", len(plain) - 8) + plain[8:]


def _gif(picture: Image.Image, others: list[Image.Image]) -> bytes:
    moving = {"save_all": True, "append_images": others, "duration": 80} if others else {}
    plain = pictures.encode(picture, "GIF", comment=SECRET, **moving)
    start = 13 + (3 << (plain[10] & 7) + 1 if plain[10] & 0x80 else 0)
    packet = xmp()
    trailer = bytes((1, *range(255, -1, -1), 0))
    note = b"\x21\xfe" + bytes([len(SECRET)]) + SECRET + b"\0"
    text = b"\x21\x01\x0c" + bytes(12) + bytes([len(SECRET)]) + SECRET + b"\0"
    return plain[:start] + b"\x21\xff\x0bXMP DataXMP" + packet + trailer + note + text + plain[start:] + SECRET


def _tiff(picture: Image.Image, _: list[Image.Image]) -> bytes:
    name = SECRET.decode()
    told = Image.Exif()
    told.load(exif())
    directory = {tag: told[tag] for tag in (0x010E, 0x010F, 0x0110, 0x013B, 0x8298)}
    directory |= {0x0131: name, 0x010D: name, 0x013C: name, _XMP_TAG: xmp(), _IPTC_TAG: iptc()}
    directory |= {_PHOTOSHOP_TAG: photoshop(), ExifTags.IFD.Exif: dict(told.get_ifd(ExifTags.IFD.Exif))}
    directory[ExifTags.IFD.GPSInfo] = dict(told.get_ifd(ExifTags.IFD.GPSInfo))
    return pictures.encode(picture, "TIFF", tiffinfo=directory, dpi=(301, 301), icc_profile=pictures.srgb_profile())


def _avif(picture: Image.Image, _: list[Image.Image]) -> bytes:
    return pictures.encode(
        picture, "AVIF", speed=10, quality=85, exif=exif(), xmp=xmp(), icc_profile=pictures.srgb_profile()
    )


def _heic(picture: Image.Image, _: list[Image.Image]) -> bytes:
    return pictures.heic(*picture.size, exif=exif(), xmp=xmp(), icc=pictures.srgb_profile(), second=True)


def _svg(picture: Image.Image, _: list[Image.Image]) -> bytes:
    width, height = picture.size
    name = SECRET.decode()
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'><!-- {name} -->"
        f"<title>{name}</title><desc>{name}</desc><metadata>{xmp().decode().partition('?>')[2].rpartition('<?')[0]}</metadata>"
        f"<rect width='{width}' height='{height}' fill='#dc2828'/></svg>"
    ).encode()


_WRITERS: dict[Format, Callable[[Image.Image, list[Image.Image]], bytes]] = {
    Format.JPEG: _jpeg,
    Format.PNG: _png,
    Format.WEBP: _webp,
    Format.GIF: _gif,
    Format.TIFF: _tiff,
    Format.AVIF: _avif,
    Format.HEIC: _heic,
    Format.SVG: _svg,
}


def leaks(body: bytes) -> bool:
    """Tell whether anything of what was told is in a file, as it stands or written in another way."""
    ways = (SECRET, SECRET.hex().encode(), SECRET.decode().encode("utf-16-le"), b"Brightbox", b"48.858370", xmp()[:20])
    return any(way in body for way in ways) or any(way in _inflated(body) for way in ways)


def _inflated(body: bytes) -> bytes:
    """Return what a PNG's compressed texts say; other formats pack nothing that could be read by itself."""
    said, at = b"", 8
    while body[:4] == b"\x89PNG" and at + 12 <= len(body):
        length, kind = struct.unpack_from(">I4s", body, at)
        if kind in {b"zTXt", b"iTXt"}:
            packed = body[at + 8 : at + 8 + length]
            start = packed.find(b"\x78")
            said += zlib.decompressobj().decompress(packed[start:]) if start >= 0 and kind == b"zTXt" else packed
        at += 12 + length
    return said
