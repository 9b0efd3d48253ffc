"""Pictures for tests, made on the spot: small, the same every time, telling apart which way up they are.

Every function returns the bytes of a file. The scene is the same everywhere: top left red, top right green, bottom
left blue, bottom right yellow, over a soft gradient; ``width`` and ``height`` are as a person sees it, so a picture
with an ``orientation`` is stored turned and comes out upright only when the tag is obeyed.
"""

from __future__ import annotations

import base64
import io
import random
import struct
import zlib
from typing import Any

from PIL import ExifTags, Image, ImageCms, ImageDraw, ImageFont
from PIL.TiffImagePlugin import IFDRational

import heic_writer

RED, GREEN, BLUE, YELLOW = (220, 40, 40), (40, 180, 60), (40, 60, 210), (235, 210, 50)
"""The corners from the top left, row by row."""

LATITUDE = 48.858370
"""The place in ``camera_exif``: nothing that the service gives away may contain it."""

STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture is stored so that a viewer, obeying the EXIF orientation, sees it upright again."""


def scene(width: int, height: int, *, alpha: bool = False, seed: int = 0) -> Image.Image:
    """Return the scene; with ``alpha`` a clear disc in the middle; another ``seed`` moves a black dot (for frames)."""
    picture = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(picture)
    middle_x, middle_y = width // 2, height // 2
    draw.rectangle((0, 0, middle_x - 1, middle_y - 1), fill=RED)
    draw.rectangle((middle_x, 0, width, middle_y - 1), fill=GREEN)
    draw.rectangle((0, middle_y, middle_x - 1, height), fill=BLUE)
    draw.rectangle((middle_x, middle_y, width, height), fill=YELLOW)
    gradient = Image.linear_gradient("L").resize((width, height))
    picture = Image.blend(picture, Image.merge("RGB", (gradient, gradient, gradient)), 0.15)
    if seed:
        dot_x = (seed * width // 10) % width
        ImageDraw.Draw(picture).rectangle((dot_x, 0, dot_x + width // 10, height // 10), fill=(0, 0, 0))
    if alpha:
        mask = Image.new("L", (width, height), 255)
        ImageDraw.Draw(mask).ellipse((width // 4, height // 4, 3 * width // 4, 3 * height // 4), fill=0)
        picture.putalpha(mask)
    return picture


def photo(width: int, height: int, *, seed: int = 0) -> Image.Image:
    """Return something with the statistics of a photograph: soft shapes, edges, texture on several scales, noise."""
    generator = random.Random(seed)
    picture = Image.new("RGB", (width, height), (110, 120, 130))
    for cells, weight in ((3, 0.6), (12, 0.4), (48, 0.25), (192, 0.15)):
        rows = max(1, cells * height // width)
        noise = Image.frombytes("RGB", (cells, rows), generator.randbytes(cells * rows * 3))
        picture = Image.blend(picture, noise.resize((width, height), Image.Resampling.BICUBIC), weight)
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y = generator.randrange(width), generator.randrange(height)
        size = generator.randrange(2, 2 + width // 12)
        draw.ellipse((x, y, x + size, y + size * 2 // 3), fill=tuple(generator.randbytes(3)))
    grain = Image.frombytes("L", (width, height), generator.randbytes(width * height))
    return Image.blend(picture, Image.merge("RGB", (grain, grain, grain)), 0.03)


def camera_exif(*, orientation: int | None = None, place: bool = True, model: str = "Brightbox One") -> bytes:
    """Return an EXIF block as a camera writes it, by default with the place where it stood."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Brightbox"
    exif[ExifTags.Base.Model] = model
    if orientation is not None:
        exif[ExifTags.Base.Orientation] = orientation
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.DateTimeOriginal] = "2024:05:17 09:31:02"
    inner[ExifTags.Base.OffsetTimeOriginal] = "+02:00"
    inner[ExifTags.Base.LensModel] = f"{model.removesuffix(' One')} 26mm f/1.8"
    inner[ExifTags.Base.ISOSpeedRatings] = 100
    inner[ExifTags.Base.FNumber] = IFDRational(9, 5)
    inner[ExifTags.Base.ExposureTime] = IFDRational(1, 120)
    inner[ExifTags.Base.FocalLength] = IFDRational(26, 1)
    if place:
        position = exif.get_ifd(ExifTags.IFD.GPSInfo)
        position[ExifTags.GPS.GPSLatitudeRef] = "N"
        position[ExifTags.GPS.GPSLatitude] = (48.0, 51.0, 30.132)
        position[ExifTags.GPS.GPSLongitudeRef] = "E"
        position[ExifTags.GPS.GPSLongitude] = (2.0, 17.0, 40.0)
    return exif.tobytes()


