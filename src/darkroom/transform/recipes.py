"""Named variants: what is made from every original, read from ``darkroom.toml``.

```toml
[variants.card]
width = 640
height = 360
fit = "cover"                          # inside (default), cover, contain, fill
gravity = "attention"                  # center (default), north … northwest, entropy, "X:Y" with X and Y from 0 to 1
formats = ["avif", "webp", "jpeg"]     # from most modern to most widely read
quality = { avif = 60, jpeg = 77 }     # or one number for all, or "auto" with a target
background = "#ffffff"
color = "srgb"                         # srgb (default), or keep: wide colours stay, as Display P3
```

A file replaces the default recipes altogether: what is not in it is not made.
"""

from __future__ import annotations

import contextlib
import tomllib
from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn

from darkroom.errors import BadConfiguration
from darkroom.model import Format
from darkroom.names import is_variant_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Fit(StrEnum):
    """How a picture is fitted into a recipe's width and height; the names are the ones of CSS and sharp."""

    INSIDE = "inside"
    """As large as fits within both, whole, aspect kept."""
    COVER = "cover"
    """Fills both, aspect kept, what hangs over is cut off at the side away from the gravity."""
    CONTAIN = "contain"
    """Whole, aspect kept, the rest filled with the background."""
    FILL = "fill"
    """Stretched to both."""


class Color(StrEnum):
    """In which colours a picture with more of them than sRGB has is made."""

    SRGB = "srgb"
    """In those that every screen has."""
    KEEP = "keep"
    """In those of Display P3, whose profile is in the file then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One named variant. ``formats`` go from most modern to most widely read: the last is for everybody else."""

    name: str
    width: int
    height: int
    fit: Fit = Fit.INSIDE
    gravity: str = "center"
    """``center``, a compass point (``north`` … ``northwest``), ``attention``, ``entropy`` or ``X:Y`` (0–1)."""
    formats: tuple[Format, ...] = (Format.AVIF, Format.JPEG)
    quality: Mapping[Format, int]
    target: int | None = None
    """The score (SSIMULACRA2) that the quality of each picture is chosen for, in place of ``quality``."""
    background: str = "#ffffff"
    """Behind transparent pixels where a format has none, and around a contained picture."""
    color: Color = Color.SRGB


COMPASS: Mapping[str, tuple[float, float]] = {
    "center": (0.5, 0.5),
    "north": (0.5, 0.0),
    "northeast": (1.0, 0.0),
    "east": (1.0, 0.5),
    "southeast": (1.0, 1.0),
    "south": (0.5, 1.0),
    "southwest": (0.0, 1.0),
    "west": (0.0, 0.5),
    "northwest": (0.0, 0.0),
}
"""Where in a picture, from its top left corner, a named gravity points."""

SEEKING = ("attention", "entropy")
"""Gravities that look at the pixels: what draws the eye, and where most is going on."""

DEFAULT_QUALITY: Mapping[Format, int] = {Format.AVIF: 60, Format.WEBP: 80, Format.JPEG: 77}
"""On photographs at 1080 pixels AVIF 60 scores about 71 on SSIMULACRA2, WebP 80 the same, JPEG 77 about 76 ("high
quality" begins at 70): what sharp's JPEG of quality 80 does, in an eighth fewer bytes (bench/quality.py).
"""

WRITABLE = (Format.AVIF, Format.WEBP, Format.JPEG, Format.PNG, Format.GIF)
USUAL_TARGET = 70
"""Of a recipe whose quality is ``auto``: where high quality begins."""
TARGETS = (60, 80)
"""The least and the highest: what the choice was learnt from."""
LONGEST_SIDE = 8192
MOST_RECIPES = 50
LARGEST_FILE = 64 * 1024


DEFAULT_RECIPES = tuple(
    Recipe(name=name, width=side, height=side, quality=DEFAULT_QUALITY)
    for name, side in (("large", 1920), ("medium", 1080), ("small", 320))
)


