"""How far the perceptual hashes of copies of a picture are apart, those of different pictures, and how many are found.

    python bench/perceptual_hash.py [--photos DIR]

Method. Each picture of the folder (or a set of generated ones) is rendered by the service's own code, and so is each of
its copies: resized to a quarter, recompressed at JPEG quality 20, cropped by 2 to 6 % on every side, made lighter,
darker, paler, grey and warmer, mirrored (which is no copy here). The figure is in how many of 255 waves two hashes
differ: quantiles over all pictures for each kind of copy, and over all pairs of different pictures. Near is the share
of the copies within the distance called so. Found is how many of those an index leads to, by the terms that are looked
for in each step: as they are and with uncertain bits turned; with one bit turned; with both. Likewise, how many of the
pairs of different pictures are looked at for nothing.
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

from darkroom.catalog.perceptual_hash import NEAR, distance, probes, terms
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
    print(f"{'':24}{'median':>8}{'90 %':>8}{'most':>8}{'near':>9}{'found of these, after each step':>36}")
    every: list[tuple[str, str]] = []
    for name, change in COPIES.items():
        copies = [(one, hashed(change(picture))) for picture, one in known]
        apart = [255 if other is None else distance(one, other) for one, other in copies]
        near = [(one, other) for one, other in copies if other is not None and distance(one, other) <= NEAR]
        row(name, apart, near)
        every += near
    print(f"{'all of these':48}{len(every):9}{shares(every):>36}")
    pairs = [(one, other) for (_, one), (_, other) in itertools.combinations(known, 2)]
    apart = [distance(one, other) for one, other in pairs]
    print(f"\n{len(pairs)} pairs of different pictures: least {min(apart)}, median {statistics.median(apart):.0f};")
    alike = sum(one <= NEAR for one in apart)
    print(f"  {alike} of them within {NEAR}; without a hash, because plain: {len(found) - len(known)}")
    others = [pair for pair, one in zip(pairs, apart, strict=True) if one > NEAR]
    print(f"  looked at for nothing: {shares(others, digits=2)}")


def row(name: str, apart: list[int], near: list[tuple[str, str]]) -> None:
    """Print the quantiles of one kind of copy."""
    ordered = sorted(apart)
    share = len(near) / len(ordered)
    quantiles = ordered[len(ordered) // 2], ordered[len(ordered) * 9 // 10], ordered[-1]
    print(f"{name:24}{''.join(f'{one:8}' for one in quantiles)}{share:9.1%}{shares(near):>36}")


def shares(pairs: list[tuple[str, str]], *, digits: int = 1) -> str:
    """Return of how many pairs the one is looked at when the like of the other is looked for, after each step."""
    if not pairs:
        return "-"
    after = [0, 0, 0]
    for one, other in pairs:
        looked_for: set[str] = set()
        for number, step in enumerate(probes(one)):
            looked_for.update(step)
            after[number] += not looked_for.isdisjoint(terms(other))
    return "  ".join(f"{count / len(pairs):.{digits}%}" for count in after)


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
    "cropped 2 % a side": cropped(0.02),
    "cropped 3 % a side": cropped(0.03),
    "cropped 4 % a side": cropped(0.04),
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
