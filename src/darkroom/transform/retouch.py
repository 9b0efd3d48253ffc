"""One picture to order: the pixels of a transformation.

Decoded as small as will do, cropped and scaled in one step, and only then turned, framed and filtered: whatever comes
later has the fewest pixels to look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from darkroom.errors import TooLarge
from darkroom.model import Format
from darkroom.transform import Slot
from darkroom.transform.content import look_at
from darkroom.transform.encode import encode, writing
from darkroom.transform.geometry import Steps, steps
from darkroom.transform.plan import Content, Encoding, Size, as_seen, check_limits
from darkroom.transform.recipes import DEFAULT_QUALITY
from darkroom.transform.structure import check_before_decoding
from darkroom.transform.vips import (
    configure,
    each_frame,
    first_frame,
    open_original,
    reading,
    resized,
    to_srgb,
    upright,
)

if TYPE_CHECKING:
    import pyvips

    from darkroom.transform import Wish
    from darkroom.transform.options import Transformation

_MOVING = frozenset({Format.WEBP, Format.GIF})
"""Formats whose results move where the original does; all others show its first frame."""
_OPAQUE = frozenset({Format.JPEG})
_WHITE = "ffffff"
_MIDDLE = 128
"""What is lighter becomes white where there is only black and white."""


def make(original: BinaryIO, wish: Wish) -> Slot:
    """Make one picture, as the port says."""
    configure()
    original.seek(0)
    content = original.read(wish.limits.bytes + 1)
    if len(content) > wish.limits.bytes:
        msg = f"the file has more than {wish.limits.bytes} bytes, which is the limit; make it smaller"
        raise TooLarge(msg)
    check_before_decoding(content, wish.limits)
    opened = open_original(content, wish.limits)
    check_limits(opened.stored, opened.frames, wish.limits)
    seen = as_seen(opened.stored, opened.orientation)
    wanted = wish.transformation
    plan = steps(seen, wish.original, wanted, wish.focus)
    whole = Size(
        max(1, round(seen.width * plan.scaled.width / plan.box.width)),
        max(1, round(seen.height * plan.scaled.height / plan.box.height)),
    )
    with reading(opened.format):
        strip = opened.decode(as_seen(whole, opened.orientation))
        # The same header as when it was opened, but for a picture that was shrunk while it was decoded.
        stored = Size(strip.width, strip.height // opened.frames if opened.format in _MOVING else strip.height)
        if opened.frames > 1 and wish.format not in _MOVING:
            strip = first_frame(strip, stored)
        upright_first = opened.orientation > 1 and wanted.crop is not None

        def shaped(frame: pyvips.Image) -> pyvips.Image:
            if upright_first:  # a crop is given in the upright picture
                frame = upright(frame.copy_memory(), opened.orientation)
            if wanted.crop is not None:
                frame = frame.crop(*_shrunk(plan, seen, Size(frame.width, frame.height)))
            turned = opened.orientation > 1 and not upright_first
            frame = to_srgb(resized(frame, as_seen(plan.scaled, opened.orientation) if turned else plan.scaled))
            return upright(frame.copy_memory(), opened.orientation) if turned else frame

        picture = each_frame(strip, stored.height, shaped)
    if picture.hasalpha() and picture[-1].min() == 255:
        picture = picture.extract_band(0, n=picture.bands - 1).copy_memory()
    with writing():
        picture = each_frame(picture, plan.scaled.height, lambda frame: _turned(frame, wanted))
        picture = _framed(picture, plan, wanted)
        size = plan.layout.size
        picture = each_frame(picture, size.height, lambda frame: _filtered(frame, wanted, wish.format))
        quality = wanted.quality if wanted.quality is not None else DEFAULT_QUALITY.get(wish.format)
        extension = wish.format.extension
        seen_in_it = look_at(picture) if picture.height == size.height else Content()
        # In the format that was asked for, and in no other.
        may_lose_nothing = wish.format in {Format.WEBP, Format.PNG} and wanted.quality is None
        encoding = Encoding(
            extension=extension,
            format=wish.format,
            quality=quality if wish.format in DEFAULT_QUALITY else None,
            full_color=any(seen_in_it),
            instead=wish.format if may_lose_nothing and seen_in_it.drawn else None,
        )
        encoded = encode(picture, size.height, encoding)
    return Slot(
        variant="t",
        extension=extension,
        format=encoded.format,
        width=size.width,
        height=size.height,
        body=encoded.body,
        listed=True,
    )


def _shrunk(plan: Steps, seen: Size, decoded: Size) -> tuple[int, int, int, int]:
    """Return where the box lies in what was decoded, which may be smaller than what the file holds."""
    across, down = decoded.width / seen.width, decoded.height / seen.height
    left, top = min(int(plan.box.left * across), decoded.width - 1), min(int(plan.box.top * down), decoded.height - 1)
    width, height = max(1, round(plan.box.width * across)), max(1, round(plan.box.height * down))
    return left, top, min(width, decoded.width - left), min(height, decoded.height - top)


def _turned(frame: pyvips.Image, wanted: Transformation) -> pyvips.Image:
    if wanted.flip:
        frame = frame.fliphor()
    return frame.rot(f"d{wanted.rotate}") if wanted.rotate else frame


def _framed(strip: pyvips.Image, plan: Steps, wanted: Transformation) -> pyvips.Image:
    wanted_layout = plan.layout
    if wanted_layout.size == wanted_layout.scaled:
        return strip
    left, top = wanted_layout.left, wanted_layout.top
    if wanted_layout.seek is not None:
        found = first_frame(strip, wanted_layout.scaled).smartcrop(*wanted_layout.size, interesting=wanted_layout.seek)
        left, top = -found.xoffset, -found.yoffset
    paint = [*bytes.fromhex(wanted.background or _WHITE), *[255] * (strip.bands - 3)]
    return each_frame(
        strip,
        wanted_layout.scaled.height,
        lambda frame: frame.embed(-left, -top, *wanted_layout.size, extend="background", background=paint),
    )


def _filtered(frame: pyvips.Image, wanted: Transformation, wanted_format: Format) -> pyvips.Image:
    if frame.hasalpha() and (wanted.background is not None or wanted.bitonal or wanted_format in _OPAQUE):
        frame = frame.flatten(background=[*bytes.fromhex(wanted.background or _WHITE)])
    if wanted.blur is not None:
        frame = _blurred(frame, wanted.blur)
    if wanted.sharpen is not None:
        frame = frame.sharpen(sigma=wanted.sharpen)
    if wanted.grayscale:
        frame = frame.colourspace("b-w")
    if wanted.bitonal:
        frame = frame.colourspace("b-w") >= _MIDDLE
    return frame


def _blurred(frame: pyvips.Image, sigma: float) -> pyvips.Image:
    if not frame.hasalpha():
        return frame.gaussblur(sigma)
    # What is transparent has a colour too, which must not bleed into what is not.
    return frame.premultiply().gaussblur(sigma).unpremultiply().cast("uchar")