def srgb_profile() -> bytes:
    """Return an ICC profile that is sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Return ``picture`` as a file of Pillow's format ``kind``."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _stored(picture: Image.Image, orientation: int | None, exif: bytes | None) -> tuple[Image.Image, dict[str, Any]]:
    """Return the picture as it lies in the file, and the options that say so."""
    if orientation is None:
        return picture, {} if exif is None else {"exif": exif}
    if orientation in STORED:
        picture = picture.transpose(STORED[orientation])
    tag = Image.Exif()
    tag[ExifTags.Base.Orientation] = orientation
    return picture, {"exif": tag.tobytes() if exif is None else exif}


def jpeg(
    width: int = 64,
    height: int = 48,
    *,
    exif: bytes | None = None,
    orientation: int | None = None,
    mode: str = "RGB",
    **options: Any,
) -> bytes:
    """Return a JPEG; ``mode`` may be ``RGB``, ``L`` or ``CMYK``; with ``exif`` and ``orientation`` they must agree."""
    picture, told = _stored(scene(width, height), orientation, exif)
    return encode(picture.convert(mode), "JPEG", **{"quality": 92, **told, **options})


def arithmetic_jpeg() -> bytes:
    """Return the scene, 64 by 48, as a JPEG by arithmetic coding.

    Nothing that the tests install writes one. Made once, of ``scene(64, 48)`` as PPM: ``cjpeg -arithmetic`` of
    libjpeg-turbo 2.1.5.
    """
    return base64.b64decode(_ARITHMETIC)


_ARITHMETIC = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PT"
    "gyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/yQARCAAw"
    "AEADASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwD/AHLnWL6tfHak+amuT70csIAsCJuFPT9uUkLWjACqlVZQCVfFpHqz+pU04F"
    "+PA5un7V79aNmG8OyN6dJ/WOep+zJReqeWqKgtp5CJ0bmUKVdSiTgPCvvofKmggC+DZzJF5P/Z"
)


def ycck_jpeg(picture: Image.Image | None = None, **options: Any) -> bytes:
    """Return a JPEG of inks, coded as brightness and two colours, as Adobe's programs write them.

    Pillow writes inks as they are, turned round. So they are converted before, and the note on it is changed.
    """
    cyan, magenta, yellow, black = (picture or scene(64, 48)).convert("CMYK").split()
    bright, blue, red = Image.merge("RGB", (cyan, magenta, yellow)).convert("YCbCr").split()
    turned = [plane.point([255 - value for value in range(256)]) for plane in (bright, blue, red)]
    plain = encode(Image.merge("CMYK", (*turned, black)), "JPEG", **{"quality": 92, **options})
    said = plain.index(b"Adobe") + 11
    return plain[:said] + b"\2" + plain[said + 1 :]


def png(
    width: int = 64,
    height: int = 48,
    *,
    alpha: bool = False,
    mode: str | None = None,
    orientation: int | None = None,
    exif: bytes | None = None,
    **options: Any,
) -> bytes:
    """Return a PNG; ``mode`` may be ``P``, ``L``, ``LA``, ``1`` or ``I;16`` (16-bit grey)."""
    picture, told = _stored(scene(width, height, alpha=alpha), orientation, exif)
    if mode == "I;16":
        grey = picture.convert("L")
        deep = bytes(byte for value in grey.tobytes() for byte in (value, value))
        picture = Image.frombytes("I;16", grey.size, deep)
    elif mode is not None:
        picture = picture.convert(mode)
    return encode(picture, "PNG", **told, **options)


def deep_png(picture: Image.Image) -> bytes:
    """Return an RGB picture as a PNG of 16 bits a sample, written by hand since Pillow has none of it."""
    width, height = picture.size
    row = 3 * width
    samples = picture.convert("RGB").tobytes()
    lines = (samples[at : at + row] for at in range(0, len(samples), row))
    packed = zlib.compress(b"".join(b"\0" + bytes(half for value in line for half in (value, value)) for line in lines))
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def webp(
    width: int = 64,
    height: int = 48,
    *,
    alpha: bool = False,
    orientation: int | None = None,
    exif: bytes | None = None,
    **options: Any,
) -> bytes:
    """Return a still WebP."""
    picture, told = _stored(scene(width, height, alpha=alpha), orientation, exif)
    return encode(picture, "WEBP", **told, **options)


def animated_webp(
    width: int = 64, height: int = 48, *, frames: int = 3, milliseconds: int = 80, loop: int = 0
) -> bytes:
    """Return an animated WebP whose frames differ; ``loop`` 0 is for ever."""
    return _animated("WEBP", width, height, frames=frames, duration=milliseconds, loop=loop)


def gif(width: int = 64, height: int = 48) -> bytes:
    """Return a GIF of one frame."""
    return encode(scene(width, height).quantize(64), "GIF")


def animated_gif(
    width: int = 64,
    height: int = 48,
    *,
    frames: int = 3,
    milliseconds: int | list[int] = 80,
    loop: int | None = 0,
) -> bytes:
    """Return an animated GIF whose frames differ; ``loop`` 0 is for ever, ``None`` says nothing: once."""
    told = {} if loop is None else {"loop": loop}
    return _animated("GIF", width, height, frames=frames, duration=milliseconds, **told)


def _animated(kind: str, width: int, height: int, *, frames: int, **options: Any) -> bytes:
    pictures = [scene(width, height, seed=number + 1) for number in range(frames)]
    return encode(pictures[0], kind, save_all=True, append_images=pictures[1:], **options)


def marching_gif(*, disposal: int | list[int]) -> bytes:
    """Return a GIF, 40 by 30, that paints a bar further to the right in each of four frames; the rest is clear."""
    palette = [0, 0, 0, *RED, *GREEN, *BLUE, *YELLOW]
    frames = [Image.new("P", (40, 30), 0) for _ in range(4)]
    for number, frame in enumerate(frames):
        frame.putpalette(palette)
        frame.paste(number + 1, (number * 10, 0, number * 10 + 10, 30))
    told = {"disposal": disposal, "duration": 100, "loop": 0, "transparency": 0, "optimize": False}
    return encode(frames[0], "GIF", save_all=True, append_images=frames[1:], **told)


def marching_webp(*, told: list[int]) -> bytes:
    """Return a WebP that does the same; ``told`` is said with each frame (RFC 9649, 2.7.1.1).

    1: it is cleared when the next one comes; 2: it covers what is there also where it is clear.
    """
    chunks = [(b"VP8X", struct.pack("<I", 0x12) + _24_bits(39, 29)), (b"ANIM", bytes(6))]
    for number, (colour, said) in enumerate(zip((RED, GREEN, BLUE, YELLOW), told, strict=True)):
        frame = Image.new("RGBA", (number * 10 + 10, 30), (0, 0, 0, 0))
        frame.paste((*colour, 255), (number * 10, 0, number * 10 + 10, 30))
        pixels = encode(frame, "WEBP", lossless=True)[12:]
        assert pixels.startswith(b"VP8L")
        where = _24_bits(0, 0, frame.width - 1, frame.height - 1, 100)
        chunks.append((b"ANMF", where + bytes([said]) + pixels))
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2) for kind, payload in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _24_bits(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(3, "little") for number in numbers)


def tiff(
    width: int = 64, height: int = 48, *, pages: int = 1, orientation: int | None = None, mode: str = "RGB"
) -> bytes:
    """Return a TIFF; pages after the first are the same picture on its head."""
    picture, _ = _stored(scene(width, height), orientation, None)
    picture = picture.convert(mode)
    told: dict[str, Any] = {} if orientation is None else {"tiffinfo": {ExifTags.Base.Orientation: orientation}}
    if pages > 1:
        told |= {"save_all": True, "append_images": [picture.rotate(180)] * (pages - 1)}
    return encode(picture, "TIFF", **told)


def avif(
    width: int = 64,
    height: int = 48,
    *,
    alpha: bool = False,
    orientation: int | None = None,
    exif: bytes | None = None,
    **options: Any,
) -> bytes:
    """Return an AVIF; Pillow says the orientation in the container as well."""
    picture, told = _stored(scene(width, height, alpha=alpha), orientation, exif)
    return encode(picture, "AVIF", **{"speed": 10, "quality": 80, **told, **options})


def heic(
    width: int = 64,
    height: int = 48,
    *,
    orientation: int = 1,
    exif: bytes | None = None,
    icc: bytes | None = None,
    xmp: bytes | None = None,
    second: bool = False,
) -> bytes:
    """Return a HEIC, stored as ``orientation`` (1–8) says, with notes in the container that turn it back.

    With ``second`` another picture lies beside it, which is not the primary one.
    """
    stored = scene(width, height)
    if orientation in STORED:
        stored = stored.transpose(STORED[orientation])
    return heic_writer.heic(stored, orientation=orientation, exif=exif, icc=icc, xmp=xmp, second=second)


def svg(width: int = 64, height: int = 48, *, within: str = "", before: str = "", root: str = "") -> bytes:
    """Return the scene's corners as an SVG, with markup ``within``, or ``before`` its outermost element."""
    corners = zip((RED, GREEN, BLUE, YELLOW), ((0, 0), (1, 0), (0, 1), (1, 1)), strict=True)
    shown = "".join(f'<rect x="{x}" y="{y}" width="1" height="1" fill="rgb{color}"/>' for color, (x, y) in corners)
    return (
        f'{before}<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}" '
        f'height="{height}" viewBox="0 0 2 2" preserveAspectRatio="none" {root}>{shown}{within}</svg>'
    ).encode()


