"""What is to be made from a picture of a given size: pure geometry and choice of formats, no pixel is touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from darkroom.errors import TooManyPixels
from darkroom.model import Format
from darkroom.transform.recipes import COMPASS, DEFAULT_QUALITY, Color, Fit, focal_point

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from darkroom.transform import Limits
    from darkroom.transform.recipes import Recipe

HEADROOM = 1.4
"""A picture is made smaller from one that is at least this many times as wide and as high, where there is one.

Measured with SSIMULACRA2 on photographs against one exact resize of the original: from a rendition 1.4 times as large
or larger the result scores 95 to 97, like a direct resize; from one 1.1 times as large down to 84, softened twice. A
JPEG decoded at half size scores 92 and more from here on, 84 where it is all but the wanted size.
"""

_JPEG_SHRINKS = (8, 4, 2)
LOSING_NOTHING = {Format.AVIF: Format.WEBP, Format.WEBP: Format.WEBP, Format.JPEG: Format.PNG, Format.PNG: Format.PNG}
"""In which format a drawn picture may come instead: who shows AVIF shows WebP, and PNG is shown by all."""

_TURNED = frozenset({5, 6, 7, 8})
"""EXIF orientations that change width for height."""


class Size(NamedTuple):
    """Width and height in pixels, both at least 1."""

    width: int
    height: int

    def holds(self, other: Size, times: float = 1.0) -> bool:
        """Tell whether this is at least ``times`` as wide and as high as ``other``."""
        return self.width >= other.width * times and self.height >= other.height * times


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one variant lies in the picture: scale the whole picture, then take what the frame shows.

    ``left`` and ``top`` place the frame of ``size`` in the picture of ``scaled``; below zero, the background shows.
    With ``seek`` (``attention`` or ``entropy``) the frame is placed by the pixels instead.
    """

    scaled: Size
    size: Size
    left: int = 0
    top: int = 0
    seek: str | None = None


class Content(NamedTuple):
    """What was seen in a picture, as far as it decides how it is encoded."""

    drawn: bool = False
    """Whether it may be smaller if nothing of it is lost: a screenshot, text, flat art."""
    colored_edges: bool = False
    """Whether it loses much when its colours are stored at half the resolution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How the bytes of one slot are made: ``format`` can hold the picture, whatever ``extension`` was asked for."""

    extension: str
    format: Format
    quality: int | None
    """1 to 100, or ``None`` for a format that loses nothing."""
    full_color: bool = False
    """Whether colours are stored at the full resolution, where a format has the choice."""
    instead: Format | None = None
    """The format in which a picture that looks drawn may come without loss, where that is smaller."""
    wide: bool = False
    """Whether the picture is in the colours of Display P3, and the file says so."""
    at_most: int | None = None
    """Bytes of a file of this picture, in this format and size, that there is already."""


def check_limits(size: Size, frames: int, limits: Limits) -> None:
    """Raise ``TooManyPixels`` when a picture is larger than allowed."""
    if max(size) > limits.side:
        msg = (
            f"the picture is {size.width}×{size.height} pixels; a side may have {limits.side} at most, so scale it down"
        )
        raise TooManyPixels(msg)
    if frames > limits.frames:
        msg = f"the animation has {frames} frames; {limits.frames} are accepted at most, so shorten it"
        raise TooManyPixels(msg)
    if size.width * size.height * frames > limits.pixels:
        pictures = f"{frames} frames of " if frames > 1 else ""
        msg = f"{pictures}{size.width}×{size.height} pixels are too many; {limits.pixels} are accepted at most"
        raise TooManyPixels(msg)


def as_seen(stored: Size, orientation: int) -> Size:
    """Return the size a person sees, given the one in the file and its EXIF orientation (1 to 8); its own inverse."""
    return Size(stored.height, stored.width) if orientation in _TURNED else stored


