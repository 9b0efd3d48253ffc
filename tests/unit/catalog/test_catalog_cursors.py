"""Cursors and the ends of pages, without any database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.catalog import cursors, terms
from darkroom.errors import InvalidRequest
from darkroom.model import Query
from libraries import image, queries

PLAN = terms.plan(Query(owner="local", tags=("cat",)))
NEWEST_FIRST = tuple(image(number) for number in (5, 4, 3))


@given(query=queries(st.just(1)), number=st.integers(0, 10**9))
def test_a_cursor_leads_back_to_its_place(query: Query, number: int) -> None:
    plan = terms.plan(query)
    assert cursors.position(cursors.cursor_after(image(number).id, plan), plan) == image(number).id


@given(first=queries(st.just(1)), second=queries(st.just(1)))
def test_a_cursor_fits_its_own_plan_only(first: Query, second: Query) -> None:
    mine, other = terms.plan(first), terms.plan(second)
    if mine != other:
        with pytest.raises(InvalidRequest):
            cursors.position(cursors.cursor_after(image(1).id, mine), other)


@given(st.text(max_size=60))
def test_no_text_is_a_cursor_by_chance(text: str) -> None:
    with pytest.raises(InvalidRequest):
        cursors.position(text, PLAN)


def test_a_page_ends_after_its_last_image_when_there_are_more() -> None:
    page = cursors.page(PLAN, NEWEST_FIRST, 2, None)
    assert page.items == NEWEST_FIRST[:2]
    assert page.next == cursors.cursor_after(NEWEST_FIRST[1].id, PLAN)


def test_a_page_ends_where_the_search_stopped_looking() -> None:
    page = cursors.page(PLAN, NEWEST_FIRST, 3, image(1).id)
    assert page.items == NEWEST_FIRST
    assert page.next == cursors.cursor_after(image(1).id, PLAN)


def test_the_last_page_has_no_next() -> None:
    assert cursors.page(PLAN, NEWEST_FIRST, 3, None).next is None
