"""Pictures and requests whose results a person has looked at once, and what they looked like then.

A case is a source and a request in the grammar of addresses (docs/http-api.md); its golden picture is
``tests/golden/pictures/{source}/{request}.{ext}.webp``. Where the request can also be said by a recipe, the variant is
held against the same golden picture. The sources are made here, so nothing of them is kept.

``make goldens`` writes the pictures and says which are new or changed: look at each before it is committed
(``make contact-sheet``). Nothing else writes one.
"""

from __future__ import annotations

import io
import math
import random
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyvips
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageFilter, ImageSequence

import pictures
import profiles
from darkroom.model import Format
from darkroom.transform import Limits, Order, Wish
from darkroom.transform.inline import InlineTransform
from darkroom.transform.options import Transformation, parse
from darkroom.transform.plan import Size
from darkroom.transform.recipes import DEFAULT_QUALITY, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = Path(__file__).parents[1] / "golden" / "pictures"
LIMITS = Limits(svg=True, accept_truncated=True)

MOST_DISTANCE = 1.0
"""Mean ΔE*ab over a picture above which it looks different. A just noticeable difference is about 2.3 (Mahy, Van
Eycken and Oosterlinck, 1994), but who looks at a whole picture notices less of it. Of ``view`` at 96 pixels, 3 %
darker is 2.1, one pixel to the side 2.5, half its sharpness 1.2."""
MOST_PATCH = 5.0
"""The same over one patch of 8 by 8 pixels, where the pixels around an edge may lie differently."""
_PATCH = 8


# ------------------------------------------------------------------ sources


