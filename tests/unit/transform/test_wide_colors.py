"""Pictures of more colours than sRGB has, and of more light than white."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageChops, ImageCms, ImageStat

import anatomy
import golden
import pictures
import profiles
import talkative
from darkroom.model import Format
from darkroom.transform import Order
from darkroom.transform.recipes import DEFAULT_QUALITY, Color, Recipe
from darkroom.transform.vips import render

if TYPE_CHECKING:
    from darkroom.transform import Slot

FORMATS = (Format.AVIF, Format.WEBP, Format.JPEG, Format.PNG, Format.GIF)
PROFILED = FORMATS[:-1]
PROFILE_PARTS = {Format.JPEG: "ICC_PROFILE", Format.PNG: "iCCP", Format.WEBP: "ICCP", Format.AVIF: "colr rICC"}


def made(content: bytes, color: Color, *, side: int = 96, background: str = "#ffffff") -> dict[Format, Slot]:
    recipe = Recipe(
        name="any",
        width=side,
        height=side,
        formats=FORMATS,
        quality=dict.fromkeys(DEFAULT_QUALITY, 95),
        color=color,
        background=background,
    )
    return {slot.format: slot for slot in render(io.BytesIO(content), Order(recipes=(recipe,))).slots}


def swatches() -> Image.Image:
    """Return 64 colours of the widest range, in patches of 12 by 12."""
    steps = (0, 85, 170, 255)
    picture = Image.new("RGB", (96, 96))
    for number, color in enumerate((r, g, b) for r in steps for g in steps for b in steps):
        picture.paste(color, (number % 8 * 12, number // 8 * 12, number % 8 * 12 + 12, number // 8 * 12 + 12))
    return picture


def in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Convert with littlecms, relative colorimetric, as browsers do."""
    return ImageCms.profileToProfile(
        picture, io.BytesIO(profile), ImageCms.createProfile("sRGB"), renderingIntent=1
    ) or Image.new("RGB", picture.size)


def opened(slot: Slot) -> Image.Image:
    image = Image.open(io.BytesIO(slot.body))
    image.load()
    return image


