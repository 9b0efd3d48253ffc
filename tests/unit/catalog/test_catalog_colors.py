"""Which colours are near each other, and that what is coarse about it never hides a near one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.catalog.colors import cell, cells_near, is_color, lab, near

colors = st.integers(0, 2**24 - 1).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(
    ("color", "coordinates"),
    # Reference values of CSS Color 4 (a and b) and of Okhsl's author (lightness), to a thousandth.
    [
        ("#ffffff", (1000, 0, 0)),
        ("#000000", (0, 0, 0)),
        ("#ff0000", (568, 225, 126)),
        ("#00ff00", (845, -234, 179)),
        ("#0000ff", (367, -32, -312)),
        ("#808080", (536, 0, 0)),
    ],
)
def test_colours_are_where_others_find_them(color: str, coordinates: tuple[int, int, int]) -> None:
    assert lab(color) == coordinates


@pytest.mark.parametrize(
    ("one", "other", "are_near"),
    [
        ("#ff0000", "#f01010", True),
        ("#ff0000", "#e02020", True),
        ("#ff0000", "#800000", False),
        ("#ff0000", "#ff8800", False),
        ("#000000", "#0f0f0f", True),
        ("#000000", "#303030", False),
        ("#87ceeb", "#7ab8d8", True),
        ("#808080", "#808870", True),
        ("#808080", "#80a060", False),
    ],
)
def test_near_is_what_looks_alike(one: str, other: str, *, are_near: bool) -> None:
    assert near(lab(one), lab(other)) is are_near


@given(one=colors, other=colors)
def test_what_is_near_lies_in_a_cell_that_is_looked_at(one: str, other: str) -> None:
    assert near(lab(one), lab(one))
    assert near(lab(one), lab(other)) == near(lab(other), lab(one))
    assert cell(lab(one)) in cells_near(lab(one))
    if near(lab(one), lab(other)):
        assert cell(lab(other)) in cells_near(lab(one))


@given(one=colors, steps=st.tuples(*[st.integers(-12, 12)] * 3))
def test_so_do_its_neighbours(one: str, steps: tuple[int, int, int]) -> None:
    moved = (min(255, max(0, int(one[at : at + 2], 16) + step)) for at, step in zip((1, 3, 5), steps, strict=True))
    other = "#{:02x}{:02x}{:02x}".format(*moved)
    if near(lab(one), lab(other)):
        assert cell(lab(other)) in cells_near(lab(one))


@given(one=colors)
def test_few_cells_have_to_be_looked_at(one: str) -> None:
    assert 1 <= len(cells_near(lab(one))) <= 8
    assert cells_near(lab("#000000")) == {cell(lab("#000000"))}


@pytest.mark.parametrize("text", ["", "#fff", "ffffff", "#FFFFFF", "#gggggg", "#ffffff\n"])
def test_what_is_no_colour_is_known(text: str) -> None:
    assert not is_color(text)
