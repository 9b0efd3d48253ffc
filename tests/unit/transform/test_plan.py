from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.errors import TooManyPixels
from darkroom.model import Format
from darkroom.transform import Limits
from darkroom.transform.plan import (
    HEADROOM,
    Layout,
    Size,
    as_seen,
    check_limits,
    encodings,
    jpeg_shrink,
    largest,
    layout,
    nearest,
    webp_scale,
)
from darkroom.transform.recipes import COMPASS, DEFAULT_QUALITY, DEFAULT_RECIPES, WRITABLE, Fit, Recipe

sides = st.integers(1, 9000)
sizes = st.builds(Size, sides, sides)
points = st.tuples(st.floats(0, 1), st.floats(0, 1))
gravities = st.sampled_from([*COMPASS, "attention", "entropy", "0.1:0.9"])


def recipe(width: int, height: int, fit: Fit = Fit.INSIDE, gravity: str = "center") -> Recipe:
    return Recipe(name="any", width=width, height=height, fit=fit, gravity=gravity, quality=DEFAULT_QUALITY)


def placed(
    source: Size, wanted: Recipe, focus: tuple[float, float] | None = None
) -> tuple[Size, tuple[int, int], Size]:
    found = layout(source, wanted, focus)
    return found.scaled, (found.left, found.top), found.size


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((3264, 2448), [(1920, 1440), (1080, 810), (320, 240)]),
        ((2448, 3264), [(1440, 1920), (810, 1080), (240, 320)]),
        ((1000, 500), [(1000, 500), (1000, 500), (320, 160)]),
        ((10, 10), [(10, 10)] * 3),
        ((30_000, 3), [(1920, 1), (1080, 1), (320, 1)]),
    ],
)
def test_the_usual_recipes_keep_the_aspect_and_never_enlarge(
    source: tuple[int, int], expected: list[tuple[int, int]]
) -> None:
    assert [layout(Size(*source), each, None).size for each in DEFAULT_RECIPES] == expected


@pytest.mark.parametrize(
    ("gravity", "corner"),
    [
        ("center", (100, 0)),
        ("west", (0, 0)),
        ("northeast", (200, 0)),
        ("0.5:0.1", (100, 0)),
        ("0.4:0.5", (60, 0)),
        ("0.05:0.5", (0, 0)),
        ("1:1", (200, 0)),
    ],
)
def test_cover_cuts_off_what_is_away_from_the_gravity(gravity: str, corner: tuple[int, int]) -> None:
    assert placed(Size(800, 400), recipe(200, 200, Fit.COVER, gravity)) == ((400, 200), corner, (200, 200))


def test_a_focus_is_where_a_recipe_without_a_gravity_cuts() -> None:
    found = layout(Size(800, 400), recipe(200, 200, Fit.COVER), (0.0, 0.0))
    assert (found.left, found.top, found.seek) == (0, 0, None)
    for gravity in ("east", "attention", "0.9:0.5"):
        wanted = recipe(200, 200, Fit.COVER, gravity)
        assert layout(Size(800, 400), wanted, (0.0, 0.0)) == layout(Size(800, 400), wanted, None)
    assert layout(Size(800, 400), recipe(200, 200), (0.0, 0.0)) == layout(Size(800, 400), recipe(200, 200), None)


def test_gravities_that_look_at_the_pixels_leave_the_place_open() -> None:
    assert layout(Size(800, 400), recipe(200, 200, Fit.COVER, "entropy"), None).seek == "entropy"


@pytest.mark.parametrize(
    ("gravity", "corner"), [("center", (0, -50)), ("north", (0, 0)), ("south", (0, -100)), ("attention", (0, -50))]
)
def test_contain_puts_the_whole_picture_where_the_gravity_says(gravity: str, corner: tuple[int, int]) -> None:
    assert placed(Size(800, 400), recipe(200, 200, Fit.CONTAIN, gravity)) == ((200, 100), corner, (200, 200))


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        (Fit.INSIDE, ((300, 100), (0, 0), (300, 100))),
        (Fit.FILL, ((200, 100), (0, 0), (200, 100))),
        (Fit.COVER, ((300, 100), (50, 0), (200, 100))),
        (Fit.CONTAIN, ((300, 100), (0, -25), (300, 150))),
    ],
)
def test_a_frame_too_large_for_the_picture_keeps_its_shape(fit: Fit, expected: tuple[object, object, object]) -> None:
    assert placed(Size(300, 100), recipe(800, 400, fit)) == expected


@given(source=sizes, width=sides, height=sides, fit=st.sampled_from(Fit), gravity=gravities, focus=st.none() | points)
def test_every_layout_can_be_made(
    source: Size, width: int, height: int, fit: Fit, gravity: str, focus: tuple[float, float] | None
) -> None:
    wanted = recipe(width, height, fit, gravity)
    found = layout(source, wanted, focus)
    assert source.holds(found.scaled), "nothing is enlarged"
    assert Size(width, height).holds(found.size), "nothing is larger than asked for"
    assert min(*found.scaled, *found.size) >= 1
    if fit in {Fit.INSIDE, Fit.FILL}:
        assert found == Layout(scaled=found.scaled, size=found.scaled)
    elif fit is Fit.COVER:
        assert found.scaled.holds(found.size)
        assert 0 <= found.left <= found.scaled.width - found.size.width
        assert 0 <= found.top <= found.scaled.height - found.size.height
    else:
        assert found.size.holds(found.scaled)
        assert 0 <= -found.left <= found.size.width - found.scaled.width
        assert 0 <= -found.top <= found.size.height - found.scaled.height


