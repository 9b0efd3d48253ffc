"""How far the perceptual hashes of copies of a picture are apart, and those of different pictures.

    python bench/perceptual_hash.py [--photos DIR]

Method. Each picture of the folder (or a set of generated ones) is rendered by the service's own code, and so is each of
its copies: resized to a quarter, recompressed at JPEG quality 20, cropped by 3 and by 6 % on every side, made lighter,
darker, paler, grey and warmer, mirrored (which is no copy here). The figure is in how many of 255 waves two hashes
differ: quantiles over all pictures for each kind of copy, and over all pairs of different pictures. The share found is
that of the copies within the distance called near.
"""

from __future__ import annotations

import argparse
import io
import itertools
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageEnhance, ImageOps

from darkroom.catalog.perceptual_hash import NEAR, distance
from darkroom.transform import Order
from darkroom.transform.inline import InlineTransform
from machine import print_machine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
import pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GENERATED = 40


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="folder of pictures; generated ones unless given")
    photos = parser.parse_args().photos
    found = list(generated() if photos is None else given(photos))
    print_machine()
    print(f"{len(found)} pictures, {'generated' if photos is None else 'given'}; near is at most {NEAR} of 255\n")
    hashes = [hashed(picture) for picture in found]
    known = [(picture, one) for picture, one in zip(found, hashes, strict=True) if one is not None]
    print(f"{'':24}{'median':>8}{'90 %':>8}{'most':>8}{'found':>9}")
    for name, change in COPIES.items():
        apart = []
        for picture, one in known:
            other = hashed(change(picture))
            apart.append(255 if other is None else distance(one, other))
        row(name, apart)
    pairs = [distance(one, other) for (_, one), (_, other) in itertools.combinations(known, 2)]
    print(f"\n{len(pairs)} pairs of different pictures: least {min(pairs)}, median {statistics.median(pairs):.0f};")
    near = sum(apart <= NEAR for apart in pairs)
    print(f"  {near} of them within {NEAR}; without a hash, because plain: {len(found) - len(known)}")


def row(name: str, apart: list[int]) -> None:
    """Print the quantiles of one kind of copy."""
    ordered = sorted(apart)
    near = sum(one <= NEAR for one in ordered) / len(ordered)
    print(f"{name:24}{ordered[len(ordered) // 2]:8}{ordered[len(ordered) * 9 // 10]:8}{ordered[-1]:8}{near:9.1%}")


def hashed(picture: Image.Image) -> str | None:
    """Return the hash that the service makes of a picture."""
    body = io.BytesIO()
    picture.convert("RGB").save(body, "PNG")
    return InlineTransform().render(body, Order(recipes=())).facts.perceptual_hash


def recompressed(picture: Image.Image) -> Image.Image:
    """Return what a JPEG of low quality keeps of it."""
    body = io.BytesIO()
    picture.convert("RGB").save(body, "JPEG", quality=20)
    return Image.open(body)


def cropped(share: float) -> Callable[[Image.Image], Image.Image]:
    """Return what cuts that share off on every side."""

    def crop(picture: Image.Image) -> Image.Image:
        across, down = round(picture.width * share), round(picture.height * share)
        return picture.crop((across, down, picture.width - across, picture.height - down))

    return crop


def warmer(picture: Image.Image) -> Image.Image:
    """Return it with more red and less blue."""
    red, green, blue = picture.convert("RGB").split()
    return Image.merge("RGB", (red.point(lambda v: min(255, v * 1.15)), green, blue.point(lambda v: v * 0.85)))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "resized to a quarter": lambda one: one.resize((max(1, one.width // 4), max(1, one.height // 4))),
    "JPEG quality 20": recompressed,
    "cropped 3 % a side": cropped(0.03),
    "cropped 6 % a side": cropped(0.06),
    "lighter by a third": lambda one: ImageEnhance.Brightness(one.convert("RGB")).enhance(1.33),
    "darker by a third": lambda one: ImageEnhance.Brightness(one.convert("RGB")).enhance(0.67),
    "half the contrast": lambda one: ImageEnhance.Contrast(one.convert("RGB")).enhance(0.5),
    "paler": lambda one: ImageEnhance.Color(one.convert("RGB")).enhance(0.4),
    "grey": ImageOps.grayscale,
    "warmer": warmer,
    "mirrored (no copy)": ImageOps.mirror,
}


def given(folder: Path) -> Iterator[Image.Image]:
    """Yield the pictures of a folder, upright."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp", ".tif"}:
            with Image.open(path) as picture:
                picture.load()
                yield ImageOps.exif_transpose(picture)


def generated() -> Iterator[Image.Image]:
    """Yield pictures that nobody took."""
    for seed in range(GENERATED):
        yield pictures.photo(480, 360, seed=seed)


if __name__ == "__main__":
    main()
