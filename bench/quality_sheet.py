"""One sheet for the eyes: parts of pictures beside ours and the peers' at the same bytes.

    python bench/quality_sheet.py [docs/pictures/quality-sheet.webp]

Pictures that may be passed on: scikit-image's astronaut (NASA, public domain), coffee and cat (CC0, by Rachel Michetti
and Stefan van der Walt), and generated ones. Each is encoded 512 pixels wide by the service as AVIF, at a lower quality
than usual, where differences can be seen; JPEG and the peers are given the quality at which they come nearest to as
many bytes without having more. The parts are shown at three times their size.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from quality import HERE, shipped
from quality_study import subjects
from quality_study.ways import Encoders, Way

WIDTH, SIDE, ZOOM, GAP, TITLE = 512, 96, 3, 8, 34
QUALITY = 40
SHOWN = {
    "skimage-astronaut": (180, 60),
    "skimage-chelsea": (205, 80),
    "skimage-coffee": (260, 170),
    "generated-screenshot": (96, 30),
    "generated-night": (200, 200),
}
"""Which pictures, and the left top corner of the part."""
WAYS = (
    Way("ours, JPEG", "jpeg", "ours"),
    Way("sharp, JPEG", "jpeg", "sharp"),
    Way("Pillow, JPEG", "jpeg", "pillow"),
    Way("sharp, WebP", "webp", "sharp"),
)


class Made(NamedTuple):
    """A file by a way, for the sheet."""

    name: str
    body: bytes
    quality: int


def main() -> None:
    """Draw the sheet."""
    to = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "dist" / "quality-sheet.webp"
    to.parent.mkdir(parents=True, exist_ok=True)
    columns, cell = len(WAYS) + 2, SIDE * ZOOM
    sheet = Image.new("RGB", (columns * (cell + GAP) + GAP, len(SHOWN) * (cell + TITLE + GAP) + GAP), "white")
    found = {each.name: each for each in subjects.all_of_them([], shipped(), 0)}
    with tempfile.TemporaryDirectory() as name:
        encoders = Encoders(Path(name))
        for row, (subject, corner) in enumerate(SHOWN.items()):
            opened = found[subject].opened().convert("RGB")
            height = round(opened.height * WIDTH / opened.width)
            picture = opened if opened.width <= WIDTH else opened.resize((WIDTH, height), Image.Resampling.LANCZOS)
            cells = [("original", picture), *((_label(each), _shown(each)) for each in _made(encoders, picture))]
            for column, (label, shown) in enumerate(cells):
                at = (GAP + column * (cell + GAP), GAP + row * (cell + TITLE + GAP))
                _draw(sheet, at, label, shown.crop((*corner, corner[0] + SIDE, corner[1] + SIDE)))
        encoders.close()
    sheet.save(to, quality=88, method=4)
    print(f"{to}: {to.stat().st_size // 1000} kB")


def _made(encoders: Encoders, picture: Image.Image) -> list[Made]:
    body, _ = encoders.encode(picture, Way("ours, AVIF", "avif", "ours"), QUALITY)
    return [Made("ours, AVIF", body, QUALITY), *(_as_large(encoders, picture, way, len(body)) for way in WAYS)]


def _as_large(encoders: Encoders, picture: Image.Image, way: Way, most: int) -> Made:
    """Return the best file that is no larger, or the smallest that can be had."""
    low, high = 1, 100
    best = encoders.encode(picture, way, low)[0]
    while high - low > 1:
        middle = (low + high) // 2
        body = encoders.encode(picture, way, middle)[0]
        if len(body) <= most:
            low, best = middle, body
        else:
            high = middle
    return Made(way.name, best, low)


def _label(made: Made) -> str:
    return f"{made.name} {made.quality}: {len(made.body):,} bytes"


def _shown(made: Made) -> Image.Image:
    with Image.open(io.BytesIO(made.body)) as opened:
        return opened.convert("RGB")


def _draw(sheet: Image.Image, at: tuple[int, int], label: str, part: Image.Image) -> None:
    ImageDraw.Draw(sheet).text((at[0], at[1] + 8), label, "black", ImageFont.load_default(15))
    sheet.paste(part.resize((SIDE * ZOOM, SIDE * ZOOM), Image.Resampling.NEAREST), (at[0], at[1] + TITLE))


if __name__ == "__main__":
    main()
