"""IIIF addresses: read to exactly the size that the standard reckons, in the words of a transformation, or refused."""

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.edge.iiif import INFO, information, read, split
from darkroom.errors import InvalidRequest
from darkroom.model import Format
from darkroom.transform.geometry import steps
from darkroom.transform.options import canonical, parse
from darkroom.transform.plan import Size

ID = "01k0000000000000000000000a"
KEPT = Size(1000, 800)
LOST = Size(4001, 3201)
"""The original that went, where the stated size is ``KEPT``."""


def asked(text, *, stated=KEPT, original=KEPT, focus=None):
    return read(text, stated, original, focus)


def options(text, **said):
    return canonical(asked(text, **said).transformation)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("full/max/0/default.jpg", "fit=inside"),
        ("full/500,/0/default.jpg", "width=500"),
        ("full/,400/0/default.jpg", "width=500"),
        ("full/500,400/0/default.jpg", "width=500"),
        ("full/!500,9000/0/default.jpg", "width=500"),
        ("full/pct:50/0/default.jpg", "width=500"),
        ("full/500,100/0/default.jpg", "width=500,height=100,fit=fill"),
        ("full/500,/90/default.jpg", "width=400,rotate=90"),
        ("full/max/!0/default.jpg", "flip=h"),
        ("full/max/!180/default.jpg", "flip=v"),
        ("full/max/360/color.jpg", "fit=inside"),
        ("full/max/0/gray.jpg", "grayscale=1"),
        ("full/max/0/bitonal.jpg", "bitonal=1"),
        ("10,20,300,200/150,/0/default.jpg", "width=150,crop=10:20:300:200"),
        ("900,700,300,200/max/0/default.jpg", "crop=900:700:100:100"),
        ("pct:10,10,50,50/max/0/default.jpg", "crop=100:80:500:400"),
        ("pct:0,0,100,100/max/0/default.jpg", "fit=inside"),
        ("square/max/0/default.jpg", "crop=100:0:800:800"),
        ("0,0,1000,800/max/0/default.jpg", "fit=inside"),
    ],
)
def test_an_address_is_a_transformation(text, same):
    assert options(text) == same


def test_the_square_lies_around_the_focus():
    assert options("square/max/0/default.jpg", focus=(0.0, 0.5)) == "crop=0:0:800:800"
    assert options("square/max/0/default.jpg", focus=(1.0, 0.5)) == "crop=200:0:800:800"


def test_every_spelling_has_one_canonical_address():
    for text in ("full/500,/0/default.png", "pct:0,0,100,100/pct:50/360/default.png", "full/!500,800/0/default.png"):
        assert asked(text).canonical == "full/500,400/0/default.png"
    assert asked("full/1000,800/!90/gray.webp").canonical == "full/max/!90/gray.webp"
    assert asked("square/10,/0/default.jpg").canonical == "100,0,800,800/10,10/0/default.jpg"


@given(
    st.tuples(st.integers(0, 999), st.integers(0, 799), st.integers(1, 1200), st.integers(1, 1200)),
    st.floats(0.01, 1),
    st.sampled_from(["0", "90", "!180", "!270"]),
    st.sampled_from([KEPT, LOST]),
)
def test_the_size_is_the_one_asked_for_to_the_pixel_whatever_it_is_made_of(region, scale, turn, original):
    left, top, width, height = region
    box = Size(min(width, KEPT.width - left), min(height, KEPT.height - top))
    size = Size(max(1, round(box.width * scale)), max(1, round(box.height * scale)))
    text = f"{left},{top},{width},{height}/{size.width},{size.height}/{turn}/default.jpg"
    wanted = asked(text, original=original).transformation
    made = steps(KEPT, original, wanted, None)
    assert made.layout.size == (size if turn in {"0", "!180"} else Size(size.height, size.width))
    assert made.box == (left, top, *box)
    assert parse(canonical(wanted)).transformation == wanted


