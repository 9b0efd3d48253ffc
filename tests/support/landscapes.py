"""Drawn landscapes, each another: what a gallery is filled with for people's eyes."""

from __future__ import annotations

import colorsys
import io
import math
import random

from PIL import Image, ImageDraw, ImageFilter

SHAPES = ((1500, 1000), (1000, 1500), (1600, 900), (1200, 1200), (1500, 1000), (2000, 800), (1400, 1050), (1000, 1400))


def landscape(seed: int) -> bytes:
    """Return the JPEG of a sky, a sun and ranges of hills."""
    chance = random.Random(seed)
    width, height = SHAPES[seed % len(SHAPES)]
    hue = chance.random()
    sky = Image.new("RGB", (1, 256))
    for y in range(256):
        sky.putpixel((0, y), _color(hue + 0.12 * y / 256, 0.55 - 0.35 * y / 256, 0.55 + 0.4 * y / 256))
    picture = sky.resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    at, radius = (chance.uniform(0.2, 0.8) * width, chance.uniform(0.2, 0.5) * height), min(width, height) * 0.09
    draw.ellipse((at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius), fill=_color(hue + 0.1, 0.25, 1))
    picture = picture.filter(ImageFilter.GaussianBlur(2))
    draw = ImageDraw.Draw(picture)
    for number in range(5):
        base = height * (0.48 + 0.11 * number)
        waves = [(chance.uniform(0.6, 5), chance.uniform(0, 7), chance.uniform(0.01, 0.06) * height) for _ in range(4)]
        line = [
            (x, base + sum(size * math.sin(speed * 2 * math.pi * x / width + start) for speed, start, size in waves))
            for x in range(0, width + 8, 8)
        ]
        draw.polygon([*line, (width + 8, height), (0, height)], fill=_color(hue + 0.45, 0.35, 0.62 - 0.11 * number))
    body = io.BytesIO()
    picture.save(body, "JPEG", quality=88)
    return body.getvalue()


def _color(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)
