from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.catalog.colors import COLORS_MAX, is_color
from darkroom.transform.color import main_colors


def pixels(*runs: tuple[tuple[int, int, int, int], int]) -> bytes:
    return b"".join(bytes(color) * count for color, count in runs)


def test_the_first_colour_is_the_one_most_of_the_picture_has() -> None:
    assert main_colors(pixels(((200, 30, 40, 255), 60), ((20, 90, 200, 255), 40)))[0] == "#c81e28"


def test_they_are_colours_of_the_picture_and_not_the_mud_between() -> None:
    assert main_colors(pixels(((255, 0, 0, 255), 51), ((0, 0, 255, 255), 49))) == ("#ff0000", "#0000ff")


def test_shades_of_one_colour_count_together_wherever_a_boundary_lies() -> None:
    sky = [((118 + step, 150, 240, 255), 8) for step in range(20)]
    assert main_colors(pixels(*sky, ((250, 250, 250, 255), 60))) == ("#8096f0", "#fafafa")


def test_a_speck_is_no_main_colour() -> None:
    grey, red = (90, 90, 90, 255), (250, 10, 10, 255)
    assert main_colors(pixels((grey, 970), (red, 30))) == ("#5a5a5a",)
    assert main_colors(pixels((grey, 900), (red, 100))) == ("#5a5a5a", "#fa0a0a")


def test_of_many_colours_the_most_frequent_ones_are_told() -> None:
    many = [((part, 255 - part, 128, 255), 10 + part // 30) for part in range(0, 250, 60)]
    many += [((0, 0, part, 255), 8) for part in (0, 250)]
    found = main_colors(pixels(*many))
    assert len(found) == COLORS_MAX
    assert found[0] == "#f00f80"
    assert len(set(found)) == COLORS_MAX


def test_what_cannot_be_seen_does_not_count() -> None:
    assert main_colors(pixels(((0, 0, 0, 0), 90), ((10, 200, 30, 255), 10))) == ("#0ac81e",)
    assert main_colors(pixels(((0, 0, 0, 0), 9))) == ("#ffffff",)


@pytest.mark.parametrize("value", [0, 255])
def test_the_ends_of_the_scale_are_colours_too(value: int) -> None:
    assert main_colors(bytes([value] * 3 + [255])) == (f"#{value:02x}" + f"{value:02x}" * 2,)


@given(st.binary(min_size=4, max_size=400).map(lambda content: content[: len(content) // 4 * 4]))
def test_every_picture_has_some(content: bytes) -> None:
    found = main_colors(content)
    assert 1 <= len(found) <= COLORS_MAX
    assert all(map(is_color, found))