def focal_point(gravity: str) -> tuple[float, float] | None:
    """Return the point (0–1, 0–1) a gravity names, or ``None`` for one that looks at the pixels.

    Raises ``ValueError`` for what is no gravity.
    """
    if gravity in COMPASS:
        return COMPASS[gravity]
    if gravity in SEEKING:
        return None
    across, _, down = gravity.partition(":")
    if not _is_fraction(across) or not _is_fraction(down):
        raise ValueError(gravity)
    return float(across), float(down)


def _is_fraction(text: str) -> bool:
    """Tell whether ``text`` is a number from 0 to 1, written plainly: no sign, exponent, or digits of other scripts."""
    return text.isascii() and text.replace(".", "", 1).isdigit() and float(text) <= 1


def load_recipes(path: Path | None) -> tuple[Recipe, ...]:
    """Return the recipes of a file in the order they stand there, or the defaults when there is no ``path``.

    Raises ``BadConfiguration`` naming the file, the line and what is allowed.
    """
    if path is None:
        return DEFAULT_RECIPES
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}); give the path of a recipe file, or none for the defaults"
        raise BadConfiguration(msg) from error
    if len(content) > LARGEST_FILE:
        msg = f"{path} has {len(content)} bytes; a recipe file has at most {LARGEST_FILE}"
        raise BadConfiguration(msg)
    try:
        text = content.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        msg = f"{path}, line {line}: not UTF-8 text, which TOML is; save the file as UTF-8"
        raise BadConfiguration(msg) from error
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} is not TOML: {error}"
        raise BadConfiguration(msg) from error
    return _File(str(path), text, document).recipes()


_Key = tuple[str | int, ...]
"""How to get to a value from the top of the document."""


