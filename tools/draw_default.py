# ruff: noqa: INP001 # a script, not a package
"""Draw the default image that comes with the service: grey, without words, plainly no photograph.

    python tools/draw_default.py src/darkroom/edge/default.png

A picture frame with a sun and a mountain, crossed out. The same bytes come out every time with the same Pillow.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 1920, 1440
SMOOTH = 4
"""Drawn this many times larger and shrunk, which makes the edges smooth."""

GREYS = 16
GROUND, INK = 0xE6, 0xB4

Point = tuple[float, float]


def draw() -> Image.Image:
    """Return the default image, 1920×1440, in few greys."""
    canvas = Image.new("L", (WIDTH * SMOOTH, HEIGHT * SMOOTH), GROUND)
    pen = ImageDraw.Draw(canvas)

    def scaled(*points: Point) -> list[Point]:
        return [(x * SMOOTH, y * SMOOTH) for x, y in points]

    frame = scaled((600, 450), (1320, 990))
    pen.rounded_rectangle(frame[0] + frame[1], radius=48 * SMOOTH, outline=INK, width=36 * SMOOTH)
    sun = scaled((712, 556), (832, 676))
    pen.ellipse(sun[0] + sun[1], fill=INK)
    pen.polygon(scaled((780, 906), (1010, 690), (1070, 770), (1130, 700), (1240, 906)), fill=INK)
    _stroke(pen, scaled((560, 1052), (1360, 388)), GROUND, 108 * SMOOTH)
    _stroke(pen, scaled((560, 1052), (1360, 388)), INK, 36 * SMOOTH)
    shrunk = canvas.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    levels = [round(GROUND + (INK - GROUND) * step / (GREYS - 1)) for step in range(GREYS)]
    nearest = [min(range(GREYS), key=lambda step: abs(levels[step] - grey)) for grey in range(256)]
    indexed = shrunk.point(nearest, "P")
    indexed.putpalette([level for level in levels for _ in range(3)])
    return indexed


def _stroke(pen: ImageDraw.ImageDraw, ends: list[Point], grey: int, width: int) -> None:
    pen.line(ends, fill=grey, width=width)
    for x, y in ends:
        pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=grey)


if __name__ == "__main__":
    draw().save(Path(sys.argv[1]), optimize=True, bits=4)
