"""Port: the metadata of every image, and search over it. What a search means is in ``terms.py``, the same for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from darkroom.model import Image, Page, Query

WORK_PER_PAGE = 2_000
"""How many images one page of a search may look at; a page whose matches are rarer comes short, with a cursor."""

GET_MANY_MAX = 500

# The sentences are the port's, so that a client cannot tell one database from another.
TAKEN = "there is an image of this id already, or there was"
ABSENT = "there is no image of this id"
MOVED = "somebody has changed the image in between; read it again and decide again"
CLAIMED_OTHERWISE = (
    "this Idempotency-Key was used for another request; repeat that request unchanged, or send this one with a new key"
)


class Catalog(Protocol):
    """Images by id, written under a condition, searched by terms.

    Every verb may raise ``Unavailable``; writes may raise ``StorageFull``. What a verb has written is durable and
    visible to every process when it returns.
    """

    def create(self, image: Image) -> None:
        """Add an image. Raises ``AlreadyExists`` when there is one (or a tombstone) of this id."""
        ...

    def get(self, image_id: str) -> Image | None:
        """Return an image, a tombstone (state ``DELETED``) or ``None``. Any text may be given as id."""
        ...

    def get_many(self, image_ids: tuple[str, ...]) -> tuple[Image, ...]:
        """Return those of up to ``GET_MANY_MAX`` images that there are, in one request, in no particular order."""
        ...

    def replace(self, image: Image, *, version: int) -> Image:
        """Write ``image`` if the stored one has ``version`` and is no tombstone; return it as stored: ``version + 1``.

        The image and its search terms change in one step: a search sees the one or the other. An image written with
        state ``DELETED`` becomes a tombstone, which no search finds. Raises ``VersionMoved`` when another version is
        there, ``NotFound`` when none is or a tombstone.
        """
        ...

    def forget(self, image_id: str) -> None:
        """Remove an image or a tombstone without a trace; one that is not there is no error."""
        ...

    def search(self, query: Query) -> Page:
        """Return one page, newest first by id, of at most ``query.limit`` images of ``query.owner``.

        Walks the images under that group of terms (``terms.py``) which has the fewest, the earlier of equal ones, and
        looks at no more than ``WORK_PER_PAGE`` of them: so a page may come short, or empty, with a cursor. The cursor
        stays valid while images come and go. Raises ``InvalidRequest`` for a cursor that this query did not make, and
        for a query that ``terms.plan`` refuses.
        """
        ...

    def claim(self, owner: str, name: str, *, image_id: str, fingerprint: str, now: datetime, until: datetime) -> str:
        """Bind ``name`` (an idempotency key) of ``owner`` to ``image_id`` until a moment; return the id it is bound to.

        The first who claims wins, everybody else is given the winner's id, until ``until`` has passed (then the name
        is free). Raises ``Conflict`` when it is bound under another ``fingerprint`` (of the request it stands for).
        """
        ...

    def check(self) -> None:
        """Return when the catalog answers; raises ``Unavailable`` with the reason when it does not."""
        ...
