"""An image as pages show it: which file of it a browser is to take, and in what shape it is laid out. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from darkroom.model import Format, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from darkroom.model import Image, Variant

RATIO_STEP = 1.05
NARROWEST, WIDEST = -29, 33
"""Steps of ``RATIO_STEP`` from a square: about 1 to 4, and 5 to 1."""
SAME_SHAPE = 0.03
"""Of two aspects; what differs more is another cut of the picture."""
ROW, PHONE_ROW = 230, 130
"""How high a row of the gallery is, as ``pages.css`` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files of one format, for ``srcset``."""

    content_type: str
    srcset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a ``<picture>`` is made of: files of modern formats, then those for every browser."""

    modern: tuple[Files, ...]
    plain: Files
    src: str
    width: int
    height: int


def picture(image: Image, delivery: str, enough: float = math.inf) -> Picture | None:
    """Return the files of an image's whole picture, under ``delivery``; ``None`` when there are none.

    Of those that are at least ``enough`` pixels wide only the least of each format is among them.
    """
    whole = _whole(image)
    if not whole:
        return None
    widest = min((variant.width for variant in whole if variant.width >= enough), default=math.inf)
    whole = tuple(variant for variant in whole if variant.width <= widest)
    formats = list(dict.fromkeys(variant.format for variant in whole))
    plain = next((kind for kind in reversed(formats) if kind is not Format.AVIF), formats[-1])
    files = {kind: [variant for variant in whole if variant.format is kind] for kind in formats}
    last = max(files[plain], key=lambda variant: variant.width)
    first = min(files[plain], key=lambda variant: variant.width)
    return Picture(
        modern=tuple(_files(files[kind], delivery) for kind in formats if kind is not plain),
        plain=_files(files[plain], delivery),
        src=f"{delivery}/{first.key}",
        width=last.width,
        height=last.height,
    )


def _files(variants: Iterable[Variant], delivery: str) -> Files:
    by_width: dict[int, Variant] = {}
    for variant in variants:
        by_width.setdefault(variant.width, variant)  # a picture that is small already has the same one twice
    ordered = [by_width[width] for width in sorted(by_width)]
    return Files(
        content_type=ordered[0].content_type,
        srcset=", ".join(f"{delivery}/{variant.key} {variant.width}w" for variant in ordered),
    )


def _whole(image: Image) -> tuple[Variant, ...]:
    """Return the variants that show all of the picture, in the order of the recipes."""
    if image.facts is None:
        return image.variants
    aspect = image.facts.source.width / image.facts.source.height
    # Small ones are rounded to whole pixels: one more or less is the same shape.
    whole = tuple(
        variant
        for variant in image.variants
        if abs(variant.width - variant.height * aspect) <= max(1.5, SAME_SHAPE * variant.width)
    )
    return whole or image.variants


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """Text to be copied into something else."""

    name: str
    text: str


def snippets(image: Image, delivery: str) -> tuple[Snippet, ...]:
    """Return what shows an image elsewhere, under ``delivery``, which is a whole address."""
    files = picture(image, delivery)
    if files is None:
        return ()
    alt = label(image)
    largest = files.plain.srcset.rpartition(", ")[2].partition(" ")[0]
    sources = "".join(
        f'  <source type="{modern.content_type}" srcset="{modern.srcset}" sizes="100vw">\n' for modern in files.modern
    )
    shown = (
        f'  <img src="{largest}" srcset="{files.plain.srcset}" sizes="100vw" '
        f'width="{files.width}" height="{files.height}" alt="{escape(alt)}" loading="lazy">\n'
    )
    return (
        Snippet(name="Address", text=largest),
        Snippet(name="Markdown", text=markdown(alt, largest)),
        Snippet(name="HTML", text=f"<picture>\n{sources}{shown}</picture>"),
        Snippet(name="srcset", text=files.plain.srcset),
    )


def markdown(alt: str, url: str) -> str:
    """Return what shows a picture in Markdown."""
    marked = alt.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return f"![{marked}]({url})"


def small_one(image: Image) -> Variant | None:
    """Return the least file of the whole picture that every browser shows: to point into."""
    plain = [variant for variant in _whole(image) if variant.format is not Format.AVIF]
    return min(plain, key=lambda variant: variant.width, default=None)


def ratio_of(image: Image) -> float:
    """Return the aspect of an image as far as it is known, that of most photos otherwise."""
    if image.facts is None:
        return 1.5
    return image.facts.source.width / image.facts.source.height


def shape(image: Image) -> str:
    """Return the class of ``shapes_css`` that fits an image."""
    return _class(max(NARROWEST, min(WIDEST, round(math.log(ratio_of(image), RATIO_STEP)))))


def sizes(image: Image) -> str:
    """Return how wide an image is in the gallery, for ``sizes``: rows are stretched by a quarter or so."""
    ratio = ratio_of(image)
    return f"(max-width: 40rem) {round(1.3 * PHONE_ROW * ratio)}px, {round(1.2 * ROW * ratio)}px"


def enough(image: Image) -> float:
    """Return how many pixels wide a picture in the gallery has to be at most: two for each of the page."""
    return 2 * 1.2 * ROW * ratio_of(image)


def shapes_css() -> str:
    """Return a rule for each shape: a strict policy allows no style in the page itself."""
    rules = (f".{_class(step)}{{--r:{RATIO_STEP**step:.3f}}}" for step in range(NARROWEST, WIDEST + 1))
    return "".join(rules)


def _class(step: int) -> str:
    return f"s{step - NARROWEST}"


def label(image: Image) -> str:
    """Return what an image is called."""
    return image.title or image.filename


def is_under_way(image: Image) -> bool:
    """Tell whether there will be more to see by itself."""
    return image.state in {State.AWAITING, State.PROCESSING}


def size(count: int) -> str:
    """Return a number of bytes as people say it."""
    if count < 1000:
        return f"{count} bytes"
    for unit, factor in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if count < 1000 * factor:
            return f"{count / factor:.3g} {unit}" if count / factor < 100 else f"{count / factor:.0f} {unit}"
    return f"{count / 1e12:.3g} TB"


def duration(seconds: float) -> str:
    """Return how long something takes as people say it."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