def layout(source: Size, recipe: Recipe, focus: tuple[float, float] | None) -> Layout:
    """Fit a picture of ``source`` into a recipe. Nothing is enlarged: a frame that is too large for the picture is
    made smaller in its own shape. ``focus`` (0–1, 0–1) takes the place of the gravity ``center``, which is what a
    recipe has that names none, where something is cut off.
    """
    width, height = recipe.width, recipe.height
    across, down = width / source.width, height / source.height
    match recipe.fit:
        case Fit.INSIDE:
            size = _scaled(source, min(1.0, across, down))
            return Layout(scaled=size, size=size)
        case Fit.FILL:
            size = _scaled(Size(width, height), min(1.0, 1 / across, 1 / down))
            return Layout(scaled=size, size=size)
        case Fit.CONTAIN:
            scale = min(across, down)
            scaled = _scaled(source, min(1.0, scale))
            size = _scaled(Size(width, height), min(1.0, 1 / scale))
            size = Size(max(size.width, scaled.width), max(size.height, scaled.height))
            x, y = focal_point(recipe.gravity) or COMPASS["center"]
            left, top = -round((size.width - scaled.width) * x), -round((size.height - scaled.height) * y)
            return Layout(scaled=scaled, size=size, left=left, top=top)
        case Fit.COVER:
            size = _scaled(Size(width, height), min(1.0, 1 / across, 1 / down))
            scaled = _scaled(source, max(size.width / source.width, size.height / source.height))
            scaled = Size(max(size.width, scaled.width), max(size.height, scaled.height))
            point = focus if focus and recipe.gravity == "center" else focal_point(recipe.gravity)
            if point is None:
                return Layout(scaled=scaled, size=size, seek=recipe.gravity)
            left = _around(point[0], scaled.width, size.width)
            return Layout(scaled=scaled, size=size, left=left, top=_around(point[1], scaled.height, size.height))


def _scaled(size: Size, scale: float) -> Size:
    return Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))


def _around(point: float, length: int, kept: int) -> int:
    """Return where ``kept`` of ``length`` pixels begin so that ``point`` (0–1) is as near to their middle as may be."""
    return min(max(0, round(point * length - kept / 2)), length - kept)


def largest(layouts: Iterable[Layout]) -> Size:
    """Return the smallest size from which every layout can be made without enlarging."""
    sizes = [each.scaled for each in layouts]
    return Size(max(size.width for size in sizes), max(size.height for size in sizes))


def nearest(made: Sequence[Size], wanted: Size) -> Size:
    """Choose, among sizes already made (one of which holds ``wanted``), the one to make ``wanted`` from.

    The same size if there, else the smallest with headroom, else the largest.
    """
    if wanted in made:
        return wanted
    roomy = [size for size in made if size.holds(wanted, HEADROOM)]
    return min(roomy) if roomy else max(size for size in made if size.holds(wanted))


def jpeg_shrink(stored: Size, wanted: Size) -> int:
    """Return by how much (1, 2, 4 or 8) a JPEG may be shrunk while decoding so that ``wanted`` keeps its headroom."""
    return next((by for by in _JPEG_SHRINKS if stored.holds(wanted, HEADROOM * by)), 1)


def webp_scale(stored: Size, wanted: Size) -> float:
    """Return the scale (up to 1) at which a WebP may be decoded so that ``wanted`` keeps its headroom."""
    return min(1.0, HEADROOM * max(wanted.width / stored.width, wanted.height / stored.height))


def encodings(
    recipe: Recipe,
    *,
    animated: bool = False,
    transparent: bool = False,
    content: Content | None = None,
    wide: bool = False,
) -> tuple[Encoding, ...]:
    """Return one encoding for each format of a recipe, in its order. ``wide`` is a picture in Display P3.

    A GIF cannot say in which colours it is.
    """
    content = content or Content()
    made: list[Encoding] = []
    for wanted in recipe.formats:
        held = _holding(wanted, animated=animated, transparent=transparent)
        quality = recipe.quality.get(held, DEFAULT_QUALITY.get(held)) if held in DEFAULT_QUALITY else None
        made.append(
            Encoding(
                extension=wanted.extension,
                format=held,
                quality=quality,
                full_color=any(content),
                wide=wide and recipe.color is Color.KEEP and held is not Format.GIF,
                instead=LOSING_NOTHING.get(held) if content.drawn else None,
            )
        )
    return tuple(made)


def _holding(wanted: Format, *, animated: bool, transparent: bool) -> Format:
    """Return the format nearest to ``wanted`` that can hold the picture.

    libvips writes no animated AVIF. In place of a JPEG goes a PNG and not a WebP, because the JPEG's slot answers
    those who said nothing of what they understand, and everything that shows pictures shows PNG. A GIF has no half
    transparent pixels; still pictures go into a PNG for that, a moving one has nowhere better to go.
    """
    if animated:
        return Format.WEBP if wanted in {Format.AVIF, Format.WEBP} else Format.GIF
    if transparent and wanted in {Format.JPEG, Format.GIF}:
        return Format.PNG
    return wanted
