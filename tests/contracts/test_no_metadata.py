"""Nothing of what a file tells is in what is made of it, whatever it came in and whatever it goes out in.

Looked at in the bytes, part by part: a finished picture consists of what shows it, and of nothing else.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest

import anatomy
import talkative
from darkroom.model import Format
from darkroom.transform import Limits, Order, Wish
from darkroom.transform.inline import InlineTransform
from darkroom.transform.jail import JailedTransform
from darkroom.transform.options import Transformation
from darkroom.transform.plan import Size
from darkroom.transform.recipes import DEFAULT_QUALITY, WRITABLE, Fit, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.transform import Transform

WIDTH, HEIGHT = 160, 120
LIMITS = Limits(svg=True)
RECIPES = (
    Recipe(name="smaller", width=80, height=80, formats=WRITABLE, quality=DEFAULT_QUALITY),
    Recipe(name="as-it-is", width=400, height=400, formats=WRITABLE, quality=DEFAULT_QUALITY),
    Recipe(name="cut", width=60, height=60, fit=Fit.COVER, formats=WRITABLE, quality=DEFAULT_QUALITY),
)
SOURCES = {str(form): {"form": form} for form in Format} | {
    "png with alpha": {"form": Format.PNG, "alpha": True},
    "webp with alpha": {"form": Format.WEBP, "alpha": True},
    "avif with alpha": {"form": Format.AVIF, "alpha": True},
    "tiff with alpha": {"form": Format.TIFF, "alpha": True},
    "animated gif": {"form": Format.GIF, "frames": 3},
    "animated webp": {"form": Format.WEBP, "frames": 3},
}


@pytest.fixture(params=["inline", "jailed"], scope="module")
def transform(request: pytest.FixtureRequest) -> Iterator[Transform]:
    made: Transform = InlineTransform() if request.param == "inline" else JailedTransform(1)
    yield made
    made.close()


def check(form: Format, body: bytes) -> None:
    assert anatomy.parts(form, body) <= anatomy.PIXELS_ONLY[form]
    assert not talkative.leaks(body)


@pytest.mark.parametrize("source", SOURCES)
def test_a_variant_is_its_pixels_and_nothing_else(transform: Transform, source: str) -> None:
    content = talkative.told_by(**SOURCES[source], width=WIDTH, height=HEIGHT)
    assert talkative.leaks(content)
    with tempfile.TemporaryFile() as original:
        original.write(content)
        original.flush()
        rendered = transform.render(original, Order(recipes=RECIPES, limits=LIMITS))
    assert len(rendered.slots) == len(RECIPES) * len(WRITABLE)
    for slot in rendered.slots:
        check(slot.format, slot.body)
    assert talkative.SECRET.decode() not in repr(rendered.facts)


@pytest.mark.parametrize("source", SOURCES)
def test_neither_does_a_picture_made_for_an_address_tell_anything(transform: Transform, source: str) -> None:
    content = talkative.told_by(**SOURCES[source], width=WIDTH, height=HEIGHT)
    with tempfile.TemporaryFile() as original:
        original.write(content)
        original.flush()
        for form in WRITABLE:
            transformation = Transformation(width=70, rotate=90)
            wish = Wish(transformation=transformation, format=form, original=Size(WIDTH, HEIGHT), limits=LIMITS)
            slot = transform.make(original, wish)
            check(slot.format, slot.body)


@pytest.mark.parametrize("form", Format)
def test_what_is_looked_for_would_be_found(form: Format) -> None:
    """The same search finds all of it in a file that was merely packed anew."""
    content = talkative.told_by(form, WIDTH, HEIGHT)
    assert talkative.leaks(content)
    if form in anatomy.PIXELS_ONLY:
        with pytest.raises(AssertionError):
            check(form, content)
