"""What the operator has set, as the core wants to know it: the same for every deployment."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from darkroom.catalog.quotas import Quota
from darkroom.model import Truncated
from darkroom.service import Rules
from darkroom.sweep import Ages
from darkroom.transform import Limits

if TYPE_CHECKING:
    from darkroom.settings import Shared


def rules_of(settings: Shared) -> Rules:
    """Return what the core has to know of the settings."""
    return Rules(
        originals=settings.originals,
        limits=Limits(
            bytes=settings.max_upload_bytes,
            pixels=settings.max_pixels,
            side=settings.max_side,
            frames=settings.max_frames,
            svg=settings.svg,
            accept_truncated=settings.truncated is Truncated.ACCEPT,
        ),
        max_post_bytes=settings.max_post_bytes,
        max_tags=settings.max_tags,
        ticket_life=timedelta(seconds=settings.ticket_seconds),
        part_bytes=settings.part_bytes,
        parts_life=timedelta(seconds=settings.parts_seconds),
        quota=Quota(
            images=settings.owner_images or None,
            bytes=settings.owner_bytes or None,
            open_tickets=settings.owner_open_tickets or None,
            ticket_life=timedelta(seconds=settings.ticket_seconds),
        ),
    )


def ages_of(settings: Shared, *, idle_seconds: float, longest_try: float) -> Ages:
    """Return how old something has to be before it is called left behind.

    ``idle_seconds`` is how long an upload may be silent, ``longest_try`` how long an event may be out with one worker.
    """
    longest_upload = idle_seconds + settings.max_upload_bytes / settings.minimum_upload_rate
    return Ages.of(
        ticket_life=timedelta(seconds=settings.ticket_seconds),
        longest_upload=timedelta(seconds=longest_upload),
        attempts=settings.attempts,
        longest_try=timedelta(seconds=longest_try),
        failures=timedelta(days=settings.failed_days),
        tombstones=timedelta(days=settings.deleted_days),
    )
