"""The named moments of the flows, at which a process may die."""

from __future__ import annotations

from enum import StrEnum


class Step(StrEnum):
    """The moments between two effects of a flow, in their order: where a process may die, and what follows must cope.

    ``Service.reached`` is told of each.
    """

    IMAGE_CREATED = "image-created"
    ORIGINAL_STORED = "original-stored"
    PARTS_REMOVED = "parts-removed"

    EVENT_TAKEN = "event-taken"
    RENDERED = "rendered"
    LEDGER_WRITTEN = "ledger-written"
    OBJECT_SHELVED = "object-shelved"
    """After each of them."""
    STALE_REMOVED = "stale-removed"
    COMMITTED = "committed"
    CHANGE_PURGED = "change-purged"
    ORIGINAL_ARCHIVED = "original-archived"
    ORIGINAL_DISPOSED = "original-disposed"
    FAILURE_WRITTEN = "failure-written"

    REPROCESS_WRITTEN = "reprocess-written"
    RENDER_ASKED = "render-asked"

    JOB_CREATED = "job-created"
    JOB_IMAGE_DONE = "job-image-done"
    """After each of them."""
    JOB_SAVED = "job-saved"

    ERASURE_PROMISED = "erasure-promised"
    TOMBSTONE_WRITTEN = "tombstone-written"
    ORIGINAL_ERASED = "original-erased"
    OBJECT_ERASED = "object-erased"
    """After each of them."""
    ERASURE_PURGED = "erasure-purged"
