"""Which documents are believed to be images: every one this service could have written, and no other."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom import names
from darkroom.catalog.documents import to_document
from darkroom.model import Failure, Image, Shelved, State
from darkroom.trust import INTEGER_MAX, trusted_image, trusted_sha256
from libraries import FIRST, full_image, images, tombstone

CHECKSUM = "yLPhmQirTHFDEeLiF3TSDA"


def whole() -> Image:
    """An image with every member that a living one can have."""
    return dataclasses.replace(
        full_image(),
        objects=(Shelved(name="small.avif", checksum=CHECKSUM), Shelved(name="t/width_20.jpg")),
        asked_at=FIRST,
        error=Failure(code="gave-up", detail="it was tried several times"),
        from_rendition=True,
    )


def document() -> dict[str, Any]:
    return json.loads(json.dumps(to_document(whole())))  # type: ignore[no-any-return] # of a mapping


def test_an_image_with_every_member_is_believed() -> None:
    assert trusted_image(document()) == whole()


@given(image=images(3))
def test_every_image_that_the_service_writes_is_believed(image: Image) -> None:
    kept = dataclasses.replace(
        image,
        filename=names.clean_filename(image.filename),
        title=names.clean_title(image.title or ""),
        tags=names.clean_tags(image.tags, 50),
        variants=tuple(one for one in image.variants if one.key.startswith(names.asset_prefix(image.id))),
    )
    assert trusted_image(json.loads(json.dumps(to_document(kept)))) == kept


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("id", "../../../../etc/passwd/aaaaa", "is no id"),
        ("id", "01K0000000000000000000000A", "is no id"),
        ("id", 7, "id is of the wrong type"),
        ("owner", "../x", "owner must be"),
        ("owner", "", "owner must be"),
        ("state", "deleted", "deleted image"),
        ("state", "sleeping", "cannot be read"),
        ("filename", "", "filename"),
        ("filename", "a/b.jpg", "not as this service keeps them"),
        ("filename", "a\u202eb.jpg", "not as this service keeps them"),
        ("filename", "x" * 5000, "filename is of the wrong type or out of bounds"),
        ("filename", "\ud800.jpg", "filename is of the wrong type or out of bounds"),
        ("uploaded_at", "2026-01-01T00:00:08+00:00", "not the moment that the id says"),
        ("uploaded_at", "2026-01-01T00:00:07", "not the moment that the id says"),
        ("uploaded_at", "yesterday", "cannot be read"),
        ("asked_at", "2026-01-01T00:00:07", "no time zone"),
        ("deleted_at", "2026-01-01T00:00:07+00:00", "deleted image"),
        ("version", 0, "count from 1"),
        ("version", "3", "version is of the wrong type"),
        ("version", True, "version is of the wrong type"),
        ("generation", 1.5, "generation is of the wrong type"),
        ("generation", -1, "generation is of the wrong type"),
        ("promised_bytes", INTEGER_MAX + 1, "promised_bytes is of the wrong type or out of bounds"),
        ("promised_bytes", 10**400, "promised_bytes is of the wrong type or out of bounds"),
        ("promised_sha256", "ab", "no SHA-256"),
        ("title", ["x"], "title is of the wrong type"),
        ("title", "", "not as this service keeps them"),
        ("album", " Sea ", "not as this service keeps them"),
        ("tags", "abc", "tags are no list"),
        ("tags", ["Cat", "cat"], "not as this service keeps them"),
        ("tags", [1], "tags is of the wrong type"),
        ("tags", ["e\u0301"], "not as this service keeps them"),
        ("tags", [str(number) for number in range(501)], "too many"),
        ("focus", [0.5, 1.5], "from 0 to 1"),
        ("focus", [0.5], "cannot be read"),
        ("focus", "ab", "focus are no list"),
        ("from_rendition", "yes", "from_rendition is of the wrong type"),
        ("facts", None, "needs facts"),
        ("variants", {"a": 1}, "variants are no list"),
        ("variants", [["small", "avif", 1, 1, 1, "/etc/passwd"]], "is no object of image"),
        ("variants", [["small", "avif", 1, 1, 1, "./../../../x.jpg"]], "is no object of image"),
        ("variants", [["small", "bmp", 1, 1, 1, "./small.bmp"]], "cannot be read"),
        ("variants", [["small", "avif", "1", 1, 1, "./small.avif"]], "width is of the wrong type"),
        ("objects", [["../../other/small.avif"]], "is no object of image"),
        ("objects", [["small.avif", "short"]], "is no checksum"),
        ("objects", [["small.avif", "!" * 22]], "is no checksum"),
        ("objects", [["small.avif"], ["small.avif"]], "named twice"),
        ("error", {"code": "x"}, "cannot be read"),
        ("format", 2, "document format 2, this program reads 1"),
        ("format", None, "document format None"),
    ],
)
def test_what_could_not_be_an_image_is_refused_with_what_is_wrong(member: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        trusted_image(document() | {member: value})


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("facts", "source", "sha256"), "AB" * 32, "no SHA-256"),
        (("facts", "source", "width"), -1, "width is of the wrong type"),
        (("facts", "source", "format"), "exe", "cannot be read"),
        (("facts", "color"), "red;background:url(//x)", "a color is not #rrggbb"),
        (("facts", "colors"), ["#7f6a55", "red"], "a color is not #rrggbb"),
        (("facts", "colors"), ["#7f6a55"] * 6, "colors are more than 5"),
        (("facts", "placeholder"), '"><script>', "placeholder is no base64"),
        (("facts", "perceptual_hash"), '"><script>', "perceptual_hash is none"),
        (("facts", "exif", "iso"), float("nan"), "iso is of the wrong type"),
        (("facts", "exif", "f_number"), float("inf"), "f_number is of the wrong type"),
        (("facts", "exif", "f_number"), "2.8", "f_number is of the wrong type"),
    ],
)
def test_facts_that_could_not_be_are_refused(path: tuple[str, ...], value: object, said: str) -> None:
    changed = document()
    member: Any = changed
    for name in path[:-1]:
        member = member[name]
    member[path[-1]] = value
    with pytest.raises(ValueError, match=re.escape(said)):
        trusted_image(changed)


@pytest.mark.parametrize("made_up", [None, 1, "x", [], [1], {}, {"format": 1}, to_document(tombstone(full_image()))])
def test_what_is_no_image_at_all_is_refused(made_up: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        trusted_image(made_up)


def paths(value: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to everything within a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [so_far, *(way for key, part in inner for way in paths(part, (*so_far, key)))]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from(list(State)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=300)
@given(data=st.data(), value=ANYTHING)
def test_whatever_stands_anywhere_is_believed_or_refused_and_nothing_else(data: st.DataObject, value: object) -> None:
    changed: Any = copy.deepcopy(document())
    *way, last = data.draw(st.sampled_from([way for way in paths(changed) if way]))
    member = changed
    for key in way:
        member = member[key]
    member[last] = value
    try:
        image = trusted_image(changed)
    except ValueError as error:
        assert str(error)  # noqa: PT017 # any other error would be the fault that is looked for
    else:
        assert trusted_image(json.loads(json.dumps(to_document(image)))) == image
        assert image.uploaded_at - FIRST == timedelta(seconds=7)


def test_a_checksum_is_64_small_hexadecimal_digits() -> None:
    assert trusted_sha256("0a" * 32) == "0a" * 32
    for text in ("", "0A" * 32, "0a" * 31, "0a" * 33, "../" * 21 + "x", "0a" * 32 + "\n"):
        with pytest.raises(ValueError, match="is no SHA-256"):
            trusted_sha256(text)
