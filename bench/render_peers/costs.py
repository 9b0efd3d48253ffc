"""What decoding and encoding a pixel takes on one processor: the numbers of ``darkroom/transform/sources.py``."""

from __future__ import annotations

import io
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pictures
from darkroom.model import Format
from darkroom.transform import Limits
from darkroom.transform.encode import encode
from darkroom.transform.plan import HEADROOM, Encoding, Size
from darkroom.transform.recipes import DEFAULT_QUALITY
from darkroom.transform.vips import configure, open_original, reading, to_srgb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from PIL import Image

WIDTH, HEIGHT = 3264, 2448
RESULTS = ((320, 240), (512, 384), (1080, 810), (1920, 1440))
TURNS = 3
SOURCES: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG": lambda picture: pictures.encode(picture, "JPEG", quality=85),
    "JPEG, progressive": lambda picture: pictures.encode(picture, "JPEG", quality=85, progressive=True),
    "PNG": lambda picture: pictures.encode(picture, "PNG"),
    "GIF": lambda picture: pictures.encode(picture.quantize(), "GIF"),
    "TIFF, LZW": lambda picture: pictures.encode(picture, "TIFF", compression="tiff_lzw"),
    "WebP": lambda picture: pictures.encode(picture, "WEBP", quality=80),
    "AVIF": lambda picture: pictures.encode(picture, "AVIF", quality=60, speed=9),
}
SHRUNK = {"JPEG": (1, 2, 4, 8), "JPEG, progressive": (1, 2, 4, 8), "WebP": (1, 2, 4, 8)}
"""What some decoders make smaller on the way; the others read all of it."""


class Cost(NamedTuple):
    """Nanoseconds of processor time for each pixel, of the file when decoding, of the result when encoding.

    There is a number for each picture.
    """

    what: str
    nanoseconds: list[float]


def decoding(pictures_: Sequence[Image.Image]) -> Iterator[Cost]:
    """Yield what it takes to decode eight megapixels and shrink them as a result of that size needs."""
    configure()
    for name, made in SOURCES.items():
        contents = [made(picture) for picture in pictures_]
        for by in SHRUNK.get(name, (1, 4)):
            wanted = Size(int(WIDTH / by / HEADROOM), int(HEIGHT / by / HEADROOM))
            works = [partial(_decode, content, wanted) for content in contents]
            yield Cost(
                f"{name}, to {wanted.width}×{wanted.height}", [_nanoseconds(each, WIDTH * HEIGHT) for each in works]
            )


def encoding(pictures_: Sequence[Image.Image]) -> Iterator[Cost]:
    """Yield what it takes to encode results of several sizes, with the usual quality."""
    configure()
    for format_ in (Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.GIF):
        how = Encoding(extension="", format=format_, quality=DEFAULT_QUALITY.get(format_))
        for width, height in RESULTS:
            spent = []
            for picture in pictures_:
                with io.BytesIO() as file:
                    picture.resize((width, height)).save(file, "PNG")
                    strip = open_original(file.getvalue(), Limits()).decode(Size(width, height)).copy_memory()
                spent.append(_nanoseconds(partial(encode, strip, height, how), width * height))
            yield Cost(f"{format_.name}, {width}×{height}", spent)


def _decode(content: bytes, wanted: Size) -> None:
    opened = open_original(content, Limits(svg=True))
    with reading(opened.format):
        strip = opened.decode(wanted)
        to_srgb(strip.resize(min(1.0, wanted.width / strip.width))).copy_memory()


def _nanoseconds(work: Callable[[], object], pixels: int) -> float:
    times = []
    for _ in range(TURNS + 1):
        before = time.process_time()
        work()
        times.append(time.process_time() - before)
    return statistics.median(times[1:]) / pixels * 1e9


def report(pictures_: Sequence[Image.Image]) -> None:
    """Print the tables."""
    print("Nanoseconds of one processor, resizing included, for a generated picture and for photographs")
    for title, costs in (
        ("decoding, for each pixel of a file of 8 megapixels", decoding(pictures_)),
        ("encoding, for each pixel of the result", encoding(pictures_)),
    ):
        print(f"\n  {title}")
        for cost in costs:
            print(f"    {cost.what:40}" + "".join(f"{each:8.1f}" for each in cost.nanoseconds), flush=True)
