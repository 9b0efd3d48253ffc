"""Images as documents: nothing gets lost, and what cannot be read is said."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.catalog.documents import FORMAT, from_document, to_document
from darkroom.errors import Unavailable
from darkroom.model import Exif, Facts, Image
from libraries import full_image, image

ZONES = st.sampled_from((UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-11))))
KINDS = {
    "datetime": st.datetimes(timezones=ZONES),
    "datetime | None": st.none() | st.datetimes(timezones=ZONES),
    "float | None": st.none() | st.floats(allow_nan=False),
    "tuple[float, float] | None": st.none() | st.tuples(*[st.floats(allow_nan=False)] * 2),
}


def every_member(kind: type, **members: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Draw all members, those with a default too, so that a member that documents forget is found missing."""
    known = {field.name: KINDS.get(str(field.type), ...) for field in dataclasses.fields(kind)}
    return st.builds(kind, **{**known, **members})


any_facts = every_member(Facts, exif=every_member(Exif))
any_image = every_member(Image, facts=st.none() | any_facts)


@given(any_image)
def test_an_image_survives_the_way_through_a_document_exactly(whole: Image) -> None:
    text = json.dumps(to_document(whole))
    assert from_document(json.loads(text)) == whole


@pytest.mark.parametrize("key", ["i/another/small.avif", "./small.avif", "/small.avif", "", "small.avif"])
def test_a_key_anywhere_comes_back_as_it_was(key: str) -> None:
    whole = full_image()
    moved = dataclasses.replace(whole, variants=(dataclasses.replace(whole.variants[0], key=key),))
    assert from_document(to_document(moved)) == moved


def test_a_document_is_small() -> None:
    whole = full_image()
    six = dataclasses.replace(whole, variants=whole.variants * 6, objects=whole.objects[:1] * 6)
    assert len(json.dumps(to_document(six), separators=(",", ":"))) < 1_500


def test_members_of_a_later_release_are_passed_over() -> None:
    document = to_document(full_image())
    document["mood"] = "sunny"
    document["facts"]["depth"] = 3
    document["facts"]["exif"]["flash"] = True
    document["variants"][0].append("later")
    document["objects"][0].append("later")
    assert from_document(document) == full_image()


def test_members_an_earlier_release_did_not_write_have_their_defaults() -> None:
    document = to_document(image(1))
    for member in ("promised_bytes", "from_rendition", "tags", "variants", "title", "objects", "asked_at"):
        document.pop(member, None)
    assert from_document(document) == image(1)


@pytest.mark.parametrize(
    "changes",
    [{"format": FORMAT + 1}, {"format": None}, {"state": "dreaming"}, {"uploaded_at": "soon"}, {"variants": [[1]]}],
)
def test_a_document_that_cannot_be_read_is_refused_and_said(changes: dict[str, object]) -> None:
    with pytest.raises(Unavailable, match="release that wrote it") as refusal:
        from_document(to_document(full_image()) | changes)
    assert refusal.value.code == "data-format"


def test_times_keep_their_microseconds() -> None:
    moment = datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)
    assert from_document(to_document(image(1, uploaded_at=moment))).uploaded_at == moment
