"""What every transform promises, wherever the decoding happens."""

from __future__ import annotations

import gzip
import hashlib
import io
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageChops, ImageStat

import pictures
from darkroom.errors import TooLarge, TooManyPixels, UnreadableImage, UnsupportedFormat
from darkroom.model import Exif, Format
from darkroom.transform import Limits, Order
from darkroom.transform.inline import InlineTransform
from darkroom.transform.jail import JailedTransform
from darkroom.transform.recipes import DEFAULT_QUALITY, DEFAULT_RECIPES, WRITABLE, Fit, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from darkroom.transform import Rendered, Slot, Transform

WIDTH, HEIGHT = 480, 360
EVERY_FORMAT = Recipe(name="every", width=200, height=200, formats=WRITABLE, quality=DEFAULT_QUALITY)
SQUARE = Recipe(name="square", width=120, height=120, fit=Fit.COVER, quality=DEFAULT_QUALITY)
ORDER = Order(recipes=(EVERY_FORMAT, SQUARE), limits=Limits(svg=True))
STILL: dict[Format, Callable[..., bytes]] = {
    Format.JPEG: pictures.jpeg,
    Format.PNG: pictures.png,
    Format.WEBP: pictures.webp,
    Format.GIF: pictures.gif,
    Format.TIFF: pictures.tiff,
    Format.AVIF: pictures.avif,
    Format.HEIC: pictures.heic,
    Format.SVG: pictures.svg,
}
ANIMATED: dict[Format, Callable[..., bytes]] = {Format.GIF: pictures.animated_gif, Format.WEBP: pictures.animated_webp}
WITH_EXIF: dict[Format, Callable[..., bytes]] = {
    Format.JPEG: pictures.jpeg,
    Format.PNG: pictures.png,
    Format.WEBP: pictures.webp,
    Format.AVIF: pictures.avif,
    Format.HEIC: pictures.heic,
}
SENSELESS_EXIF = {
    "no header": b"Exif\0\0 nonsense",
    "a directory beyond the end": b"Exif\0\0II*\0\xff\xff\xff\x7f",
    "a directory that is its own next": b"Exif\0\0II*\0\x08\0\0\0\0\0\x08\0\0\0",
    "a directory within itself": b"Exif\0\0II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\0\0\0\0",
    "more entries than bytes": b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x99\x0f\0\2\xff\xff\xff\xff\0\0\0\x08" * 20,
    "an orientation of another world": b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\xff\xfe\0\0\0\0\0\0",
    "an orientation that is text": b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\2\0\0\0\4six\0\0\0\0\0",
    "a thumbnail beyond the end": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\x0e\0\2\x02\1\0\4\0\0\0\1\x7f\0\0\0"
    b"\x02\2\0\4\0\0\0\1\xff\xff\xff\xff\0\0\0\0",
}


@pytest.fixture(params=["inline", "jailed"], scope="module")
def transform(request: pytest.FixtureRequest) -> Iterator[Transform]:
    made: Transform = InlineTransform() if request.param == "inline" else JailedTransform(2)
    yield made
    made.close()


def render(transform: Transform, content: bytes, order: Order = ORDER) -> Rendered:
    with tempfile.TemporaryFile() as original:
        original.write(content)  # the position is at the end now, and must not matter
        original.flush()
        return transform.render(original, order)


def opened(slot: Slot) -> Image.Image:
    """Decode a slot with another library than the one that made it."""
    image = Image.open(io.BytesIO(slot.body))
    image.load()
    return image


