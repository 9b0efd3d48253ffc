"""Where a page of a search ends and the next one begins, told to the caller as opaque text. Pure.

A cursor is the id after which to go on, and a digest of that id and of the plan of the query, owner included. So it
fits equal queries only, and what was altered or made up is told apart; it is no secret and needs none, because the
plan's owner bounds what a search can find.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from darkroom import names
from darkroom.errors import InvalidRequest
from darkroom.model import Page

if TYPE_CHECKING:
    from darkroom.catalog.terms import Plan
    from darkroom.model import Image

_DIGEST_BYTES = 8


def cursor_after(image_id: str, plan: Plan) -> str:
    """Return the cursor of the page that begins after this id."""
    return image_id + hashlib.blake2b(f"{image_id} {plan}".encode(), digest_size=_DIGEST_BYTES).hexdigest()


def bounds(cursor: str | None, plan: Plan) -> tuple[str, str]:
    """Return between which ids (inclusive, exclusive) the page lies that begins at a cursor, or without one.

    Raises ``InvalidRequest`` for a cursor this plan did not make.
    """
    return plan.bounds(None if cursor is None else position(cursor, plan))


def position(cursor: str, plan: Plan) -> str:
    """Return the id after which the page begins. Raises ``InvalidRequest`` for a cursor this plan did not make."""
    image_id = cursor[: names.ID_LENGTH]
    if not names.is_id(image_id) or cursor != cursor_after(image_id, plan):
        msg = "cursor is not one that this search gave; leave it out to begin with the first page"
        raise InvalidRequest(msg)
    return image_id


def page(plan: Plan, found: tuple[Image, ...], limit: int, looked_to: str | None) -> Page:
    """Return the page for the first ``limit + 1`` images (or fewer) that were found, in the query's order.

    ``looked_to`` is the id at which the search stopped because it may look at no more, ``None`` when it saw the end.
    So every database ends its pages at the same places.
    """
    if len(found) > limit:
        return Page(items=found[:limit], next=cursor_after(found[limit - 1].id, plan))
    return Page(items=found, next=None if looked_to is None else cursor_after(looked_to, plan))
