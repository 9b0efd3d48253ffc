"""Twenty varied pictures about 2,000 pixels wide, the same every time: photographs side by side, and generated ones."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

import pictures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SIZES = ((2040, 1356), (2040, 1148), (1356, 2040), (2040, 1524), (1840, 1848))
"""As in the set of the published benchmark: most of them wide, some tall."""
LARGE = (3264, 2448)
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "motorcycle_left", "rocket", "retina", "hubble_deep_field", "ihc")
COUNT = 20
ENCODERS: Mapping[str, tuple[str, dict[str, int]]] = {
    "jpg": ("JPEG", {"quality": 75}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 75}),
    "avif": ("AVIF", {"quality": 65, "speed": 9}),
}
"""Those of the published benchmark."""


def large_ones(photographs: Path) -> Iterator[Image.Image]:
    """Yield four pictures of 8 megapixels."""
    found = [_opened(photographs, name) for name in PHOTOGRAPHS]
    for number in range(4):
        yield _side_by_side(found, LARGE, number) if number % 2 else pictures.photo(*LARGE, seed=number)


def all_of_them(photographs: Path) -> Iterator[Image.Image]:
    """Yield the pictures; ``photographs`` is the folder of scikit-image's."""
    found = [_opened(photographs, name) for name in PHOTOGRAPHS]
    for number in range(COUNT):
        size = SIZES[number % len(SIZES)]
        yield _side_by_side(found, size, number) if number % 2 else pictures.photo(*size, seed=number)


def _opened(folder: Path, name: str) -> Image.Image:
    with Image.open(next(folder.glob(f"{name}.*"))) as opened:
        return opened.convert("RGB")


def _side_by_side(photographs: list[Image.Image], size: tuple[int, int], seed: int) -> Image.Image:
    """Fill a picture with photographs at about their own size, so that detail is as fine as it was taken."""
    chance = random.Random(seed)  # noqa: S311  # the same every time
    picture = Image.new("RGB", size)
    across = 3 if size[0] < LARGE[0] else 5
    width, height = size[0] // across + 1, size[1] // across + 1
    for number in range(across * across):
        part = ImageOps.fit(chance.choice(photographs), (width, height), Image.Resampling.LANCZOS)
        part = ImageOps.mirror(part) if chance.random() < 0.5 else part
        picture.paste(part, (number % across * width, number // across * height))
    return picture