def display_p3_profile() -> bytes:
    """Return an ICC profile of the screens of phones: sRGB's tone curves, wider primaries."""
    profile = bytearray(srgb_profile())
    primaries = {b"rXYZ": (33759, 15807, -69), b"gXYZ": (19135, 45367, 2745), b"bXYZ": (10296, 4363, 51385)}
    for name, parts in primaries.items():
        entry = profile.index(name, 132)
        at = int.from_bytes(profile[entry + 4 : entry + 8])
        profile[at + 8 : at + 20] = b"".join(part.to_bytes(4, signed=True) for part in parts)
    return bytes(profile)


def page(width: int = 900, height: int = 600, *, dark: bool = False) -> Image.Image:
    """Return a page of text as a screen shows it: a title, lines in several colours, boxes."""
    paper, ink = ((24, 26, 32), (220, 222, 226)) if dark else ((255, 255, 255), (32, 32, 36))
    colors = (ink, ink, (90, 160, 240), (220, 60, 60), (110, 170, 80)) if dark else (ink, ink, ink, (190, 30, 30))
    words = ("the", "picture", "is", "made", "once", "and", "kept", "where", "readers", "ask", "for", "it", "again")
    chance, font = random.Random(7), ImageFont.load_default(15)
    picture = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width, 34), fill=(60, 90, 160))
    draw.text((16, 8), "Darkroom", font=font, fill=(255, 255, 255))
    for y in range(48, height - 24, 22):
        x = 16.0 + 24 * chance.randrange(3)
        while x < width - 90:
            word = chance.choice(words)
            draw.text((x, y), word, font=font, fill=chance.choice(colors))
            x += draw.textlength(word + " ", font=font)
    return picture


