"""What goes between the service and a jailed worker: plain JSON and plain bytes, never anything that can be run.

A message is its header's length (4 bytes, big-endian), the header (JSON, UTF-8) and, after an answer's header, the
bodies of its slots, one after the other in the order and of the lengths that the header says.

What a worker says is hostile: a stranger's file may have taken it over. So an answer is read with every length bounded,
every type checked, and what was asked for compared with what came; a service never believes more than it must.
"""

from __future__ import annotations

import base64
import json
import struct
import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from darkroom.catalog.colors import COLORS_MAX, is_color
from darkroom.catalog.perceptual_hash import is_perceptual_hash
from darkroom.errors import InvalidRequest, RenderFailed, TooLarge, TooManyPixels, UnreadableImage, UnsupportedFormat
from darkroom.model import Exif, Facts, Format, Source
from darkroom.transform import Limits, Order, Rendered, Slot, Wish
from darkroom.transform.options import canonical
from darkroom.transform.options import parse as parse_options
from darkroom.transform.plan import Size
from darkroom.transform.recipes import WRITABLE, Color, Fit, Recipe
from darkroom.transform.sniff import sniff
from darkroom.transform.structure import MOST_PAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.errors import DarkroomError

_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)

LENGTH = struct.Struct("!I")
HEADER_MAX = 1024 * 1024
TEXT_MAX = 1000
PLACEHOLDER_MAX = 64
"""Bytes of a thumbhash: at most 25 today."""
_LARGEST = 2**53

_ERRORS = {
    error.__name__: error
    for error in (UnsupportedFormat, UnreadableImage, TooManyPixels, TooLarge, InvalidRequest, RenderFailed)
}
"""The errors of the port: a worker can raise no other in the service."""


class Malformed(Exception):
    """An answer that no honest worker gives."""


def frame(header: dict[str, Any]) -> bytes:
    """Return a header as it goes over the socket."""
    body = json.dumps(header, allow_nan=False).encode()
    return LENGTH.pack(len(body)) + body


def order_to_header(order: Order | Wish) -> dict[str, Any]:
    """Return an order as JSON knows it."""
    if isinstance(order, Wish):
        return {
            "wish": canonical(order.transformation),
            "format": order.format,
            "original": order.original,
            "focus": order.focus,
            "limits": _limits(order.limits),
        }
    return {
        "recipes": [
            {
                "name": recipe.name,
                "width": recipe.width,
                "height": recipe.height,
                "fit": recipe.fit,
                "gravity": recipe.gravity,
                "formats": list(recipe.formats),
                "quality": dict(recipe.quality),
                "target": recipe.target,
                "background": recipe.background,
                "color": recipe.color,
            }
            for recipe in order.recipes
        ],
        "focus": order.focus,
        "limits": _limits(order.limits),
    }


def _limits(limits: Limits) -> dict[str, Any]:
    return {
        "bytes": limits.bytes,
        "pixels": limits.pixels,
        "side": limits.side,
        "frames": limits.frames,
        "svg": limits.svg,
        "accept_truncated": limits.accept_truncated,
    }


def order_from_header(header: dict[str, Any]) -> Order | Wish:
    """Return the order that the service sent; it is trusted."""
    if "wish" in header:
        focus = header["focus"]
        return Wish(
            transformation=parse_options(header["wish"]).transformation,
            format=Format(header["format"]),
            original=Size(*header["original"]),
            focus=focus and (focus[0], focus[1]),
            limits=Limits(**header["limits"]),
        )
    recipes = tuple(
        Recipe(
            name=each["name"],
            width=each["width"],
            height=each["height"],
            fit=Fit(each["fit"]),
            gravity=each["gravity"],
            formats=tuple(Format(name) for name in each["formats"]),
            quality={Format(name): quality for name, quality in each["quality"].items()},
            target=each["target"],
            background=each["background"],
            color=Color(each["color"]),
        )
        for each in header["recipes"]
    )
    focus = header["focus"]
    return Order(recipes=recipes, focus=focus and (focus[0], focus[1]), limits=Limits(**header["limits"]))


