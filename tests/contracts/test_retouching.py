"""What every transform promises of a picture to order, wherever the decoding happens."""

from __future__ import annotations

import io
import tempfile
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

import pictures
from darkroom.errors import InvalidRequest, TooManyPixels, UnreadableImage
from darkroom.model import Format
from darkroom.transform import Limits, Wish
from darkroom.transform.inline import InlineTransform
from darkroom.transform.jail import JailedTransform
from darkroom.transform.options import parse
from darkroom.transform.plan import Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.transform import Slot, Transform

WIDTH, HEIGHT = 480, 360
QUADRANTS = ((230, 20, 20), (20, 200, 20), (20, 20, 230), (230, 230, 20))
"""Red at the top left, green at the top right, blue below the red, yellow below the green."""


def quadrants(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    picture = Image.new("RGB", (width, height))
    for number, color in enumerate(QUADRANTS):
        left, top = number % 2 * width // 2, number // 2 * height // 2
        picture.paste(color, (left, top, left + width // 2, top + height // 2))
    return picture


@pytest.fixture(params=["inline", "jailed"], scope="module")
def transform(request: pytest.FixtureRequest) -> Iterator[Transform]:
    made: Transform = InlineTransform() if request.param == "inline" else JailedTransform(1)
    yield made
    made.close()


def make(
    transform: Transform,
    options: str,
    *,
    content: bytes | None = None,
    format_: Format = Format.PNG,
    original: Size | None = None,
    focus: tuple[float, float] | None = None,
    limits: Limits = Limits(),
) -> tuple[Slot, Image.Image]:
    content = content or pictures.encode(quadrants(), "PNG")
    wish = Wish(
        transformation=parse(options).transformation,
        format=format_,
        original=original or Size(WIDTH, HEIGHT),
        focus=focus,
        limits=limits,
    )
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        slot = transform.make(file, wish)
    picture = Image.open(io.BytesIO(slot.body))
    picture.load()
    assert picture.size == (slot.width, slot.height)
    assert slot.format is format_
    return slot, picture


def corners(picture: Image.Image) -> str:
    """Name the colours near the four corners: top left, top right, bottom left, bottom right."""
    picture = picture.convert("RGB")
    width, height = picture.size
    places = [(width // 8, height // 8), (width * 7 // 8, height // 8)]
    places += [(x, height * 7 // 8) for x, _ in places]
    return "".join(_name(picture.getpixel(place)) for place in places)


def _name(color: object) -> str:
    assert isinstance(color, tuple)
    distances = [sum(abs(a - b) for a, b in zip(color, one, strict=True)) for one in (*QUADRANTS, (255, 255, 255))]
    return "rgbyw"[distances.index(min(distances))]


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two pictures, 0 to 255."""
    assert one.size == other.size
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean)


@pytest.mark.parametrize(
    ("options", "size", "seen"),
    [
        ("fit=inside", (480, 360), "rgby"),
        ("width=120", (120, 90), "rgby"),
        ("height=120", (160, 120), "rgby"),
        ("width=100,height=200", (100, 75), "rgby"),
        ("width=200,height=100,fit=fill", (200, 100), "rgby"),
        ("width=960", (480, 360), "rgby"),
        ("width=960,enlarge=1", (960, 720), "rgby"),
        ("width=600,height=600,fit=fill,enlarge=1", (600, 600), "rgby"),
        ("width=600,height=600,fit=cover,enlarge=1", (600, 600), "rgby"),
        ("width=100,height=100,fit=cover", (100, 100), "rgby"),
        ("width=100,height=300,fit=cover,gravity=west", (100, 300), "rrbb"),
        ("width=100,height=300,fit=cover,gravity=east", (100, 300), "ggyy"),
        ("width=300,height=100,fit=cover,gravity=south", (300, 100), "byby"),
        ("width=300,height=100,fit=cover,gravity=0:0", (300, 100), "rgrg"),
        ("width=200,height=300,fit=contain", (200, 300), "wwww"),
        ("width=200,height=300,fit=contain,background=e61414", (200, 300), "rrrr"),
        ("crop=0:0:240:180", (240, 180), "rrrr"),
        ("crop=240:180:240:180", (240, 180), "yyyy"),
        ("crop=120:0:240:360", (240, 360), "rgby"),
        ("crop=240:0:9999:9999", (240, 360), "ggyy"),
        ("crop=240:0:240:180,width=60", (60, 45), "gggg"),
        ("crop=0:0:1:1", (1, 1), "rrrr"),
        ("rotate=90", (360, 480), "bryg"),
        ("rotate=180", (480, 360), "ybgr"),
        ("rotate=270", (360, 480), "gyrb"),
        ("flip=h", (480, 360), "gryb"),
        ("flip=v", (480, 360), "byrg"),
        ("flip=h,rotate=90", (360, 480), "ygbr"),
        ("rotate=90,width=90", (90, 120), "bryg"),
        ("rotate=90,width=100,height=100,fit=cover,gravity=north", (100, 100), "bryg"),
        ("width=1", (1, 1), None),
    ],
)
def test_the_right_pixels_in_the_right_size(transform, options, size, seen):
    _, picture = make(transform, options)
    assert picture.size == size
    assert seen is None or corners(picture) == seen


@pytest.mark.parametrize(
    ("options", "focus", "seen"),
    [
        ("width=100,height=300,fit=cover", (0.0, 0.5), "rrbb"),
        ("width=100,height=300,fit=cover", (1.0, 0.5), "ggyy"),
        ("width=100,height=300,fit=cover,gravity=center", (1.0, 0.5), "rgby"),
        ("width=100,height=300,fit=cover,gravity=west", (1.0, 0.5), "rrbb"),
        ("width=100,height=300,fit=cover,flip=h", (0.0, 0.5), "rrbb"),
        ("width=300,height=100,fit=cover,rotate=90", (0.0, 0.5), "brbr"),
        ("width=300,height=100,fit=cover,rotate=270", (0.0, 0.5), "rbrb"),
        ("width=300,height=100,fit=cover,rotate=180", (0.5, 0.0), "grgr"),
        ("crop=120:0:360:360,width=100,height=300,fit=cover", (0.9, 0.5), "ggyy"),
    ],
)
def test_the_saved_focus_stays_on_its_subject(transform, options, focus, seen):
    _, picture = make(transform, options, focus=focus)
    assert corners(picture) == seen


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "options", ["width=120", "crop=0:0:240:180", "crop=240:0:240:360,width=100,height=50,fit=cover"]
)
def test_the_original_is_upright_before_anything_else(transform, orientation, options):
    upright = quadrants()
    content = pictures.encode(upright, "PNG")
    stored = {
        1: upright,
        2: ImageOps.mirror(upright),
        3: upright.rotate(180),
        4: ImageOps.flip(upright),
        5: ImageOps.mirror(upright).rotate(90, expand=True),
        6: upright.rotate(90, expand=True),
        7: ImageOps.mirror(upright).rotate(270, expand=True),
        8: upright.rotate(270, expand=True),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = pictures.encode(stored, "PNG", exif=exif)
    with Image.open(io.BytesIO(turned)) as check:
        assert difference(ImageOps.exif_transpose(check), upright) == 0
    assert difference(make(transform, options, content=turned)[1], make(transform, options, content=content)[1]) < 1


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_smaller_rendition_gives_the_same_picture(transform, scale):
    rendition = pictures.encode(quadrants(WIDTH // scale, HEIGHT // scale), "PNG")
    options = "crop=120:90:240:180,width=60,height=60,fit=cover,gravity=northeast"
    whole, part = make(transform, options)[1], make(transform, options, content=rendition)[1]
    assert difference(whole, part) < 12  # edges of the quadrants only
    assert corners(part) == corners(whole)


def test_what_a_smaller_rendition_does_not_have_is_not_made_up(transform):
    rendition = pictures.encode(quadrants(120, 90), "PNG")
    assert make(transform, "width=400", content=rendition)[1].size == (120, 90)
    assert make(transform, "width=300,height=300,fit=cover", content=rendition)[1].size == (90, 90)
    assert make(transform, "crop=0:0:240:180", content=rendition)[1].size == (60, 45)
    assert make(transform, "width=400,enlarge=1", content=rendition)[1].size == (400, 300)


@pytest.mark.parametrize(
    "content", [pictures.jpeg, pictures.png, pictures.webp, pictures.avif, pictures.tiff, pictures.gif]
)
@pytest.mark.parametrize("format_", [Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.GIF])
def test_every_format_from_every_format(transform, content, format_):
    _, picture = make(transform, "width=50", content=content(100, 80), format_=format_, original=Size(100, 80))
    assert picture.size == (50, 40)


def test_a_crop_of_a_photograph_is_the_crop_that_another_library_makes(transform):
    photo = pictures.photo(800, 600)
    content = pictures.encode(photo, "JPEG", quality=95)
    _, made = make(transform, "crop=200:100:400:400,width=100", content=content, original=Size(800, 600))
    other = photo.crop((200, 100, 600, 500)).resize((100, 100), Image.Resampling.LANCZOS)
    assert difference(made, other) < 3


def test_attention_finds_what_entropy_and_the_middle_do_not(transform):
    picture = Image.new("RGB", (400, 100), (128, 128, 128))
    picture.paste((255, 40, 0), (330, 20, 380, 80))
    content = pictures.encode(picture, "PNG")
    for gravity, found in (("attention", True), ("entropy", True), ("center", False), ("west", False)):
        _, made = make(
            transform,
            f"width=100,height=100,fit=cover,gravity={gravity}",
            content=content,
            original=Size(400, 100),
        )
        colors = made.convert("RGB").getcolors(100_000)
        assert colors is not None
        assert any(color == (255, 40, 0) for _, color in colors) is found, gravity


def test_filters_do_what_they_are_called(transform):
    photo = pictures.encode(pictures.photo(480, 360), "PNG")
    plain = make(transform, "width=240", content=photo)[1]
    gray = make(transform, "width=240,grayscale=1", content=photo)[1]
    assert difference(gray, plain.convert("L")) < 3

    def detail(picture: Image.Image) -> float:
        gray = picture.convert("L")
        return ImageStat.Stat(ImageChops.difference(gray, ImageChops.offset(gray, 1, 0))).mean[0]

    blurred = make(transform, "width=240,blur=2", content=photo)[1]
    more = make(transform, "width=240,blur=20", content=photo)[1]
    sharp = make(transform, "width=240,sharpen=1.5", content=photo)[1]
    assert detail(more) < detail(blurred) < detail(plain) < detail(sharp)


def test_quality_is_obeyed(transform):
    photo = pictures.encode(pictures.photo(480, 360), "PNG")
    for format_ in (Format.JPEG, Format.WEBP, Format.AVIF):
        sizes = [len(make(transform, f"quality={q}", content=photo, format_=format_)[0].body) for q in (20, 60, 95)]
        assert sizes == sorted(sizes)
        assert sizes[0] * 1.5 < sizes[2]


def test_what_is_transparent_lies_on_the_background(transform):
    clear = pictures.encode(Image.new("RGBA", (80, 80), (255, 0, 0, 0)), "PNG")
    size = Size(80, 80)
    assert make(transform, "width=40", content=clear, original=size)[1].getpixel((5, 5))[3] == 0
    on_blue = make(transform, "width=40,background=0000ff", content=clear, original=size)[1]
    assert on_blue.convert("RGB").getpixel((5, 5)) == (0, 0, 255)
    white = make(transform, "width=40", content=clear, original=size, format_=Format.JPEG)[1]
    assert white.getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("content", [pictures.animated_gif(), pictures.animated_webp()])
def test_what_moves_goes_on_moving_where_the_format_can(transform, content):
    with Image.open(io.BytesIO(content)) as source:
        size, frames = Size(*source.size), source.n_frames
    for format_ in (Format.GIF, Format.WEBP):
        options = "width=20,height=20,fit=cover,rotate=90"
        _, picture = make(transform, options, content=content, format_=format_, original=size)
        assert picture.n_frames == frames
    for format_ in (Format.JPEG, Format.PNG, Format.AVIF):
        _, picture = make(transform, "width=20,rotate=90", content=content, format_=format_, original=size)
        assert getattr(picture, "n_frames", 1) == 1


def test_no_metadata_is_left(transform):
    content = pictures.jpeg(200, 150, exif=pictures.camera_exif())
    for format_ in (Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF):
        slot, _ = make(transform, "width=100", content=content, format_=format_, original=Size(200, 150))
        assert not any(mark in slot.body for mark in (b"Exif", b"MM\x00*", b"II*\x00", b"xpacket"))


def test_a_crop_outside_of_the_picture_is_named(transform):
    with pytest.raises(InvalidRequest, match="crop begins outside of the picture, which is 480×360"):
        make(transform, "crop=480:0:10:10")


def test_what_cannot_be_read_or_is_too_large_is_refused(transform):
    with pytest.raises(UnreadableImage):
        make(transform, "width=50", content=pictures.jpeg(200, 150)[:1500])
    with pytest.raises(TooManyPixels):
        make(transform, "width=50", limits=Limits(pixels=1000))


def test_the_largest_result_there_can_be_is_made(transform):
    slot, _ = make(transform, "width=8192,height=8192,fit=fill,enlarge=1", format_=Format.JPEG)
    assert (slot.width, slot.height) == (8192, 8192)
