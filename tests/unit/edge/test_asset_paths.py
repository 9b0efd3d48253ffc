"""Which paths name a picture, and which are nonsense."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.edge.paths import AssetPath, parse, path_of
from truths import ID, NONSENSE


def test_an_extension_asks_for_exactly_that_format():
    assert parse(f"/i/{ID}/medium.avif") == AssetPath(ID, "medium", "avif")


def test_no_extension_leaves_the_format_open():
    assert parse(f"/i/{ID}/hero-2x") == AssetPath(ID, "hero-2x", None)


@pytest.mark.parametrize("path", NONSENSE)
def test_nonsense_names_no_picture(path):
    assert parse(path) is None


@given(
    variant=st.text(string.ascii_lowercase + string.digits + "-", min_size=2, max_size=40),
    extension=st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=5),
)
def test_what_is_written_is_read_again(variant, extension):
    assert parse(path_of(ID, variant, extension)) == AssetPath(ID, variant, extension)


@given(st.text(max_size=120))
def test_whatever_comes_behind_the_prefix_is_answered(text):
    found = parse(f"/i/{text}")
    assert found is None or f"/i/{text}".startswith(f"/i/{found.image_id}/{found.variant}")
