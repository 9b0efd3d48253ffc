"""Pillow: one decode, one high-quality thumbnail for each size."""

from __future__ import annotations

import io
from typing import Any

import PIL
from PIL import Image, ImageOps
from turns import Stopwatch, take_turns, task

OPTIONS: dict[str, dict[str, Any]] = {
    "jpeg": {"optimize": True, "subsampling": "4:2:0"},
    "webp": {"method": 4},
    "avif": {"speed": 9, "subsampling": "4:2:0", "max_threads": 1},
}
asked = task()


def ingest(watch: Stopwatch) -> list[int]:
    """Make the thumbnails from the file."""
    made = []
    with watch:
        with Image.open(asked.photo) as opened:
            whole = ImageOps.exif_transpose(opened).convert("RGB")
        for side in asked.sides:
            smaller = whole.copy()
            smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
            body = io.BytesIO()
            smaller.save(body, asked.format, quality=asked.quality, **OPTIONS[asked.format])
            made.append(len(body.getvalue()))
    return made


take_turns(f"Pillow {PIL.__version__}", ingest)
