"""The pixels: libvips for everything but HEIC, whose decoder the libvips wheel lacks and pillow-heif brings.

An original is decoded once, at the largest size that any variant needs; every smaller picture is made from a larger
one that is already there. What strangers sent is opened by the loader its first bytes ask for and by no other. Once
this module is imported, rendering opens no file.
"""

from __future__ import annotations

import base64
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast

import pillow_heif
import pyvips

from darkroom.errors import TooLarge, TooManyPixels, UnreadableImage
from darkroom.model import Facts, Format, Source
from darkroom.transform import Order, Rendered, svg
from darkroom.transform.color import main_colors
from darkroom.transform.content import look_at
from darkroom.transform.encode import writing
from darkroom.transform.exif import read_exif
from darkroom.transform.perceptual_hash import SIDE, perceptual_hash
from darkroom.transform.placeholder import thumbhash
from darkroom.transform.plan import (
    Content,
    Layout,
    Size,
    as_seen,
    check_limits,
    jpeg_shrink,
    largest,
    layout,
    nearest,
    webp_scale,
)
from darkroom.transform.profile import is_srgb, is_wide
from darkroom.transform.recipes import Color, Recipe
from darkroom.transform.sniff import HEAD_BYTES, recognise
from darkroom.transform.structure import MOST_PAGES, check_before_decoding, without_false_alarms
from darkroom.transform.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from darkroom.transform import Limits

_T = TypeVar("_T")

_ENCODERS = 2
"""Slots encoded at the same time, where there are that many processors.

Two, because the largest AVIF takes half of all the time and more helpers would only wait for it. Each encoder runs on
one thread, so that bytes do not depend on the machine and nothing is lost when all processors are busy anyway.
"""

_LOADERS = ("Jpeg", "Png", "Webp", "Nsgif", "Tiff", "Heif")

_PAGED = frozenset({Format.TIFF, Format.AVIF})
"""Where several pictures in a file are no animation."""

_SKETCH = Recipe(name="sketch", width=32, height=32, quality={})
"""What placeholder and main colours are taken from: a thumbhash keeps 7 by 7 waves, for which this is plenty."""

_DISPLAY_P3 = "p3"
"""What libvips calls a profile that it brings along, of few bytes."""

_DEEPEST_PIXEL = 32
"""Bytes a pixel may have: red, green, blue and alpha in 64 bits. A TIFF can have thousands of other channels."""

_PLAIN_PIXEL = 8
"""Bytes a pixel may have for libvips to lift its bounds on a TIFF's buffers: red, green, blue and alpha in 16 bits."""


def library_versions() -> dict[str, str]:
    """Return what libraries tell of themselves: libvips, and what decodes HEIC."""
    told = pillow_heif.libheif_info()
    decoder = told["decoders"].get("libde265", "")  # "libde265 HEVC decoder, version 1.1.0"
    return {
        "libvips": ".".join(str(pyvips.version(part)) for part in range(3)),
        "libheif for HEIC": told["libheif"],
        "libde265": decoder.rpartition(" ")[2],
    }


def render(original: BinaryIO, order: Order) -> Rendered:
    """Make everything that ``order`` asks for, as the port says.

    Takes memory for the original's bytes and for the base picture, and, where a format cannot be read line by line
    (progressive JPEG, interlaced PNG, WebP, AVIF, HEIC), for a few bytes of each of its pixels.
    """
    configure()
    original.seek(0)
    content = original.read(order.limits.bytes + 1)
    if len(content) > order.limits.bytes:
        msg = f"the file has more than {order.limits.bytes} bytes, which is the limit; make it smaller"
        raise TooLarge(msg)
    check_before_decoding(content, order.limits)
    return _render(content, order)


