from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.transform.placeholder import thumbhash


def waves(width: int, height: int, *, clear: bool) -> bytes:
    """Return a picture that has every wave in it."""
    return bytes(
        value % 256
        for y in range(height)
        for x in range(width)
        for value in (x * x * 5 + y * 11, x * 3 + y * y * 7 + 40, x * y + 90, x * 17 + y * 5 if clear else 255)
    )


@pytest.mark.parametrize(
    ("width", "height", "clear", "expected"),
    [
        (20, 12, False, "n/cFJIY0VnZQd3iElnWPOwmS6w=="),
        (9, 16, False, "HugJHAhTB3dKh4ZnaJc9BlFD8w=="),
        (32, 32, False, "nwcGDwZzZFRnZ5ZJZQl1SYZ5A4r6WlkA"),
        (16, 16, True, "oQeCFQInVniAa3VHSds/Orz1BFtHeXiIdw=="),
        (24, 10, True, "4BeCCoQnhIdimaCbb0i3+RbAd5Z4eIc="),
    ],
)
def test_it_is_what_the_formats_own_program_makes(width: int, height: int, clear: bool, expected: str) -> None:  # noqa: FBT001  # a parameter of the test
    # The expected values were made with npm's thumbhash 0.1.1, its author's own.
    assert base64.b64encode(thumbhash(width, height, waves(width, height, clear=clear))).decode() == expected


def test_a_picture_that_is_not_small_is_refused() -> None:
    with pytest.raises(ValueError, match="101×1"):
        thumbhash(101, 1, bytes(404))
    with pytest.raises(ValueError, match="2×2 pixels in 12 bytes"):
        thumbhash(2, 2, bytes(12))


@given(width=st.integers(1, 12), height=st.integers(1, 12), seed=st.binary(min_size=1, max_size=40))
def test_every_small_picture_has_one_of_25_bytes_at_most(width: int, height: int, seed: bytes) -> None:
    rgba = (seed * (4 * width * height))[: 4 * width * height]
    assert 5 <= len(thumbhash(width, height, rgba)) <= 25
