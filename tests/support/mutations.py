"""Valid files of every format, spoiled: bytes flipped, cut, repeated, and spliced with those of other files.

``mutated(seed)`` is the same file for the same seed and the same sources, so a seed is all it takes to try one again:

    python tests/support/mutations.py 4711 > spoiled        # the file of a seed
    python tests/support/mutations.py --run 10000           # what comes of so many, printed
"""

from __future__ import annotations

import argparse
import io
import random
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import bombs
import pictures
from darkroom.errors import DarkroomError, Refused, RenderFailed
from darkroom.transform import Limits, Order
from darkroom.transform.headers import dimensions
from darkroom.transform.recipes import DEFAULT_RECIPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from darkroom.transform.jail import JailedTransform

MEBIBYTE = 1024 * 1024
ORDER = Order(recipes=DEFAULT_RECIPES, limits=Limits(svg=True))
_HEAD = 400
"""Most of what can be got wrong lies in the first bytes."""
_ODD = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
_ODD_LENGTHS = (0, 1, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


@cache
def sources() -> dict[str, bytes]:
    """Return a valid file of every kind, by a name that begins with its format."""
    exif = pictures.camera_exif(orientation=6)
    deep = pictures.encode(pictures.scene(48, 40).convert("I;16"), "TIFF")
    return {
        "jpeg": pictures.jpeg(),
        "jpeg progressive": pictures.jpeg(progressive=True),
        "jpeg grey": pictures.jpeg(mode="L"),
        "jpeg cmyk": pictures.jpeg(mode="CMYK"),
        "jpeg restarts": pictures.jpeg(restart_marker_blocks=2),
        "jpeg exif": pictures.jpeg(exif=exif, orientation=6),
        "jpeg p3": pictures.jpeg(icc_profile=pictures.display_p3_profile()),
        "png": pictures.png(),
        "png alpha": pictures.png(alpha=True),
        "png palette": pictures.png(mode="P"),
        "png 1 bit": pictures.png(mode="1"),
        "png 16 bits": pictures.png(mode="I;16"),
        "png exif": pictures.png(exif=exif),
        "png p3": pictures.png(icc_profile=pictures.display_p3_profile()),
        "webp": pictures.webp(),
        "webp lossless": pictures.webp(lossless=True),
        "webp alpha": pictures.webp(alpha=True, exif=exif),
        "webp animated": pictures.animated_webp(),
        "gif": pictures.gif(),
        "gif animated": pictures.animated_gif(frames=4),
        "tiff": pictures.tiff(),
        "tiff pages": pictures.tiff(pages=3, orientation=8),
        "tiff cmyk": pictures.tiff(mode="CMYK"),
        "tiff 16 bits": deep,
        "tiff lzw": pictures.encode(pictures.scene(64, 48), "TIFF", compression="tiff_lzw"),
        "tiff deflated": pictures.encode(pictures.scene(64, 48), "TIFF", compression="tiff_adobe_deflate"),
        "tiff jpeg": pictures.encode(pictures.scene(64, 48), "TIFF", compression="jpeg"),
        "tiff fax": pictures.encode(pictures.scene(64, 48).convert("1"), "TIFF", compression="group4"),
        "avif": pictures.avif(),
        "avif alpha": pictures.avif(alpha=True, exif=exif),
        "avif grid": bombs.avif_grid(2, 2, 64),
        "heic": pictures.heic(),
        "heic exif": pictures.heic(exif=exif, icc=pictures.display_p3_profile(), orientation=6),
        "heic grid": bombs.heic_grid(2, 2, 64),
        "svg": pictures.svg(),
        "svg of much": bombs.svg_of_everything(),
    }


@dataclass(frozen=True)
class Mutated:
    """A spoiled file; ``kind`` is the source it began as."""

    seed: int
    kind: str
    content: bytes


def mutated(seed: int) -> Mutated:
    """Return the file of a seed."""
    chance = random.Random(seed)
    kind = chance.choice(list(sources()))
    content = bytearray(sources()[kind])
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        chance.choice(_SPOILERS)(chance, content)
    if kind.startswith("png") and chance.random() < 0.8:
        _repair_checksums(content)
    if kind.startswith("webp") and chance.random() < 0.8:
        content[4:8] = struct.pack("<I", max(0, len(content) - 8))
    return Mutated(seed, kind, bytes(content))


def _place(chance: random.Random, content: bytearray) -> int:
    return chance.randrange(max(1, min(len(content), _HEAD) if chance.random() < 0.6 else len(content)))


def _part(chance: random.Random, content: bytearray) -> slice:
    start = _place(chance, content)
    return slice(start, start + chance.choice((1, 2, 4, 16, 100, 1_000)))


def _flip(chance: random.Random, content: bytearray) -> None:
    for _ in range(chance.choice((1, 1, 2, 8, 40))):
        at = _place(chance, content)
        content[at : at + 1] = bytes(byte ^ 1 << chance.randrange(8) for byte in content[at : at + 1])


def _make_odd(chance: random.Random, content: bytearray) -> None:
    part = _part(chance, content)
    content[part] = bytes([chance.choice(_ODD)]) * len(content[part])


def _lie(chance: random.Random, content: bytearray) -> None:
    """Write a number that could be a length or an offset."""
    at = _place(chance, content)
    number = chance.choice((*_ODD_LENGTHS, len(content), chance.randrange(2**32)))
    form = chance.choice((">I", "<I", ">H", "<H"))
    raw = struct.pack(form, number & (0xFFFFFFFF if form[1] == "I" else 0xFFFF))
    content[at : at + len(raw)] = raw


def _cut_off(chance: random.Random, content: bytearray) -> None:
    del content[chance.randrange(len(content) + 1) :]


def _cut_out(chance: random.Random, content: bytearray) -> None:
    del content[_part(chance, content)]


def _insert(chance: random.Random, content: bytearray) -> None:
    at = _place(chance, content)
    content[at:at] = chance.randbytes(chance.choice((1, 3, 16, 300)))


def _repeat(chance: random.Random, content: bytearray) -> None:
    part = _part(chance, content)
    content[part.stop : part.stop] = content[part] * chance.choice((1, 2, 10, 200))


def _swap(chance: random.Random, content: bytearray) -> None:
    one, other = _part(chance, content), _part(chance, content)
    content[one], content[other] = content[other], content[one]


def _splice(chance: random.Random, content: bytearray) -> None:
    """Put a part of another file in, or go on with it to its end."""
    other = sources()[chance.choice(list(sources()))]
    start = chance.randrange(len(other))
    if chance.random() < 0.5:
        content[_place(chance, content) :] = other[start:]
    else:
        content[_part(chance, content)] = other[start : start + chance.choice((4, 30, 500))]


_SPOILERS: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _flip,
    _flip,
    _make_odd,
    _lie,
    _lie,
    _cut_off,
    _cut_out,
    _insert,
    _repeat,
    _swap,
    _splice,
)