def rendered_to_header(rendered: Rendered) -> dict[str, Any]:
    """Return everything but the bodies as JSON knows it."""
    source, exif = rendered.facts.source, rendered.facts.exif
    return {
        "facts": {
            "source": {
                "format": source.format,
                "width": source.width,
                "height": source.height,
                "bytes": source.bytes,
                "sha256": source.sha256,
                "has_alpha": source.has_alpha,
                "frames": source.frames,
                "pages": source.pages,
            },
            "placeholder": rendered.facts.placeholder,
            "color": rendered.facts.color,
            "colors": list(rendered.facts.colors),
            "perceptual_hash": rendered.facts.perceptual_hash,
            "exif": {
                "taken_at": exif.taken_at,
                "camera": exif.camera,
                "lens": exif.lens,
                "iso": exif.iso,
                "f_number": exif.f_number,
                "exposure": exif.exposure,
                "focal_length": exif.focal_length,
            },
        },
        "slots": [slot_to_header(slot) for slot in rendered.slots],
    }


def slot_to_header(slot: Slot) -> dict[str, Any]:
    """Return everything but the body as JSON knows it."""
    return {
        "variant": slot.variant,
        "extension": slot.extension,
        "format": slot.format,
        "width": slot.width,
        "height": slot.height,
        "bytes": len(slot.body),
        "listed": slot.listed,
    }


def error_to_header(error: Exception) -> dict[str, Any]:
    """Return an error as JSON knows it; one that is not of the port counts as a failure of the decoder."""
    name, detail = type(error).__name__, " ".join(str(error).split())
    if isinstance(error, MemoryError):
        name, detail = RenderFailed.__name__, "rendering took more memory than is allowed"
    elif name not in _ERRORS:
        name, detail = RenderFailed.__name__, f"the decoder stopped with {name}: {detail}"
    return {"error": name, "detail": detail[:TEXT_MAX]}