WRONG = [
    *(("region", f"{text}/max/0/default.jpg") for text in ("", "Full", "1,2,3", "1,2,3,4,5", "-1,0,5,5", "1.5,0,5,5")),
    *(("region", f"{text}/max/0/default.jpg") for text in ("0,0,0,5", "0,0,5,0", "1000,0,5,5", "0,800,5,5", "a,b,c,d")),
    *(("region", f"{text}/max/0/default.jpg") for text in ("pct:", "pct:0,0,0,0", "pct:100,0,5,5", "pct:1e1,0,5,5")),
    *(
        ("region", f"{text}/max/0/default.jpg")
        for text in ("9999999999,0,1,1", "\u0661,0,5,5", "pct:.5,0,5,5", "smart")
    ),
    *(("size", f"full/{text}/0/default.jpg") for text in ("", "full", "^max", "^2000,", "1001,", ",801", "1001,5")),
    *(("size", f"full/{text}/0/default.jpg") for text in ("5,801", "!2000,3000", "!5,", "0,", ",0", "0,0", "pct:0")),
    *(("size", f"full/{text}/0/default.jpg") for text in ("pct:101", "pct:-5", "pct:", "pct:1e1", "5", ",", "5,5,5")),
    *(("rotation", f"full/max/{text}/default.jpg") for text in ("", "45", "-90", "361", "90.5", "!!0", "!", "x")),
    *(("quality", f"full/max/0/{text}.jpg") for text in ("", "native", "Default", "default.jpg", "grey")),
    *(("format", f"full/max/0/default.{text}") for text in ("", "jpeg", "tif", "pdf", "jp2", "JPG")),
    *(("address", text) for text in ("full", "full/max/0", "a/b/c/d/e/f", "info.xml", "full/max/0/default.jpg/")),
]


@pytest.mark.parametrize(("named", "text"), WRONG)
def test_what_is_wrong_is_named(named, text):
    with pytest.raises(InvalidRequest, match=named):
        asked(text)


def test_more_than_a_result_may_have_is_said_and_refused():
    large = Size(20_000, 10_000)
    assert canonical(asked("full/max/0/default.jpg", stated=large, original=large).transformation) == "width=8192"
    with pytest.raises(InvalidRequest, match="8192"):
        asked("full/9000,/0/default.jpg", stated=large, original=large)
    said = information("http://127.0.0.1/iiif/x", large, [])
    assert (said["maxWidth"], said["maxHeight"]) == (8192, 8192)
    assert "maxWidth" not in information("http://127.0.0.1/iiif/x", KEPT, [])


def test_rubbish_is_read_or_refused_and_never_more():
    chance = random.Random(11)
    letters = "0123456789,.!^:pctfulmaxsqre/%\x00é"
    for _ in range(5000):
        text = "".join(chance.choice(letters) for _ in range(chance.randrange(40)))
        with contextlib.suppress(InvalidRequest):
            asked(text)
        with contextlib.suppress(InvalidRequest):
            asked(f"{text}/max/0/default.jpg")
        with contextlib.suppress(InvalidRequest):
            asked(f"full/{text}/0/default.jpg")


def test_a_path_is_an_id_and_the_rest():
    assert split(f"/iiif/{ID}") == (ID, "")
    assert split(f"/iiif/{ID}/{INFO}") == (ID, INFO)
    assert split(f"/iiif/{ID}/full/max/0/default.jpg") == (ID, "full/max/0/default.jpg")
    for path in (
        "/iiif/",
        "/iiif/a/b",
        f"/iiif/{ID}/",
        f"/iiif/{ID.upper()}/{INFO}",
        f"/i/{ID}",
        f"/iiif/{ID}{'x' * 9}",
    ):
        assert split(path) is None
    assert split(f"/iiif/{ID}/{'a' * 65_000}") is None


def test_every_format_of_a_result_is_had():
    assert {asked(f"full/max/0/default.{ext}").format for ext in ("jpg", "png", "webp", "gif", "avif")} == {
        *(Format.JPEG, Format.PNG, Format.WEBP, Format.GIF, Format.AVIF)
    }
