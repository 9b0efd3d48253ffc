from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from darkroom.errors import BadConfiguration
from darkroom.model import Format
from darkroom.transform.recipes import (
    COMPASS,
    DEFAULT_QUALITY,
    DEFAULT_RECIPES,
    LARGEST_FILE,
    Color,
    Fit,
    Recipe,
    focal_point,
    load_recipes,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINES = (
    *("[variants]", "[variants.a]", "[[variants.a]]", "width = 1", "height = 2", "a = 1", "quality = {}"),
    *("formats = [", "]", "'avif'", '"""', "fit = 'fill'", "a.b = 1979-05-27", "quality.avif = 3", "x = nan", "# c"),
)
GOOD = "[variants.card]\nwidth = 640\nheight = 360\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def written(text: str) -> Path:
        path = tmp_path / "darkroom.toml"
        path.write_bytes(text.encode())
        return path

    return written


def refusal(path: Path) -> str:
    with pytest.raises(BadConfiguration) as refused:
        load_recipes(path)
    assert str(path) in refused.value.detail
    return refused.value.detail.removeprefix(str(path))


def test_without_a_file_there_are_the_three_sizes_of_the_contract() -> None:
    assert load_recipes(None) == DEFAULT_RECIPES
    assert [(each.name, each.width, each.height) for each in DEFAULT_RECIPES] == [
        ("large", 1920, 1920),
        ("medium", 1080, 1080),
        ("small", 320, 320),
    ]
    assert {(each.fit, each.formats) for each in DEFAULT_RECIPES} == {(Fit.INSIDE, (Format.AVIF, Format.JPEG))}


def test_a_file_says_everything_there_is_to_say_and_replaces_the_defaults(write: Callable[[str], Path]) -> None:
    path = write(
        """
        [variants.card]
        width = 640
        height = 360
        fit = "cover"
        gravity = "attention"
        formats = ["avif", "webp", "jpeg"]
        quality = { avif = 45, jpeg = 70 }
        background = "#FF00aa"
        color = "keep"

        [variants.t-1]
        width = 64
        height = 64
        quality = 33
        """
    )
    card, small = load_recipes(path)
    assert card == Recipe(
        name="card",
        width=640,
        height=360,
        fit=Fit.COVER,
        gravity="attention",
        formats=(Format.AVIF, Format.WEBP, Format.JPEG),
        quality={Format.AVIF: 45, Format.JPEG: 70, Format.WEBP: DEFAULT_QUALITY[Format.WEBP]},
        background="#ff00aa",
        color=Color.KEEP,
    )
    assert small.name == "t-1"
    assert set(small.quality.values()) == {33}
    assert (small.fit, small.gravity, small.formats) == (Fit.INSIDE, "center", (Format.AVIF, Format.JPEG))


def test_a_recipe_can_ask_for_a_score_in_place_of_a_quality(write: Callable[[str], Path]) -> None:
    card, high = load_recipes(
        write(f'{GOOD}quality = "auto"\n[variants.high]\nwidth = 9\nheight = 9\nquality = "auto"\ntarget = 80\n')
    )
    assert (card.target, high.target) == (70, 80)
    assert load_recipes(write(GOOD))[0].target is None


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("widht = 3", r"line 4: variants.card.widht is not known here; the keys are width, height, fit, .*background"),
        ('fit = "crop"', r"line 4: variants.card.fit must be one of inside, cover, contain, fill, not 'crop'"),
        ("fit = 3", r"line 4: variants.card.fit must be one of"),
        ('formats = ["avif", "bmp"]', r"line 4: variants.card.formats must be one of avif, webp, jpeg, png, gif"),
        ("formats = []", r"line 4: variants.card.formats must be a list of at least one of avif"),
        ('formats = "avif"', r"line 4: variants.card.formats must be a list"),
        ('formats = ["avif", "avif"]', r"line 4: variants.card.formats names a format twice"),
        ("quality = 0", r"line 4: variants.card.quality must be a whole number from 1 to 100 or a table"),
        ("quality = true", r"line 4: variants.card.quality must be a whole number from 1 to 100"),
        (
            "quality = { png = 3 }",
            r"line 4: variants.card.quality.png is not known here; the keys are avif, webp, jpeg",
        ),
        ("quality = { avif = 101 }", r"line 4: variants.card.quality.avif must be a whole number from 1 to 100"),
        (
            'quality = "best"',
            r'line 4: variants.card.quality must be a whole number from 1 to 100 or .* or "auto", not',
        ),
        ("target = 70", r'line 4: variants.card.target is only for quality = "auto"'),
        ('quality = "auto"\ntarget = 59', r"line 5: variants.card.target must be a whole number from 60 to 80, not 59"),
        ('quality = "auto"\ntarget = "high"', r"line 5: variants.card.target must be a whole number from 60 to 80"),
        ("quality.jpeg = 8.5", r"line 4: variants.card.quality.jpeg must be a whole number from 1 to 100"),
        ('gravity = "up"', r"line 4: variants.card.gravity must be one of center, north, .*0.5:0.3"),
        ('gravity = "0.5:1.5"', r"line 4: variants.card.gravity must be one of"),
        ('color = "p3"', "line 4: variants.card.color must be one of srgb, keep, not 'p3'"),
        ('background = "red"', r"line 4: variants.card.background must be a colour such as \"#ffffff\""),
        ("background = 0xffffff", r"line 4: variants.card.background must be a colour"),
        ("[variant.small]", r"line 4: variant is not known here; the keys are variants"),
        ("[variants.t]\nwidth = 1\nheight = 1", r"line 4: variants.t is no name for a variant"),
        ('[variants."Ä b"]\nwidth = 1\nheight = 1', r"line 4: variants.Ä b is no name for a variant"),
        ("[variants.more]\nwidth = 1", r"line 4: variants.more needs height"),
        (
            "[variants.more]\nwidth = 0\nheight = 1",
            r"line 5: variants.more.width must be a whole number from 1 to 8192",
        ),
        ("[variants.more]\nheight = 9000\nwidth = 1", r"line 5: variants.more.height must be a whole number"),
        ("[variants]\nmore = 3", r"line 5: variants.more must be a table"),
        ("width = 3", r" is not TOML: .*overwrite"),
        ("formats = [", r" is not TOML: "),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_with_what_is_allowed(
    write: Callable[[str], Path], line: str, complaint: str
) -> None:
    assert re.search(complaint, refusal(write(f"{GOOD}{line}\n")))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[variants]\ncard.width = 1\ncard.height = true\n", 3),
        ("[variants]\ncard = { width = 1, height = 0 }\n", 2),
        ("variants.card.width = 1\nvariants.card.height = 0\n", 2),
        ('# a comment\n\n[variants.card]\n# width = 0\nwidth = 1\n\nheight = 0 # "width = 1"\n', 7),
        (f'{GOOD}formats = [ # several lines\n  "avif",\n\n  "bmp",\n]\nfit = "fill"\n', 4),
        (f'{GOOD}background = """\nwidth = 0\nheight = 0\n"""\n', 4),
        (f"{GOOD}\r\n[variants.other]\r\nwidth = 1\r\nheight = 0\r\n", 7),
        (f'{GOOD}gravity = "a\u2028b"\nwidht = 1\n', 5),
        (f"{GOOD}[variants.other]\nwidth = 1\nheight = 1\n[variants.other.quality]\navif = 0\n", 8),
        (f"{GOOD}[[variants.other]]\nwidth = 1\n", 4),
    ],
)
def test_the_line_is_found_however_the_key_is_written(write: Callable[[str], Path], text: str, line: int) -> None:
    found = refusal(write(text))
    assert f"line {line}:" in found


