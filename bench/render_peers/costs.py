"""What decoding and encoding a pixel takes on one processor: the numbers of ``darkroom/transform/sources.py``."""

from __future__ import annotations

import io
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

import pictures
from darkroom.model import Format
from darkroom.transform import Limits
from darkroom.transform.plan import HEADROOM, Encoding, Size
from darkroom.transform.recipes import DEFAULT_QUALITY
from darkroom.transform.vips import configure, encode, open_original, reading, to_srgb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL import Image

WIDTH, HEIGHT = 3264, 2448
RESULTS = ((320, 240), (512, 384), (1080, 810), (1920, 1440))
TURNS = 5
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
    """Nanoseconds of processor time for each pixel: of the file when decoding, of the result when encoding."""

    what: str
    nanoseconds: float


def decoding() -> Iterator[Cost]:
    """Yield what it takes to decode eight megapixels and shrink them as a result of that size needs."""
    configure()
    picture = pictures.photo(WIDTH, HEIGHT)
    for name, made in SOURCES.items():
        content = made(picture)
        for by in SHRUNK.get(name, (1, 4)):
            wanted = Size(int(WIDTH / by / HEADROOM), int(HEIGHT / by / HEADROOM))
            spent = _nanoseconds(lambda: _decode(content, wanted), WIDTH * HEIGHT)  # noqa: B023  # called at once
            yield Cost(f"{name}, to {wanted.width}×{wanted.height}", spent)


def encoding() -> Iterator[Cost]:
    """Yield what it takes to encode results of several sizes, with the usual quality."""
    configure()
    for format_ in (Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.GIF):
        for width, height in RESULTS:
            with io.BytesIO() as file:
                pictures.photo(width, height).save(file, "PNG")
                opened = open_original(file.getvalue(), Limits())
            strip = opened.decode(Size(width, height)).copy_memory()
            how = Encoding(extension="", format=format_, quality=DEFAULT_QUALITY.get(format_), listed=True)
            spent = _nanoseconds(lambda: encode(strip, height, how), width * height)  # noqa: B023  # as above
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


def report() -> None:
    """Print the tables."""
    print("Nanoseconds of one processor, resizing included\n\n  decoding, for each pixel of a file of 8 megapixels")
    for cost in decoding():
        print(f"    {cost.what:48}{cost.nanoseconds:8.1f}", flush=True)
    print("\n  encoding, for each pixel of the result")
    for cost in encoding():
        print(f"    {cost.what:48}{cost.nanoseconds:8.1f}", flush=True)
