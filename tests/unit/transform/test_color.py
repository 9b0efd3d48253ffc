from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.transform.color import main_color


def pixels(*runs: tuple[tuple[int, int, int, int], int]) -> bytes:
    return b"".join(bytes(color) * count for color, count in runs)


def test_the_main_colour_is_the_one_most_of_the_picture_has() -> None:
    assert main_color(pixels(((200, 30, 40, 255), 60), ((20, 90, 200, 255), 40))) == "#c81e28"


def test_it_is_a_colour_of_the_picture_and_not_the_mud_between() -> None:
    assert main_color(pixels(((255, 0, 0, 255), 51), ((0, 0, 255, 255), 49))) == "#ff0000"


def test_shades_of_one_colour_count_together_wherever_a_boundary_lies() -> None:
    sky = [((118 + step, 150, 240, 255), 8) for step in range(20)]
    assert main_color(pixels(*sky, ((250, 250, 250, 255), 60))) == "#8096f0"


def test_what_cannot_be_seen_does_not_count() -> None:
    assert main_color(pixels(((0, 0, 0, 0), 90), ((10, 200, 30, 255), 10))) == "#0ac81e"
    assert main_color(pixels(((0, 0, 0, 0), 9))) == "#ffffff"


@pytest.mark.parametrize("value", [0, 255])
def test_the_ends_of_the_scale_are_colours_too(value: int) -> None:
    assert main_color(bytes([value] * 3 + [255])) == f"#{value:02x}" + f"{value:02x}" * 2


@given(st.binary(min_size=4, max_size=400).map(lambda content: content[: len(content) // 4 * 4]))
def test_every_picture_has_one(content: bytes) -> None:
    color = main_color(content)
    assert len(color) == 7
    assert int(color[1:], 16) >= 0