def corner(image: Image.Image) -> tuple[int, ...]:
    color = image.convert("RGB").getpixel((image.width // 8, image.height // 8))
    assert isinstance(color, tuple)
    return tuple(int(part) for part in color)


def near(color: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(abs(one - two) < 60 for one, two in zip(color, other, strict=True))


@pytest.mark.parametrize("form", STILL, ids=str)
def test_every_slot_is_made_from_every_format(transform: Transform, form: Format) -> None:
    content = STILL[form](WIDTH, HEIGHT)
    rendered = render(transform, content)
    wanted = [(recipe.name, each.extension, each) for recipe in ORDER.recipes for each in recipe.formats]
    assert [(slot.variant, slot.extension, slot.format) for slot in rendered.slots] == wanted
    for slot in rendered.slots:
        image = opened(slot)
        assert (image.format or "").lower() == slot.format
        assert image.size == (slot.width, slot.height) == {"every": (200, 150), "square": (120, 120)}[slot.variant]
        assert near(corner(image), pictures.RED)
        assert slot.listed


def test_a_recipe_that_aims_at_a_score_weighs_more_the_higher_that_is(transform: Transform) -> None:
    aims = [
        Recipe(name=f"at-{target}", width=200, height=200, quality=DEFAULT_QUALITY, target=target)
        for target in (60, 80)
    ]
    rendered = render(transform, pictures.encode(pictures.photo(400, 300), "PNG"), Order(recipes=tuple(aims)))
    weights = {(slot.variant, slot.format): len(slot.body) for slot in rendered.slots}
    for form in (Format.AVIF, Format.JPEG):
        assert weights["at-60", form] < 0.9 * weights["at-80", form]


@pytest.mark.parametrize("form", STILL, ids=str)
def test_the_source_is_described_as_it_is(transform: Transform, form: Format) -> None:
    content = STILL[form](WIDTH, HEIGHT)
    facts = render(transform, content).facts
    assert facts.source.format is form
    assert (facts.source.width, facts.source.height) == (WIDTH, HEIGHT)
    assert facts.source.bytes == len(content)
    assert facts.source.sha256 == hashlib.sha256(content).hexdigest()
    assert facts.source.frames == 1
    assert not facts.source.has_alpha
    assert facts.color.startswith("#")
    assert facts.placeholder


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_comes_out_upright(transform: Transform, orientation: int) -> None:
    rendered = render(transform, pictures.jpeg(WIDTH, HEIGHT, orientation=orientation))
    assert (rendered.facts.source.width, rendered.facts.source.height) == (WIDTH, HEIGHT)
    assert all(near(corner(opened(slot)), pictures.RED) for slot in rendered.slots)


@pytest.mark.parametrize("form", ANIMATED, ids=str)
def test_an_animation_goes_on_moving_in_the_slots_that_can_hold_it(transform: Transform, form: Format) -> None:
    rendered = render(transform, ANIMATED[form](WIDTH, HEIGHT, frames=4))
    assert rendered.facts.source.frames == 4
    held = {slot.extension: slot.format for slot in rendered.slots if slot.variant == "every"}
    assert held["avif"] is Format.WEBP
    assert held["jpg"] is Format.GIF
    assert all(getattr(opened(slot), "n_frames", 1) == 4 for slot in rendered.slots)
    assert sorted({slot.format for slot in rendered.slots if slot.listed}) == [Format.GIF, Format.WEBP]


@pytest.mark.parametrize("form", [Format.PNG, Format.WEBP, Format.AVIF], ids=str)
def test_transparency_is_kept_in_every_slot(transform: Transform, form: Format) -> None:
    rendered = render(transform, STILL[form](WIDTH, HEIGHT, alpha=True))
    assert rendered.facts.source.has_alpha
    for slot in rendered.slots:
        image = opened(slot).convert("RGBA")
        alpha = image.getchannel("A")
        assert alpha.getpixel((image.width // 2, image.height // 2)) == 0
        assert alpha.getpixel((2, 2)) == 255
        assert slot.format is not Format.JPEG


@pytest.mark.parametrize("form", [*WITH_EXIF, Format.TIFF], ids=str)
def test_what_the_camera_said_is_told_but_for_the_place(transform: Transform, form: Format) -> None:
    said = pictures.camera_exif()
    if form is Format.TIFF:  # a file that is such a block itself
        content = pictures.encode(pictures.scene(WIDTH, HEIGHT), "TIFF", exif=said)
    else:
        content = WITH_EXIF[form](WIDTH, HEIGHT, exif=said)
    exif = render(transform, content).facts.exif
    assert exif.camera == "Brightbox One"
    assert exif.lens == "Brightbox 26mm f/1.8"
    assert exif.taken_at == "2024-05-17T09:31:02+02:00"
    assert (exif.iso, exif.f_number, exif.exposure, exif.focal_length) == (100, 1.8, "1/120", 26.0)
    assert str(pictures.LATITUDE)[:6] not in repr(exif)


@pytest.mark.parametrize("form", WITH_EXIF, ids=str)
@pytest.mark.parametrize("block", SENSELESS_EXIF.values(), ids=SENSELESS_EXIF)
def test_an_exif_that_makes_no_sense_is_no_reason_to_refuse_a_picture(
    transform: Transform, form: Format, block: bytes
) -> None:
    if form is Format.AVIF:  # Pillow reads what it writes into one
        sound = pictures.camera_exif().removeprefix(b"Exif\0\0")
        plain = pictures.avif(WIDTH, HEIGHT, exif=sound)
        content = plain.replace(sound, block.removeprefix(b"Exif\0\0").ljust(len(sound), b"\0"))
        assert content != plain
    else:
        content = WITH_EXIF[form](WIDTH, HEIGHT, exif=block)
    rendered = render(transform, content, Order(recipes=(SQUARE,)))
    assert (rendered.facts.source.width, rendered.facts.source.height) == (WIDTH, HEIGHT)
    assert rendered.facts.exif == Exif()
    assert near(corner(opened(rendered.slots[-1])), pictures.RED)


def test_the_focus_stays_in_the_picture(transform: Transform) -> None:
    content = pictures.jpeg(WIDTH, HEIGHT)
    narrow = Recipe(name="narrow", width=60, height=200, fit=Fit.COVER, quality=DEFAULT_QUALITY)
    left, right = (
        render(transform, content, Order(recipes=(narrow,), focus=focus)).slots[0] for focus in ((0.0, 0.5), (1.0, 0.5))
    )
    assert near(corner(opened(left)), pictures.RED)
    assert near(corner(opened(right)), pictures.GREEN)


def test_the_usual_recipes_are_never_larger_than_the_source(transform: Transform) -> None:
    rendered = render(transform, pictures.jpeg(WIDTH, HEIGHT), Order(recipes=DEFAULT_RECIPES))
    assert {(slot.variant, slot.width, slot.height) for slot in rendered.slots} == {
        ("large", WIDTH, HEIGHT),
        ("medium", WIDTH, HEIGHT),
        ("small", 320, 240),
    }


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (32_767, 1), (1, 32_767)])
def test_odd_shapes_are_rendered(transform: Transform, size: tuple[int, int]) -> None:
    rendered = render(transform, pictures.encode(Image.new("RGB", size, pictures.RED), "PNG"))
    assert (rendered.facts.source.width, rendered.facts.source.height) == size
    assert all(min(opened(slot).size) >= 1 for slot in rendered.slots)


def test_an_svg_is_refused_unless_it_is_switched_on(transform: Transform) -> None:
    with pytest.raises(UnsupportedFormat, match="SVG"):
        render(transform, pictures.svg(), Order(recipes=(SQUARE,)))


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7 not a picture", gzip.compress(pictures.svg())])
def test_what_is_no_picture_is_refused(transform: Transform, content: bytes) -> None:
    with pytest.raises(UnsupportedFormat):
        render(transform, content)


@pytest.mark.parametrize("form", STILL, ids=str)
def test_a_picture_that_is_cut_off_is_refused(transform: Transform, form: Format) -> None:
    content = STILL[form](WIDTH, HEIGHT)
    with pytest.raises(UnreadableImage):
        render(transform, content[: len(content) // 2])


@pytest.mark.parametrize("way", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_of_a_jpeg_that_is_cut_off_what_is_there_is_shown_where_that_is_accepted(
    transform: Transform, way: dict[str, bool]
) -> None:
    content = pictures.encode(pictures.photo(WIDTH, HEIGHT), "JPEG", quality=90, **way)
    order = Order(recipes=(EVERY_FORMAT,), limits=Limits(accept_truncated=True))
    whole, part = (render(transform, each, order) for each in (content, content[: len(content) // 2]))
    assert (part.facts.source.width, part.facts.source.height) == (WIDTH, HEIGHT)
    assert part.facts.source.bytes == len(content) // 2
    for one, other in zip(whole.slots, part.slots, strict=True):
        assert (one.width, one.height) == (other.width, other.height)
        top = (0, 0, one.width, one.height // 4)
        wanted, found = (opened(slot).convert("RGB").crop(top) for slot in (one, other))
        assert max(ImageStat.Stat(ImageChops.difference(wanted, found)).mean) < 12
    with pytest.raises(UnreadableImage, match="cut off"):
        render(transform, content[: len(content) // 2], Order(recipes=(EVERY_FORMAT,)))


@pytest.mark.parametrize("form", [form for form in STILL if form is not Format.JPEG], ids=str)
def test_a_picture_of_another_format_that_is_cut_off_is_refused_always(transform: Transform, form: Format) -> None:
    content = STILL[form](WIDTH, HEIGHT)
    order = Order(recipes=(), limits=Limits(accept_truncated=True, svg=True))
    with pytest.raises(UnreadableImage, match="cut off"):
        render(transform, content[: len(content) // 2], order)


@pytest.mark.parametrize("form", ANIMATED, ids=str)
@pytest.mark.parametrize("part", [0.5, 0.8, 0.99])
def test_an_animation_that_is_cut_off_is_not_taken_for_a_shorter_one(
    transform: Transform, form: Format, part: float
) -> None:
    content = ANIMATED[form](WIDTH, HEIGHT, frames=4)
    with pytest.raises(UnreadableImage, match="cut off"):
        render(transform, content[: int(len(content) * part)])


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (pictures.encode(pictures.scene(64, 48).convert("YCbCr"), "TIFF"), "YCbCr"),
        (pictures.encode(pictures.scene(64, 48), "TIFF", compression="zstd"), "Zstandard"),
        (pictures.encode(pictures.scene(64, 48), "TIFF", compression="lzma", big_tiff=True), "LZMA"),
    ],
    ids=["YCbCr", "Zstandard", "LZMA"],
)
def test_a_tiff_that_would_come_out_wrong_or_not_at_all_is_refused_by_its_kind(
    transform: Transform, content: bytes, kind: str
) -> None:
    with pytest.raises(UnsupportedFormat, match=kind):
        render(transform, content)


@pytest.mark.parametrize(("frame", "precision", "kind"), [(0xC1, 12, "12 bits"), (0xC3, 8, "lossless")])
def test_a_jpeg_that_cannot_be_decoded_is_refused_by_its_kind(
    transform: Transform, frame: int, precision: int, kind: str
) -> None:
    rare = pictures.jpeg().replace(b"\xff\xc0\x00\x11\x08", bytes([0xFF, frame, 0, 0x11, precision]))
    with pytest.raises(UnsupportedFormat, match=kind):
        render(transform, rare)


@pytest.mark.parametrize("form", STILL, ids=str)
def test_a_picture_that_is_only_a_beginning_is_refused(transform: Transform, form: Format) -> None:
    with pytest.raises(UnreadableImage):
        render(transform, STILL[form](WIDTH, HEIGHT)[:40])


@pytest.mark.parametrize("limits", [Limits(pixels=WIDTH * HEIGHT - 1), Limits(side=WIDTH - 1)])
@pytest.mark.parametrize("form", STILL, ids=str)
def test_a_picture_with_too_many_pixels_is_refused(transform: Transform, form: Format, limits: Limits) -> None:
    with pytest.raises(TooManyPixels):
        render(transform, STILL[form](WIDTH, HEIGHT), Order(recipes=(SQUARE,), limits=limits))


@pytest.mark.parametrize("limits", [Limits(pixels=WIDTH * HEIGHT * 3), Limits(frames=3)])
@pytest.mark.parametrize("form", ANIMATED, ids=str)
def test_an_animation_with_too_many_pixels_or_frames_is_refused(
    transform: Transform, form: Format, limits: Limits
) -> None:
    with pytest.raises(TooManyPixels):
        render(transform, ANIMATED[form](WIDTH, HEIGHT, frames=4), Order(recipes=(SQUARE,), limits=limits))


def test_a_file_that_is_too_long_is_refused(transform: Transform) -> None:
    content = pictures.jpeg(WIDTH, HEIGHT)
    order = Order(recipes=(SQUARE,), limits=Limits(bytes=len(content) - 1))
    with pytest.raises(TooLarge):
        render(transform, content, order)


def test_a_refusal_leaves_the_transform_in_working_order(transform: Transform) -> None:
    with pytest.raises(UnreadableImage):
        render(transform, pictures.jpeg(WIDTH, HEIGHT)[:300])
    assert render(transform, pictures.jpeg(WIDTH, HEIGHT)).slots


def test_several_threads_each_get_their_own_picture(transform: Transform) -> None:
    contents = [pictures.jpeg(100 + number, 80) for number in range(12)]
    with ThreadPoolExecutor(4) as callers:
        for number, rendered in enumerate(callers.map(lambda content: render(transform, content), contents)):
            assert rendered.facts.source.width == 100 + number
            assert rendered.facts.source.sha256 == hashlib.sha256(contents[number]).hexdigest()


def test_it_can_be_closed_twice() -> None:
    for each in (InlineTransform(), JailedTransform(1)):
        each.close()
        each.close()
