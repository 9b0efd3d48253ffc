"""Ways to encode a picture: libvips with one set of options, the service itself, and the peers as they come."""

from __future__ import annotations

import hashlib
import io
import json
import random
import subprocess
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyvips

from darkroom.model import Format
from darkroom.transform import encode as encoders
from darkroom.transform.plan import Encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from PIL import Image

HERE = Path(__file__).resolve().parent
JPEG_QUALITIES = {320: (35, 60, 80, 93), 1080: (50, 70, 86), 1920: (50, 74, 88)}
WEBP_QUALITIES = {320: (40, 70, 85, 95), 1080: (55, 76, 90), 1920: (60, 82, 92)}
AVIF_QUALITIES = {320: (35, 52, 68, 85), 1080: (38, 54, 72), 1920: (42, 60, 76)}
"""Fewer where a score takes longer: one at 1920 pixels takes as long as thirty at 320."""
ALL = (320, 1080, 1920)
BRIEF = 0.03
"""Seconds of one encoding below which it is done three times, and the shortest counts."""


@dataclass(frozen=True)
class Way:
    """A format, who encodes it, the options that are not the quality, at which qualities and widths it is measured."""

    name: str
    format: str
    library: str
    options: Mapping[str, Any] = field(default_factory=dict)
    qualities: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """By width."""
    widths: tuple[int, ...] = ALL
    explored: bool = False
    """Whether it is there to choose from, and measured on the first pictures only."""


def _vips(
    name: str, format_: str, qualities: Mapping[int, tuple[int, ...]], widths: tuple[int, ...], **options: int | str
) -> Way:
    return Way(name, format_, "vips", options, qualities, widths, explored=True)


NARROW, SCREEN = (320,), (320, 1080)
TRELLIS = {"optimize_coding": True, "interlace": True, "optimize_scans": True, "trellis_quant": True}
WAYS: tuple[Way, ...] = (
    Way("ours", "jpeg", "ours", {}, JPEG_QUALITIES, ALL),
    Way("ours", "avif", "ours", {}, AVIF_QUALITIES, ALL),
    Way("ours", "webp", "ours", {}, WEBP_QUALITIES, SCREEN),
    Way("sharp", "jpeg", "sharp", {}, JPEG_QUALITIES, ALL),
    Way("sharp", "webp", "sharp", {}, WEBP_QUALITIES, ALL),
    Way("sharp", "avif", "sharp", {}, {320: (40, 50, 70)}, NARROW, explored=True),
    Way("Pillow", "jpeg", "pillow", {}, JPEG_QUALITIES, SCREEN),
    Way("Pillow", "webp", "pillow", {}, WEBP_QUALITIES, SCREEN),
    Way("Pillow", "avif", "pillow", {}, AVIF_QUALITIES, NARROW, explored=True),
    Way("thumbor", "jpeg", "pillow", {"optimize": True, "progressive": True}, JPEG_QUALITIES, SCREEN),
    *(
        _vips(f"table {table}", "jpeg", JPEG_QUALITIES, widths, optimize_coding=True, quant_table=table)
        for table, widths in ((0, NARROW), (2, NARROW), (3, SCREEN))
    ),
    _vips("progressive", "jpeg", {320: (60, 80)}, NARROW, optimize_coding=True, interlace=True),
    _vips("trellis", "jpeg", JPEG_QUALITIES, SCREEN, quant_table=5, **TRELLIS),
    _vips("4:4:4, table 3", "jpeg", JPEG_QUALITIES, SCREEN, optimize_coding=True, subsample_mode="off", quant_table=3),
    _vips("4:4:4, table 5", "jpeg", JPEG_QUALITIES, NARROW, optimize_coding=True, subsample_mode="off", quant_table=5),
    _vips("effort 1", "avif", AVIF_QUALITIES, SCREEN, effort=1, bitdepth=8, compression="av1"),
    _vips("effort 2", "avif", AVIF_QUALITIES, NARROW, effort=2, bitdepth=8, compression="av1"),
    _vips("4:4:4", "avif", AVIF_QUALITIES, NARROW, effort=0, bitdepth=8, compression="av1", subsample_mode="off"),
    _vips("sharp chroma", "webp", WEBP_QUALITIES, NARROW, effort=4, smart_subsample=True),
    _vips("lossless", "webp", {320: (100,)}, NARROW, effort=2, lossless=True),
    _vips("lossless", "png", {320: (100,)}, NARROW, filter="all"),
)


