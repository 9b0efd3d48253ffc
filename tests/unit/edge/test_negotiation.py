"""Which format a reader is given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.edge.negotiation import ACCEPT_MAX, Negotiator, choose
from darkroom.model import Format
from truths import CHROME, CURL, DEFAULT, MODERN_TO_WHO_NAMES_IT, NO_QUALITIES, QUALITIES_OBEYED, SAFARI_15, THREE


@pytest.mark.parametrize(("accept", "expected"), MODERN_TO_WHO_NAMES_IT)
def test_a_modern_format_is_given_to_who_names_it_and_the_last_to_everybody_else(accept, expected):
    assert choose(accept, THREE) is expected


@pytest.mark.parametrize(("accept", "expected"), QUALITIES_OBEYED)
def test_qualities_are_obeyed(accept, expected):
    assert choose(accept, THREE) is expected


@pytest.mark.parametrize("quality", NO_QUALITIES)
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