def _render(content: bytes, order: Order) -> Rendered:
    opened = open_original(content, order.limits)
    check_limits(opened.stored, opened.frames, order.limits)
    seen = as_seen(opened.stored, opened.orientation)
    sketch = layout(seen, _SKETCH, None)
    layouts = [layout(seen, recipe, order.focus) for recipe in order.recipes]
    keep = any(recipe.color is Color.KEEP for recipe in order.recipes)
    pictures = _decode(opened, largest([sketch, *layouts]), keep_wide=keep)
    with writing(), ThreadPoolExecutor(_helpers()) as pool:
        writer = Writer(pool, pictures, (opened.format, seen, len(content)))
        for recipe, wanted in sorted(zip(order.recipes, layouts, strict=True), key=_largest_first):
            writer.begin(recipe, wanted)
        placeholder, colors = pictures.look(sketch.scaled)
        hashed = pictures.perceptual_hash()
        slots = [writer.end(recipe, wanted) for recipe, wanted in zip(order.recipes, layouts, strict=True)]
    source = Source(
        format=opened.format,
        width=seen.width,
        height=seen.height,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        has_alpha=pictures.transparent,
        frames=opened.frames,
        pages=min(opened.pages, MOST_PAGES),
    )
    facts = Facts(
        source=source,
        placeholder=placeholder,
        color=colors[0],
        colors=colors,
        perceptual_hash=hashed,
        exif=read_exif(opened.exif),
    )
    return Rendered(facts=facts, slots=tuple(slot for each in slots for slot in each))


@cache
def configure() -> None:
    """Set what libvips keeps for the whole process: no cache, one thread each, and no loader but those named above."""
    pyvips.cache_set_max(0)
    pyvips.concurrency_set(1)
    pyvips.block_untrusted_set(state=True)
    pyvips.operation_block_set("VipsForeignLoad", state=True)
    for name in _LOADERS:
        pyvips.operation_block_set(f"VipsForeignLoad{name}", state=False)
    pillow_heif.options.THUMBNAILS = False
    pillow_heif.options.DEPTH_IMAGES = False
    pillow_heif.options.AUX_IMAGES = False


def _helpers() -> int:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_ENCODERS, available)


# ------------------------------------------------------------------ from bytes to pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An original whose header was read. ``stored`` is the size of one frame in the file, before orientation.

    ``decode`` takes the size that is wanted of each frame, as stored, and returns the frames below one another at that
    size or larger; no pixel is decoded until they are asked for, and then from top to bottom.
    """

    format: Format
    stored: Size
    frames: int
    pages: int
    orientation: int
    exif: bytes
    decode: Callable[[Size], pyvips.Image]


@contextmanager
def reading(found: Format) -> Iterator[None]:
    """Say in a sentence that an original cannot be read; pillow-heif raises as its documentation says."""
    try:
        yield
    except (pyvips.Error, ValueError, IndexError, EOFError, SyntaxError, RuntimeError, OSError) as error:
        msg = f"the file begins as {found} does but is damaged or cut off; save the picture anew and upload that"
        raise UnreadableImage(msg) from error


def open_original(content: bytes, limits: Limits) -> Opened:
    """Read a file's header by the loader its first bytes ask for. Raises ``UnsupportedFormat``, ``UnreadableImage``."""
    found = recognise(content[:HEAD_BYTES], svg=limits.svg)
    pyvips.operation_block_set("VipsForeignLoadSvg", state=found is not Format.SVG)
    openers: dict[Format, Callable[[bytes], Opened]] = {
        Format.JPEG: partial(_open_jpeg, accept_truncated=limits.accept_truncated),
        Format.PNG: _open_png,
        Format.WEBP: _open_webp,
        Format.GIF: _open_gif,
        Format.TIFF: _open_tiff,
        Format.AVIF: _open_avif,
        Format.HEIC: _open_heic,
        Format.SVG: _open_svg,
    }
    with reading(found):
        opened = openers[found](content)
        if min(opened.stored) < 1:
            raise ValueError(opened.stored)
        return opened


