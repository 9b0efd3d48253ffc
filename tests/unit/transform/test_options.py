"""Options: every order and alias of the same picture is one spelling, and what is wrong is named."""

import contextlib
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from darkroom.errors import InvalidRequest
from darkroom.model import Format
from darkroom.transform.options import MOST_LETTERS, Transformation, canonical, normal, parse
from darkroom.transform.recipes import COMPASS, SEEKING, Fit

sides = st.none() | st.integers(1, 8192)
fractions = st.integers(0, 10_000).map(lambda n: f"{n / 10_000:.4f}".rstrip("0").rstrip("."))
transformations = st.builds(
    Transformation,
    crop=st.none()
    | st.tuples(st.integers(0, 65535), st.integers(0, 65535), st.integers(1, 65535), st.integers(1, 65535)),
    flip=st.booleans(),
    rotate=st.sampled_from([0, 90, 180, 270]),
    width=sides,
    height=sides,
    fit=st.sampled_from(Fit),
    gravity=st.none() | st.sampled_from([*COMPASS, *SEEKING]) | st.builds("{}:{}".format, fractions, fractions),
    enlarge=st.booleans(),
    background=st.none() | st.integers(0, 0xFFFFFF).map("{:06x}".format),
    blur=st.none() | st.integers(30, 10_000).map(lambda n: n / 100),
    sharpen=st.none() | st.integers(10, 1_000).map(lambda n: n / 100),
    grayscale=st.booleans(),
    bitonal=st.booleans(),
    quality=st.none() | st.integers(1, 100),
).map(normal)


@given(transformations)
@example(normal(Transformation(width=1, height=1, fit=Fit.COVER, gravity="0:0")))
@example(normal(Transformation(width=1, height=1, fit=Fit.CONTAIN, gravity="0.5:0.5")))
def test_what_is_printed_reads_as_the_same(transformation):
    text = canonical(transformation)
    read = parse(text).transformation
    assert canonical(read) == text
    assert read == transformation
    assert len(text) < MOST_LETTERS / 2


@given(transformations, st.randoms(use_true_random=False), st.sampled_from([None, *Format]))
def test_every_order_has_one_spelling(transformation, chance, wanted):
    parts = canonical(transformation).split(",")
    chance.shuffle(parts)
    assert canonical(parse(",".join(parts)).transformation, wanted) == canonical(
        parse(canonical(transformation)).transformation, wanted
    )


@given(transformations, st.sampled_from(list(Format)))
def test_a_stored_spelling_is_stable(transformation, wanted):
    text = canonical(transformation, wanted)
    assert canonical(parse(text).transformation, wanted) == text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("height=10,width=20", "width=20,height=10"),
        ("width=0020", "width=20"),
        ("width=320,dpr=2", "width=640"),
        ("width=321,height=7,dpr=1.5", "width=482,height=11"),
        ("width=20,dpr=1", "width=20"),
        ("width=20,fit=inside", "width=20"),
        ("width=20,fit=cover,gravity=north", "width=20"),
        ("width=20,height=20,gravity=north", "width=20,height=20"),
        ("width=20,height=20,fit=cover,gravity=0.5:0", "width=20,height=20,fit=cover,gravity=north"),
        ("width=20,height=20,fit=cover,gravity=0.50:0.3000", "width=20,height=20,fit=cover,gravity=0.5:0.3"),
        ("width=20,height=20,fit=contain,gravity=center", "width=20,height=20,fit=contain"),
        ("rotate=180,flip=h", "flip=v"),
        ("rotate=90,flip=v", "rotate=270,flip=h"),
        ("rotate=270,flip=v", "rotate=90,flip=h"),
        ("rotate=180,flip=v", "flip=h"),
        ("enlarge=1,rotate=90", "rotate=90"),
        ("blur=2.50", "blur=2.5"),
        ("bitonal=1,grayscale=1", "bitonal=1"),
        ("background=FFAA00", "background=ffaa00"),
        ("fit=cover", "fit=inside"),
        ("kid=abc,exp=1900000000,width=5", "width=5"),
    ],
)
def test_aliases_are_one(text, same):
    assert canonical(parse(text).transformation) == same


