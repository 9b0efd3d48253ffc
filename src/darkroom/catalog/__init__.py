"""Port: the metadata of every image, and search over it. What a search means is in ``terms.py``, the same for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from darkroom.model import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from darkroom.catalog.labels import Label, LabelKind, WrongCount
    from darkroom.catalog.quotas import Quota, Usage
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An idempotency key: until a moment, ``name`` stands for one request of an owner, told by ``fingerprint``."""

    name: str
    fingerprint: str
    until: datetime


def check_walk(limit: int, state: State | None) -> None:
    """Raise ``ValueError`` for what no ``walk`` may be asked for: a mistake of ours."""
    if not 1 <= limit <= GET_MANY_MAX or state is State.DELETED:
        msg = f"nobody walks over {limit} images in state {state}"
        raise ValueError(msg)


class Catalog(Protocol):
    """Images by id, written under a condition, searched by terms.

    Every verb may raise ``Unavailable``; writes may raise ``StorageFull``. What a verb has written is durable and
    visible to every process when it returns. A catalog is told which costly kinds of terms (``terms.Kind``) it indexes.
    """

    def create(self, image: Image, *, within: Quota | None = None, claim: Claim | None = None) -> Image:
        """Add an image and return it. Raises ``AlreadyExists`` when there is one (or a tombstone) of this id.

        With ``claim``: the first who claims a name binds it to his image; everybody else is given that image as it is
        now, and nothing is added, until the claim has run out (at the ``uploaded_at`` of the image to add) or its image
        is forgotten. Raises ``Conflict`` when the name is bound under another fingerprint. With ``within``: raises
        ``OverQuota`` when the owner would have more than that, and then the name is not bound. All of it is one step,
        so that of many at once none slips through.
        """
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

    def walk(self, after: str, limit: int, *, state: State | None = None) -> tuple[Image, ...]:
        """Return the first ``limit`` images, of all owners, whose id is greater than ``after``, in the order of ids.

        Tombstones are among them; with ``state``, a living one, only the images in that state are. Empty at the end.
        At most ``GET_MANY_MAX`` at a time, and as quick at the end as at the beginning; ``after`` may be empty.
        """
        ...

    def forget(self, image_id: str, *, version: int | None = None) -> None:
        """Remove an image or a tombstone without a trace; one that is not there is no error.

        With ``version``, raises ``VersionMoved`` when another one is there, and then removes nothing.
        """
        ...

    def search(self, query: Query) -> Page:
        """Return one page, in the query's order by id, of at most ``query.limit`` images of ``query.owner``.

        Walks the images under that walkable group of terms (``terms.py``) which has the fewest, the earlier of equal
        ones (where all have more than 100, a database that does not count them may choose by how far the first of them
        reach), and looks at no more than ``WORK_PER_PAGE`` of them: so a page may come short, or empty, with a cursor.
        The cursor stays valid while images come and go. Raises ``InvalidRequest`` for a cursor that this query did not
        make, and for a query that ``terms.plan`` refuses.
        """
        ...

    def alike(self, owner: str, perceptual_hash: str) -> tuple[Image, ...]:
        """Return the owner's ready images whose perceptual hash is near this one, the nearest first, then the oldest.

        Those that ``perceptual_hash.nearest`` finds: most, not all. Looks at no more than ``WORK_PER_PAGE``. Raises
        ``InvalidRequest`` when the index is without ``terms.Kind.LIKENESS``.
        """
        ...

    def labels(self, owner: str, kind: LabelKind, *, prefix: str, after: str, limit: int) -> tuple[Label, ...]:
        """Return the first ``limit`` tags or albums that ready images of the owner have, in the order of their keys.

        Those only whose key begins with ``prefix``, which is folded, and is greater than ``after``. As quick for many
        images as for few. A database may count what was written a moment late, or not at all where the writer has died
        (``recount``); of what it counts, the image itself is found by ``search`` before.
        """
        ...

    def recount(self, *, mend: bool) -> Iterator[WrongCount]:
        """Count all images, where counts can be wrong at all; yield those that are, set right if told to ``mend``.

        What is being written meanwhile is left to the next recount. As long as a walk over everything.
        """
        ...

    def usage(self, owner: str, *, tickets_since: datetime) -> Usage:
        """Return what an owner has; tickets of uploads that were opened before ``tickets_since`` have expired.

        Exact at every moment, and as quick for many images as for few.
        """
        ...

    def check(self) -> None:
        """Return when the catalog answers; raises ``Unavailable`` with the reason when it does not."""
        ...
