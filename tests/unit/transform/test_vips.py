"""What the pixels come out as. What every transform promises is in ``tests/contracts/test_transform.py``."""

from __future__ import annotations

import base64
import io
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pyvips
from PIL import Image, ImageChops, ImageSequence, ImageStat

import golden
import pictures
import profiles
from darkroom.errors import UnreadableImage
from darkroom.model import Format
from darkroom.transform import Limits, Order
from darkroom.transform.recipes import DEFAULT_QUALITY, DEFAULT_RECIPES, WRITABLE, Fit, Recipe
from darkroom.transform.vips import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.transform import Rendered

Color = tuple[int, ...]
ORDINARY_GREEN = (40, 200, 70)
P3_RED = (234, 51, 35)
"""As a Display P3 picture says it: sRGB's full red."""


def recipe(
    width: int,
    height: int,
    *formats: Format,
    fit: Fit = Fit.INSIDE,
    gravity: str = "center",
    background: str = "#ffffff",
) -> Recipe:
    return Recipe(
        name="any",
        width=width,
        height=height,
        fit=fit,
        gravity=gravity,
        formats=formats or (Format.PNG,),
        quality=DEFAULT_QUALITY,
        background=background,
    )


def made(content: bytes, *recipes: Recipe, focus: tuple[float, float] | None = None) -> Rendered:
    return render(io.BytesIO(content), Order(recipes=recipes, focus=focus))


def opened(content: bytes, wanted: Recipe, focus: tuple[float, float] | None = None) -> Image.Image:
    """Return the first slot of a recipe, decoded by another library than the one that made it."""
    image = Image.open(io.BytesIO(made(content, wanted, focus=focus).slots[0].body))
    image.load()
    return image if image.mode != "P" else image.convert("RGBA" if "transparency" in image.info else "RGB")


def color(image: Image.Image, x: float, y: float) -> Color:
    """Return the colour at a point, as fractions of width and height."""
    found = image.getpixel((int(x * (image.width - 1)), int(y * (image.height - 1))))
    assert isinstance(found, tuple)
    return tuple(int(part) for part in found)


def near(one: Color, other: Color, tolerance: int = 6) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