def test_centre_is_not_the_same_as_no_gravity_because_an_image_may_have_a_focus():
    text = "width=20,height=20,fit=cover"
    assert parse(f"{text},gravity=center").transformation != parse(text).transformation


@pytest.mark.parametrize(
    ("text", "wanted", "same"),
    [
        ("width=5,quality=77", Format.JPEG, "width=5"),
        ("width=5,quality=77", Format.PNG, "width=5"),
        ("width=5,quality=77", Format.AVIF, "width=5,quality=77"),
        ("background=ffffff", Format.JPEG, "fit=inside"),
        ("background=ffffff", Format.PNG, "background=ffffff"),
    ],
)
def test_what_a_format_does_not_know_is_left_out(text, wanted, same):
    assert canonical(parse(text).transformation, wanted) == same


def test_what_is_not_of_the_picture_is_read():
    options = parse("exp=1900000000,width=5,kid=k1")
    assert (options.kid, options.exp) == ("k1", 1_900_000_000)


WRONG = [
    *(("width", value) for value in ("0", "8193", "-1", "+5", "1e3", "", " 5", "5 ", "\u0665", "1.5", "999999", "*")),
    *(("height", value) for value in ("0", "8193")),
    *(("fit", value) for value in ("", "Cover", "crop", "outside")),
    *(
        ("gravity", value)
        for value in ("", "middle", "1.1:0", "0:-0", "0.12345:0", "0:0:0", ".5:.5", "0.5", "1e0:0", ":")
    ),
    *(("crop", value) for value in ("0:0:0:5", "0:0:5:0", "-1:0:5:5", "1:2:3", "1:2:3:4:5", "0:0:65536:1", "a:b:c:d")),
    *(("rotate", value) for value in ("0", "45", "360", "-90")),
    *(("flip", value) for value in ("", "x", "hv")),
    *(("quality", value) for value in ("0", "101", "80.0")),
    *(("background", value) for value in ("fff", "#ffffff", "gggggg", "ffffff00", "white")),
    *(("blur", value) for value in ("0.2", "100.01", "0", "inf", "nan", "1.234", "5.", ".5")),
    *(("sharpen", value) for value in ("0.09", "10.01", "-1")),
    *(("grayscale", value) for value in ("0", "2", "true", "")),
    *(("enlarge", value) for value in ("0", "yes")),
    *(("dpr", value) for value in ("0.99", "4.01", "2", "5")),
    *(("kid", value) for value in ("", "A", "a" * 17, "a-b", "é")),
    *(("exp", value) for value in ("", "-1", "123456789012", "1.0")),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_an_option_out_of_bounds_is_named(name, value):
    with pytest.raises(InvalidRequest) as refused:
        parse(f"{name}={value}")
    assert refused.value.detail.startswith(f"{name} ")


@pytest.mark.parametrize(
    "text", ["", ",", "width", "w=5", "width=5,", ",width=5", "Width=5", "width=5,,height=5", "=5"]
)
def test_an_unknown_option_is_refused(text):
    with pytest.raises(InvalidRequest, match="is not known"):
        parse(text)


def test_an_option_given_twice_is_named():
    with pytest.raises(InvalidRequest, match=r"^width is there twice"):
        parse("width=5,height=5,width=5")


def test_more_than_the_largest_picture_is_refused_by_name():
    with pytest.raises(InvalidRequest, match=r"^dpr makes width 32768"):
        parse("width=8192,height=8192,dpr=4")


def test_a_long_text_is_refused_unread():
    with pytest.raises(InvalidRequest, match="too many"):
        parse("width=5," * 8192)


def test_rubbish_is_read_or_refused_and_never_more():
    chance = random.Random(7)
    letters = "widtheg=,:.0123456789*%/\x00é"
    for _ in range(3000):
        text = "".join(chance.choice(letters) for _ in range(chance.randrange(40)))
        with contextlib.suppress(InvalidRequest):
            parse(text)