@given(source=sizes, width=sides, height=sides, fit=st.sampled_from([Fit.COVER, Fit.FILL]))
def test_cover_and_fill_have_the_shape_that_was_asked_for(source: Size, width: int, height: int, fit: Fit) -> None:
    size = layout(source, recipe(width, height, fit), None).size
    assert abs(size.width * height - size.height * width) <= max(width, height), "but for less than one pixel"


@given(st.lists(sizes, min_size=1, max_size=6))
def test_the_base_is_no_larger_than_it_must_be_and_all_others_can_be_made_from_it(wanted: list[Size]) -> None:
    base = largest(Layout(scaled=size, size=size) for size in wanted)
    assert base == (max(size.width for size in wanted), max(size.height for size in wanted))
    made = [base]
    for size in sorted(wanted, reverse=True):
        assert nearest(made, size).holds(size)
        made.append(size)


def test_a_smaller_picture_is_made_from_the_smallest_with_headroom() -> None:
    made = [Size(1920, 1440), Size(1080, 810), Size(400, 300)]
    assert nearest(made, Size(1080, 810)) == (1080, 810)
    assert nearest(made, Size(320, 240)) == (1080, 810), "400 pixels would blur it"
    assert nearest(made, Size(1500, 1125)) == (1920, 1440), "the largest there is, if none has headroom"


@given(stored=sizes, wanted=sizes)
def test_decoding_smaller_leaves_enough_pixels(stored: Size, wanted: Size) -> None:
    shrink = jpeg_shrink(stored, wanted)
    assert shrink in {1, 2, 4, 8}
    if shrink > 1:
        assert stored.width / shrink >= wanted.width * HEADROOM - 1e-6
        assert stored.height / shrink >= wanted.height * HEADROOM - 1e-6
    scale = webp_scale(stored, wanted)
    assert 0 < scale <= 1
    assert (
        scale == 1 or min(stored.width * scale / wanted.width, stored.height * scale / wanted.height) >= HEADROOM - 1e-6
    )


def test_a_photo_is_decoded_smaller_when_all_that_is_wanted_is_small() -> None:
    assert jpeg_shrink(Size(4000, 3000), Size(1920, 1440)) == 1
    assert jpeg_shrink(Size(8000, 6000), Size(1920, 1440)) == 2
    assert jpeg_shrink(Size(4000, 3000), Size(320, 240)) == 8


@pytest.mark.parametrize("orientation", range(9))
def test_width_and_height_change_for_the_orientations_that_lie(orientation: int) -> None:
    assert as_seen(Size(4, 3), orientation) == ((3, 4) if orientation >= 5 else (4, 3))


@pytest.mark.parametrize(
    ("size", "frames", "limits", "reason"),
    [
        ((101, 1), 1, Limits(side=100), "101×1"),
        ((1, 101), 1, Limits(side=100), "1×101"),
        ((10, 11), 1, Limits(pixels=109), "10×11 pixels are too many"),
        ((10, 11), 3, Limits(pixels=329), "3 frames of 10×11 pixels are too many"),
        ((1, 1), 4, Limits(frames=3), "4 frames"),
    ],
)
def test_more_than_the_limits_is_refused_in_a_sentence(
    size: tuple[int, int], frames: int, limits: Limits, reason: str
) -> None:
    with pytest.raises(TooManyPixels, match=reason):
        check_limits(Size(*size), frames, limits)


def test_exactly_the_limits_is_accepted() -> None:
    check_limits(Size(10, 11), 3, Limits(pixels=330, frames=3, side=11))


def held(formats: tuple[Format, ...], *, animated: bool = False, transparent: bool = False) -> list[tuple[str, str]]:
    asked = Recipe(name="any", width=9, height=9, formats=formats, quality=DEFAULT_QUALITY)
    made = encodings(asked, animated=animated, transparent=transparent)
    return [(each.extension, each.format.value) for each in made]


def test_a_plain_picture_is_held_by_whatever_was_asked_for() -> None:
    assert held(WRITABLE) == [(each.extension, each.value) for each in WRITABLE]


def test_an_animation_is_held_by_webp_in_modern_slots_and_by_gif_in_the_others() -> None:
    assert held((Format.AVIF, Format.JPEG), animated=True) == [("avif", "webp"), ("jpg", "gif")]
    assert held(WRITABLE, animated=True) == [
        ("avif", "webp"),
        ("webp", "webp"),
        ("jpg", "gif"),
        ("png", "gif"),
        ("gif", "gif"),
    ]
    assert held((Format.AVIF, Format.JPEG), animated=True, transparent=True)[1] == ("jpg", "gif")


def test_transparency_is_held_by_png_where_jpeg_or_gif_cannot() -> None:
    assert held((Format.AVIF, Format.JPEG), transparent=True) == [("avif", "avif"), ("jpg", "png")]
    assert held((Format.PNG, Format.JPEG, Format.GIF), transparent=True) == [
        ("png", "png"),
        ("jpg", "png"),
        ("gif", "png"),
    ]


def test_the_quality_is_the_one_of_the_format_the_bytes_are_in() -> None:
    own = Recipe(name="own", width=9, height=9, quality={Format.WEBP: 7, Format.AVIF: 8})
    assert [each.quality for each in encodings(own, animated=True, transparent=False)] == [7, None]
    assert [each.quality for each in encodings(own, animated=False, transparent=False)] == [
        8,
        DEFAULT_QUALITY[Format.JPEG],
    ]