def _open_jpeg(content: bytes, *, accept_truncated: bool) -> Opened:
    # Damage in the middle of a JPEG is a mere warning to its decoder, which goes on in grey.
    fail_on = "none" if accept_truncated else "warning"
    content = without_false_alarms(content)
    header = pyvips.Image.jpegload_buffer(content, access="sequential", fail_on=fail_on)

    def decode(wanted: Size) -> pyvips.Image:
        shrink = jpeg_shrink(_size(header), wanted)
        if shrink == 1:
            return header
        return pyvips.Image.jpegload_buffer(content, shrink=shrink, access="sequential", fail_on=fail_on)

    return _opened(Format.JPEG, header, decode)


def _open_png(content: bytes) -> Opened:
    header = pyvips.Image.pngload_buffer(content, access="sequential", fail_on="error")
    return _opened(Format.PNG, header, lambda _: header)


def _open_webp(content: bytes) -> Opened:
    header = pyvips.Image.webpload_buffer(content, access="sequential", fail_on="error")
    frames = _told(header, "n-pages", 1)

    def decode(wanted: Size) -> pyvips.Image:
        if frames > 1:
            return pyvips.Image.webpload_buffer(content, n=-1, access="sequential", fail_on="error")
        scale = webp_scale(_size(header), wanted)
        return pyvips.Image.webpload_buffer(content, scale=scale, access="sequential", fail_on="error")

    return _opened(Format.WEBP, header, decode, frames=frames)


def _open_gif(content: bytes) -> Opened:
    header = pyvips.Image.gifload_buffer(content, access="sequential", fail_on="error")

    def decode(_: Size) -> pyvips.Image:
        return pyvips.Image.gifload_buffer(content, n=-1, access="sequential", fail_on="error")

    return _opened(Format.GIF, header, decode, frames=_told(header, "n-pages", 1))


def _open_tiff(content: bytes) -> Opened:
    header = pyvips.Image.tiffload_buffer(content, access="sequential", fail_on="error")
    pixel = header.bands * len(pyvips.Image.black(1, 1).cast(header.format).write_to_memory())
    if pixel > _DEEPEST_PIXEL:
        msg = f"each pixel takes {pixel} bytes; {_DEEPEST_PIXEL} are accepted at most, so save it with fewer channels"
        raise TooManyPixels(msg)

    def decode(_: Size) -> pyvips.Image:
        # Whole pictures in one compressed strip exceed the 50 MiB that are allowed otherwise.
        plain = pixel <= _PLAIN_PIXEL
        return pyvips.Image.tiffload_buffer(content, unlimited=plain, access="sequential", fail_on="error")

    return _opened(Format.TIFF, header, decode, exif=content)


def _open_avif(content: bytes) -> Opened:
    # The loader has turned the picture as the container says, which is all that counts: not the EXIF orientation.
    header = pyvips.Image.heifload_buffer(content, access="sequential", fail_on="error")
    return _opened(Format.AVIF, header, lambda _: header)


def _open_heic(content: bytes) -> Opened:
    picture = pillow_heif.open_heif(content)  # turns the picture as the container says; its EXIF orientation is void

    def decode(_: Size) -> pyvips.Image:
        letters, _, deep = picture.mode.partition(";")
        image = pyvips.Image.new_from_memory(picture.data, *picture.size, len(letters), "ushort" if deep else "uchar")
        colored, plain = ("rgb16", "grey16") if deep else ("srgb", "b-w")
        image = image.copy(interpretation=colored if image.bands > 2 else plain)
        if letters.endswith("a"):
            image = image.unpremultiply().cast(image.format)
        if profile := picture.info.get("icc_profile"):
            image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
        return image

    return Opened(
        format=Format.HEIC,
        stored=Size(*picture.size),
        frames=1,
        pages=len(picture),
        orientation=1,
        exif=picture.info.get("exif") or b"",
        decode=decode,
    )


def _open_svg(content: bytes) -> Opened:
    text = svg.without_doctype(content)

    def drawn(scale: float) -> pyvips.Image:
        # In dots for each inch, upon which libvips scales once more: as it stands, 1 inch and 96 pixels are the same.
        return pyvips.Image.svgload_buffer(text, dpi=96, scale=0.75 * scale, access="sequential", fail_on="error")

    header = drawn(1.0)

    def decode(wanted: Size) -> pyvips.Image:
        return drawn(max(wanted.width / header.width, wanted.height / header.height))

    return _opened(Format.SVG, header, decode)


