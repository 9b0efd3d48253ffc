"""What an operator sees of the whole service at once: through ports alone, so the same wherever it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom import figures as f
from darkroom.catalog.quotas import stored_bytes
from darkroom.model import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from darkroom.catalog.quotas import Usage
    from darkroom.cost.measured import Counted
    from darkroom.model import Image
    from darkroom.service import Service

MOST_OWNERS = 100
"""Of more owners only the first are looked at."""
SAMPLE = 200
"""About how many images it is reckoned from what they save."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What one owner has."""

    owner: str
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What ``images`` images save, in bytes: their ``originals`` as they came; those of them that are kept
    (``originals_kept``) and the ``variants`` beside them; and what a browser loads that opens each at its largest
    (``opened``): the smallest of its largest files.
    """

    images: int
    originals: int
    originals_kept: int
    variants: int
    opened: int

    @property
    def kept(self) -> int:
        """All that is kept of them."""
        return self.originals_kept + self.variants


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """Since counting began: ``pictures`` with a body, hits in caches before us not among them, and all ``bytes``.

    ``as_originals``: what they would have been, had each been the original of an image like those of ``Saved``.
    """

    pictures: int
    bytes: int
    as_originals: int


def stored(service: Service, owners: Iterable[str]) -> list[Stored]:
    """Return what each of the first ``MOST_OWNERS`` has, who has most first."""
    first = sorted(set(owners))[:MOST_OWNERS]
    found = [Stored(owner=owner, usage=service.usage(owner)) for owner in first]
    return sorted(found, key=lambda one: one.usage.bytes, reverse=True)


def saved(service: Service, owners: Sequence[Stored]) -> Saved:
    """Return what the newest ready images save, about ``SAMPLE`` of them, as many of each owner who has any."""
    having = [one.owner for one in owners if one.usage.images]
    each = max(1, SAMPLE // max(1, len(having)))
    images = [image for owner in having for image in service.search(Query(owner=owner, limit=each)).items]
    known = [image for image in images if image.facts is not None and image.variants]
    variants = sum(variant.bytes for image in known for variant in image.variants)
    return Saved(
        images=len(known),
        originals=sum(image.facts.source.bytes for image in known if image.facts is not None),
        originals_kept=sum(map(stored_bytes, known)) - variants,
        variants=variants,
        opened=sum(_opened(image) for image in known),
    )


def _opened(image: Image) -> int:
    largest = max(variant.width * variant.height for variant in image.variants)
    return min(variant.bytes for variant in image.variants if variant.width * variant.height == largest)


def delivered(counted: Counted, reckoned: Saved) -> Delivered:
    """Return what has been delivered, as far as this service has counted it."""
    name = f"{f.DELIVERIES.name}_total"
    pictures = sum(counted.total(name, outcome=outcome, status="200") for outcome in ("hot", "cold", "made"))
    mean = reckoned.originals / reckoned.images if reckoned.images else 0.0
    return Delivered(
        pictures=round(pictures),
        bytes=round(counted.total(f"{f.DELIVERED_BYTES.name}_total")),
        as_originals=round(pictures * mean),
    )
