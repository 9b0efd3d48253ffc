"""Copies of a picture have nearly the same hash, different pictures have not. Figures: ``bench/perceptual_hash.py``."""

from __future__ import annotations

import io
import itertools

import pytest
from PIL import Image, ImageEnhance, ImageOps

import pictures
from darkroom.catalog.perceptual_hash import NEAR, distance, is_perceptual_hash
from darkroom.transform import Order
from darkroom.transform.inline import InlineTransform
from darkroom.transform.perceptual_hash import SIDE, perceptual_hash

SEEDS = range(8)


def hashed(picture: Image.Image, form: str = "PNG", **how: object) -> str | None:
    body = io.BytesIO()
    picture.save(body, form, **how)  # type: ignore[arg-type]  # as Pillow takes them
    return InlineTransform().render(body, Order(recipes=())).facts.perceptual_hash


def near(one: str | None, other: str | None) -> bool:
    assert one is not None
    assert other is not None
    return distance(one, other) <= NEAR


@pytest.fixture(scope="module")
def photos() -> list[tuple[Image.Image, str]]:
    found = []
    for seed in SEEDS:
        photo = pictures.photo(320, 240, seed=seed)
        one = hashed(photo)
        assert one is not None
        found.append((photo, one))
    return found


def cut(picture: Image.Image) -> Image.Image:
    return picture.crop((picture.width // 40, picture.height // 40, picture.width, picture.height))


@pytest.mark.parametrize(
    "copied",
    [
        lambda one: one.resize((101, 57)),
        lambda one: one.resize((1_000, 800)),
        cut,
        ImageOps.grayscale,
        lambda one: ImageEnhance.Brightness(one).enhance(1.3),
        lambda one: ImageEnhance.Brightness(one).enhance(0.6),
        lambda one: ImageEnhance.Color(one).enhance(0.3),
        lambda one: ImageEnhance.Contrast(one).enhance(0.6),
    ],
    ids=["smaller", "larger", "cropped", "grey", "lighter", "darker", "paler", "weaker"],
)
def test_a_copy_is_near(photos, copied) -> None:
    assert all(near(one, hashed(copied(photo))) for photo, one in photos)


@pytest.mark.parametrize(("form", "how"), [("JPEG", {"quality": 15}), ("WEBP", {"quality": 15}), ("GIF", {})])
def test_so_is_one_in_another_format(photos, form, how) -> None:
    assert all(near(one, hashed(photo, form, **how)) for photo, one in photos)


def test_different_pictures_are_not(photos) -> None:
    assert not any(near(one, other) for (_, one), (_, other) in itertools.combinations(photos, 2))
    assert not any(near(one, hashed(ImageOps.mirror(photo))) for photo, one in photos)


def test_an_upright_picture_and_one_that_says_how_it_lies_are_copies(photos) -> None:
    photo, one = photos[0]
    exif = Image.Exif()
    exif[0x0112] = 6
    assert near(one, hashed(photo.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=90))


@pytest.mark.parametrize("color", ["black", "white", "#123456"])
def test_a_plain_area_has_none_since_all_of_them_would_be_alike(color) -> None:
    assert hashed(Image.new("RGB", (200, 100), color)) is None
    assert hashed(Image.new("RGB", (1, 1), color)) is None


def test_what_is_transparent_counts_as_white() -> None:
    clear = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (0, 0, 100, 100))
    assert near(hashed(clear), hashed(Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)))


def test_it_is_a_hash_of_its_form(photos) -> None:
    assert all(is_perceptual_hash(one) for _, one in photos)
    for text in ("", "0" * 75, "0" * 77, "g" * 76, "A" * 76):
        assert not is_perceptual_hash(text)


def test_other_amounts_of_pixels_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="32×32"):
        perceptual_hash(bytes(SIDE))