def pixels_of(picture: Image.Image) -> pyvips.Image:
    """Return it as libvips has it, in memory."""
    image = pyvips.Image.new_from_memory(
        picture.tobytes(), picture.width, picture.height, len(picture.getbands()), "uchar"
    )
    return image.copy(interpretation="srgb").copy_memory()


@cache
def told_apart(format_: str) -> str:
    """Return what changes when the service encodes a format differently, from a rough and a flat picture."""
    rough = random.Random(1).randbytes(3 * 64 * 64)  # noqa: S311  # the same every time
    flat = bytes([200, 30, 40]) * (64 * 32) + bytes([255, 255, 255]) * (64 * 32)
    bodies = [_by_us(pyvips.Image.new_from_memory(each, 64, 64, 3, "uchar"), format_, 75) for each in (rough, flat)]
    return hashlib.sha256(b"".join(bodies)).hexdigest()[:12]


def _by_us(image: pyvips.Image, format_: str, quality: int) -> bytes:
    how = Encoding(extension="", format=Format(format_), quality=quality)
    return encoders.encode(image.copy(interpretation="srgb"), image.height, how).body


class Encoders:
    """All ways on one picture after the other; ends the process of sharp when closed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sharp: subprocess.Popen[str] | None = None
        pyvips.cache_set_max(0)
        pyvips.concurrency_set(1)

    def encode(self, picture: Image.Image, way: Way, quality: int) -> tuple[bytes, float]:
        """Return the file, and the milliseconds of processor time that it took."""
        if way.library == "sharp":
            return self._by_sharp(picture, way, quality)
        if way.library == "pillow":
            return _timed(lambda: _by_pillow(picture, way, quality))
        image = pixels_of(picture)
        if way.library == "ours":
            return _timed(lambda: _by_us(image, way.format, quality))
        return _timed(lambda: by_vips(image, way.format, quality, way.options))

    def close(self) -> None:
        """End what was started."""
        if self._sharp is not None and self._sharp.stdin is not None:
            self._sharp.stdin.close()
            self._sharp.wait()

    def _by_sharp(self, picture: Image.Image, way: Way, quality: int) -> tuple[bytes, float]:
        if self._sharp is None:
            self._sharp = subprocess.Popen(
                ["node", str(HERE / "with_sharp.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self._sharp.stdin is not None
        assert self._sharp.stdout is not None
        pixels, to = self._folder / "pixels", self._folder / "by-sharp"
        pixels.write_bytes(picture.tobytes())
        options = {**way.options, "quality": quality}
        asked = {"pixels": str(pixels), "width": picture.width, "height": picture.height, "to": str(to)}
        asked |= {"channels": len(picture.getbands()), "format": way.format, "options": options}
        asked["times"] = 3 if picture.width <= min(ALL) and way.format != "avif" else 1
        self._sharp.stdin.write(json.dumps(asked) + "\n")
        self._sharp.stdin.flush()
        told = json.loads(self._sharp.stdout.readline())
        return to.read_bytes(), told["cpu"]


def by_vips(image: pyvips.Image, format_: str, quality: int, options: Mapping[str, Any]) -> bytes:
    """Return a file by libvips with these options."""
    savers = {"jpeg": image.jpegsave_buffer, "webp": image.webpsave_buffer, "avif": image.heifsave_buffer}
    if format_ == "png":
        return bytes(image.pngsave_buffer(keep="none", **options))
    return bytes(savers[format_](Q=quality, keep="none", **options))


def _by_pillow(picture: Image.Image, way: Way, quality: int) -> bytes:
    with io.BytesIO() as file:
        picture.save(file, way.format.upper(), quality=quality, **way.options)
        return file.getvalue()


def _timed(work: Callable[[], bytes]) -> tuple[bytes, float]:
    before = time.process_time()
    body = work()
    best = time.process_time() - before
    for _ in range(2 if best < BRIEF else 0):
        before = time.process_time()
        work()
        best = min(best, time.process_time() - before)
    return body, 1000 * best