@dataclass(frozen=True, slots=True)
class _File:
    """A parsed recipe file and what is needed to say where in it something is wrong."""

    name: str
    text: str
    document: dict[str, object]

    def recipes(self) -> tuple[Recipe, ...]:
        self._only(self.document, (), ("variants",))
        tables = self._table(("variants",))
        if not 1 <= len(tables) <= MOST_RECIPES:
            self._refuse(("variants",), f"has {len(tables)} variants; 1 to {MOST_RECIPES} are allowed")
        return tuple(self._recipe(name) for name in tables)

    def _recipe(self, name: str) -> Recipe:
        here: _Key = ("variants", name)
        if not is_variant_name(name):
            self._refuse(here, "is no name for a variant; use 1 to 40 of a-z, 0-9 and -, and not just t")
        table = self._table(here)
        keys = ("width", "height", "fit", "gravity", "formats", "quality", "target", "background", "color")
        self._only(table, here, keys)
        return Recipe(
            name=name,
            width=self._whole((*here, "width"), LONGEST_SIDE),
            height=self._whole((*here, "height"), LONGEST_SIDE),
            fit=Fit(self._one_of((*here, "fit"), tuple(Fit))) if "fit" in table else Fit.INSIDE,
            gravity=self._gravity((*here, "gravity")) if "gravity" in table else "center",
            formats=self._formats((*here, "formats")) if "formats" in table else (Format.AVIF, Format.JPEG),
            quality=self._quality((*here, "quality")) if table.get("quality", "auto") != "auto" else DEFAULT_QUALITY,
            target=self._target(here, table),
            background=self._color((*here, "background")) if "background" in table else "#ffffff",
            color=Color(self._one_of((*here, "color"), tuple(Color))) if "color" in table else Color.SRGB,
        )

    def _formats(self, key: _Key) -> tuple[Format, ...]:
        found = self._value(key)
        if not isinstance(found, list) or not found:
            self._refuse(key, f"must be a list of at least one of {_listing(WRITABLE)}")
        formats = tuple(Format(self._one_of((*key, at), WRITABLE)) for at in range(len(found)))
        if len(set(formats)) < len(formats):
            self._refuse(key, "names a format twice; name each once")
        return formats

    def _quality(self, key: _Key) -> Mapping[Format, int]:
        found = self._value(key)
        if not isinstance(found, dict):
            number = self._whole(key, 100, instead='or a table with a number for each of avif, webp, jpeg, or "auto"')
            return dict.fromkeys(DEFAULT_QUALITY, number)
        self._only(found, key, tuple(DEFAULT_QUALITY))
        given = {Format(name): self._whole((*key, name), 100) for name in found}
        return {**DEFAULT_QUALITY, **given}

    def _target(self, here: _Key, table: dict[str, object]) -> int | None:
        if table.get("quality") != "auto":
            if "target" in table:
                self._refuse((*here, "target"), 'is only for quality = "auto"')
            return None
        return self._whole((*here, "target"), TARGETS[1], least=TARGETS[0]) if "target" in table else USUAL_TARGET

    def _gravity(self, key: _Key) -> str:
        found = self._value(key)
        try:
            focal_point(str(found))
        except ValueError:
            allowed = f"{_listing((*COMPASS, *SEEKING))} or a point such as 0.5:0.3 (each 0 to 1, from the top left)"
            self._refuse(key, f"must be one of {allowed}, not {found!r}")
        return str(found)

    def _color(self, key: _Key) -> str:
        found = self._value(key)
        digits = found.removeprefix("#") if isinstance(found, str) else ""
        if not str(found).startswith("#") or len(digits) != 6 or set(digits.lower()) - set("0123456789abcdef"):
            self._refuse(key, f'must be a colour such as "#ffffff", not {found!r}')
        return f"#{digits.lower()}"

    def _whole(self, key: _Key, most: int, *, least: int = 1, instead: str = "") -> int:
        found = self._value(key)
        if type(found) is not int or not least <= found <= most:  # a TOML true would pass for 1 with isinstance
            self._refuse(key, f"must be a whole number from {least} to {most} {instead}".rstrip() + f", not {found!r}")
        return found

    def _one_of(self, key: _Key, allowed: tuple[str, ...]) -> str:
        found = self._value(key)
        if not isinstance(found, str) or found not in allowed:
            self._refuse(key, f"must be one of {_listing(allowed)}, not {found!r}")
        return found

    def _table(self, key: _Key) -> dict[str, object]:
        found = self._value(key)
        if not isinstance(found, dict):
            self._refuse(key, "must be a table, such as [variants.large]")
        return found

    def _only(self, table: dict[str, object], key: _Key, allowed: tuple[str, ...]) -> None:
        for name in table:
            if name not in allowed:
                self._refuse((*key, name), f"is not known here; the keys are {_listing(allowed)}")

    def _value(self, key: _Key) -> object:
        found, missing = _look_up(self.document, key)
        if missing:
            self._refuse(key[:-1], f"needs {key[-1]}")
        return found

    def _refuse(self, key: _Key, complaint: str) -> NoReturn:
        subject = ".".join(str(part) for part in key if isinstance(part, str)) or "the file"
        msg = f"{self.name}, line {_line_of(self.text, key)}: {subject} {complaint}"
        raise BadConfiguration(msg)


def _listing(words: tuple[str, ...]) -> str:
    return ", ".join(str(word) for word in words)


def _look_up(document: Any, key: _Key) -> tuple[object, bool]:  # noqa: ANN401 # whatever TOML can hold
    """Return the value at ``key``, and whether it is missing."""
    try:
        for part in key:
            document = document[part]
    except (KeyError, TypeError):
        return None, True
    return document, False


def _line_of(text: str, key: _Key) -> int:
    """Return the number of the line, from 1, where the statement begins that brings ``key`` into being.

    The parser tells no positions, but it can be asked: lines that are one whole statement are TOML by themselves, and
    a part of one is not, because a bracket or a quote is still open. ``key`` comes with the last statement of the
    shortest beginning of the file that holds it, be it a dotted key, an inline table or a header.
    """
    lines = [f"{line}\n" for line in text.split("\n")]
    ends: list[int] = []
    for end in range(1, len(lines) + 1):
        start = ends[-1] if ends else 0
        with contextlib.suppress(tomllib.TOMLDecodeError):
            tomllib.loads("".join(lines[start:end]))
            ends.append(end)
    found = bisect_left(ends, 1, key=lambda end: not _look_up(tomllib.loads("".join(lines[:end])), key)[1])
    start = ends[found - 1] if found else 0
    return start + 1
