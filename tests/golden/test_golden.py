"""What comes out looks as it did when a person last looked at it."""

from __future__ import annotations

import pytest
from PIL import Image, ImageEnhance

import golden


@pytest.mark.parametrize("case", golden.CASES, ids=str)
def test_a_picture_looks_as_it_did(case: golden.Case) -> None:
    if not case.path.exists():
        pytest.fail(f"no golden picture of {case}: `make goldens`, look at it (`make contact-sheet`), commit it")
    before = golden.golden(case)
    for way, body in golden.results(case).items():
        found = golden.shown(body)
        assert found.size == before.size, way
        mean, patch = golden.distance(before, found)
        assert mean <= golden.MOST_DISTANCE, f"{way}: looks different all over"
        assert patch <= golden.MOST_PATCH, f"{way}: looks different somewhere"


def test_every_golden_picture_is_of_a_case() -> None:
    assert golden.strays() == []


def test_most_cases_are_made_both_as_a_variant_and_for_an_address() -> None:
    assert sum(len(golden.results(case)) == 2 for case in golden.CASES) > len(golden.CASES) / 2


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: ImageEnhance.Brightness(picture).enhance(0.97),
        lambda picture: ImageEnhance.Color(picture).enhance(0.9),
        lambda picture: picture.resize((picture.width // 2, picture.height // 2)).resize(picture.size),
        lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda picture: Image.merge("RGB", (picture.getchannel("R"), picture.getchannel("B"), picture.getchannel("G"))),
        lambda picture: picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, 1, 0, 1, 0)),
    ],
    ids=["darker", "paler", "blurred", "mirrored", "green for blue", "moved"],
)
def test_what_a_person_would_see_is_seen(change) -> None:
    picture = golden.view(96, 72)
    mean, patch = golden.distance(picture, change(picture))
    assert mean > golden.MOST_DISTANCE or patch > golden.MOST_PATCH


def test_what_nobody_sees_is_not() -> None:
    picture = golden.view(96, 72)
    mean, patch = golden.distance(picture, picture.point([min(255, value + 1) for value in range(256)] * 3))
    assert mean <= golden.MOST_DISTANCE
    assert patch <= golden.MOST_PATCH


def test_a_hole_is_seen_on_any_paper() -> None:
    whole = Image.new("RGBA", (32, 32), (255, 255, 255, 255))
    clear = Image.new("RGBA", (32, 32), (255, 255, 255, 0))
    assert golden.distance(whole, clear)[0] > golden.MOST_DISTANCE
