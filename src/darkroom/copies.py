"""Copies of an image among those of its owner: of the same bytes, or alike by their perceptual hashes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.catalog import perceptual_hash, terms
from darkroom.errors import Conflict, Unavailable
from darkroom.model import Likeness, Query, State

if TYPE_CHECKING:
    from darkroom.model import Facts, Image
    from darkroom.service import Service

DUPLICATES_TOLD = 10
"""Of how many images at most an upload is told that they have its bytes."""


@dataclass(frozen=True, slots=True)
class Copies:
    """Finds copies in one service."""

    service: Service

    def duplicates(self, image: Image) -> tuple[str, ...] | None:
        """Return the owner's images that were there before this upload, of the same bytes; the newest first, some.

        ``None`` when it cannot be told: the bytes are not known yet, or the catalog does not answer, in spite of which
        the upload was accepted.
        """
        if image.promised_sha256 is None:
            return None
        same = Query(
            owner=image.owner,
            sha256=image.promised_sha256,
            states=(State.READY, State.PROCESSING),
            uploaded_before=image.uploaded_at,
            limit=DUPLICATES_TOLD,
        )
        try:
            return tuple(one.id for one in self.service.catalog.search(same).items)
        except Unavailable:
            return None

    def similar(self, owner: str, image_id: str, *, limit: int = terms.PAGE_MAX) -> tuple[Likeness, ...]:
        """Return an owner's ready images that are like one of them: of the same bytes first, then the nearest.

        Raises ``NotFound``, ``Conflict`` when nobody has looked at the image yet, ``InvalidRequest`` where no index is
        kept that would tell.
        """
        image = self.service.image(owner, image_id)
        if image.facts is None:
            msg = "the image was not looked at yet, so nobody knows what it is like; wait until it is ready"
            raise Conflict(msg)
        own, sha256 = image.facts.perceptual_hash, image.facts.source.sha256
        found = {one.id: one for one in self.service.catalog.alike(owner, own)} if own is not None else {}
        same = self.service.catalog.search(Query(owner=owner, sha256=sha256, limit=terms.PAGE_MAX)).items
        found |= {one.id: one for one in same}
        likenesses = [_likeness(image.facts, one) for one in found.values() if one.id != image.id]
        return tuple(sorted(likenesses, key=_closeness))[:limit]


def _likeness(facts: Facts, other: Image) -> Likeness:
    assert other.facts is not None
    own, its = facts.perceptual_hash, other.facts.perceptual_hash
    return Likeness(
        image=other,
        same_bytes=facts.source.sha256 == other.facts.source.sha256,
        distance=None if own is None or its is None else perceptual_hash.distance(own, its),
    )


def _closeness(one: Likeness) -> tuple[bool, float, str]:
    return not one.same_bytes, math.inf if one.distance is None else one.distance, one.image.id