def parse(header: bytes) -> dict[str, Any]:
    """Read a header. Raises ``Malformed``."""
    try:
        found = json.loads(header, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Malformed("the header is not JSON") from None
    return _mapping(found)


def error_of(header: dict[str, Any]) -> DarkroomError | None:
    """Return the error that an answer says, or ``None`` when it says none. Raises ``Malformed``."""
    if "error" not in header:
        return None
    name = _text(header, "error")
    if name not in _ERRORS:
        raise Malformed("an error that no worker raises")
    return _ERRORS[name](_text(header, "detail"))


def slots_of(header: dict[str, Any], order: Order, *, most_bytes: int) -> list[tuple[Slot, int]]:
    """Return the slots, still without bodies, and how long each body is. Raises ``Malformed``.

    There is one for every (recipe, format) of the order and no other, and all bodies together have at most
    ``most_bytes``.
    """
    found = header.get("slots")
    wanted = {(recipe.name, form.extension) for recipe in order.recipes for form in recipe.formats}
    if not isinstance(found, list) or len(found) != len(wanted):
        raise Malformed("not as many slots as were ordered")
    slots = [_slot(each, order.limits, most_bytes) for each in map(_mapping, found)]
    if {(slot.variant, slot.extension) for slot, _ in slots} != wanted:
        raise Malformed("other slots than were ordered")
    if sum(length for _, length in slots) > most_bytes:
        raise _malformed("slots", f"have more than {most_bytes} bytes together")
    return slots


def picture_of(header: dict[str, Any], wish: Wish, *, most_bytes: int) -> tuple[Slot, int]:
    """Return the one picture that was wished for, still without body, and how long that is. Raises ``Malformed``."""
    slot, length = _slot(header, wish.limits, most_bytes)
    if slot.format is not wish.format or slot.extension != wish.format.extension:
        raise Malformed("another format than was ordered")
    return slot, length


def _slot(each: dict[str, Any], limits: Limits, most_bytes: int) -> tuple[Slot, int]:
    slot = Slot(
        variant=_text(each, "variant"),
        extension=_text(each, "extension"),
        format=_member(Format, each, "format"),
        width=_whole(each, "width", 1, limits.side),
        height=_whole(each, "height", 1, limits.side),
        body=b"",
        listed=_truth(each, "listed"),
    )
    if slot.format not in WRITABLE:
        raise _malformed("format", "is none that is made")
    return slot, _whole(each, "bytes", 1, most_bytes)


def check_body(slot: Slot) -> Slot:
    """Return a slot whose body begins as its format does. Raises ``Malformed``."""
    if sniff(slot.body) is not slot.format:
        raise _malformed("body", f"is not {slot.format}")
    return slot


def facts_of(header: dict[str, Any], order: Order, *, length: int, sha256: str) -> Facts:
    """Return the facts. Raises ``Malformed``, also when length and checksum are not those of the original."""
    facts = _mapping(header.get("facts"))
    source, exif = _mapping(facts.get("source")), _mapping(facts.get("exif"))
    if _whole(source, "bytes", 0, length) != length or _text(source, "sha256") != sha256:
        raise Malformed("the length or the checksum is not the original's")
    return Facts(
        source=Source(
            format=_member(Format, source, "format"),
            width=_whole(source, "width", 1, order.limits.side),
            height=_whole(source, "height", 1, order.limits.side),
            bytes=length,
            sha256=sha256,
            has_alpha=_truth(source, "has_alpha"),
            frames=_whole(source, "frames", 1, order.limits.frames),
            pages=_whole(source, "pages", 1, MOST_PAGES),
        ),
        placeholder=_placeholder(facts),
        color=_color(facts.get("color")),
        colors=_colors(facts),
        perceptual_hash=_perceptual_hash(facts),
        exif=Exif(
            taken_at=_optional(_text, exif, "taken_at"),
            camera=_optional(_text, exif, "camera"),
            lens=_optional(_text, exif, "lens"),
            iso=_optional(_natural, exif, "iso"),
            f_number=_optional(_number, exif, "f_number"),
            exposure=_optional(_text, exif, "exposure"),
            focal_length=_optional(_number, exif, "focal_length"),
        ),
    )


def _malformed(what: str, rule: str) -> Malformed:
    return Malformed(f"{what} {rule}")


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed("no object where there must be one")
    return value


def _optional(read: Callable[[dict[str, Any], str], _T], holder: dict[str, Any], key: str) -> _T | None:
    return None if holder.get(key) is None else read(holder, key)


def _text(holder: dict[str, Any], key: str) -> str:
    value = holder.get(key)
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise _malformed(key, f"is no text of up to {TEXT_MAX} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in value):
        raise _malformed(key, "has control characters")
    return value


def _whole(holder: dict[str, Any], key: str, least: int, most: int) -> int:
    value = holder.get(key)
    if type(value) is not int or not least <= value <= most:
        raise _malformed(key, f"is no whole number from {least} to {most}")
    return value


def _natural(holder: dict[str, Any], key: str) -> int:
    return _whole(holder, key, 0, _LARGEST)


def _number(holder: dict[str, Any], key: str) -> float:
    value = holder.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST <= value <= _LARGEST:
        raise _malformed(key, "is no number")
    return float(value)


def _truth(holder: dict[str, Any], key: str) -> bool:
    value = holder.get(key)
    if not isinstance(value, bool):
        raise _malformed(key, "is neither true nor false")
    return value


def _member(kind: type[_E], holder: dict[str, Any], key: str) -> _E:
    try:
        return kind(_text(holder, key))
    except ValueError:
        raise _malformed(key, f"is none of {kind.__name__}") from None


def _placeholder(facts: dict[str, Any]) -> str:
    text = _text(facts, "placeholder")
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError:
        raise Malformed("placeholder is not base64") from None
    if len(decoded) > PLACEHOLDER_MAX:
        raise Malformed("placeholder is too long")
    return text


def _perceptual_hash(facts: dict[str, Any]) -> str | None:
    found = _optional(_text, facts, "perceptual_hash")
    if found is not None and not is_perceptual_hash(found):
        raise Malformed("perceptual_hash is none")
    return found


def _color(value: object) -> str:
    if not isinstance(value, str) or not is_color(value):
        raise Malformed("color is not #rrggbb")
    return value


def _colors(facts: dict[str, Any]) -> tuple[str, ...]:
    found = facts.get("colors")
    if not isinstance(found, list) or not 1 <= len(found) <= COLORS_MAX:
        raise _malformed("colors", f"is no list of 1 to {COLORS_MAX}")
    return tuple(map(_color, found))
