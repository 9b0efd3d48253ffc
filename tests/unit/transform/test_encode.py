"""What a picture is encoded as depends on what is in it. Bytes are compared with bytes, never with a clock."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageChops, ImageStat

import golden
import pictures
from darkroom.model import Format
from darkroom.transform import Order, Wish
from darkroom.transform.options import parse
from darkroom.transform.plan import Size
from darkroom.transform.recipes import DEFAULT_QUALITY, DEFAULT_RECIPES, Recipe
from darkroom.transform.retouch import make
from darkroom.transform.vips import render

if TYPE_CHECKING:
    from darkroom.transform import Slot

MODERN_AND_ALL = (Format.AVIF, Format.WEBP, Format.JPEG, Format.PNG)


def made(picture: Image.Image, side: int, *, kind: str = "PNG", **options: object) -> dict[str, Slot]:
    """Return the slots of one recipe by their extensions."""
    recipe = Recipe(name="any", width=side, height=side, formats=MODERN_AND_ALL, quality=DEFAULT_QUALITY)
    rendered = render(io.BytesIO(pictures.encode(picture, kind, **options)), Order(recipes=(recipe,)))
    return {slot.extension: slot for slot in rendered.slots}


def shown(body: bytes) -> Image.Image:
    return Image.open(io.BytesIO(body)).convert("RGB")


def is_same(body: bytes, picture: Image.Image) -> bool:
    return ImageChops.difference(shown(body), picture).getbbox() is None


def error(body: bytes, picture: Image.Image) -> float:
    """Return the mean squared error of a file."""
    return sum(value**2 for value in ImageStat.Stat(ImageChops.difference(shown(body), picture)).rms) / 3


def lossy(picture: Image.Image, kind: str, **options: object) -> int:
    """Return how many bytes another library needs at the quality that such a slot has else."""
    return len(pictures.encode(picture, kind, quality=DEFAULT_QUALITY[Format(kind.lower())], **options))


# ------------------------------------------------------------------ screenshots, text, flat art


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_screenshot_in_its_own_size_loses_nothing_and_is_half_as_large_as_if_it_did(dark: bool) -> None:  # noqa: FBT001
    page = pictures.page(dark=dark)
    slots = made(page, 1000)
    for extension in ("avif", "webp"):
        assert slots[extension].format is Format.WEBP
        assert is_same(slots[extension].body, page)
        assert len(slots[extension].body) <= 0.5 * min(lossy(page, "WEBP"), lossy(page, "AVIF", speed=9))
    assert slots["jpg"].format is Format.PNG
    assert len(slots["jpg"].body) <= 0.8 * lossy(page, "JPEG")
    assert error(slots["jpg"].body, page) < 0.1 * error(pictures.encode(page, "JPEG", quality=80), page)


def test_a_slot_that_repeats_another_format_is_not_listed_twice() -> None:
    slots = made(pictures.page(), 1000)
    assert [(slot.extension, slot.format, slot.listed) for slot in slots.values()] == [
        ("avif", Format.WEBP, True),
        ("webp", Format.WEBP, False),
        ("jpg", Format.PNG, True),
        ("png", Format.PNG, False),
    ]


def test_of_a_screenshot_made_smaller_each_slot_is_what_is_smallest() -> None:
    page = pictures.page(1800, 1200)
    slots = made(page, 900)
    smaller = page.resize((900, 600), Image.Resampling.LANCZOS)
    assert len(slots["avif"].body) < 1.1 * lossy(smaller, "AVIF", speed=9)
    assert len(slots["jpg"].body) < 1.1 * lossy(smaller, "JPEG", subsampling=0)


@pytest.mark.parametrize("picture", [golden.view(900, 675), pictures.photo(900, 600)], ids=["view", "texture"])
def test_a_photograph_stays_in_the_formats_that_were_asked_for(picture: Image.Image) -> None:
    slots = made(picture, 600)
    assert {slot.extension: slot.format for slot in slots.values()} == {each.extension: each for each in MODERN_AND_ALL}
    assert all(slot.listed for slot in slots.values())


def test_a_smooth_ramp_is_not_squeezed_into_a_palette_which_would_have_steps() -> None:
    down = Image.linear_gradient("L").resize((1920, 1280))
    ramp = Image.merge("RGB", (down, down.rotate(180), down.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    assert made(ramp, 1920)["jpg"].format is Format.JPEG
    squeezed = pictures.encode(ramp.quantize(256), "PNG")
    assert len(squeezed) < lossy(ramp, "JPEG") - 4096, "it would have been smaller"


def test_what_is_small_anyway_stays_what_its_name_says() -> None:
    slots = made(pictures.page(150, 100), 150)
    assert slots["avif"].format is Format.AVIF
    assert slots["jpg"].format is Format.JPEG


def test_a_drawing_that_one_can_see_through_loses_nothing_either() -> None:
    page = pictures.page()
    page.putalpha(Image.new("L", page.size, 255))
    page.paste((0, 0, 0, 0), (700, 400, 900, 600))
    slot = made(page, 900)["avif"]
    assert slot.format is Format.WEBP
    found = Image.open(io.BytesIO(slot.body)).convert("RGBA")
    assert ImageChops.difference(found.getchannel("A"), page.getchannel("A")).getbbox() is None
    assert ImageChops.difference(found.crop((0, 0, 700, 400)), page.crop((0, 0, 700, 400))).getbbox() is None


@pytest.mark.parametrize(
    ("options", "ext", "loses_nothing"),
    [("width=900", "webp", True), ("width=900,quality=50", "webp", False), ("width=900", "png", True)],
)
def test_an_address_is_answered_in_its_format_which_may_do_without_loss(
    options: str,
    ext: str,
    loses_nothing: bool,  # noqa: FBT001
) -> None:
    page = pictures.page().quantize(200).convert("RGB")
    content = pictures.encode(page, "PNG")
    wish = Wish(transformation=parse(options).transformation, format=Format(ext), original=Size(*page.size))
    slot = make(io.BytesIO(content), wish)
    assert slot.format is Format(ext)
    assert is_same(slot.body, page) is loses_nothing
    if ext == "png":
        assert len(slot.body) < 0.8 * len(pictures.encode(page, "PNG", optimize=True))


@pytest.mark.parametrize("ext", ["avif", "jpeg"])
def test_an_address_with_another_extension_is_exactly_that(ext: str) -> None:
    page = pictures.page()
    wish = Wish(transformation=parse("width=900").transformation, format=Format(ext), original=Size(*page.size))
    assert make(io.BytesIO(pictures.encode(page, "PNG")), wish).format is Format(ext)


# ------------------------------------------------------------------ colours


@pytest.mark.parametrize(("ext", "form"), [("jpg", "JPEG"), ("avif", "AVIF")])
def test_red_text_keeps_its_colour(ext: str, form: str) -> None:
    picture = Image.new("RGB", (900, 600), (10, 10, 12))
    red = pictures.page(900, 600).convert("L").point([255 - value for value in range(256)])
    picture.paste((230, 20, 30), (0, 0), red)
    grain = pictures.photo(900, 600).convert("L").convert("RGB")
    picture = Image.blend(picture, grain, 0.08)
    halved = pictures.encode(picture, form, quality=DEFAULT_QUALITY[Format(form.lower())], subsampling="4:2:0")
    slot = made(picture, 900)[ext]
    assert slot.format is Format(form.lower())
    assert color_error(slot.body, picture) < 0.75 * color_error(halved, picture)


def color_error(body: bytes, picture: Image.Image) -> float:
    """Return the mean squared error of the two channels of colour."""
    apart = ImageStat.Stat(ImageChops.difference(shown(body).convert("YCbCr"), picture.convert("YCbCr"))).rms
    return float(apart[1] ** 2 + apart[2] ** 2)


@pytest.mark.parametrize(("width", "full"), [(320, True), (1080, False)])
def test_only_a_small_photograph_has_its_colours_at_the_full_resolution(width: int, full: bool) -> None:  # noqa: FBT001
    slots = made(pictures.photo(1200, 900), width, kind="JPEG", quality=95)
    assert slots["jpg"].body[slots["jpg"].body.index(b"\xff\xc0") + 11] == 0x22
    configuration = slots["avif"].body[slots["avif"].body.index(b"av1C") + 6]  # AV1 in ISOBMFF, 2.3.3
    assert configuration >> 2 & 3 == (0 if full else 3)


# ------------------------------------------------------------------ never larger than what came


@pytest.mark.parametrize("quality", [10, 35, 60, 75])
@pytest.mark.parametrize(("kind", "ext"), [("JPEG", "jpg"), ("WEBP", "webp"), ("AVIF", "avif")])
def test_a_copy_in_the_same_format_and_size_is_not_larger_than_what_came(kind: str, ext: str, quality: int) -> None:
    picture = golden.view(640, 480)
    content = pictures.encode(picture, kind, quality=quality)
    slot = made(picture, 640, kind=kind, quality=quality)[ext]
    assert len(slot.body) <= len(content)
    mean, _ = golden.distance(Image.open(io.BytesIO(content)).convert("RGB"), shown(slot.body))
    assert mean <= 3


def test_a_palette_and_a_few_colours_that_move_do_not_grow_either() -> None:
    flat = golden.view(640, 480).quantize(64)
    content = pictures.encode(flat, "PNG", optimize=True)
    slots = render(
        io.BytesIO(content),
        Order(recipes=(Recipe(name="any", width=640, height=640, formats=(Format.PNG,), quality={}),)),
    ).slots
    assert len(slots[0].body) <= len(content)
    assert is_same(slots[0].body, flat.convert("RGB"))


def test_a_smaller_variant_does_not_suffer_from_a_poor_original() -> None:
    poor = pictures.encode(golden.view(640, 480), "JPEG", quality=20)
    (large, _, small) = render(io.BytesIO(poor), Order(recipes=DEFAULT_RECIPES)).slots[1::2]
    assert len(large.body) <= len(poor)
    whole = Image.open(io.BytesIO(poor)).convert("RGB").resize((small.width, small.height), Image.Resampling.LANCZOS)
    assert golden.distance(whole, shown(small.body))[0] <= 1


# ------------------------------------------------------------------ the table of a JPEG


@pytest.mark.parametrize("picture", [pictures.photo(480, 360), golden.view(480, 360), golden.leaves(480, 256)])
def test_a_jpeg_is_smaller_than_by_the_table_of_the_standard_and_comes_as_near(picture: Image.Image) -> None:
    ours = made(picture, 480)["jpg"].body
    usual = pictures.encode(picture, "JPEG", quality=80, optimize=True)
    assert len(ours) < 0.97 * len(usual)
    near, far = (golden.distance(golden.shown(body), picture.convert("RGBA"))[0] for body in (ours, usual))
    assert near <= far
