"""What the filters of the gallery offer besides tags and albums: taken from the images that are shown. Pure.

No catalog lists cameras or colours, and asking one would cost a walk over the library; a page of images costs nothing,
and has what whoever looks at it is likely to want more of.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.catalog import colors as palette

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from darkroom.catalog.colors import Lab
    from darkroom.model import Image

SWATCHES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Cameras and lenses by their names, colours (``#rrggbb``) none of which is near another, darkest first."""

    cameras: tuple[str, ...]
    lenses: tuple[str, ...]
    colors: tuple[str, ...]


def offered(images: Sequence[Image]) -> Offer:
    """Return what some images have, the commonest first."""
    facts = [image.facts for image in images if image.facts is not None]
    return Offer(
        cameras=_commonest(one.exif.camera for one in facts),
        lenses=_commonest(one.exif.lens for one in facts),
        colors=_apart(_commonest(color for one in facts for color in one.colors or (one.color,))),
    )


def _commonest(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(value for value, _ in Counter(filter(None, values)).most_common())


def _apart(colors: Iterable[str]) -> tuple[str, ...]:
    kept: dict[str, Lab] = {}
    for color in colors:
        lab = palette.lab(color)
        if not any(palette.near(lab, other) for other in kept.values()):
            kept[color] = lab
        if len(kept) == SWATCHES:
            break
    return tuple(sorted(kept, key=lambda color: kept[color].lightness))