@pytest.mark.parametrize("profile", [pictures.display_p3_profile(), profiles.adobe_rgb_profile()], ids=["p3", "adobe"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_wide_colours_come_out_as_littlecms_converts_them(kind: str, profile: bytes) -> None:
    content = pictures.encode(swatches(), kind, icc_profile=profile)
    found = opened(made(content, Color.SRGB)[Format.PNG]).convert("RGB")
    apart = ImageChops.difference(found, in_srgb(swatches(), profile))
    assert max(high for _, high in apart.getextrema()) <= 2
    washed_out = ImageChops.difference(swatches(), in_srgb(swatches(), profile))
    assert max(high for _, high in washed_out.getextrema()) > 30


@pytest.mark.parametrize("form", PROFILED, ids=str)
def test_wide_colours_stay_where_a_recipe_keeps_them(form: Format) -> None:
    content = pictures.encode(swatches(), "PNG", icc_profile=pictures.display_p3_profile())
    image = opened(made(content, Color.KEEP)[form])
    profile = image.info["icc_profile"]
    assert len(profile) < 700
    there = ImageCms.profileToProfile(
        image.convert("RGB"), io.BytesIO(profile), io.BytesIO(pictures.display_p3_profile()), renderingIntent=1
    )
    assert there is not None
    difference = ImageStat.Stat(ImageChops.difference(there, swatches()))
    assert max(difference.mean) < 6
    assert max(ImageStat.Stat(ImageChops.difference(image.convert("RGB"), in_srgb(swatches(), profile))).mean) > 8


def test_colours_of_adobe_rgb_are_kept_as_display_p3() -> None:
    content = pictures.encode(swatches(), "PNG", icc_profile=profiles.adobe_rgb_profile())
    image = opened(made(content, Color.KEEP)[Format.PNG])
    expected = ImageCms.profileToProfile(
        swatches(), io.BytesIO(profiles.adobe_rgb_profile()), io.BytesIO(image.info["icc_profile"]), renderingIntent=1
    )
    assert expected is not None
    assert max(high for _, high in ImageChops.difference(image.convert("RGB"), expected).getextrema()) <= 2


def test_a_gif_cannot_say_so_and_is_in_srgb() -> None:
    content = pictures.encode(swatches(), "PNG", icc_profile=pictures.display_p3_profile())
    found = opened(made(content, Color.KEEP)[Format.GIF]).convert("RGB")
    apart = ImageChops.difference(found, in_srgb(swatches(), pictures.display_p3_profile()))
    assert max(ImageStat.Stat(apart).mean) < 4


@pytest.mark.parametrize("form", PROFILED, ids=str)
def test_the_profile_is_all_that_is_kept(form: Format) -> None:
    """Not the original's, whose name or maker could tell something."""
    content = talkative.told_by(Format.JPEG, 96, 72)
    wide = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.save(wide, "JPEG", quality=95, exif=image.info["exif"], icc_profile=_telling_profile())
    assert talkative.leaks(wide.getvalue())
    body = made(wide.getvalue(), Color.KEEP)[form].body
    assert anatomy.parts(form, body) - anatomy.PIXELS_ONLY[form] == {PROFILE_PARTS[form]}
    assert not talkative.leaks(body)


def _telling_profile() -> bytes:
    return pictures.display_p3_profile() + talkative.SECRET


@pytest.mark.parametrize("color", Color, ids=str)
def test_of_what_is_srgb_no_profile_is_kept(color: Color) -> None:
    content = pictures.encode(swatches(), "PNG", icc_profile=pictures.srgb_profile())
    for form, slot in made(content, color).items():
        assert anatomy.parts(form, slot.body) <= anatomy.PIXELS_ONLY[form]


def test_recipes_that_keep_colours_and_recipes_that_do_not_are_made_of_one_picture() -> None:
    content = pictures.encode(swatches(), "PNG", icc_profile=pictures.display_p3_profile())
    recipes = tuple(
        Recipe(name=color, width=96, height=96, formats=(Format.PNG,), quality={}, color=color) for color in Color
    )
    rendered = render(io.BytesIO(content), Order(recipes=recipes))
    plain, kept = rendered.slots
    assert anatomy.parts(Format.PNG, plain.body) <= anatomy.PIXELS_ONLY[Format.PNG]
    apart = ImageChops.difference(opened(plain).convert("RGB"), in_srgb(swatches(), pictures.display_p3_profile()))
    assert max(high for _, high in apart.getextrema()) <= 5  # rounded to 8 bits twice
    assert "icc_profile" in opened(kept).info
    alone = render(io.BytesIO(content), Order(recipes=recipes[:1])).facts
    found, wanted = (bytes.fromhex(facts.color[1:]) for facts in (rendered.facts, alone))
    assert all(abs(one - other) <= 6 for one, other in zip(found, wanted, strict=True))


def test_the_background_is_the_same_colour_beside_wide_colours() -> None:
    content = pictures.encode(swatches().crop((0, 0, 96, 48)), "PNG", icc_profile=pictures.display_p3_profile())
    recipe = Recipe(
        name="any", width=96, height=96, fit="contain", formats=(Format.PNG,), quality={}, color=Color.KEEP,
        background="#c03020",
    )  # fmt: skip
    image = opened(render(io.BytesIO(content), Order(recipes=(recipe,))).slots[0])
    shown = in_srgb(image.convert("RGB"), image.info["icc_profile"])
    assert all(abs(a - b) <= 2 for a, b in zip(shown.getpixel((2, 2)), (0xC0, 0x30, 0x20), strict=True))


# ------------------------------------------------------------------ more light than white


@pytest.mark.parametrize("color", Color, ids=str)
@pytest.mark.parametrize("options", [{}, {"icc_profile": pictures.display_p3_profile()}], ids=["srgb", "p3"])
def test_of_a_picture_with_a_gain_map_the_base_picture_is_shown_and_nothing_else(
    options: dict[str, bytes], color: Color
) -> None:
    base = golden.view(192, 144)
    content = pictures.gain_map_jpeg(base, **options)
    with Image.open(io.BytesIO(content)) as image:
        assert "mp" in image.info  # Pillow knows it for what it is, and shows the base picture
        assert b"hdrgm" in image.info["xmp"]
    without = made(pictures.encode(base, "JPEG", quality=95, **options), color)
    for form, slot in made(content, color).items():
        assert slot.body == without[form].body
        assert b"hdrgm" not in slot.body
        assert b"MPF" not in slot.body
        extra = {PROFILE_PARTS[form]} if color is Color.KEEP and options and form in PROFILED else set()
        assert anatomy.parts(form, slot.body) <= anatomy.PIXELS_ONLY[form] | extra
    assert (render(io.BytesIO(content), Order(recipes=())).facts.source.frames) == 1
