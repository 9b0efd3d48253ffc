"""The same result from a kept rendition and from an original of 8 megapixels: how long, and how good."""

from __future__ import annotations

import io
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.model import Format
from darkroom.transform import Limits, Order, Wish
from darkroom.transform.inline import InlineTransform
from darkroom.transform.options import parse
from darkroom.transform.plan import Size
from darkroom.transform.recipes import DEFAULT_QUALITY, Recipe
from render_peers import originals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL import Image

WIDTHS = (320, 512, 800, 1080, 1371)
"""The last is as much as the rendition of 1,920 has headroom for."""
KEPT = (Format.JPEG, Format.WEBP, Format.PNG, Format.AVIF)
ORIGINALS: dict[str, dict[str, int]] = {
    "JPEG": {"quality": 90},
    "PNG": {},
    "WEBP": {"quality": 90},
    "AVIF": {"quality": 75, "speed": 9},
}
TURNS = 5


@dataclass(frozen=True)
class Large:
    """The rendition of an original, in every format, as the service makes it."""

    original: bytes
    renditions: dict[Format, bytes]

    @staticmethod
    def of(picture: Image.Image, kind: str) -> Large:
        """Encode an original and make the renditions of it."""
        content = _encoded(picture, kind)
        recipe = Recipe(name="large", width=1920, height=1920, formats=KEPT, quality=DEFAULT_QUALITY)
        with io.BytesIO(content) as file:
            slots = InlineTransform().render(file, Order(recipes=(recipe,))).slots
        return Large(content, {slot.format: slot.body for slot in slots})


def _encoded(picture: Image.Image, kind: str) -> bytes:
    with io.BytesIO() as file:
        picture.save(file, kind, **ORIGINALS[kind])
        return file.getvalue()


def made(source: bytes, width: int, format_: Format) -> bytes:
    """Make one result as a worker does."""
    wish = Wish(
        transformation=parse(f"width={width}").transformation,
        format=format_,
        original=Size(*originals.LARGE),
        focus=None,
        limits=Limits(),
    )
    with io.BytesIO(source) as file:
        return InlineTransform().make(file, wish).body


def milliseconds(source: bytes, width: int) -> float:
    """Return the processor time of a JPEG."""
    times = []
    for _ in range(TURNS + 1):
        before = time.process_time()
        made(source, width, Format.JPEG)
        times.append((time.process_time() - before) * 1000)
    return statistics.median(times[1:])


def report_times(picture: Image.Image) -> None:
    """Print how long a JPEG takes from each."""
    print("  milliseconds of one processor for a JPEG, made as a worker makes it; in brackets how many times less")
    print(f"    {'from':26}" + "".join(f"{width:>14}" for width in WIDTHS))
    renditions = Large.of(picture, "JPEG").renditions
    from_kept = {width: milliseconds(renditions[Format.JPEG], width) for width in WIDTHS}
    print(f"    {'the kept JPEG':26}" + "".join(f"{from_kept[width]:14.1f}" for width in WIDTHS))
    for kind in ORIGINALS:
        row = [(width, milliseconds(_encoded(picture, kind), width)) for width in WIDTHS]
        _print_row(f"an original, {kind}", row, from_kept)
    for format_ in KEPT[1:]:
        row = [(width, milliseconds(renditions[format_], width)) for width in WIDTHS]
        _print_row(f"a kept {format_.name}", row, from_kept)


def _print_row(name: str, row: Sequence[tuple[int, float]], from_kept: dict[int, float]) -> None:
    cells = "".join(f"{spent:8.1f} ({spent / from_kept[width]:3.1f})" for width, spent in row)
    print(f"    {name:26}{cells}", flush=True)


def pairs_to_score(folder: Path, pictures: Sequence[Image.Image]) -> dict[tuple[str, int], list[tuple[Path, Path]]]:
    """Write what is to be compared: a lossless result from the original, and by name what else the result could be."""
    pairs: dict[tuple[str, int], list[tuple[Path, Path]]] = {}
    for number, picture in enumerate(pictures):
        large = Large.of(picture, "JPEG")
        for width in WIDTHS:
            reference = folder / f"{number}-{width}.png"
            reference.write_bytes(made(large.original, width, Format.PNG))
            others = {
                "lossless, from the JPEG": made(large.renditions[Format.JPEG], width, Format.PNG),
                "lossless, from the WebP": made(large.renditions[Format.WEBP], width, Format.PNG),
                "lossless, from the AVIF": made(large.renditions[Format.AVIF], width, Format.PNG),
                "JPEG, from the JPEG": made(large.renditions[Format.JPEG], width, Format.JPEG),
                "JPEG, from the original": made(large.original, width, Format.JPEG),
            }
            for at, (name, body) in enumerate(others.items()):
                path = folder / f"{number}-{width}-{at}"
                path.write_bytes(body)
                pairs.setdefault((name, width), []).append((reference, path))
    return pairs
