"""Where the pixels of a transformation come from and where they go: pure geometry, no pixel is touched.

The steps are those of ``Transformation``: crop, turn, fit. They are reckoned on the original, because its pixels are
what a crop is given in, and carried over to whatever the picture is really made from: the original or a smaller one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from darkroom.errors import InvalidRequest
from darkroom.transform.plan import Layout, Size, layout
from darkroom.transform.recipes import Recipe

if TYPE_CHECKING:
    from darkroom.transform.options import Transformation

_BOUNDLESS = 10**9
"""The side of a frame that is bounded on its other side only."""


class Box(NamedTuple):
    """A part of a picture, in its pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def size(self) -> Size:
        """Width and height."""
        return Size(self.width, self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """How a transformation is carried out on a picture of one size, as a person sees it."""

    box: Box
    """What is taken of it: all, when nothing is cropped."""
    scaled: Size
    """What that is scaled to, before it is turned."""
    layout: Layout
    """How the scaled and turned picture lies in the frame."""


def steps(source: Size, original: Size, wanted: Transformation, focus: tuple[float, float] | None) -> Steps:
    """Return how ``wanted`` is made from a picture of ``source`` size that shows all of one of ``original`` size.

    Nothing is enlarged, unless asked for: not ``source`` either, where it is smaller than the original. Raises
    ``InvalidRequest`` for a crop that lies outside of the original.
    """
    whole = Box(0, 0, *original)
    taken = whole if wanted.crop is None else _within(Box(*wanted.crop), original)
    box = _carried_over(taken, original, source)
    point = _focus_in(taken, original, wanted, focus)
    fitted = layout(_room(_turned(taken.size, wanted), wanted), _frame(wanted), point)
    if not wanted.enlarge and not _turned(box.size, wanted).holds(fitted.scaled):
        fitted = layout(_turned(box.size, wanted), _frame(wanted), point)
    return Steps(box=box, scaled=_turned(fitted.scaled, wanted), layout=fitted)


def _room(size: Size, wanted: Transformation) -> Size:
    """Return the size of a picture, or a multiple of it where it may be enlarged: so nothing holds the frame back."""
    if not wanted.enlarge:
        return size
    times = math.ceil(max((wanted.width or 0) / size.width, (wanted.height or 0) / size.height, 1))
    return Size(size.width * times, size.height * times)


def needed(original: Size, wanted: Transformation) -> Size:
    """Return how large a picture of the whole must be so that ``wanted`` is made of it without enlarging.

    Never larger than the original. Raises ``InvalidRequest`` as ``steps``.
    """
    made = steps(original, original, replace(wanted, enlarge=False), None)
    return Size(
        max(1, min(original.width, math.ceil(original.width * made.scaled.width / made.box.width))),
        max(1, min(original.height, math.ceil(original.height * made.scaled.height / made.box.height))),
    )


def _frame(wanted: Transformation) -> Recipe:
    # A recipe's gravity ``center`` gives way to the focus, one that was asked for does not.
    gravity = {None: "center", "center": "0.5:0.5"}.get(wanted.gravity, wanted.gravity)
    return Recipe(
        name="t",
        width=wanted.width or _BOUNDLESS,
        height=wanted.height or _BOUNDLESS,
        fit=wanted.fit,
        gravity=gravity or "center",
        quality={},
    )


def _turned(size: Size, wanted: Transformation) -> Size:
    return Size(size.height, size.width) if wanted.turns else size


def _within(crop: Box, original: Size) -> Box:
    width = min(crop.width, original.width - crop.left)
    height = min(crop.height, original.height - crop.top)
    if width < 1 or height < 1:
        msg = f"crop begins outside of the picture, which is {original.width}×{original.height}"
        raise InvalidRequest(msg)
    return Box(crop.left, crop.top, width, height)


def _carried_over(box: Box, original: Size, source: Size) -> Box:
    if source == original:
        return box
    left, right = _ends(box.left, box.width, source.width / original.width, source.width)
    top, bottom = _ends(box.top, box.height, source.height / original.height, source.height)
    return Box(left, top, right - left, bottom - top)


def _ends(start: int, length: int, scale: float, most: int) -> tuple[int, int]:
    first = min(round(start * scale), most - 1)
    return first, max(first + 1, min(round((start + length) * scale), most))


def _focus_in(
    taken: Box, original: Size, wanted: Transformation, focus: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Return where the focus of the image lies in what was taken of it, once that is turned."""
    if focus is None or wanted.gravity is not None:
        return None
    x = min(max((focus[0] * original.width - taken.left) / taken.width, 0.0), 1.0)
    y = min(max((focus[1] * original.height - taken.top) / taken.height, 0.0), 1.0)
    if wanted.flip:
        x = 1.0 - x
    return {0: (x, y), 90: (1.0 - y, x), 180: (1.0 - x, 1.0 - y), 270: (y, 1.0 - x)}[wanted.rotate]