def _opened(
    found: Format,
    header: pyvips.Image,
    decode: Callable[[Size], pyvips.Image],
    *,
    frames: int = 1,
    exif: bytes | None = None,
) -> Opened:
    return Opened(
        format=found,
        stored=_size(header),
        frames=frames,
        pages=_told(header, "n-pages", 1) if found in _PAGED else 1,
        orientation=1 if found is Format.AVIF else _told(header, "orientation", 1),
        exif=_told(header, "exif-data", b"") if exif is None else exif,
        decode=decode,
    )


def _told(image: pyvips.Image, name: str, otherwise: _T) -> _T:
    """Return what a header says under ``name``, if anything."""
    return cast("_T", image.get(name)) if image.get_typeof(name) else otherwise


def _size(image: pyvips.Image) -> Size:
    return Size(image.width, image.height)


def _decode(opened: Opened, wanted: Size, *, keep_wide: bool) -> Pictures:
    """Decode an original into a base picture of ``wanted`` size: upright, 8-bit sRGB, in memory.

    With ``keep_wide`` a still picture of wider colours than sRGB's is in Display P3.
    """
    stored = as_seen(wanted, opened.orientation)
    with reading(opened.format):
        strip = opened.decode(stored)
        height = strip.height // opened.frames
        convert = _to_display_p3 if keep_wide and opened.frames == 1 else to_srgb
        base = each_frame(strip, height, lambda frame: convert(resized(frame, stored)))
    if opened.orientation > 1:
        base = each_frame(base, stored.height, lambda frame: upright(frame, opened.orientation))
    transparent = bool(base.hasalpha()) and base[-1].min() < 255
    if base.hasalpha() and not transparent:
        base = base.extract_band(0, n=base.bands - 1).copy_memory()
    return Pictures(base, wanted, frames=opened.frames, transparent=transparent)


def each_frame(strip: pyvips.Image, height: int, change: Callable[[pyvips.Image], pyvips.Image]) -> pyvips.Image:
    """Change each frame of ``height`` by itself, so that none bleeds into its neighbours; the result is in memory."""
    if strip.height == height:
        return change(strip).copy_memory()
    tops = range(0, strip.height, height)
    frames = [change(strip.crop(0, top, strip.width, height)) for top in tops]
    return pyvips.Image.arrayjoin(frames, across=1).copy_memory()


def first_frame(strip: pyvips.Image, size: Size) -> pyvips.Image:
    """Return the first of the frames of ``size`` that lie below one another."""
    return strip if strip.height == size.height else strip.crop(0, 0, *size)


def resized(image: pyvips.Image, size: Size) -> pyvips.Image:
    """Return an image in another size, larger or smaller."""
    if _size(image) == size:
        return image
    across, down = size.width / image.width, size.height / image.height
    if not image.hasalpha():
        return image.resize(across, vscale=down)
    # What is transparent has a colour too, which must not bleed into what is not.
    weighted = image.premultiply().cast(image.format)
    return weighted.resize(across, vscale=down).unpremultiply().cast(image.format)


def to_srgb(image: pyvips.Image) -> pyvips.Image:
    """Convert whatever a file holds to 8-bit sRGB; of shrunk pixels only, because it takes long.

    A profile that does not fit the pixels is ignored, as browsers do.
    """
    profile = _told(image, "icc-profile-data", b"")
    if profile and not is_srgb(profile):
        with suppress(pyvips.Error):
            return image.icc_transform("srgb", embedded=True, depth=8)
    if image.interpretation == "multiband":
        bands = 3 if image.bands > 2 else 1
        image = image.extract_band(0, n=bands).copy(interpretation="srgb" if bands > 1 else "b-w")
    image = image.colourspace("srgb")
    return image.extract_band(0, n=min(image.bands, 4)).cast("uchar")


