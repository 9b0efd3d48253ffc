"""Which of the pictures kept of an image a result is made from: the cheapest that is as good. Pure.

As good as the original is a whole rendition that has some headroom over the result (``plan.HEADROOM``). What that costs
in quality is bounded: a JPEG made from a kept JPEG scores 0.7 (SSIMULACRA2) less than from the original with twice the
headroom and more, and 3.2 less, 3.8 at worst, where there is no more than is asked for (``bench/render.py --kept``). An
AVIF is decoded only where nothing else is large enough: that takes longer than the original it was made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.model import Format, Original
from darkroom.transform.geometry import needed, steps
from darkroom.transform.plan import HEADROOM, Size, jpeg_shrink, webp_scale

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from darkroom.model import Image
    from darkroom.transform.options import Transformation

DECODING = {
    Format.JPEG: 5,
    Format.PNG: 14,
    Format.GIF: 9,
    Format.TIFF: 15,
    Format.WEBP: 20,
    Format.HEIC: 40,
    Format.SVG: 20,
    Format.AVIF: 34,
}
"""About how many nanoseconds a pixel of a file takes to decode on one processor, resizing included.

Means of a generated picture and of photographs at 8 megapixels, measured by ``bench/render.py --costs``; but for HEIC,
which nothing here can encode, and SVG, where it depends on what is drawn: these two are guesses.
"""

_SHRUNK_JPEG = {1: 5.0, 2: 2.8, 4: 2.0, 8: 1.6}
"""The same of a JPEG that is made smaller while it is decoded."""

_SHRUNK_WEBP = (8.5, 11.5)
"""The same of a WebP: that much for each pixel of the file, and that much for each pixel of what it is scaled to."""

ENCODING = {Format.JPEG: 9, Format.GIF: 1000, Format.PNG: 85, Format.WEBP: 92, Format.AVIF: 60}
"""About how long a pixel of a result takes to encode, likewise, at 1080×810."""

_MOVING = {Format.WEBP: 0, Format.GIF: 1}
"""What can move, the better first."""

_LAST = frozenset({Format.AVIF})


def seconds(image: Image, wanted: Transformation, wanted_format: Format) -> float:
    """Return about how long it takes to make a result of a ready image. Raises ``InvalidRequest`` as ``geometry``."""
    if image.facts is None:
        return 0.0
    original = Size(image.facts.source.width, image.facts.source.height)
    size = needed(original, wanted)
    decoding = min((each.cost(size) for each in in_order(candidates(image), size)[:1]), default=0.0)
    made = steps(original, original, wanted, None).layout.size
    return (decoding + ENCODING[wanted_format] * made.width * made.height) / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One picture that shows all of an image; without a ``key`` in the assets bucket it is the original."""

    size: Size
    format: Format
    key: str | None = None

    def cost(self, wanted: Size) -> float:
        """Return about how many nanoseconds it takes to decode it for a result that needs the whole at ``wanted``."""
        each: float = DECODING[self.format]
        if self.format is Format.JPEG:
            each = _SHRUNK_JPEG[jpeg_shrink(self.size, wanted)]
        elif self.format is Format.WEBP:
            each = _SHRUNK_WEBP[0] + _SHRUNK_WEBP[1] * webp_scale(self.size, wanted) ** 2
        return each * self.size.width * self.size.height


def candidates(image: Image) -> tuple[Candidate, ...]:
    """Return every picture kept of a ready image that shows all of it, the original first."""
    if image.facts is None:
        return ()
    source = image.facts.source
    whole = Size(source.width, source.height)
    kept = [Candidate(size=whole, format=source.format)] if image.original is Original.KEPT else []
    renditions = [
        Candidate(size=Size(variant.width, variant.height), format=variant.format, key=variant.key)
        for variant in image.variants
        if abs(variant.width * whole.height / whole.width - variant.height) <= 1
    ]
    if source.frames > 1:
        renditions = [each for each in renditions if each.format in _MOVING]
    return (*kept, *renditions)


def largest_kept(image: Image) -> Size | None:
    """Return the size of the largest picture kept that shows all of a ready image: more than that cannot be made."""
    return max((each.size for each in candidates(image)), key=lambda size: size.width * size.height, default=None)


def in_order(among: Iterable[Candidate], wanted: Size, *, moving: bool = False) -> Sequence[Candidate]:
    """Return candidates from the best to make ``wanted`` of (the size of the whole that is needed) to the last resort.

    ``moving`` is for a result that moves as the image does.
    """

    def rank(each: Candidate) -> tuple[bool, int, bool, bool, int, int, float]:
        will_do, as_good = each.size.holds(wanted), each.key is None or each.size.holds(wanted, HEADROOM)
        # Of those that are too small the largest loses least, and so it is with those that have no headroom.
        smaller = -each.size.width * each.size.height
        return (
            not will_do,
            0 if will_do else smaller,
            each.format in _LAST,
            not as_good,
            _MOVING.get(each.format, 0) if moving and each.key is not None else 0,
            0 if as_good else smaller,
            each.cost(wanted),
        )

    return sorted(among, key=rank)
