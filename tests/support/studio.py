"""Pictures for a service under load, and what must come of each: every object's bytes, known beforehand.

Rendering is the same every time, so that a delivered file can be compared byte for byte with what a render made here.
"""

from __future__ import annotations

import hashlib
import io
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image

import pictures
from darkroom.model import Format
from darkroom.transform import Order
from darkroom.transform.inline import InlineTransform
from darkroom.transform.recipes import load_recipes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from darkroom.transform import Slot

RECIPES = """
[variants.large]
width = 96
height = 96
formats = ["webp", "jpeg"]

[variants.small]
width = 40
height = 24
fit = "cover"
formats = ["jpeg"]
"""
"""Small, so that a crash comes before much work is wasted, and cropped by the focus, so that a focus renders anew."""

Focus = tuple[float, float] | None
FOCI: tuple[Focus, ...] = (None, (0.0, 0.0), (1.0, 1.0))
Look = dict[str, str]
"""The SHA-256, in hex, of every object of an image, by its name under the image's prefix."""


@dataclass(frozen=True)
class Sample:
    """One file to upload. ``code`` is why it must fail, ``None`` when it must become ready."""

    name: str
    body: bytes = field(repr=False)
    code: str | None = None

    @property
    def is_recognised(self) -> bool:
        """Whether the small door takes it."""
        return self.code != "unsupported-format"


SAMPLES = (
    *(Sample(f"{width}.jpg", pictures.jpeg(width, 48)) for width in (64, 80, 100, 120)),
    Sample("noise.jpg", pictures.encode(pictures.photo(160, 120), "JPEG", quality=85)),
    Sample("flat.png", pictures.png(90, 60)),
    Sample("clear.png", pictures.png(70, 70, alpha=True)),
    Sample("still.webp", pictures.webp(60, 90)),
    Sample("moving.gif", pictures.animated_gif()),
    Sample("broken.jpg", pictures.jpeg(200, 150)[:1500], "unreadable-image"),
    Sample("text.jpg", b"<?php system('id'); ?>" * 20, "unsupported-format"),
)


class Studio:
    """What the service must make of each sample by ``RECIPES``, which lie in the file ``recipes``."""

    def __init__(self, folder: Path) -> None:
        self.recipes = folder / "recipes.toml"
        self.recipes.write_text(RECIPES)
        self._loaded = load_recipes(self.recipes)
        self._made: dict[tuple[str, Focus], tuple[Slot, ...]] = {}
        self._lock = threading.Lock()

    def looks(self, sample: Sample, foci: Iterable[Focus], renditions: int) -> list[Look]:
        """Return how an image may look: with any of the foci, made anew from a rendition at most so many times."""
        foci = tuple(foci)
        bodies, looks = {sample.body}, []
        for _ in range(renditions + 1):
            made = [self._slots(body, focus) for body in bodies for focus in foci]
            looks += [_look(slots) for slots in made]
            bodies = {_best(slots).body for slots in made}
        return looks

    def _slots(self, body: bytes, focus: Focus) -> tuple[Slot, ...]:
        key = hashlib.sha256(body).hexdigest(), focus
        with self._lock:
            if key not in self._made:
                order = Order(recipes=self._loaded, focus=focus)
                with io.BytesIO(body) as file:
                    self._made[key] = InlineTransform().render(file, order).slots
            return self._made[key]


def _look(slots: tuple[Slot, ...]) -> Look:
    return {f"{slot.variant}.{slot.extension}": sha256(slot.body) for slot in slots}


def _best(slots: tuple[Slot, ...]) -> Slot:
    """Return what is worked on when the original is gone: of the largest, one that is quick to decode."""
    return max(
        (slot for slot in slots if slot.listed), key=lambda slot: (slot.width * slot.height, slot.format != Format.AVIF)
    )


def sha256(body: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(body).hexdigest()


def width_of(body: bytes) -> int:
    """Return the width of a picture that is whole, 0 of any other."""
    if not decodes(body):
        return 0
    with Image.open(io.BytesIO(body)) as picture:
        return picture.width


def decodes(body: bytes) -> bool:
    """Tell whether a picture is whole: every frame of it."""
    try:
        with Image.open(io.BytesIO(body)) as picture:
            for frame in range(getattr(picture, "n_frames", 1)):
                picture.seek(frame)
                picture.load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True
