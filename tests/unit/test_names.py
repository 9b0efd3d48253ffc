from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom import names
from darkroom.errors import InvalidRequest

MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001  # the strategy adds the zone
    max_value=datetime(9999, 12, 31),  # noqa: DTZ001  # the strategy adds the zone
    timezones=st.just(UTC),
)
RANDOMNESS = st.binary(min_size=10, max_size=10)


@given(MOMENTS, RANDOMNESS)
def test_an_id_tells_when_it_was_made_to_the_millisecond(moment, randomness):
    image_id = names.new_id(moment, randomness)
    assert names.is_id(image_id)
    assert timedelta(0) <= moment - names.moment_of(image_id) < timedelta(milliseconds=1)


@given(MOMENTS, MOMENTS, RANDOMNESS, RANDOMNESS)
def test_ids_sort_by_time(one, other, some, more):
    if one + timedelta(milliseconds=1) <= other:
        assert names.new_id(one, some) < names.new_id(other, more)


@given(MOMENTS, MOMENTS, RANDOMNESS)
def test_the_first_id_at_a_moment_divides_earlier_from_later_ones(made, bound, randomness):
    image_id = names.new_id(made, randomness)
    assert (image_id >= names.first_id_at(bound)) == (names.moment_of(image_id) >= bound)


def test_an_id_carries_all_its_randomness():
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert len({names.new_id(now, bytes([n]) + bytes(9)) for n in range(256)}) == 256
    assert len({names.new_id(now, bytes(9) + bytes([n])) for n in range(256)}) == 256


@pytest.mark.parametrize("text", ["", "../etc/passwd", "01K" + "0" * 23, "8" + "0" * 25, "0" * 25 + "u", "0" * 27])
def test_what_is_no_id(text):
    assert not names.is_id(text)


@pytest.mark.parametrize("key", ["originals/", "originals/../x", "i/" + "0" * 26, "x", "originals/" + "0" * 26 + "/x"])
def test_a_key_that_is_not_ours_names_no_image(key):
    assert names.parse_original_key(key) is None


def test_an_original_s_key_names_its_image():
    image_id = names.first_id_at(datetime(2026, 1, 1, tzinfo=UTC))
    assert names.parse_original_key(names.original_key(image_id)) == image_id


def test_an_archived_original_s_key_names_its_image():
    image_id = names.new_id(datetime(2026, 11, 23, tzinfo=UTC), bytes(10))
    assert names.parse_archive_key(names.archive_key(image_id)) == image_id
    for key in (names.original_key(image_id), f"archive/{image_id}/x", f"x/archive/{image_id}", "archive/", image_id):
        assert names.parse_archive_key(key) is None


def test_an_object_s_key_names_its_image_and_itself():
    image_id = names.new_id(datetime(2026, 11, 23, tzinfo=UTC), bytes(10))
    assert names.parse_asset_key(names.asset_key(image_id, "large", "avif")) == (image_id, "large.avif")
    assert names.parse_asset_key(f"i/{image_id}/t/width=7.jpg") == (image_id, "t/width=7.jpg")
    for key in (f"i/{image_id}", f"i/{image_id}/", f"i/{image_id}x/a", f"j/{image_id}/a", "i/junk/a", "", image_id):
        assert names.parse_asset_key(key) is None


def test_an_upload_path_names_its_image():
    image_id = names.first_id_at(datetime(2026, 1, 1, tzinfo=UTC))
    assert names.parse_upload_path(names.upload_path(image_id)) == image_id
    for path in (
        "/upload/",
        "/upload",
        image_id,
        f"/uploads/{image_id}",
        f"/upload/{image_id}/x",
        f"//upload/{image_id}",
    ):
        assert names.parse_upload_path(path) is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\me.jpg", "me.jpg"),
        ("a\x00b\r\n.jpg", "ab.jpg"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("cafe\u0301.jpg", "café.jpg"),
        ("  spaced name.jpg  ", "spaced name.jpg"),
        ("\ud800lone.jpg", "lone.jpg"),
    ],
)
def test_a_filename_is_kept_as_a_harmless_base_name(sent, kept):
    assert names.clean_filename(sent) == kept


@pytest.mark.parametrize("sent", ["", "..", "photos/", "\x00", "x" * 256])
def test_a_filename_that_cannot_be_kept_is_refused(sent):
    with pytest.raises(InvalidRequest, match="filename"):
        names.clean_filename(sent)


def test_tags_are_unique_by_their_folded_form_and_keep_their_spelling():
    assert names.clean_tags(["Cat", "cat", "CAT", "Straße", "STRASSE"], 50) == ("Cat", "Straße")


def test_too_many_tags_are_counted_after_folding():
    assert len(names.clean_tags(["a", "A"] * 50, 1)) == 1
    with pytest.raises(InvalidRequest, match="at most 2"):
        names.clean_tags(["a", "b", "c"], 2)


@given(st.text())
def test_cleaning_a_tag_twice_changes_nothing_more(text):
    try:
        tag = names.clean_tag(text)
    except InvalidRequest:
        return
    assert names.clean_tag(tag) == tag
    assert names.fold(names.fold(tag)) == names.fold(tag)
    tag.encode()


@pytest.mark.parametrize("name", ["large", "og-image", "a" * 40])
def test_variant_names(name):
    assert names.is_variant_name(name)


@pytest.mark.parametrize("name", ["", "t", "Large", "a" * 41, "a.b", "a/b", "ä"])
def test_what_is_no_variant_name(name):
    assert not names.is_variant_name(name)
