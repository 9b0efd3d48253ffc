"""The pictures that quality is measured on: real ones from folders and from scikit-image, and generated ones."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

ALIKE = 6
"""Of 64 bits of a difference hash: pictures that differ in no more are one picture in two sizes."""
SHIPPED = {
    "astronaut": "face",
    "chelsea": "photograph",
    "coffee": "photograph",
    "rocket": "night",
    "motorcycle_left": "photograph",
    "retina": "photograph",
    "hubble_deep_field": "night",
    "ihc": "photograph",
    "text": "text",
    "page": "text",
}
"""What scikit-image ships with a free licence, and what it shows."""
SIZE = (2400, 1600)


@dataclass(frozen=True)
class Subject:
    """One picture: a name that no other has, what kind it is of, and how it is opened."""

    name: str
    kind: str
    opened: Callable[[], Image.Image]

    def at(self, width: int) -> Image.Image | None:
        """Return it as wide as that, or ``None`` where it would have to be enlarged for it."""
        picture = self.opened()
        if picture.width < width:
            return None
        height = max(1, round(picture.height * width / picture.width))
        return picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def all_of_them(folders: Sequence[Path], shipped: Path, most: int) -> Iterator[Subject]:
    """Yield every picture once: ``most`` of ``folders`` and below, scikit-image's of its folder ``shipped``, and the
    generated. A PNG in a folder of wallpapers counts as drawn.
    """
    found = [path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".png"}]
    for path in _distinct(found)[:most]:
        kind = "photograph" if path.suffix.lower() == ".jpg" else "drawn"
        yield Subject(path.stem, kind, partial(_opened, path))
    for name, kind in SHIPPED.items():
        path = next(shipped.glob(f"{name}.*"))
        yield Subject(f"skimage-{name}", kind, partial(_opened, path))
    for kind, make in GENERATED.items():
        yield Subject(f"generated-{kind.replace(' ', '-')}", kind, make)


def parts_of(subject: Subject) -> Iterator[Subject]:
    """Yield two parts of a picture, each a third of its sides, as further pictures of their own to learn from."""
    for number, (across, down) in enumerate(((0.15, 0.2), (0.55, 0.45))):
        yield Subject(f"{subject.name}-part{number}", subject.kind, partial(_part, subject.opened, across, down))


def _part(opened: Callable[[], Image.Image], across: float, down: float) -> Image.Image:
    picture = opened()
    left, top = round(picture.width * across), round(picture.height * down)
    return picture.crop((left, top, left + picture.width // 3, top + picture.height // 3))


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file)
        if picture.mode in {"RGBA", "LA"} and any(picture.getchannel("A").histogram()[:255]):
            return picture.convert("RGBA")
        return picture.convert("RGB")


def _distinct(paths: Sequence[Path]) -> list[Path]:
    """Return files that show something else, in an order that is the same everywhere and mixes the folders."""
    seen: list[int] = []
    distinct = []
    for path in sorted(paths, key=lambda path: hashlib.sha256(path.name.encode()).digest()):
        with Image.open(path) as picture:
            picture.draft("RGB", (256, 256))
            tiny = picture.convert("RGB").convert("L").resize((9, 8), Image.Resampling.BOX)
        bits = ImageChops.subtract(tiny.crop((1, 0, 9, 8)), tiny.crop((0, 0, 8, 8))).tobytes()
        told = sum((bit > 0) << at for at, bit in enumerate(bits))
        if all((told ^ other).bit_count() > ALIKE for other in seen):
            seen.append(told)
            distinct.append(path)
    return distinct


# ------------------------------------------------------------------ generated, the same every time


def _noise(width: int, height: int, seed: int) -> Image.Image:
    return Image.frombytes("L", (width, height), random.Random(seed).randbytes(width * height))  # noqa: S311


def _clouds(seed: int, finest: int) -> Image.Image:
    """Return grey noise whose octaves halve in strength down to details of ``finest`` pixels."""
    picture, step, weight = Image.new("L", SIZE, 128), 512, 0.5
    while step >= finest:
        grain = _noise(SIZE[0] // step + 2, SIZE[1] // step + 2, seed + step)
        picture = Image.blend(picture, grain.resize(SIZE, Image.Resampling.BICUBIC), weight)
        step, weight = step // 2, max(0.12, weight * 0.8)
    return ImageOps.autocontrast(picture)


def _foliage() -> Image.Image:
    chance = random.Random(3)  # noqa: S311
    picture = Image.new("RGB", SIZE, (24, 40, 18))
    draw = ImageDraw.Draw(picture)
    for _ in range(9000):
        x, y, long = chance.randrange(SIZE[0]), chance.randrange(SIZE[1]), chance.randrange(12, 60)
        light = chance.uniform(0.4, 1.3)
        green = (int(70 * light), int(130 * light), int(40 * light))
        dx, dy = chance.randrange(-long, long), chance.randrange(-long, long)
        draw.polygon(
            ((x, y), (x + dx // 2 - 6, y + dy // 2 + 6), (x + dx, y + dy), (x + dx // 2 + 6, y + dy // 2)), green
        )
    shade = Image.merge("RGB", (_clouds(4, 16),) * 3)
    return Image.blend(picture, shade, 0.12).filter(ImageFilter.GaussianBlur(0.7))


def _grainy() -> Image.Image:
    """Return a smooth scene with the noise of a sensor at high sensitivity."""
    scene = ImageOps.colorize(_clouds(7, 128), (30, 40, 70), (235, 205, 170), (140, 120, 110))
    grain = [_noise(*SIZE, seed) for seed in (11, 12, 13)]
    return Image.blend(scene, Image.merge("RGB", grain), 0.16)


def _night() -> Image.Image:
    chance = random.Random(5)  # noqa: S311
    picture = ImageOps.colorize(_clouds(8, 64).point(lambda value: value // 5), (3, 4, 10), (90, 100, 150))
    glow = Image.new("RGB", SIZE)
    draw = ImageDraw.Draw(glow)
    for _ in range(300):
        x, y, r = chance.randrange(SIZE[0]), int(chance.triangular(0, SIZE[1], SIZE[1] * 0.7)), chance.randrange(2, 14)
        draw.ellipse((x - r, y - r, x + r, y + r), (255, chance.randrange(140, 250), chance.randrange(40, 200)))
    picture = ImageChops.add(picture, glow.filter(ImageFilter.GaussianBlur(18)))
    return Image.blend(ImageChops.add(picture, glow), Image.merge("RGB", [_noise(*SIZE, n) for n in (1, 2, 3)]), 0.03)


def _gradient() -> Image.Image:
    across = Image.linear_gradient("L").rotate(90).resize(SIZE, Image.Resampling.BICUBIC)
    down = Image.linear_gradient("L").resize(SIZE, Image.Resampling.BICUBIC)
    return Image.merge("RGB", (across, down, ImageOps.invert(across)))


def _illustration() -> Image.Image:
    chance = random.Random(9)  # noqa: S311
    picture = Image.new("RGB", (SIZE[0] * 2, SIZE[1] * 2), (250, 236, 214))
    draw = ImageDraw.Draw(picture)
    colors = (
        (229, 57, 53),
        (30, 136, 229),
        (67, 160, 71),
        (253, 216, 53),
        (94, 53, 177),
        (33, 33, 33),
        (255, 255, 255),
    )
    for number in range(70):
        x, y, r = chance.randrange(SIZE[0] * 2), chance.randrange(SIZE[1] * 2), chance.randrange(60, 500)
        shape = (draw.ellipse, draw.rectangle)[number % 2]
        shape((x - r, y - r, x + r, y + r // 2), chance.choice(colors), (33, 33, 33), 12)
    return picture.resize(SIZE, Image.Resampling.LANCZOS)


def _screenshot() -> Image.Image:
    chance = random.Random(6)  # noqa: S311
    words = ["the", "image", "is", "ready", "when", "its", "variants", "are", "there", "and", "what", "was", "asked"]
    picture = Image.new("RGB", SIZE, (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, SIZE[0], 90), (36, 41, 47))
    draw.rectangle((0, 90, 420, SIZE[1]), (246, 248, 250))
    small, large = ImageFont.load_default(26), ImageFont.load_default(44)
    draw.text((40, 18), "Darkroom   Images   Search   Keys", (240, 246, 252), large)
    for line in range(38):
        draw.text((40, 130 + line * 38), " ".join(chance.choices(words, k=3)), (9, 105, 218), small)
        color = (207, 34, 46) if line % 9 == 4 else (31, 35, 40)
        draw.text((470, 130 + line * 38), " ".join(chance.choices(words, k=18)), color, small)
    return picture


def _transparent() -> Image.Image:
    picture = _illustration().convert("RGBA")
    mask = Image.new("L", SIZE, 0)
    ImageDraw.Draw(mask).ellipse((300, 150, 2100, 1450), fill=255)
    picture.putalpha(mask.filter(ImageFilter.GaussianBlur(30)))
    return picture


GENERATED: dict[str, Callable[[], Image.Image]] = {
    "foliage": _foliage,
    "grain": _grainy,
    "night": _night,
    "gradient": _gradient,
    "illustration": _illustration,
    "screenshot": _screenshot,
    "transparency": _transparent,
}
