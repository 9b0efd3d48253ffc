"""Every golden case on one sheet, for a person's eyes: the source, what is made of it now, and its golden picture.

``make contact-sheet`` writes ``contact-sheet.png``. Clear pixels are shown as a chequered floor, the frames of an
animation side by side. What looks different from its golden picture has a red frame, what has none a yellow one.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import golden
import pictures

_SHEET = Path(__file__).parents[2] / "contact-sheet.png"
_COLUMNS = 3
_CELL, _PICTURE, _ROW, _GAP = 640, 200, 176, 12
_LABEL = 34
_GREY, _RED, _YELLOW, _GREEN = (205, 205, 205), (220, 30, 30), (235, 180, 0), (60, 150, 70)


def main() -> None:
    """Draw the sheet."""
    rows = -(-len(golden.CASES) // _COLUMNS)
    sheet = Image.new("RGB", (_GAP + _COLUMNS * (_CELL + _GAP), _GAP + rows * (_ROW + _LABEL + _GAP)), "white")
    for number, case in enumerate(golden.CASES):
        place = (_GAP + number % _COLUMNS * (_CELL + _GAP), _GAP + number // _COLUMNS * (_ROW + _LABEL + _GAP))
        sheet.paste(_cell(case), place)
    sheet.save(_SHEET, optimize=True)
    sys.stdout.write(f"{len(golden.CASES)} cases: {_SHEET}\n")


def _cell(case: golden.Case) -> Image.Image:
    made = golden.results(case)
    now = golden.shown(made["address"])
    before = golden.golden(case) if case.path.exists() else None
    cell = Image.new("RGB", (_CELL, _ROW + _LABEL), "white")
    draw = ImageDraw.Draw(cell)
    if before is None:
        color, verdict = _YELLOW, "no golden picture"
    elif before.size != now.size:
        color, verdict = _RED, f"{now.width}x{now.height}, was {before.width}x{before.height}"
    else:
        mean, patch = golden.distance(before, now)
        fits = mean <= golden.MOST_DISTANCE and patch <= golden.MOST_PATCH
        color, verdict = (_GREEN if fits else _RED), f"dE {mean:.1f}, patch {patch:.1f}"
    size = " ".join(f"{way} {len(body):,} B" for way, body in made.items())
    draw.text((4, 0), str(case), fill="black", font=ImageFont.load_default(14))
    draw.text((4, 17), f"{now.width}x{now.height}  {size}  {verdict}", fill=color, font=ImageFont.load_default(12))
    for column, picture in enumerate((_source(case.source), now, before)):
        if picture is not None:
            cell.paste(_framed(picture), (4 + column * (_PICTURE + 8), _LABEL))
    draw.rectangle((0, 0, _CELL - 1, _ROW + _LABEL - 1), outline=color, width=1 if color == _GREEN else 4)
    return cell


def _source(name: str) -> Image.Image:
    """Return a source as another library shows it, or its place where none does."""
    try:
        with Image.open(io.BytesIO(golden.source(name))) as image:
            return image.convert("RGBA")
    except (OSError, SyntaxError):
        place = pictures.scene(160, 120).convert("L").convert("RGBA")
        ImageDraw.Draw(place).text((20, 50), "not shown here", fill="white")
        return place


def _framed(picture: Image.Image) -> Image.Image:
    side = _side_by_side(picture)
    scale = min(_PICTURE / side.width, (_ROW - 4) / side.height, 2.0)
    side = side.resize((max(1, round(side.width * scale)), max(1, round(side.height * scale))), _SMOOTH)
    floor = Image.new("RGB", side.size, "white")
    draw = ImageDraw.Draw(floor)
    for y in range(0, side.height, 8):
        for x in range(y // 8 % 2 * 8, side.width, 16):
            draw.rectangle((x, y, x + 7, y + 7), fill=_GREY)
    floor.paste(side, (0, 0), side)
    return floor


_SMOOTH = Image.Resampling.BICUBIC


def _side_by_side(strip: Image.Image) -> Image.Image:
    """Lay the frames of an animation, which are below one another, side by side."""
    if strip.height <= 2 * strip.width:
        return strip
    frames = 4 if strip.height * 40 == strip.width * 30 * 4 else 3
    height = strip.height // frames
    laid = Image.new("RGBA", (strip.width * frames, height))
    for number in range(frames):
        laid.paste(strip.crop((0, number * height, strip.width, (number + 1) * height)), (number * strip.width, 0))
    return laid


if __name__ == "__main__":
    main()