@pytest.mark.parametrize(
    ("text", "missing"), [("", "variants"), ("\n\n# nothing\n", "variants"), ("variants = {}", "0 variants")]
)
def test_an_empty_file_makes_nothing_and_is_refused(write: Callable[[str], Path], text: str, missing: str) -> None:
    assert missing in refusal(write(text))


def test_a_file_that_is_not_there_or_not_text_or_too_long_is_refused(
    tmp_path: Path, write: Callable[[str], Path]
) -> None:
    assert "cannot be read" in refusal(tmp_path / "missing.toml")
    assert "cannot be read" in refusal(tmp_path)
    path = write(GOOD)
    path.write_bytes(GOOD.encode() + b"# \xff\n")
    assert "line 4: not UTF-8" in refusal(path)
    assert "bytes" in refusal(write("#" * (LARGEST_FILE + 1)))


def test_a_large_file_with_a_mistake_at_its_end_is_refused_quickly(write: Callable[[str], Path]) -> None:
    recipes = "".join(f"[variants.v{number}]\nwidth = 1\nheight = 1\n# comment\n\n" for number in range(50))
    found = refusal(write(recipes + "# x\n" * 10_000 + "widht = 3\n"))
    assert "line 10251:" in found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    text=st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(LINES),
            max_size=8,
        ).map("\n".join),
    )
)
def test_whatever_the_file_holds_is_recipes_or_a_refusal(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(BadConfiguration):
        assert all(isinstance(each, Recipe) for each in load_recipes(path))


@pytest.mark.parametrize("gravity", [*COMPASS, "0:0", "1:1", "0.25:.5"])
def test_a_gravity_is_a_point(gravity: str) -> None:
    point = focal_point(gravity)
    assert point is not None
    assert all(0 <= part <= 1 for part in point)


@pytest.mark.parametrize(
    "gravity", ["", "0.5", "0.5:", ":0.5", "1e-3:0", "nan:0", "-0:0", "0,5:0", "٣:0", "0.5:0.5:0.5", "North"]
)
def test_what_is_no_gravity_is_no_point(gravity: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(gravity)}$"):
        focal_point(gravity)


def test_gravities_that_look_at_the_pixels_are_no_point_yet() -> None:
    assert focal_point("attention") is None
    assert focal_point("entropy") is None