def _repair_checksums(content: bytearray) -> None:
    """A decoder of PNG looks no further than a wrong checksum."""
    at = 8
    while at + 12 <= len(content):
        end = at + 8 + int.from_bytes(content[at : at + 4])
        if end + 4 > len(content):
            return
        content[end : end + 4] = struct.pack(">I", zlib.crc32(content[at + 4 : end]))
        at = end + 4


# ------------------------------------------------------------------ what comes of them


@dataclass
class Tally:
    """What came of many files. ``broken`` are the seeds whose decoding process crashed or ran over, with the reason."""

    outcomes: Counter[str] = field(default_factory=Counter)
    by_format: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: dict[int, str] = field(default_factory=dict)
    wrong: dict[int, str] = field(default_factory=dict)
    """Whatever else was raised: there must be none."""
    slowest: tuple[float, int] = (0.0, 0)
    """Seconds and seed."""
    seconds: float = 0.0

    def note(self, seed: int, kind: str, outcome: str, seconds: float) -> None:
        """Count one file of a format."""
        self.outcomes[outcome] += 1
        self.by_format[kind.split(maxsplit=1)[0], outcome] += 1
        self.slowest = max(self.slowest, (seconds, seed))

    def __str__(self) -> str:
        lines = [f"{sum(self.outcomes.values())} files in {self.seconds:.1f} s: {dict(self.outcomes.most_common())}"]
        for name in sorted({name for name, _ in self.by_format}):
            found = {outcome: count for (kind, outcome), count in sorted(self.by_format.items()) if kind == name}
            lines.append(f"  {name:6}{found}")
        lines.append(f"slowest: {self.slowest[0] * 1e3:.0f} ms, seed {self.slowest[1]}")
        for label, seeds in (("broken", self.broken), ("wrong", self.wrong)):
            lines += [f"{label}: seed {seed}, {mutated(seed).kind}: {reason}" for seed, reason in sorted(seeds.items())]
        return "\n".join(lines)


def run(pool: JailedTransform, seeds: Sequence[int], *, threads: int = 2) -> Tally:
    """Have the files of all seeds rendered, and their headers read as an uploader's are."""
    tally = Tally()
    began = time.monotonic()
    with ThreadPoolExecutor(threads) as helpers:
        for some in _batches(seeds):
            for seed, kind, outcome, seconds in helpers.map(lambda seed: _try(pool, mutated(seed)), some):
                code = outcome.code if isinstance(outcome, DarkroomError) else "rendered"
                if isinstance(outcome, RenderFailed):
                    tally.broken[seed] = outcome.detail
                elif isinstance(outcome, Exception) and not isinstance(outcome, Refused):
                    tally.wrong[seed] = f"{type(outcome).__name__}: {outcome}"
                tally.note(seed, kind, code, seconds)
    tally.seconds = time.monotonic() - began
    return tally


def _batches(seeds: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield a few at a time: what waits in a line takes memory, and that is what is measured."""
    return (seeds[at : at + 50] for at in range(0, len(seeds), 50))


def _try(pool: JailedTransform, file: Mutated) -> tuple[int, str, Exception | None, float]:
    outcome: Exception | None = None
    began = time.perf_counter()
    with tempfile.TemporaryFile() as original:
        original.write(file.content)
        original.flush()
        try:
            pool.render(original, ORDER)
        except Exception as error:  # noqa: BLE001  # that is what is looked for
            outcome = error
    seconds = time.perf_counter() - began
    try:
        dimensions(io.BytesIO(file.content))
    except Refused:
        pass
    except Exception as error:  # noqa: BLE001  # as above
        outcome = error
    return file.seed, file.kind, outcome, seconds


def main() -> None:
    """Write the file of one seed, or try many and print what came of them."""
    arguments = argparse.ArgumentParser(description="spoiled pictures")
    arguments.add_argument("seed", type=int, nargs="?")
    arguments.add_argument("--run", type=int, metavar="COUNT", help="try so many")
    arguments.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    chosen = arguments.parse_args()
    if chosen.run is None:
        sys.stdout.buffer.write(mutated(chosen.seed or 0).content)
        return
    from darkroom.transform.jail import JailedTransform  # noqa: PLC0415  # a zygote imports no such thing

    pool = JailedTransform(2)
    print(run(pool, range(chosen.first, chosen.first + chosen.run)))  # noqa: T201  # what the program is for
    pool.close()


if __name__ == "__main__":
    main()
