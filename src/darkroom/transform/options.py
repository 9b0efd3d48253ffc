"""The options of a transformation: ``width=640,fit=cover`` to a frozen value and back. Pure.

Read by bounded splits, in any order, each option once; printed in one order and one spelling, so that whatever means
the same picture is one stored object. What cannot change the picture is not printed: a gravity where nothing is cut
off, a quality that is the default.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

from darkroom.errors import InvalidRequest
from darkroom.model import Format
from darkroom.transform.recipes import COMPASS, DEFAULT_QUALITY, LONGEST_SIDE, SEEKING, Fit, focal_point

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_LETTERS = 400
"""Of all options together; the longest canonical spelling has less than half of that."""

EXTENSIONS: Mapping[str, Format] = {
    kind.extension: kind for kind in (Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.GIF)
}
AUTO = "auto"
"""The extension that is negotiated."""

NOT_OF_THE_PICTURE = ("kid", "exp")
"""Options that are signed, and say nothing of the picture: which secret, and until when."""

_LARGEST_SOURCE = 65_535
_NOTHING = f"fit={Fit.INSIDE}"
"""How it is said that nothing is asked for: an address has no empty segment."""
_DIGITS = frozenset("0123456789")
_HEX = frozenset("0123456789abcdef")
_POINTS = {point: name for name, point in COMPASS.items()}

Region = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformation:
    """What is to be done to a picture, in the order of these members; in its normal form, as ``normal`` makes it."""

    crop: Region | None = None
    """In pixels of the original as a person sees it; what lies outside of it is left out."""
    flip: bool = False
    """Left for right; together with ``rotate`` that is also top for bottom."""
    rotate: int = 0
    """0, 90, 180 or 270 degrees, clockwise."""
    width: int | None = None
    """Of the result, as ``height``: in pixels, ``dpr`` multiplied in."""
    height: int | None = None
    fit: Fit = Fit.INSIDE
    gravity: str | None = None
    """As of a recipe, in what is left after cropping and turning. ``None``: the image's focus, else its centre."""
    enlarge: bool = False
    background: str | None = None
    """``rrggbb``: around a contained picture, and behind one that lets something through."""
    blur: float | None = None
    """The standard deviation of a Gaussian blur, in pixels of the result."""
    sharpen: float | None = None
    """The standard deviation of the mask that sharpens, in pixels of the result."""
    grayscale: bool = False
    bitonal: bool = False
    """Black and white, nothing in between."""
    quality: int | None = None

    @property
    def turns(self) -> bool:
        """Whether width becomes height."""
        return self.rotate in {90, 270}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything an address says: what to make, which secret signed it and when that ends (seconds since 1970)."""

    transformation: Transformation
    kid: str | None = None
    exp: int | None = None


def parse(text: str) -> Options:
    """Read options. Raises ``InvalidRequest`` naming the one that is unknown, out of bounds or there twice."""
    if len(text) > MOST_LETTERS:
        msg = f"options: {len(text)} characters are too many; {MOST_LETTERS} are read at most"
        raise InvalidRequest(msg)
    given: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or name not in _READERS:
            msg = f"options: {_shown(name)} is not known; there are {', '.join(_READERS)}"
            raise InvalidRequest(msg)
        if name in given:
            _refuse(name, "is there twice; give it once")
        given[name] = value
    read: dict[str, Any] = {name: _READERS[name](name, value) for name, value in given.items()}
    kid, exp, dpr, flip = read.pop("kid", None), read.pop("exp", None), read.pop("dpr", None), read.pop("flip", None)
    if dpr is not None:
        _multiply(read, dpr)
    if flip == "v":
        read["rotate"] = (read.get("rotate", 0) + 180) % 360
    transformation = Transformation(**read, flip=flip is not None)
    return Options(transformation=normal(transformation), kid=kid, exp=exp)


def normal(transformation: Transformation) -> Transformation:
    """Return what makes the same picture and says nothing that makes no difference."""
    sized = transformation.width is not None or transformation.height is not None
    framed = transformation.width is not None and transformation.height is not None
    fit = transformation.fit if framed else Fit.INSIDE
    gravity = transformation.gravity if fit in {Fit.COVER, Fit.CONTAIN} else None
    point = None if gravity is None else focal_point(gravity)
    if point is not None:
        gravity = _POINTS.get(point, gravity)
    if fit is Fit.CONTAIN and (gravity == "center" or gravity in SEEKING):  # nothing is cut off that one could look for
        gravity = None
    return replace(
        transformation,
        fit=fit,
        gravity=gravity,
        enlarge=transformation.enlarge and sized,
        grayscale=transformation.grayscale and not transformation.bitonal,
    )


def canonical(transformation: Transformation, wanted: Format | None = None) -> str:
    """Print the one spelling, for a result of the format ``wanted`` without what makes no difference to that.

    ``parse`` of it gives the same transformation, but for what was left out.
    """
    shown = _for_format(transformation, wanted)
    flip, rotate = "h" if shown.flip else "", shown.rotate
    if shown.flip and rotate == 180:
        flip, rotate = "v", 0
    printed = {
        "width": shown.width,
        "height": shown.height,
        "fit": None if shown.fit is Fit.INSIDE else shown.fit.value,
        "gravity": shown.gravity,
        "crop": shown.crop and ":".join(map(str, shown.crop)),
        "rotate": rotate or None,
        "flip": flip or None,
        "quality": shown.quality,
        "background": shown.background,
        "blur": shown.blur and _decimal(shown.blur),
        "sharpen": shown.sharpen and _decimal(shown.sharpen),
        "grayscale": 1 if shown.grayscale else None,
        "bitonal": 1 if shown.bitonal else None,
        "enlarge": 1 if shown.enlarge else None,
    }
    return ",".join(f"{name}={value}" for name, value in printed.items() if value is not None) or _NOTHING


def _for_format(transformation: Transformation, wanted: Format | None) -> Transformation:
    quality, background = transformation.quality, transformation.background
    if wanted is not None and quality == DEFAULT_QUALITY.get(wanted, quality):
        quality = None
    if background == "ffffff" and wanted is Format.JPEG:
        background = None
    return replace(transformation, quality=quality, background=background)


def _multiply(read: dict[str, Any], dpr: float) -> None:
    if not read.keys() & {"width", "height"}:
        _refuse("dpr", "multiplies width and height; give one of them")
    for name in ("width", "height"):
        side = read.get(name)
        if isinstance(side, int):
            product = (side * round(dpr * 100) + 50) // 100
            if product > LONGEST_SIDE:
                _refuse("dpr", f"makes {name} {product}; {LONGEST_SIDE} is the most")
            read[name] = product


# ------------------------------------------------------------------ one reader for each option


def _whole(least: int, most: int) -> Callable[[str, str], int]:
    def read(name: str, text: str) -> int:
        if not 0 < len(text) <= 5 or not _DIGITS.issuperset(text) or not least <= int(text) <= most:
            _refuse(name, f"must be a whole number from {least} to {most}, not {_shown(text)}")
        return int(text)

    return read


def _number(least: float, most: float) -> Callable[[str, str], float]:
    def read(name: str, text: str) -> float:
        number = _fraction(text, decimals=2)
        if number is None or not least <= number <= most:
            _refuse(name, f"must be a number from {least:g} to {most:g}, of two decimals at most, not {_shown(text)}")
        return number

    return read


def _one_of(*allowed: str) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if text not in allowed:
            _refuse(name, f"must be one of {', '.join(allowed)}, not {_shown(text)}")
        return text

    return read


def _yes(name: str, text: str) -> bool:
    if text != "1":
        _refuse(name, f"can only be 1 (leave it away otherwise), not {_shown(text)}")
    return True


def _fit(name: str, text: str) -> Fit:
    return Fit(_one_of(*Fit)(name, text))


def _rotate(name: str, text: str) -> int:
    return int(_one_of("90", "180", "270")(name, text))


def _gravity(name: str, text: str) -> str:
    if text in COMPASS or text in SEEKING:
        return text
    across, _, down = text.partition(":")
    x, y = _fraction(across, decimals=4), _fraction(down, decimals=4)
    if x is None or y is None or x > 1 or y > 1:
        allowed = f"{', '.join((*COMPASS, *SEEKING))} or X:Y, each from 0 to 1 and of four decimals at most"
        _refuse(name, f"must be one of {allowed}, not {_shown(text)}")
    return f"{_decimal(x)}:{_decimal(y)}"


def _crop(name: str, text: str) -> Region:
    parts = text.split(":", 4)
    fits = all(0 < len(part) <= 5 and _DIGITS.issuperset(part) and int(part) <= _LARGEST_SOURCE for part in parts)
    if len(parts) != 4 or not fits or int(parts[2]) < 1 or int(parts[3]) < 1:
        _refuse(name, f"must be X:Y:WIDTH:HEIGHT in pixels of the original, such as 0:0:640:480, not {_shown(text)}")
    left, top, width, height = map(int, parts)
    return left, top, width, height


def _background(name: str, text: str) -> str:
    if len(text) != 6 or not _HEX.issuperset(text.lower()):
        _refuse(name, f"must be a colour of six hexadecimal digits, such as ffffff, not {_shown(text)}")
    return text.lower()


def _kid(name: str, text: str) -> str:
    if not is_kid(text):
        _refuse(name, "must be the id of a signing secret, as `darkroom secrets list` shows them")
    return text


def is_kid(text: str) -> bool:
    """Tell whether this may be the id of a signing secret: 1 to 16 of ``a-z 0-9``."""
    return 0 < len(text) <= 16 and text.isascii() and text.isalnum() and text == text.lower()


def _exp(name: str, text: str) -> int:
    if not 0 < len(text) <= 11 or not _DIGITS.issuperset(text):
        _refuse(name, "must be a moment in seconds since 1970")
    return int(text)


_READERS: Mapping[str, Callable[[str, str], object]] = {
    "width": _whole(1, LONGEST_SIDE),
    "height": _whole(1, LONGEST_SIDE),
    "fit": _fit,
    "gravity": _gravity,
    "crop": _crop,
    "rotate": _rotate,
    "flip": _one_of("h", "v"),
    "quality": _whole(1, 100),
    "background": _background,
    "blur": _number(0.3, 100),
    "sharpen": _number(0.1, 10),
    "grayscale": _yes,
    "bitonal": _yes,
    "dpr": _number(1, 4),
    "enlarge": _yes,
    "kid": _kid,
    "exp": _exp,
}


def _fraction(text: str, *, decimals: int) -> float | None:
    """Return a number written plainly: digits, and a point with digits on both sides of it at most."""
    whole, point, rest = text.partition(".")
    if not 0 < len(whole) <= 3 or not _DIGITS.issuperset(whole + rest) or len(rest) > decimals or (point and not rest):
        return None
    return float(text)


def _decimal(number: float) -> str:
    return f"{number:.4f}".rstrip("0").rstrip(".")


def _shown(text: str) -> str:
    """Return what a stranger sent, as far as it may be repeated."""
    return repr(text[:40])


def _refuse(name: str, complaint: str) -> NoReturn:
    msg = f"{name} {complaint}"
    raise InvalidRequest(msg)
