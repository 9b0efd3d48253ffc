"""The IIIF Image API 3.0 (https://iiif.io/api/image/3.0/), level 2: what an address asks for, and what an image is said
to be. Pure: read by bounded splits, and put in the words of ``Transformation``.

An address is reckoned in pixels of the size that is stated in ``info.json``: that of the largest picture that is kept.
Nothing is made larger than that, so a size that would be is refused, also as a frame to fit into (``!w,h``), which is
what the official validator asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from darkroom.errors import InvalidRequest
from darkroom.names import ID_LENGTH, is_id
from darkroom.transform.geometry import Box, steps
from darkroom.transform.options import EXTENSIONS, Transformation
from darkroom.transform.plan import Size
from darkroom.transform.recipes import LONGEST_SIDE, Fit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from darkroom.model import Format

PREFIX = "/iiif/"
INFO = "info.json"
CONTEXT = "http://iiif.io/api/image/3/context.json"
PROFILE = "http://iiif.io/api/image/3/level2.json"

_TILE = 512
_LONGEST = len(PREFIX) + ID_LENGTH + 120
_QUALITIES = ("default", "color", "gray", "bitonal")
_TURNS = {"0": 0, "90": 90, "180": 180, "270": 270, "360": 0}
_DIGITS = frozenset("0123456789")
_MOST_DIGITS = 9
_WHOLE = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a picture's address asks for; ``canonical`` is the one spelling the standard has for it."""

    transformation: Transformation
    format: Format
    canonical: str


def split(path: str) -> tuple[str, str] | None:
    """Return the image id of a percent-decoded path and what stands behind it; ``None`` where there is no id."""
    image_id, slash, rest = path[len(PREFIX) : _LONGEST + 1].partition("/")
    if len(path) > _LONGEST or not path.startswith(PREFIX) or not is_id(image_id) or (slash and not rest):
        return None
    return image_id, rest


def read(text: str, stated: Size, original: Size, focus: tuple[float, float] | None) -> Asked:
    """Read ``region/size/rotation/quality.format`` of an image. Raises ``InvalidRequest`` naming what is wrong.

    ``stated`` is the size that ``info.json`` says, ``original`` that of the original, of which it is all.
    """
    parts = text.split("/", 4)
    if len(parts) != 4:
        msg = "an address is /iiif/ID/region/size/rotation/quality.format or /iiif/ID/info.json"
        raise InvalidRequest(msg)
    box = _region(parts[0], stated, focus)
    size = _size(parts[1], box.size)
    flip, rotate = _rotation(parts[2])
    quality, _, extension = parts[3].rpartition(".")
    if quality not in _QUALITIES:
        _refuse("quality", f"must be one of {', '.join(_QUALITIES)}", quality)
    if extension not in EXTENSIONS:
        _refuse("format", f"must be one of {', '.join(EXTENSIONS)}", extension)
    whole = box == Box(0, 0, *stated)
    plain = Transformation(
        crop=None if whole else _carried_over(box, stated, original),
        flip=flip,
        rotate=rotate,
        grayscale=quality == "gray",
        bitonal=quality == "bitonal",
    )
    region = _WHOLE if whole else ",".join(map(str, box))
    shown = "max" if size == box.size else f"{size.width},{size.height}"
    return Asked(
        transformation=_sized(plain, size, original),
        format=EXTENSIONS[extension],
        canonical=f"{region}/{shown}/{'!' if flip else ''}{rotate}/{quality}.{extension}",
    )


def information(address: str, stated: Size, sizes: Iterable[Size]) -> dict[str, Any]:
    """Return ``info.json`` of the image whose address is ``address``; ``sizes`` are those that are quickly made."""
    said: dict[str, Any] = {
        "@context": CONTEXT,
        "id": address,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level2",
        "width": stated.width,
        "height": stated.height,
    }
    if max(stated) > LONGEST_SIDE:
        said |= {"maxWidth": LONGEST_SIDE, "maxHeight": LONGEST_SIDE}
    factors = [1]
    while _TILE * factors[-1] < max(stated):
        factors.append(2 * factors[-1])
    return said | {
        "sizes": [{"width": size.width, "height": size.height} for size in sorted(set(sizes))],
        "tiles": [{"width": _TILE, "scaleFactors": factors}],
        "extraFormats": [extension for extension in EXTENSIONS if extension not in {"jpg", "png"}],
        "extraQualities": ["bitonal"],
        "extraFeatures": ["canonicalLinkHeader", "mirroring", "profileLinkHeader"],
    }


# ------------------------------------------------------------------ one reader for each part