def view(width: int = 240, height: int = 180) -> Image.Image:
    """Return a view as people photograph it: sky, hills in the haze, a red house, a meadow in the light of evening."""
    chance = random.Random(4)
    picture = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(picture)
    for y in range(height):
        part = y / height
        draw.line((0, y, width, y), fill=(round(95 + 150 * part), round(150 + 70 * part), round(225 - 35 * part)))
    draw.ellipse((width * 0.7, height * 0.12, width * 0.79, height * 0.24), fill=(255, 244, 205))
    for number, color in enumerate(((150, 160, 185), (110, 130, 150), (70, 105, 95))):
        base = height * (0.42 + 0.09 * number)
        ridge = [
            (x, base + chance.uniform(-9, 9) - 14 * math.sin(x / (22 + 9 * number))) for x in range(0, width + 8, 8)
        ]
        draw.polygon([(0, height), *ridge, (width, height)], fill=color)
    ground = pictures.photo(width, height, seed=9).convert("L")
    meadow = Image.merge("RGB", [ground.point([low + v * (high - low) // 255 for v in range(256)])
                                 for low, high in ((60, 150), (95, 190), (20, 70))])  # fmt: skip
    picture.paste(meadow.crop((0, 0, width, height // 3)), (0, height - height // 3))
    left, top, side = width * 0.18, height * 0.48, width * 0.17
    draw.rectangle((left, top + side * 0.5, left + side, top + side * 1.2), fill=(165, 45, 40))
    draw.polygon(
        ((left - 5, top + side * 0.5), (left + side / 2, top), (left + side + 5, top + side * 0.5)), fill=(70, 60, 65)
    )
    draw.rectangle((left + side * 0.2, top + side * 0.65, left + side * 0.42, top + side * 0.9), fill=(250, 235, 170))
    draw.line((width * 0.62, height, width * 0.5, height * 0.68), fill=(205, 185, 140), width=9)
    for x in range(round(width * 0.56), width, 14):
        draw.line((x, height * 0.74, x, height * 0.84), fill=(240, 240, 235), width=2)
    draw.line((width * 0.56, height * 0.77, width, height * 0.77), fill=(240, 240, 235), width=2)
    grain = Image.frombytes("L", (width, height), chance.randbytes(width * height))
    return Image.blend(picture, Image.merge("RGB", (grain, grain, grain)), 0.015)


def face(width: int = 300, height: int = 160) -> Image.Image:
    """Return someone at the right edge, before a dull wall: what draws the eye is no question."""
    picture = pictures.photo(width, height, seed=11).convert("L").point([100 + v // 16 for v in range(256)])
    portrait = picture.convert("RGB")
    draw = ImageDraw.Draw(portrait)
    x, y, size = width * 5 // 6, height // 2, height // 4
    draw.ellipse((x - size, y - size * 5 // 4, x + size, y + size), fill=(70, 40, 25))
    draw.ellipse((x - size * 3 // 4, y - size, x + size * 3 // 4, y + size), fill=(224, 172, 140))
    for eye in (x - size // 3, x + size // 3):
        draw.ellipse((eye - size // 7, y - size // 3, eye + size // 7, y - size // 8), fill=(255, 255, 255))
        draw.ellipse((eye - size // 14, y - size // 3, eye + size // 14, y - size // 8), fill=(40, 60, 110))
    draw.arc((x - size // 3, y, x + size // 3, y + size * 2 // 3), 20, 160, fill=(150, 40, 50), width=3)
    return portrait.filter(ImageFilter.GaussianBlur(0.7))


def leaves(width: int = 300, height: int = 160) -> Image.Image:
    """Return a bush at the left edge, before an empty sky: where most is going on is no question."""
    sky = Image.merge("RGB", [Image.linear_gradient("L").resize((width, height)).point([b + v // 8 for v in range(256)])
                              for b in (150, 180, 215)])  # fmt: skip
    bush = pictures.photo(width // 4, height * 3 // 4, seed=5)
    sky.paste(Image.blend(bush, Image.new("RGB", bush.size, (40, 110, 30)), 0.45), (width // 16, height // 4))
    return sky


def meeting(width: int = 400, height: int = 160) -> Image.Image:
    """Return a face at the right edge, which draws the eye, and mist of every grey at the left one, hard to pack."""
    picture = face(width, height)
    mist = pictures.photo(width // 3, height, seed=8).convert("L").filter(ImageFilter.GaussianBlur(8))
    low, high = mist.getextrema()
    picture.paste(mist.point([max(0, min(255, (v - low) * 255 // (high - low))) for v in range(256)]), (0, 0))
    return picture


def glass(width: int = 192, height: int = 144) -> Image.Image:
    """Return shapes with hard, soft and thin edges over nothing; under the clear pixels lies black."""
    picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((8, 8, width // 2, height - 8), fill=(250, 250, 250, 255))
    draw.rectangle((width * 5 // 8, 10, width - 10, height // 3), fill=(230, 60, 60, 128))
    for step in range(6):
        y = height // 2 + step * height // 14
        draw.line((width * 5 // 8, y, width - 10, y + 6), fill=(40, 90, 220, 255), width=1 + step % 3)
    return picture


def _wide(picture: Image.Image, profile: bytes) -> bytes:
    """Return a picture as another colour space writes it, so that it looks the same to who obeys its profile."""
    there = ImageCms.profileToProfile(picture, ImageCms.createProfile("sRGB"), io.BytesIO(profile), renderingIntent=1)
    assert there is not None
    return pictures.encode(there, "JPEG", quality=95, icc_profile=profile)


def _press() -> bytes:
    """Return the profile of a usual press that comes with libvips, which takes it where inks say none."""
    return bytes(pyvips.Operation.call("profile_load", "cmyk"))


def _printed(picture: Image.Image) -> Image.Image:
    """Return the inks that print a picture as it looks."""
    inks = ImageCms.profileToProfile(
        picture, ImageCms.createProfile("sRGB"), io.BytesIO(_press()), renderingIntent=1, outputMode="CMYK"
    )
    assert inks is not None
    return inks


def _turned(kind: str, orientation: int) -> bytes:
    stored = view(180, 240).transpose(pictures.STORED[orientation])
    exif = pictures.camera_exif(orientation=orientation)
    return pictures.encode(stored, kind, quality=92, exif=exif)


def _moving(kind: str) -> bytes:
    return pictures.animated_gif(120, 90, frames=3) if kind == "GIF" else pictures.animated_webp(120, 90, frames=3)


def _photo(**options: object) -> bytes:
    return pictures.encode(view(), "JPEG", quality=95, **options)


def _night(width: int = 240, height: int = 180) -> Image.Image:
    """Return lights in the dark: a street with a few lamps and windows, and the grain of a small sensor."""
    chance = random.Random(12)
    picture = Image.new("RGB", (width, height), (7, 9, 18))
    draw = ImageDraw.Draw(picture)
    for left in range(0, width, 30):
        top = height // 2 - chance.randrange(height // 3)
        draw.rectangle((left, top, left + 24, height), fill=(13, 14, 24))
        for _ in range(4):
            x, y = left + chance.randrange(18), top + chance.randrange(max(1, height - top - 8))
            draw.rectangle((x, y, x + 4, y + 5), fill=chance.choice(((250, 214, 130), (180, 200, 240), (60, 50, 40))))
    for x in (width // 5, width * 3 // 5):
        for size, light in ((26, (40, 30, 18)), (14, (110, 82, 40)), (5, (255, 240, 200))):
            draw.ellipse((x - size, height // 2 - size, x + size, height // 2 + size), fill=light)
    grain = Image.frombytes("RGB", (width, height), chance.randbytes(width * height * 3))
    return Image.blend(picture.filter(ImageFilter.GaussianBlur(1)), grain, 0.03)


def _gradient(width: int = 240, height: int = 180) -> Image.Image:
    """Return three ramps, in which every step that is too large is seen."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    return Image.merge(
        "RGB", (across.point([40 + v // 2 for v in range(256)]), down, across.point([255 - v // 3 for v in range(256)]))
    )


def _poster(width: int = 480, height: int = 360) -> Image.Image:
    """Return flat art: a few colours, smooth edges."""
    chance, scale = random.Random(3), 2
    picture = Image.new("RGB", (width * scale, height * scale), (246, 222, 180))
    draw = ImageDraw.Draw(picture)
    for number in range(24):
        color = chance.choice(((230, 80, 60), (40, 80, 120), (250, 180, 60), (90, 160, 120), (60, 40, 70)))
        x, y = chance.randrange(picture.width), chance.randrange(picture.height)
        side = chance.randrange(40, 300)
        (draw.ellipse if number % 2 else draw.rectangle)((x, y, x + side, y + side * 2 // 3), fill=color)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


SOURCES: dict[str, Callable[[], bytes]] = {
    "photo": _photo,
    "photo-progressive": lambda: _photo(progressive=True),
    "scene-arithmetic": pictures.arithmetic_jpeg,
    "photo-cut-off": lambda: _photo()[: len(_photo()) * 2 // 3],
    "photo-grey": lambda: pictures.encode(view().convert("L"), "JPEG", quality=95),
    "photo-display-p3": lambda: _wide(view(), pictures.display_p3_profile()),
    "photo-adobe-rgb": lambda: _wide(view(), profiles.adobe_rgb_profile()),
    "photo-cmyk": lambda: pictures.encode(_printed(view()), "JPEG", quality=95),
    "photo-cmyk-profile": lambda: pictures.encode(_printed(view()), "JPEG", quality=95, icc_profile=_press()),
    "photo-ycck": lambda: pictures.ycck_jpeg(_printed(view()), quality=95),
    "photo-16-bits": lambda: pictures.deep_png(view()),
    "photo-turned-6": lambda: _turned("JPEG", 6),
    "photo-turned-7": lambda: _turned("AVIF", 7),
    "photo-webp": lambda: pictures.encode(view(), "WEBP", quality=95),
    "photo-palette": lambda: pictures.encode(view().quantize(256), "PNG"),
    "page": lambda: pictures.encode(pictures.page(480, 320), "PNG"),
    "poster": lambda: pictures.encode(_poster(), "PNG"),
    "night": lambda: pictures.encode(_night(), "PNG"),
    "gradient": lambda: pictures.encode(_gradient(), "PNG"),
    "photo-gain-map": lambda: pictures.gain_map_jpeg(view()),
    "face": lambda: pictures.encode(face(), "PNG"),
    "leaves": lambda: pictures.encode(leaves(), "PNG"),
    "meeting": lambda: pictures.encode(meeting(), "PNG"),
    "glass": lambda: pictures.encode(glass(), "PNG"),
    "scene-phone": lambda: pictures.heic(160, 120, orientation=6),
    "scene-pages": lambda: pictures.tiff(160, 120, pages=2),
    "moving-gif": lambda: _moving("GIF"),
    "moving-webp": lambda: _moving("WEBP"),
    "moving-clear": lambda: pictures.marching_gif(disposal=2),
    "drawing": lambda: pictures.svg(160, 120),
}


# ------------------------------------------------------------------ cases


@dataclass(frozen=True, slots=True)
class Case:
    """One request of one source; ``ext`` is the format that is asked for."""

    source: str
    request: str
    ext: str

    @property
    def path(self) -> Path:
        """Where its golden picture lies."""
        request = self.request.replace(":", "-")  # which not every system has in names
        return FOLDER / self.source / f"{request}.{self.ext}.webp"

    def __str__(self) -> str:
        return f"{self.source}/{self.request}.{self.ext}"


def _cases() -> Iterator[Case]:
    inside = "width=96,height=96"
    for ext in ("jpeg", "webp", "avif", "png", "gif"):
        yield Case("photo", inside, ext)
    for source in SOURCES:
        if source.startswith(("photo-", "scene-", "drawing")):
            yield Case(source, inside, "png")
    square = "width=96,height=96,fit=cover"
    for gravity in ("center", "attention", "entropy", "northwest", "0.8:0.5"):
        yield Case("face", f"{square},gravity={gravity}", "png")
    for gravity in ("attention", "entropy"):
        yield Case("leaves", f"{square},gravity={gravity}", "png")
        yield Case("meeting", f"{square},gravity={gravity}", "png")
    yield Case("photo-turned-6", f"{square},gravity=south", "png")
    for fit in ("contain", "fill"):
        yield Case("face", f"width=96,height=96,fit={fit},background=305070", "png")
    yield Case("glass", "width=96,height=96,fit=contain,background=305070", "png")
    for ext in ("png", "webp", "avif"):
        yield Case("glass", "width=80,height=80", ext)
    yield Case("glass", "width=80,height=80,background=ffd030", "jpeg")
    for ext in ("webp", "gif"):
        yield Case("moving-gif", "width=64,height=64", ext)
        yield Case("moving-webp", "width=64,height=64", ext)
    yield Case("moving-clear", "width=40,height=40", "webp")
    yield Case("moving-clear", "width=40,height=40", "gif")
    yield Case("moving-gif", "width=60,height=60,fit=cover", "webp")
    for change in ("rotate=90", "flip=h", "flip=v", "grayscale=1", "blur=3", "sharpen=1"):
        yield Case("photo", f"{change},width=96", "png")
    yield Case("photo", "crop=120:0:120:90,width=96", "png")
    yield Case("photo-turned-6", "crop=0:120:180:120,width=96", "png")
    yield Case("photo", "crop=36:84:60:45,width=96,enlarge=1", "jpeg")


def _kinds() -> Iterator[Case]:
    """Yield each kind of picture in the formats that choose by it how they encode it."""
    for source in ("face", "page", "poster", "night", "gradient"):
        for ext in ("jpeg", "webp", "avif"):
            yield Case(source, "width=240,height=240", ext)


CASES = [*_cases(), *_kinds()]


# ------------------------------------------------------------------ results


@cache
def source(name: str) -> bytes:
    """Return the bytes of a source."""
    return SOURCES[name]()


@cache
def results(case: Case) -> dict[str, bytes]:
    """Return what is made of a case, by the way it was ordered."""
    wanted, form = parse(case.request).transformation, Format(case.ext)
    content = source(case.source)
    transform = InlineTransform()
    facts = transform.render(io.BytesIO(content), Order(recipes=(), limits=LIMITS)).facts.source
    wish = Wish(transformation=wanted, format=form, original=Size(facts.width, facts.height), limits=LIMITS)
    made = {"address": transform.make(io.BytesIO(content), wish).body}
    recipe = _recipe(wanted, form)
    # Behind what is clear, an address paints its background and a variant does not.
    if recipe is not None and not (facts.has_alpha and (form is Format.JPEG or wanted.background)):
        slots = transform.render(io.BytesIO(content), Order(recipes=(recipe,), limits=LIMITS)).slots
        made["variant"] = slots[0].body
    return made


def _recipe(wanted: Transformation, form: Format) -> Recipe | None:
    """Return the recipe that says the same, if one can."""
    if wanted.width is None or wanted.height is None:
        return None
    plain = Transformation(
        width=wanted.width,
        height=wanted.height,
        fit=wanted.fit,
        gravity=wanted.gravity,
        background=wanted.background,
    )
    if plain != wanted:
        return None
    return Recipe(
        name="golden",
        width=wanted.width,
        height=wanted.height,
        fit=wanted.fit,
        gravity=wanted.gravity or "center",
        formats=(form,),
        quality=DEFAULT_QUALITY,
        background=f"#{wanted.background or 'ffffff'}",
    )


def shown(body: bytes) -> Image.Image:
    """Return all frames of a picture below one another."""
    with Image.open(io.BytesIO(body)) as image:
        frames = [frame.convert("RGBA") for frame in ImageSequence.Iterator(image)]
    strip = Image.new("RGBA", (frames[0].width, frames[0].height * len(frames)))
    for number, frame in enumerate(frames):
        strip.paste(frame, (0, number * frame.height))
    return strip


# ------------------------------------------------------------------ looking


def distance(one: Image.Image, other: Image.Image) -> tuple[float, float]:
    """Return how different two pictures of one size look: mean ΔE*ab, and that of the patch that differs most.

    The Euclidean distance in CIELAB (CIE 1976), after a blur of one pixel, because nobody sees where exactly an edge
    runs. Clear pixels are looked at over white and over black, and the worse of both counts.
    """
    assert one.size == other.size
    worst = (0.0, 0.0)
    for paper in ("white", "black"):
        planes = [_lab(_on(each, paper)) for each in (one, other)]
        squares = [_square(a, b, unit) for a, b, unit in zip(*planes, _UNITS, strict=True)]
        apart = [sum(parts) ** 0.5 for parts in zip(*squares, strict=True)]
        worst = max(worst, (sum(apart) / len(apart), max(_patches(apart, one.width))))
    return worst


def _on(picture: Image.Image, paper: str) -> Image.Image:
    sheet = Image.new("RGBA", picture.size, paper)
    sheet.alpha_composite(picture.convert("RGBA"))
    return sheet.convert("RGB").filter(ImageFilter.GaussianBlur(1))


def _lab(picture: Image.Image) -> tuple[Image.Image, ...]:
    lab = ImageCms.profileToProfile(
        picture, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    light, a, b = lab.split()
    return light, a, b


_UNITS = (100 / 255, 1.0, 1.0)
"""What one step of a plane's byte stands for: lightness goes from 0 to 100, the others are as they are."""


def _square(one: Image.Image, other: Image.Image, unit: float) -> list[float]:
    return [(value * unit) ** 2 for value in ImageChops.difference(one, other).tobytes()]


def _patches(apart: list[float], width: int) -> Iterator[float]:
    height = len(apart) // width
    for top in range(0, height, _PATCH):
        for left in range(0, width, _PATCH):
            rows = [apart[y * width + left : y * width + min(left + _PATCH, width)]
                    for y in range(top, min(top + _PATCH, height))]  # fmt: skip
            values = [value for row in rows for value in row]
            yield sum(values) / len(values)


def golden(case: Case) -> Image.Image:
    """Return the golden picture of a case. Raises ``FileNotFoundError``."""
    with Image.open(case.path) as image:
        return image.convert("RGBA")


def strays() -> list[Path]:
    """Return the golden pictures that belong to no case."""
    return sorted(set(FOLDER.rglob("*.webp")) - {case.path for case in CASES})


def write() -> None:
    """Write the golden picture of each case that has none or looks different by now; say which."""
    for case in CASES:
        found = shown(results(case)["address"])
        if case.path.exists():
            before = golden(case)
            far = before.size != found.size or distance(before, found) > (MOST_DISTANCE / 4, 0)
            if not far:
                continue
        say = "changed" if case.path.exists() else "new"
        case.path.parent.mkdir(parents=True, exist_ok=True)
        case.path.write_bytes(pictures.encode(found, "WEBP", lossless=True, method=6, exact=True))
        sys.stdout.write(f"{say:8}{case}\n")
    for path in strays():
        path.unlink()
        sys.stdout.write(f"{'gone':8}{path.relative_to(FOLDER)}\n")
    sys.stdout.write("Look at what is new or changed before you commit it: make contact-sheet\n")


if __name__ == "__main__":
    write()
