"""Which paths name a picture, and which are nonsense."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.edge.paths import AssetPath, parse, path_of

ID = "01k3v9m0c4qdhsyx7g6e8rb2tz"


def test_an_extension_asks_for_exactly_that_format():
    assert parse(f"/i/{ID}/medium.avif") == AssetPath(ID, "medium", "avif")


def test_no_extension_leaves_the_format_open():
    assert parse(f"/i/{ID}/hero-2x") == AssetPath(ID, "hero-2x", None)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/i",
        "/i/",
        f"/i/{ID}",
        f"/i/{ID}/",
        f"i/{ID}/medium",
        f"/I/{ID}/medium",
        f"//i/{ID}/medium",
        f"/i//{ID}/medium",
        f"/i/{ID}/medium/",
        f"/i/{ID}/medium/more",
        f"/i/{ID.upper()}/medium",
        f"/i/{ID[:-1]}/medium",
        f"/i/{ID}0/medium",
        f"/i/8{ID[1:]}/medium",
        f"/i/{ID[:-1]}u/medium",
        f"/i/{ID}/../medium",
        f"/i/{ID}/..",
        "/i/../secrets/key",
        f"/i/{ID}/medium\x00",
        f"/i/{ID}/medium.avif\x00.jpg",
        f"/i/{ID}/medium%2eavif",
        f"/i/{ID}/%2e%2e",
        f"/i/{ID}\\medium",
        f"/i/{ID}/medium.",
        f"/i/{ID}/.avif",
        f"/i/{ID}/medium.avif.jpg",
        f"/i/{ID}/medium.AVIF",
        f"/i/{ID}/Medium",
        f"/i/{ID}/medium ",
        f"/i/{ID}/mediüm",
        f"/i/{ID}/medium.jpeg2k",
        f"/i/{ID}/{'m' * 41}",
        f"/i/{ID}/{'m' * 10_000}",
        f"/i/{ID}/t",
        f"/i/{ID}/t.avif",
        f"/i/{ID}/t/width=100/sAAAA.avif",
    ],
)
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
