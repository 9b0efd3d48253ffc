"""Port: the copies of delivered bytes that lie nearer to the reader, and how they learn that the bytes changed."""

from __future__ import annotations

from typing import Protocol


class Purges(Protocol):
    """Tells every edge in front of the assets bucket."""

    def purge(self, image_id: str) -> None:
        """Everything public of this image has changed or is gone: no edge answers with an earlier copy.

        Called after the bucket was changed. On one machine every worker obeys from the return of this call on; an edge
        far away may take about a minute.
        """
        ...
