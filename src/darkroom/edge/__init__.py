"""Port: the copies of delivered bytes that lie nearer to the reader, and how they learn that the bytes changed."""

from __future__ import annotations

from typing import Protocol


class Purges(Protocol):
    """Tells every edge in front of the assets bucket."""

    def purge(self, image_id: str, names: tuple[str, ...] = ()) -> None:
        """Everything public of this image has changed or is gone: no edge answers with an earlier copy.

        Called after the bucket was changed. On one machine every worker obeys from the return of this call on; an edge
        far away may take about a minute, and is told what objects there were, by their ``names`` under the image's
        prefix. Never waits for an edge far away. Raises ``Unavailable``, ``StorageFull``.
        """
        ...


class FarEdge(Protocol):
    """An edge in front of delivery that has to be told by a message: another cache, a CDN."""

    def forget(self, image_id: str, names: tuple[str, ...]) -> None:
        """Have it forget everything of this image, ``names`` as in ``Purges``; returns once it has said that it does.

        May be asked for the same several times. Raises ``Unavailable``: not now, again later.
        """
        ...


class Maker(Protocol):
    """Makes what was asked for by an address and is not there yet: ``ondemand.py``, wherever that runs."""

    async def make(self, image_id: str, options: str, extension: str) -> None:
        """Return once the result lies in the assets bucket; ``options`` are canonical.

        Raises ``NotFound`` when there is no ready image of this id, ``InvalidRequest``, and ``Unavailable`` when there
        is no room for it now, or it could not be made.
        """
        ...