def gain_map_jpeg(base: Image.Image, **options: Any) -> bytes:
    """Return a JPEG with a gain map behind it, as phones write it.

    Adobe Gain Map 1.0 / Ultra HDR 1.1: the base picture says in its XMP that there is a map and how long it is, a
    second JPEG with its own XMP follows it, and a Multi-Picture index (CIPA DC-007) in APP2 says where.
    """
    container = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" %s/>'
        b"</rdf:RDF></x:xmpmeta>"
    )
    light = base.convert("L").resize((base.width // 4, base.height // 4))
    gain = encode(light, "JPEG", quality=80)
    gain = _with_segment(gain, 0xE1, _XMP + container % b'hdrgm:GainMapMax="3.0" hdrgm:HDRCapacityMax="3.0"')
    plain = encode(base, "JPEG", quality=95, **options)
    plain = _with_segment(plain, 0xE1, _XMP + container % b"")
    length = len(plain) + 4 + 4 + 82
    # The offset counts from the byte order of the index; the base picture's own is 0 by definition.
    index = struct.pack("<2sHI", b"II", 42, 8)
    index += struct.pack("<H", 3)
    index += struct.pack("<HHI4s", 0xB000, 7, 4, b"0100")
    index += struct.pack("<HHII", 0xB001, 4, 1, 2)
    index += struct.pack("<HHII", 0xB002, 7, 32, 50)
    index += struct.pack("<I", 0)
    index += struct.pack("<IIIHH", 0x030000, length, 0, 0, 0)
    index += struct.pack("<IIIHH", 0, len(gain), length - 10, 0, 0)
    return _with_segment(plain, 0xE2, b"MPF\0" + index) + gain


_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def _with_segment(jpeg: bytes, marker: int, payload: bytes) -> bytes:
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload + jpeg[2:]
