"""What is told of a picture before it is encoded, and the quality that follows."""

import io
import random

import pytest
import pyvips
from PIL import Image

import pictures
from darkroom.model import Format
from darkroom.transform import Limits, Order
from darkroom.transform.auto_quality import LEAST, MOST, features, quality
from darkroom.transform.recipes import DEFAULT_QUALITY, Recipe
from darkroom.transform.vips import render

LOSSY = (Format.AVIF, Format.WEBP, Format.JPEG)
SIZE = (320, 240)


def grainy() -> Image.Image:
    grain = Image.frombytes("RGB", SIZE, random.Random(1).randbytes(3 * SIZE[0] * SIZE[1]))
    return Image.blend(pictures.photo(*SIZE), grain, 0.15)


def smooth() -> Image.Image:
    return Image.linear_gradient("L").resize(SIZE).convert("RGB")


def pixels(picture: Image.Image) -> pyvips.Image:
    made = pyvips.Image.new_from_memory(picture.tobytes(), *picture.size, len(picture.getbands()), "uchar")
    return made.copy(interpretation="srgb" if made.bands > 2 else "b-w").copy_memory()


def chosen(picture: Image.Image, form: Format, target: int = 70) -> int:
    told = features(pixels(picture))
    assert told is not None
    return quality(told, form, target)


def bodies(picture: Image.Image, target: int | None) -> dict[str, bytes]:
    recipe = Recipe(name="any", width=320, height=320, formats=LOSSY, quality=DEFAULT_QUALITY, target=target)
    with io.BytesIO() as file:
        picture.save(file, "PNG")
        file.seek(0)
        made = render(file, Order(recipes=(recipe,), limits=Limits()))
    return {slot.extension: slot.body for slot in made.slots}


@pytest.mark.parametrize("form", LOSSY)
def test_grain_needs_a_higher_quality_than_a_gradient_for_the_same_score(form: Format) -> None:
    assert chosen(grainy(), form) >= chosen(smooth(), form) + 15


@pytest.mark.parametrize("form", LOSSY)
def test_a_higher_score_takes_a_higher_quality(form: Format) -> None:
    low, middle, high = (chosen(pictures.photo(*SIZE), form, target) for target in (60, 70, 80))
    assert LEAST <= low < middle < high <= MOST


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_grey_and_transparent_pictures_are_told_too(mode: str) -> None:
    picture = pictures.photo(*SIZE).convert(mode)
    assert all(LEAST <= chosen(picture, form) <= MOST for form in LOSSY)


def test_nothing_is_told_of_a_picture_of_a_few_pixels() -> None:
    assert features(pixels(pictures.photo(15, 400))) is None
    assert bodies(pictures.photo(15, 40), 70) == bodies(pictures.photo(15, 40), None)


def test_a_gradient_weighs_less_and_grain_more_than_at_the_usual_quality() -> None:
    for picture, lighter in ((smooth(), True), (grainy(), False)):
        auto, fixed = bodies(picture, 70), bodies(picture, None)
        for extension in ("webp", "jpg"):
            assert (len(auto[extension]) < len(fixed[extension])) is lighter, extension


def test_the_same_picture_comes_out_the_same() -> None:
    assert bodies(grainy(), 75) == bodies(grainy(), 75)


def test_what_loses_nothing_has_no_quality_to_choose() -> None:
    recipe = Recipe(name="any", width=64, height=64, formats=(Format.PNG,), quality=DEFAULT_QUALITY, target=70)
    (slot,) = render(io.BytesIO(pictures.png()), Order(recipes=(recipe,), limits=Limits())).slots
    assert slot.format is Format.PNG