def _region(text: str, stated: Size, focus: tuple[float, float] | None) -> Box:
    if text == _WHOLE:
        return Box(0, 0, *stated)
    if text == "square":
        side, (x, y) = min(stated), focus or (0.5, 0.5)
        return Box(_around(x, stated.width, side), _around(y, stated.height, side), side, side)
    percent = text.startswith("pct:")
    numbers = [_number(part) if percent else _integer(part) for part in text.removeprefix("pct:").split(",", 4)]
    known = [number for number in numbers if number is not None]
    if len(numbers) != 4 or len(known) != 4:
        _refuse("region", "must be full, square, x,y,w,h in pixels or pct:x,y,w,h", text)
    across, down = (stated.width / 100, stated.height / 100) if percent else (1, 1)
    left, top = round(known[0] * across), round(known[1] * down)
    right = min(round((known[0] + known[2]) * across), stated.width)
    bottom = min(round((known[1] + known[3]) * down), stated.height)
    if right <= left or bottom <= top:
        _refuse("region", f"has nothing of the picture in it, which is {stated.width}×{stated.height}", text)
    return Box(left, top, right - left, bottom - top)


def _size(text: str, region: Size) -> Size:
    if text == "max":
        return _times(region, min(1.0, LONGEST_SIDE / max(region)))
    if text.startswith("^"):
        _refuse("size", "is never larger than the region, so nothing begins with ^", text)
    if text.startswith("pct:"):
        percent = _number(text.removeprefix("pct:"))
        made = None if percent is None else _times(region, percent / 100)
    else:
        made = _in_pixels(text, region)
    if made is None or min(made) < 1:
        _refuse("size", "must be max, w,h or w, or ,h or !w,h in pixels, or pct:n", text)
    if not region.holds(made):
        _refuse("size", f"is larger than the region, which is {region.width}×{region.height}", text)
    if max(made) > LONGEST_SIDE:
        _refuse("size", f"is more than {LONGEST_SIDE} pixels, which info.json says is the most", text)
    return made


def _in_pixels(text: str, region: Size) -> Size | None:
    """Return the size that is asked for in pixels, ``None`` for what is none."""
    first, comma, second = text.removeprefix("!").partition(",")
    width, height = _integer(first), _integer(second)
    whole = width is not None and height is not None
    if not comma or (width is None and first) or (height is None and second) or (text.startswith("!") and not whole):
        return None
    across = None if width is None else width / region.width
    down = None if height is None else height / region.height
    if across is not None and down is not None:
        return _times(region, min(across, down)) if text.startswith("!") else Size(width or 0, height or 0)
    scale = down if across is None else across
    return None if scale is None else _times(region, scale)


def _rotation(text: str) -> tuple[bool, int]:
    turn = _TURNS.get(text.removeprefix("!"))
    if turn is None:
        _refuse("rotation", "must be 0, 90, 180 or 270, with ! before it for a mirrored picture", text)
    return text.startswith("!"), turn


def _integer(text: str) -> int | None:
    return int(text) if 0 < len(text) <= _MOST_DIGITS and _DIGITS.issuperset(text) else None


def _number(text: str) -> float | None:
    """Return a number written as the standard has it: digits, and a point with digits on both sides of it at most."""
    whole, point, rest = text.partition(".")
    if _integer(whole) is None or (point and (_integer(rest) is None)):
        return None
    return float(text)


def _times(size: Size, scale: float) -> Size:
    """Return a scaled size; one of nothing stays nothing, any other is at least a pixel each way."""
    if scale <= 0:
        return Size(0, 0)
    return Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))


def _around(point: float, length: int, kept: int) -> int:
    return min(max(0, round(point * length - kept / 2)), length - kept)


def _refuse(name: str, complaint: str, text: str) -> NoReturn:
    msg = f"{name} {complaint}; not {text[:40]!r}"
    raise InvalidRequest(msg)


# ------------------------------------------------------------------ in the words of a transformation


def _carried_over(box: Box, stated: Size, original: Size) -> tuple[int, int, int, int]:
    """Return the box in pixels of the original; carried back it is the same again, because that is no smaller."""
    across, down = original.width / stated.width, original.height / stated.height
    left, top = round(box.left * across), round(box.top * down)
    right, bottom = round((box.left + box.width) * across), round((box.top + box.height) * down)
    return left, top, min(right, original.width) - left, min(bottom, original.height) - top


def _sized(plain: Transformation, size: Size, original: Size) -> Transformation:
    """Return what makes ``size``, before it is turned, in as few words as will do: so it is stored as others ask."""
    turned = Size(size.height, size.width) if plain.turns else size
    for wanted in (plain, replace(plain, width=turned.width)):
        if steps(original, original, wanted, None).layout.size == turned:
            return wanted
    return replace(plain, width=turned.width, height=turned.height, fit=Fit.FILL)