def _to_display_p3(image: pyvips.Image) -> pyvips.Image:
    """Convert what has wider colours than sRGB's to 8-bit Display P3, with its profile; anything else to sRGB."""
    if is_wide(_told(image, "icc-profile-data", b"")):
        with suppress(pyvips.Error):
            return image.icc_transform(_DISPLAY_P3, embedded=True, depth=8).copy_memory()
    return to_srgb(image)


@cache
def _display_p3() -> bytes:
    return bytes(pyvips.Operation.call("profile_load", _DISPLAY_P3))


def upright(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """Return an image turned as its EXIF orientation says; it has to be in memory."""
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return image.autorot()


# ------------------------------------------------------------------ from pixels to slots


class Pictures:
    """One picture in every size made of it so far: in memory, the frames of an animation below one another."""

    def __init__(self, base: pyvips.Image, size: Size, *, frames: int, transparent: bool) -> None:
        self._made = {size: base}
        self.frames = frames
        self.transparent = transparent
        self.wide = _told(base, "icc-profile-data", b"") == _display_p3()
        self.content = look_at(base) if frames == 1 else Content()

    def scaled(self, size: Size) -> pyvips.Image:
        """Return it in a size that the base holds."""
        if size not in self._made:
            source = nearest(list(self._made), size)
            self._made[size] = each_frame(self._made[source], source.height, lambda frame: resized(frame, size))
        return self._made[size]

    def framed(self, wanted: Layout, background: str, *, wide: bool = False) -> pyvips.Image:
        """Return what a layout shows of it: in sRGB unless ``wide`` colours are to stay."""
        strip = self._framed(wanted, background)
        return to_srgb(strip).copy_memory() if self.wide and not wide else strip

    def _framed(self, wanted: Layout, background: str) -> pyvips.Image:
        strip = self.scaled(wanted.scaled)
        if wanted.size == wanted.scaled:
            return strip
        left, top = wanted.left, wanted.top
        if wanted.seek is not None:
            found = first_frame(strip, wanted.scaled).smartcrop(*wanted.size, interesting=wanted.seek)
            left, top = -found.xoffset, -found.yoffset
        paint = [*self._paint(background), *[255] * (strip.bands - 3)]

        def shown(frame: pyvips.Image) -> pyvips.Image:
            return frame.embed(-left, -top, *wanted.size, extend="background", background=paint)

        return each_frame(strip, wanted.scaled.height, shown)

    def _paint(self, background: str) -> list[float]:
        """Return how the pictures write a colour."""
        dot = pyvips.Image.new_from_memory(bytes.fromhex(background.removeprefix("#")), 1, 1, 3, "uchar")
        if self.wide:
            dot = dot.copy(interpretation="srgb").icc_transform(_DISPLAY_P3, input_profile="srgb", depth=8)
        return cast("list[float]", dot(0, 0))

    def look(self, size: Size) -> tuple[str, tuple[str, ...]]:
        """Return placeholder and main colours, from the first frame scaled to ``size``."""
        source = nearest(list(self._made), size)
        sketch = resized(first_frame(self._made[source], source), size)
        if self.wide:
            sketch = to_srgb(sketch)
        rgba = bytes((sketch if sketch.hasalpha() else sketch.bandjoin(255)).write_to_memory())
        return base64.b64encode(thumbhash(*size, rgba)).decode(), main_colors(rgba)

    def perceptual_hash(self) -> str | None:
        """Return what copies have too, from the first frame squeezed into a square; what is transparent is white."""
        roomy = (size for size in self._made if size.width >= SIDE and size.height >= SIDE)
        source = min(roomy, default=max(self._made))
        square = resized(first_frame(self._made[source], source), Size(SIDE, SIDE))
        plain = square.flatten(background=255) if square.hasalpha() else square
        return perceptual_hash(bytes(plain.colourspace("b-w").extract_band(0).cast("uchar").write_to_memory()))


def _largest_first(each: tuple[Recipe, Layout]) -> int:
    return -each[1].scaled.width * each[1].scaled.height