def flat(color: Color, mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.new(mode, size, color)


def deep(picture: Image.Image) -> pyvips.Image:
    """Return the same picture in 16 bits a sample."""
    shallow = pyvips.Image.new_from_memory(picture.tobytes(), *picture.size, len(picture.mode), "uchar")
    return (shallow * 257).cast("ushort").copy(interpretation="rgb16")


# ------------------------------------------------------------------ colours


@pytest.mark.parametrize(
    ("encode", "tolerance"),
    [
        (lambda icc: pictures.encode(flat(P3_RED), "JPEG", quality=95, icc_profile=icc), 3),
        (lambda icc: pictures.encode(flat(P3_RED), "PNG", icc_profile=icc), 1),
        (lambda icc: pictures.encode(flat(P3_RED), "WEBP", lossless=True, icc_profile=icc), 1),
        (lambda icc: pictures.encode(flat(P3_RED), "TIFF", icc_profile=icc), 1),
        (lambda icc: pictures.encode(flat(P3_RED), "AVIF", quality=100, icc_profile=icc), 6),
        (lambda icc: pictures.encode(flat((*P3_RED, 128), "RGBA"), "PNG", icc_profile=icc), 3),
    ],
    ids=["jpeg", "png", "webp", "tiff", "avif", "png with alpha"],
)
def test_wider_colours_are_brought_to_srgb(encode: Callable[[bytes], bytes], tolerance: int) -> None:
    wide = opened(encode(pictures.display_p3_profile()), recipe(32, 32))
    assert near(color(wide, 0.5, 0.5)[:3], (255, 0, 0), tolerance)
    assert "icc_profile" not in wide.info
    assert near(color(opened(encode(pictures.srgb_profile()), recipe(32, 32)), 0.5, 0.5)[:3], P3_RED, tolerance)


def test_wider_colours_of_a_phone_are_brought_to_srgb() -> None:
    plain = color(opened(pictures.heic(96, 64), recipe(48, 48)), 0.1, 0.1)
    wide = color(opened(pictures.heic(96, 64, icc=pictures.display_p3_profile()), recipe(48, 48)), 0.1, 0.1)
    assert near(plain, pictures.RED, 40)
    assert wide[0] > plain[0] + 5
    assert wide[1] < plain[1]


def test_a_profile_that_does_not_fit_the_pixels_is_ignored() -> None:
    grey = pictures.encode(flat((120,), "L"), "JPEG", quality=95, icc_profile=pictures.display_p3_profile())
    assert near(color(opened(grey, recipe(32, 32)), 0.5, 0.5), (120, 120, 120), 2)
    broken = pictures.encode(flat(P3_RED), "PNG", icc_profile=pictures.display_p3_profile()[:180])
    assert near(color(opened(broken, recipe(32, 32)), 0.5, 0.5), P3_RED, 2)


@pytest.mark.parametrize("form", [Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.GIF])
@pytest.mark.parametrize(
    ("content", "tolerance"),
    [
        (pictures.jpeg(mode="L"), 8),
        (pictures.png(mode="L"), 8),
        (pictures.png(mode="I;16"), 8),
        (pictures.tiff(mode="L"), 8),
    ],
    ids=["grey jpeg", "grey png", "16-bit grey png", "grey tiff"],
)
def test_grey_stays_the_same_grey(content: bytes, tolerance: int, form: Format) -> None:
    image = opened(content, recipe(64, 64, form)).convert("RGB")
    expected = pictures.scene(64, 48).convert("L").convert("RGB")
    for x, y in ((0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9)):
        assert near(color(image, x, y), color(expected, x, y), tolerance)


@pytest.mark.parametrize(
    "content",
    [
        pictures.encode(pictures.scene(64, 48).quantize(64), "PNG"),
        pictures.gif(),
        pictures.tiff(),
        pictures.encode(pictures.scene(64, 48), "TIFF", compression="tiff_lzw"),
        pictures.encode(pictures.scene(64, 48), "TIFF", compression="jpeg", quality=95),
        pictures.encode(pictures.scene(64, 48), "PNG", optimize=True),
        pictures.encode(pictures.scene(64, 48), "JPEG", quality=95, progressive=True),
        pictures.encode(pictures.scene(64, 48), "JPEG", quality=95, subsampling="4:4:4"),
        pictures.arithmetic_jpeg(),
        pictures.encode(pictures.scene(64, 48), "JPEG", quality=95).replace(b"\0\x3f\0", b"\0\0\0"),
        pictures.encode(pictures.scene(64, 48), "JPEG", quality=95).replace(b"JFIF\0\1", b"JFIF\0\2"),
        pictures.encode(pictures.scene(64, 48), "JPEG", progressive=True).replace(b"JFIF\0\1", b"JFIF\0\2"),
        pictures.encode(pictures.scene(64, 48), "JPEG", quality=95).replace(b"\xff\xdb", b"\0\0\xff\xff\xdb"),
        pictures.encode(pictures.scene(64, 48), "WEBP", lossless=True),
        pictures.encode(pictures.scene(64, 48).quantize(64), "GIF", interlace=1),
        pictures.gif().removesuffix(b";"),
        deep(pictures.scene(64, 48)).pngsave_buffer(),
        deep(pictures.scene(64, 48)).pngsave_buffer(interlace=True),
        deep(pictures.scene(64, 48)).tiffsave_buffer(),
        deep(pictures.scene(64, 48)).heifsave_buffer(compression="av1", bitdepth=10, Q=90),
        deep(pictures.scene(64, 48)).heifsave_buffer(compression="av1", bitdepth=12, Q=90),
    ],
    ids=[
        "palette png",
        "gif",
        "tiff",
        "lzw tiff",
        "jpeg tiff",
        "png",
        "progressive jpeg",
        "whole colour jpeg",
        "arithmetic jpeg",
        "jpeg whose scan says nothing of itself",
        "jpeg of a later jfif",
        "progressive jpeg of a later jfif",
        "jpeg with bytes between its segments",
        "webp",
        "interlaced gif",
        "gif that says nothing of its end",
        "16-bit png",
        "interlaced 16-bit png",
        "16-bit tiff",
        "10-bit avif",
        "12-bit avif",
    ],
)
def test_every_way_of_storing_a_picture_shows_the_same_picture(content: bytes) -> None:
    image = opened(content, recipe(64, 64))
    for (x, y), expected in zip(
        ((0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8)),
        (color(pictures.scene(64, 48), x, y) for x, y in ((0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8))),
        strict=True,
    ):
        assert near(color(image, x, y), expected, 16)


@pytest.mark.parametrize(
    "content",
    [pictures.jpeg(mode="CMYK"), pictures.ycck_jpeg(), pictures.tiff(mode="CMYK")],
    ids=["cmyk jpeg", "ycck jpeg", "cmyk tiff"],
)
def test_inks_become_light(content: bytes) -> None:
    image = opened(content, recipe(64, 64))
    assert image.mode == "RGB"
    red, green, blue = (color(image, x, y) for x, y in ((0.1, 0.1), (0.9, 0.1), (0.1, 0.9)))
    assert red[0] > 150 > max(red[1:])
    assert green[1] > max(green[0], green[2])
    assert blue[2] > max(blue[:2])


@pytest.mark.parametrize(
    "encode",
    [
        lambda picture, icc: pictures.encode(picture, "JPEG", quality=95, icc_profile=icc),
        lambda picture, icc: pictures.ycck_jpeg(picture, quality=95, icc_profile=icc),
        lambda picture, icc: pictures.encode(picture, "TIFF", icc_profile=icc),
    ],
    ids=["cmyk jpeg", "ycck jpeg", "cmyk tiff"],
)
def test_inks_are_those_that_the_profile_says(encode: Callable[[Image.Image, bytes], bytes]) -> None:
    yellow = flat((0, 0, 255, 0), "CMYK")
    image = opened(encode(yellow, profiles.odd_press()), recipe(32, 32))
    assert near(color(image, 0.5, 0.5), profiles.ODD_YELLOW, 8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_adobe_rgb_is_brought_to_srgb(kind: str) -> None:
    stored = flat(profiles.adobe_rgb(ORDINARY_GREEN))
    content = pictures.encode(stored, kind, quality=100, icc_profile=profiles.adobe_rgb_profile())
    assert not near(color(stored, 0.5, 0.5), ORDINARY_GREEN, 20)
    assert near(color(opened(content, recipe(32, 32)), 0.5, 0.5), ORDINARY_GREEN, 8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_grey_is_as_light_as_its_profile_says(kind: str) -> None:
    content = pictures.encode(flat((55,), "L"), kind, icc_profile=profiles.grey_profile(gamma=1.0))
    assert near(color(opened(content, recipe(32, 32)).convert("RGB"), 0.5, 0.5), (128, 128, 128), 2)
    clear = pictures.encode(flat((55, 128), "LA"), "PNG", icc_profile=profiles.grey_profile(gamma=1.0))
    assert near(color(opened(clear, recipe(32, 32)), 0.5, 0.5), (128, 128, 128, 128), 3)


def test_sixteen_bits_with_a_profile_are_brought_to_srgb() -> None:
    plain, clear = deep(flat(P3_RED)), deep(flat((*P3_RED, 128), "RGBA"))
    for picture in (plain, clear):
        picture.set_type(pyvips.GValue.blob_type, "icc-profile-data", pictures.display_p3_profile())
    for content in (plain.pngsave_buffer(), plain.tiffsave_buffer()):
        assert near(color(opened(content, recipe(32, 32)), 0.5, 0.5), (255, 0, 0), 6)
    for content in (clear.pngsave_buffer(), clear.tiffsave_buffer()):
        assert near(color(opened(content, recipe(32, 32)), 0.5, 0.5), (255, 0, 0, 128), 6)
    grey = deep(flat((55,), "L")).copy(interpretation="grey16")
    grey.set_type(pyvips.GValue.blob_type, "icc-profile-data", profiles.grey_profile(gamma=1.0))
    assert near(color(opened(grey.pngsave_buffer(), recipe(32, 32)), 0.5, 0.5), (128, 128, 128), 1)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_palette_keeps_its_transparent_colour(kind: str) -> None:
    halves = Image.new("P", (64, 48), 0)
    halves.putpalette([200, 30, 40, 20, 150, 60])
    halves.paste(1, (32, 0, 64, 48))
    image = opened(pictures.encode(halves, kind, transparency=0), recipe(32, 32))
    assert color(image, 0.2, 0.5)[3] == 0
    assert color(image, 0.8, 0.5) == (20, 150, 60, 255)


def test_a_palette_keeps_what_is_half_transparent() -> None:
    halves = Image.new("P", (64, 48), 0)
    halves.putpalette([200, 30, 40, 20, 150, 60])
    halves.paste(1, (32, 0, 64, 48))
    image = opened(pictures.encode(halves, "PNG", transparency=bytes([100, 255])), recipe(32, 32))
    assert near(color(image, 0.2, 0.5), (200, 30, 40, 100), 3)
    assert color(image, 0.8, 0.5) == (20, 150, 60, 255)


@pytest.mark.parametrize(("mode", "key"), [("L", 77), ("RGB", (1, 2, 3))])
def test_one_colour_of_a_png_that_stands_for_nothing_is_transparent(mode: str, key: Any) -> None:
    picture = Image.new(mode, (64, 48), key)
    picture.paste(Image.new(mode, (32, 48), "white"), (32, 0))
    image = opened(pictures.encode(picture, "PNG", transparency=key), recipe(32, 32))
    assert color(image, 0.2, 0.5)[3] == 0
    assert color(image, 0.8, 0.5) == (255, 255, 255, 255)


# ------------------------------------------------------------------ which way up


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("encode", [pictures.png, pictures.webp, pictures.tiff], ids=["png", "webp", "tiff"])
def test_a_turned_picture_of_any_format_comes_out_upright(encode: Callable[..., bytes], orientation: int) -> None:
    assert upright(encode(120, 80, orientation=orientation))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_phones_picture_is_turned_once_as_its_container_says(orientation: int) -> None:
    content = pictures.heic(120, 80, orientation=orientation, exif=pictures.camera_exif(orientation=6))
    assert upright(content)


def test_a_phones_picture_with_a_note_of_a_kind_that_is_no_text_is_a_picture_like_any_other() -> None:
    content = pictures.heic(120, 80, exif=pictures.camera_exif()).replace(b"Exif\0", b"\xff\xfe\xfd\xfc\0", 1)
    assert upright(content)


def test_the_turn_in_the_exif_of_a_phones_picture_is_void() -> None:
    assert upright(pictures.heic(120, 80, exif=pictures.camera_exif(orientation=6)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_avif_is_turned_as_its_container_says_and_not_by_its_exif(orientation: int) -> None:
    # Pillow writes the orientation of its EXIF into the container, so the same bytes say it twice.
    content = pictures.avif(120, 80, orientation=orientation, exif=pictures.camera_exif(orientation=orientation))
    assert upright(content)
    if orientation > 1:
        assert not upright(content.replace(b"irot", b"free").replace(b"imir", b"free"))


def upright(content: bytes) -> bool:
    rendered = made(content, recipe(60, 60))
    image = Image.open(io.BytesIO(rendered.slots[0].body)).convert("RGB")
    corners = [color(image, x, y) for x, y in ((0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9))]
    wanted = (pictures.RED, pictures.GREEN, pictures.BLUE, pictures.YELLOW)
    size = (rendered.facts.source.width, rendered.facts.source.height)
    return size == (120, 80) and image.size == (60, 40) and all(map(lambda a, b: near(a, b, 50), corners, wanted))


def test_the_crop_and_the_focus_are_as_a_person_sees_the_picture() -> None:
    content = pictures.jpeg(120, 80, orientation=6)
    square = recipe(40, 40, fit=Fit.COVER)
    assert near(color(opened(content, square, focus=(0.0, 0.0)), 0.1, 0.1), pictures.RED, 50)
    assert near(color(opened(content, square, focus=(1.0, 1.0)), 0.9, 0.9), pictures.YELLOW, 50)


# ------------------------------------------------------------------ shapes


def test_contain_paints_the_background_around_the_whole_picture() -> None:
    image = opened(pictures.png(120, 40), recipe(60, 60, fit=Fit.CONTAIN, background="#102030"))
    assert image.size == (60, 60)
    assert color(image, 0.5, 0.05) == color(image, 0.5, 0.95) == (0x10, 0x20, 0x30)
    assert near(color(image, 0.1, 0.4), pictures.RED, 40)
    clear = opened(pictures.png(120, 40, alpha=True), recipe(60, 60, fit=Fit.CONTAIN, background="#102030"))
    assert color(clear, 0.5, 0.05) == (0x10, 0x20, 0x30, 255)
    assert color(clear, 0.5, 0.5)[3] == 0


def test_fill_stretches() -> None:
    image = opened(pictures.png(120, 40), recipe(30, 40, fit=Fit.FILL))
    assert image.size == (30, 40)
    assert near(color(image, 0.1, 0.9), pictures.BLUE, 40)


@pytest.mark.parametrize("gravity", ["attention", "entropy"])
def test_the_eye_catching_part_is_kept(gravity: str) -> None:
    dull = Image.new("RGB", (300, 100), (90, 90, 90))
    dull.paste(pictures.photo(60, 60, seed=3), (220, 20))
    kept = opened(pictures.encode(dull, "PNG"), recipe(100, 100, fit=Fit.COVER, gravity=gravity))
    assert max(ImageStat.Stat(kept.convert("L")).stddev) > 10
    centre = opened(pictures.encode(dull, "PNG"), recipe(100, 100, fit=Fit.COVER))
    assert max(ImageStat.Stat(centre.convert("L")).stddev) < 2


def test_attention_goes_to_a_face_and_entropy_to_what_is_hard_to_pack() -> None:
    content = pictures.encode(golden.meeting(), "PNG")
    skin = (224, 172, 140)

    def kept(gravity: str) -> Image.Image:
        return opened(content, recipe(96, 96, fit=Fit.COVER, gravity=gravity))

    def shows_skin(image: Image.Image) -> bool:
        return any(near(found, skin, 12) for count, found in image.getcolors(96 * 96) or () if count > 20)

    assert shows_skin(kept("attention"))
    assert not shows_skin(kept("entropy"))
    assert max(ImageStat.Stat(kept("entropy").convert("L")).stddev) > 40
    assert not shows_skin(kept("center"))


def test_all_variants_of_a_small_picture_are_the_picture() -> None:
    rendered = made(pictures.jpeg(100, 80), *DEFAULT_RECIPES)
    assert {(slot.width, slot.height) for slot in rendered.slots} == {(100, 80)}
    assert len({slot.body for slot in rendered.slots}) == 2


def test_no_recipe_means_facts_only() -> None:
    rendered = made(pictures.jpeg())
    assert rendered.slots == ()
    assert rendered.facts.source.width == 64


def test_the_same_order_gives_the_same_bytes() -> None:
    content = pictures.encode(pictures.photo(400, 300), "JPEG", quality=90)
    wanted = recipe(200, 200, *WRITABLE)
    assert made(content, wanted) == made(content, wanted)


# ------------------------------------------------------------------ sharpness


@pytest.mark.parametrize("side", [150, 280, 600], ids=["decoded smaller", "decoded at half", "decoded whole"])
@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_smaller_picture_is_as_sharp_as_a_careful_resize(side: int, form: str) -> None:
    content = pictures.encode(pictures.photo(1200, 900, seed=5), form, quality=95)
    found = opened(content, recipe(side, side))
    with Image.open(io.BytesIO(content)) as whole:
        expected = whole.convert("RGB").resize(found.size, Image.Resampling.LANCZOS)
    difference = ImageStat.Stat(ImageChops.difference(found, expected))
    assert max(difference.rms) < 4


def test_a_picture_made_from_a_larger_variant_is_as_sharp_as_one_made_alone() -> None:
    content = pictures.encode(pictures.photo(1200, 900, seed=6), "PNG")
    cascade = made(content, recipe(800, 800), recipe(500, 500), recipe(200, 200))
    for slot in cascade.slots:
        alone = opened(content, recipe(slot.width, slot.width))
        together = Image.open(io.BytesIO(slot.body))
        assert max(ImageStat.Stat(ImageChops.difference(alone, together)).rms) < 2


# ------------------------------------------------------------------ transparency


def test_what_is_transparent_does_not_bleed_into_what_is_not() -> None:
    picture = Image.new("RGBA", (90, 90), (0, 0, 0, 0))
    picture.paste((250, 250, 250, 255), (0, 0, 45, 90))
    image = opened(pictures.encode(picture, "PNG"), recipe(31, 31))
    pixels = image.tobytes()
    seen = [pixels[at : at + 4] for at in range(0, len(pixels), 4) if pixels[at + 3] > 16]
    assert any(pixel[3] < 240 for pixel in seen), "an edge that is partly transparent"
    assert all(min(pixel[:3]) > 235 for pixel in seen)


def test_alpha_that_is_opaque_all_over_is_no_alpha() -> None:
    opaque = pictures.scene(64, 48)
    opaque.putalpha(255)
    rendered = made(pictures.encode(opaque, "PNG"), *DEFAULT_RECIPES)
    assert not rendered.facts.source.has_alpha
    assert {slot.format for slot in rendered.slots} == {Format.AVIF, Format.JPEG}


def test_the_placeholder_of_a_transparent_picture_says_that_it_is() -> None:
    def says_transparent(content: bytes) -> bool:
        return bool(base64.b64decode(made(content).facts.placeholder)[2] & 0x80)

    assert says_transparent(pictures.png(alpha=True))
    assert not says_transparent(pictures.png())


# ------------------------------------------------------------------ animations


@pytest.mark.parametrize("slot", [0, 1], ids=["webp", "gif"])
@pytest.mark.parametrize(
    ("content", "durations", "loop"),
    [
        (pictures.animated_gif(milliseconds=[50, 100, 250], loop=0), [50, 100, 250], 0),
        (pictures.animated_webp(milliseconds=80, loop=0), [80, 80, 80], 0),
        (pictures.animated_gif(milliseconds=40, loop=4), [40, 40, 40], 5),
        (pictures.animated_webp(milliseconds=40, loop=5), [40, 40, 40], 5),
    ],
    ids=["gif", "webp", "gif that ends", "webp that ends"],
)
def test_an_animation_keeps_its_timing(content: bytes, durations: list[int], loop: int, slot: int) -> None:
    rendered = made(content, recipe(32, 32, Format.AVIF, Format.JPEG))
    image = Image.open(io.BytesIO(rendered.slots[slot].body))
    found = []
    for frame in ImageSequence.Iterator(image):
        frame.load()
        found.append(frame.info["duration"])
    assert found == durations
    # A GIF says how often it repeats after the first time, a WebP how often it is shown.
    assert image.info["loop"] == (loop - 1 if slot and loop else loop)


def test_a_gif_that_says_nothing_plays_once() -> None:
    rendered = made(pictures.animated_gif(loop=None), recipe(32, 32, Format.AVIF, Format.JPEG))
    assert Image.open(io.BytesIO(rendered.slots[0].body)).info["loop"] == 1
    assert Image.open(io.BytesIO(rendered.slots[1].body)).info.get("loop") is None


DISPOSALS = {"left standing": 1, "cleared": 2, "put back": 3, "each in its own way": [1, 2, 3, 1]}


@pytest.mark.parametrize("slot", [0, 1], ids=["webp", "gif"])
@pytest.mark.parametrize("disposal", DISPOSALS.values(), ids=DISPOSALS)
def test_what_becomes_of_a_frame_when_the_next_one_comes_is_kept(disposal: int | list[int], slot: int) -> None:
    is_kept(pictures.marching_gif(disposal=disposal), slot)


@pytest.mark.parametrize("slot", [0, 1], ids=["webp", "gif"])
@pytest.mark.parametrize("told", [[0] * 4, [1] * 4, [2] * 4, [3] * 4, [0, 3, 0, 2], [2, 0, 1, 0]], ids=str)
def test_what_becomes_of_a_frame_of_a_webp_is_kept(told: list[int], slot: int) -> None:
    is_kept(pictures.marching_webp(told=told), slot)


def is_kept(content: bytes, slot: int) -> None:
    """See that every frame of a marching picture looks as another library shows it."""
    body = made(content, recipe(40, 30, Format.AVIF, Format.JPEG)).slots[slot].body
    wanted, found = bars(content), bars(body)
    assert len(wanted) == len(found) == 4
    assert len(set(wanted)) > 1
    for one, other in zip(wanted, found, strict=True):
        for seen, shown in zip(one, other, strict=True):
            assert shown[3] == seen[3]
            assert seen[3] == 0 or near(seen, shown, 40)


def bars(content: bytes) -> list[tuple[Color, ...]]:
    """Return of each frame of a marching picture, as it is shown, the colours of its four bars."""
    with Image.open(io.BytesIO(content)) as image:
        frames = [frame.convert("RGBA") for frame in ImageSequence.Iterator(image)]
    return [tuple(color(frame, x, 0.5) for x in (0.12, 0.37, 0.62, 0.87)) for frame in frames]


@pytest.mark.parametrize("fit", Fit)
def test_frames_do_not_bleed_into_each_other(fit: Fit) -> None:
    shades = [(0, 0, 0), (255, 255, 255), (0, 0, 0), (255, 255, 255)]
    frames = [Image.new("RGB", (70, 50), shade) for shade in shades]
    content = pictures.encode(frames[0], "WEBP", lossless=True, save_all=True, append_images=frames[1:], duration=50)
    rendered = made(content, recipe(30, 30, Format.AVIF, fit=fit, background="#808080"))
    image = Image.open(io.BytesIO(rendered.slots[0].body))
    assert image.size == (rendered.slots[0].width, rendered.slots[0].height)
    bars = (image.height - 21) // 2 if fit is Fit.CONTAIN else 0
    inside = (1, bars + 1, image.width - 1, image.height - bars - 1)
    means = [ImageStat.Stat(frame.convert("RGB").crop(inside)).mean for frame in ImageSequence.Iterator(image)]
    assert len(means) == len(shades)
    assert all(abs(part - shade[0]) < 6 for mean, shade in zip(means, shades, strict=True) for part in mean)


def test_an_animation_of_one_frame_is_a_picture() -> None:
    rendered = made(pictures.gif(), *DEFAULT_RECIPES)
    assert rendered.facts.source.frames == 1
    assert {slot.format for slot in rendered.slots} == {Format.AVIF, Format.JPEG}


# ------------------------------------------------------------------ files


def test_only_the_first_page_of_a_tiff_is_the_picture() -> None:
    rendered = made(pictures.tiff(120, 80, pages=3), recipe(60, 60))
    assert (rendered.facts.source.frames, rendered.facts.source.pages) == (1, 3)
    assert upright(pictures.tiff(120, 80, pages=3))


def test_only_the_primary_picture_of_a_heic_is_the_picture() -> None:
    content = pictures.heic(120, 80, second=True)
    assert made(content).facts.source.pages == 2
    assert upright(content)


@pytest.mark.parametrize("content", [pictures.tiff(), pictures.avif(), pictures.heic(), pictures.animated_gif()])
def test_a_file_of_one_picture_or_of_frames_has_one_page(content: bytes) -> None:
    assert made(content).facts.source.pages == 1


@pytest.mark.parametrize("kind", ["AVIF", "PNG"])
def test_an_animation_of_a_format_whose_animations_are_not_read_is_its_first_frame(kind: str) -> None:
    frames = [flat(shade, size=(40, 30)) for shade in (pictures.RED, pictures.GREEN, pictures.BLUE)]
    content = pictures.encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=80)
    rendered = made(content, recipe(20, 20))
    assert rendered.facts.source.frames == 1
    assert near(color(Image.open(io.BytesIO(rendered.slots[0].body)), 0.5, 0.5), pictures.RED, 10)


def test_a_large_tiff_in_one_strip_is_read() -> None:
    picture = Image.new("RGB", (4400, 4100), (10, 200, 30))
    content = pictures.encode(picture, "TIFF", compression="tiff_lzw", strip_size=2**30)
    assert near(color(opened(content, recipe(32, 32)), 0.5, 0.5), (10, 200, 30))


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("AVIF", {}), ("TIFF", {"compression": "tiff_lzw"})],
    ids=["jpeg", "progressive jpeg", "png", "avif", "tiff"],
)
def test_a_file_damaged_in_the_middle_is_refused_in_a_sentence(kind: str, options: dict[str, object]) -> None:
    content = pictures.encode(pictures.photo(400, 300), kind, **options)
    middle = len(content) // 2
    with pytest.raises(UnreadableImage, match="damaged or cut off; save the picture anew"):
        made(content[:middle] + content[middle + 200 :], recipe(300, 300))


def test_a_header_that_lies_is_refused_before_anything_is_decoded() -> None:
    content = bytearray(pictures.png())
    content[16:24] = struct.pack(">II", 30_000, 30_000)
    with pytest.raises(UnreadableImage):
        render(io.BytesIO(bytes(content)), Order(recipes=(recipe(32, 32),), limits=Limits()))


def test_a_jpeg_is_baseline_and_keeps_no_resolution_of_the_original() -> None:
    content = pictures.jpeg(200, 150, dpi=(301, 301))
    body = made(content, recipe(100, 100, Format.JPEG)).slots[0].body
    assert b"\xff\xc0" in body
    assert b"\xff\xc2" not in body
    assert "dpi" not in Image.open(io.BytesIO(body)).info


@pytest.mark.parametrize("form", [Format.JPEG, Format.WEBP, Format.AVIF])
def test_a_lower_quality_makes_fewer_bytes(form: Format) -> None:
    content = pictures.encode(pictures.photo(300, 200), "PNG")
    sizes = [
        len(
            made(content, Recipe(name="q", width=200, height=200, formats=(form,), quality={form: quality}))
            .slots[0]
            .body
        )
        for quality in (20, 60, 95)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 2


@pytest.mark.parametrize("loader", ["csvload", "matrixload", "rawload", "vipsload", "svgload", "uhdrload"])
def test_no_other_loader_can_be_reached(loader: str, tmp_path: Path) -> None:
    made(pictures.jpeg())
    path = tmp_path / "file"
    path.write_bytes(b"1 1\n1\n")
    arguments = (1, 1, 1) if loader == "rawload" else ()
    with pytest.raises(pyvips.Error, match="blocked"):
        getattr(pyvips.Image, loader)(str(path), *arguments)


WITHOUT_FILES = """
import io, resource
import pictures
from darkroom.transform import Order
from darkroom.transform.recipes import DEFAULT_QUALITY, WRITABLE, Recipe
from darkroom.transform.vips import render

order = Order(recipes=(Recipe(name="any", width=32, height=32, formats=WRITABLE, quality=DEFAULT_QUALITY),))
icc = pictures.display_p3_profile()
originals = [
    pictures.jpeg(icc_profile=icc), pictures.jpeg(mode="CMYK"), pictures.png(mode="I;16"), pictures.png(alpha=True),
    pictures.webp(), pictures.animated_gif(), pictures.tiff(), pictures.avif(), pictures.heic(icc=icc),
]
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
print(sum(len(render(io.BytesIO(original), order).slots) for original in originals))
"""


def test_once_imported_no_file_has_to_be_opened() -> None:
    path = os.pathsep.join([str(Path(pictures.__file__).parent), *sys.path])
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_FILES], capture_output=True, text=True, check=False, env={"PYTHONPATH": path}
    )
    assert (ran.stdout, ran.stderr) == ("45\n", "")
