"""What search means, without any database."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom import names
from darkroom.catalog import terms
from darkroom.errors import InvalidRequest
from darkroom.model import Format, Query, State

if TYPE_CHECKING:
    from darkroom.model import Image
from libraries import found_by, full_image, image, images, queries, tombstone


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("IMG_20260101-1234.jpg", ["img", "20260101", "1234", "jpg"]),
        ("Straße  ÉTÉ e\u0301te\u0301", ["strasse", "été", "été"]),
        ("don't", ["don", "t"]),
        ("東京タワー", ["東", "京", "タワー"]),
        ("ひとつ", ["ひ", "と", "つ"]),
        ("ध्रुव", ["ध्रुव"]),
        ("ⅷ ٣", ["ⅷ", "٣"]),
        ("sun🌅set ☀\ufe0f 👩\u200d👧", ["sun", "🌅", "set", "☀", "👩", "👧"]),
        ("\u0301\u0301 - a\u0301", ["á"]),
        ("x" * 100, ["x" * 64]),
        ("\x00\ud800\u202e", []),
    ],
)
def test_text_falls_into_words(text: str, words: list[str]) -> None:
    assert list(terms.words(text)) == words


@given(st.text(max_size=300))
def test_words_are_short_and_never_empty_whatever_the_text(text: str) -> None:
    assert all(1 <= len(word) <= terms.WORD_LETTERS for word in terms.words(text))


def test_an_image_is_found_under_all_that_is_known_of_it() -> None:
    found = terms.terms(full_image())
    assert found >= {
        terms.EVERY,
        "state:ready",
        "tag:cat",
        "tag:strasse",
        "tag:猫",
        "album:summer",
        "word:sunset",
        "word:grüsse",
        "word:京",
        "word:🌅",
        "word:img",
        "format:jpeg",
        "orientation:landscape",
        "camera:canon",
        "camera:r5",
        "lens:24",
        "lens:70mm",
        "color:2,0,0",
    }
    assert terms.UNTAGGED not in found
    assert not any("original" in term or "word:canon" in term for term in found)


def test_costly_kinds_of_terms_can_be_left_out_and_then_not_be_asked_for() -> None:
    kinds = {
        terms.Kind.WORDS: ("word:", {"words": "sea"}),
        terms.Kind.CAMERA: ("camera:", {"camera": "canon"}),
        terms.Kind.COLORS: ("color:", {"color": "7f6a55"}),
    }
    assert kinds.keys() == terms.ALL_KINDS - {terms.Kind.LIKENESS}  # test_catalog_likeness.py
    for kind, (beginning, criteria) in kinds.items():
        left = terms.ALL_KINDS - {kind}
        assert any(term.startswith(beginning) for term in terms.terms(full_image()))
        assert not any(term.startswith(beginning) for term in terms.terms(full_image(), left))
        query = Query(owner="local", **criteria)  # type: ignore[arg-type]  # one of several kinds
        terms.plan(query, frozenset({kind}))
        with pytest.raises(InvalidRequest, match="cannot be searched for here") as refused:
            terms.plan(query, left)
        assert refused.value.code == "not-searchable"


def test_a_tombstone_is_found_under_nothing() -> None:
    assert terms.terms(tombstone(full_image())) == frozenset()


def test_an_image_nobody_has_looked_at_yet_has_no_pixels_to_be_found_by() -> None:
    awaiting = image(1, state=State.AWAITING, tags=("cat",))
    assert terms.terms(image(1, state=State.AWAITING)) >= {terms.UNTAGGED}
    assert terms.terms(awaiting) == {terms.EVERY, "state:awaiting", "tag:cat", "word:img", "word:1", "word:jpg"}
    assert terms.measures(awaiting) == {}


def test_an_image_is_found_by_the_promised_checksum_until_its_bytes_tell_the_true_one() -> None:
    promised, true = "ab" * 32, "cd" * 32
    for state in (State.AWAITING, State.PROCESSING, State.FAILED):
        assert f"sha256:{promised}" in terms.terms(image(1, state=state, promised_sha256=promised))
    found = terms.terms(image(1, sha256=true, promised_sha256=promised))
    assert [term for term in found if term.startswith("sha256:")] == [f"sha256:{true}"]


def test_the_number_of_words_of_an_image_is_bounded() -> None:
    longest = image(1, filename="a b c.jpg", title=" ".join(f"{number:x}" for number in range(300)))
    words = {term for term in terms.terms(longest) if term.startswith("word:")}
    assert len(words) == terms.WORDS_PER_IMAGE
    assert words >= {"word:a", "word:jpg", "word:0"}, "those of the filename and the first of the title"


@given(one=st.integers(0, 40).flatmap(images), query=queries(st.just(1)))
def test_the_predicate_says_what_a_filter_says(one: Image, query: Query) -> None:
    assert terms.matches(one, query) == bool(found_by(query, [one]))


def test_plans_are_equal_for_searches_that_ask_for_the_same() -> None:
    one = Query(owner="local", tags=("Cat", "dog"), words="the sea", formats=(Format.PNG, Format.JPEG), limit=3)
    other = Query(owner="local", tags=("DOG", "cat", "cat"), words="Sea, the!", formats=(Format.JPEG, Format.PNG))
    assert terms.plan(one) == terms.plan(dataclasses.replace(other, cursor="anything"))


def test_every_plan_has_something_to_walk_and_the_rarest_kind_comes_first() -> None:
    assert terms.plan(Query(owner="local", states=())).groups == ((terms.EVERY,),)
    states = tuple(state for state in State if state is not State.DELETED)
    assert terms.plan(Query(owner="local", states=states)).groups == ((terms.EVERY,),)
    query = Query(owner="local", words="sea", tags=("cat",), sha256="AB" * 32, formats=(Format.PNG, Format.GIF))
    assert terms.plan(query).groups == (
        ("sha256:" + "ab" * 32,),
        ("tag:cat",),
        ("word:sea",),
        ("format:gif", "format:png"),
        ("state:ready",),
    )


def test_dates_become_bounds_on_ids() -> None:
    one = image(5)
    plan = terms.plan(Query(owner="local", uploaded_after=one.uploaded_at, uploaded_before=image(6).uploaded_at))
    assert plan.first <= one.id < plan.end <= image(6).id
    unbounded = terms.plan(Query(owner="local"))
    assert unbounded.first <= names.FIRST_ID < "7" + "z" * 25 < unbounded.end


@pytest.mark.parametrize("query", [Query(owner="local", words="a" * 1001), Query(owner="local", tags=("x" * 65,))])
def test_what_is_too_long_is_named(query: Query) -> None:
    with pytest.raises(InvalidRequest, match="at most"):
        terms.plan(query)
