"""CloudFront's copies: told by invalidations, a queue of purges before them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from darkroom.aws import answered
from darkroom.edge.paths import PREFIX
from darkroom.events import EdgePurge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from darkroom.events import Queue

MOST_PATHS = 15
"""Paths with a wildcard that CloudFront works on at a time, for a whole distribution."""


class PurgeQueue:
    """``Purges`` of a deployment whose only edge is far away: a purge becomes an event in a queue of its own."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def purge(self, image_id: str, names: tuple[str, ...] = ()) -> None:
        self._queue.publish(EdgePurge(image_id=image_id, names=names))


class NoPurges:
    """``Purges`` where the operator lets copies live out their time."""

    def purge(self, image_id: str, names: tuple[str, ...] = ()) -> None:
        """Do nothing."""


class CloudFrontEdge:
    """``FarEdge`` that is one CloudFront distribution."""

    def __init__(self, client: Any, distribution_id: str) -> None:  # noqa: ANN401 # botocore has no types
        self._client = client
        self._distribution_id = distribution_id

    def forget(self, image_id: str, names: tuple[str, ...]) -> None:  # noqa: ARG002 # one wildcard means them all
        self.forget_all([image_id])

    def forget_all(self, image_ids: Iterable[str]) -> None:
        """As ``forget``, for up to ``MOST_PATHS`` images at once: one invalidation, and one path to pay for each."""
        paths = sorted({f"{PREFIX}{image_id}/*" for image_id in image_ids})
        with answered("CloudFront"):
            self._client.create_invalidation(
                DistributionId=self._distribution_id,
                InvalidationBatch={
                    "Paths": {"Quantity": len(paths), "Items": paths},
                    # CloudFront takes a known one for the same request again, and the bytes have changed since.
                    "CallerReference": secrets.token_hex(16),
                },
            )
