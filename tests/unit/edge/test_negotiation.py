"""Which format a reader is given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.edge.negotiation import ACCEPT_MAX, Negotiator, choose
from darkroom.model import Format

DEFAULT = (Format.AVIF, Format.JPEG)
THREE = (Format.AVIF, Format.WEBP, Format.JPEG)

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
CHROME_TAB = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
FIREFOX = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
SAFARI_15 = "image/webp,image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
CURL = "*/*"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (CHROME, Format.AVIF),
        (CHROME_TAB, Format.AVIF),
        (FIREFOX, Format.AVIF),
        (SAFARI_15, Format.WEBP),
        (CURL, Format.JPEG),
        ("image/*", Format.JPEG),
        ("", Format.JPEG),
        ("text/html", Format.JPEG),
        ("image/avif", Format.AVIF),
        ("IMAGE/AVIF", Format.AVIF),
        ("  image/webp  ,  */*  ", Format.WEBP),
    ],
)
def test_a_modern_format_is_given_to_who_names_it_and_the_last_to_everybody_else(accept, expected):
    assert choose(accept, THREE) is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("image/avif;q=0,image/webp", Format.WEBP),
        ("image/avif;q=0.0,*/*", Format.JPEG),
        ("image/avif;q=0.5,image/webp;q=0.9,image/*;q=0.1", Format.WEBP),
        ("image/avif;q=0.5,image/jpeg", Format.JPEG),
        ("image/avif;q=0.5,*/*", Format.JPEG),
        ("image/avif;q=0.5,image/jpeg;q=0.5", Format.AVIF),
        ("image/avif;q=0.5,image/jpeg;q=0.1,*/*", Format.AVIF),
        ("image/avif;v=1;q=0", Format.JPEG),
        ("image/avif; q=0.001", Format.AVIF),
        ("image/avif;q=1.000", Format.AVIF),
        ("image/jpeg;q=0,*/*;q=0", Format.JPEG),
    ],
)
def test_qualities_are_obeyed(accept, expected):
    assert choose(accept, THREE) is expected


@pytest.mark.parametrize("quality", ["", "x", "-1", "1.1", "2", "1e0", "0.12345", "nan", "inf", ".", "\u0661"])
def test_a_quality_that_is_none_does_not_name_the_format(quality):
    assert choose(f"image/avif;q={quality},*/*;q=0.1", DEFAULT) is Format.JPEG


def test_a_recipe_of_one_format_gives_that_one():
    assert choose(CURL, (Format.WEBP,)) is Format.WEBP
    assert choose("image/jpeg", (Format.WEBP,)) is Format.WEBP


def test_without_a_header_or_with_an_endless_one_the_last_format_is_given():
    negotiator = Negotiator(DEFAULT)
    assert negotiator.extension(None) == "jpg"
    assert negotiator.extension(b"image/avif") == "avif"
    assert negotiator.extension(b"image/avif," + b"a/b," * ACCEPT_MAX) == "jpg"


def test_a_choice_that_is_remembered_is_the_same_choice():
    negotiator = Negotiator(THREE)
    for _ in range(2):
        assert negotiator.extension(SAFARI_15.encode()) == "webp"
        assert negotiator.extension(CHROME.encode()) == "avif"
        assert negotiator.extension(b"\xff\xfe") == "jpg"


def test_no_number_of_different_headers_fills_the_memory():
    negotiator = Negotiator(DEFAULT)
    for number in range(5_000):
        negotiator.extension(b"image/avif, a/%d" % number)
    assert len(negotiator._choices) <= 1_000


@given(st.text(max_size=200))
def test_whatever_is_sent_is_answered_with_one_of_the_formats(accept):
    assert choose(accept, THREE) in THREE
