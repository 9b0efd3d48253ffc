"""How bodies are taken in: where to, how much, how slowly, how many at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkroom.errors import TooLarge, Unavailable
from darkroom.http.receive import Received, receive_to_file

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request


class Reception:
    """Takes bodies into temporary files of ``folder``, beside the buckets, so that they are moved and not copied."""

    def __init__(
        self,
        folder: Path,
        *,
        limit: int,
        idle_seconds: float,
        minimum_rate: int,
        most_at_a_time: int,
        reserve: int = 0,
    ) -> None:
        """``limit`` and ``reserve`` in bytes; ``minimum_rate`` in bytes a second over the whole body."""
        self.folder = folder
        self.limit = limit
        self._idle_seconds = idle_seconds
        self._minimum_rate = minimum_rate
        self._free = most_at_a_time
        self._reserve = reserve

    async def take(self, request: Request, limit: int) -> Received:
        """Receive a body of at most ``limit`` bytes.

        Raises ``TooLarge`` (before reading, when the length is announced), ``Unavailable`` when too many are being
        received, and what receiving raises for slow and broken-off ones.
        """
        announced = request.headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > limit:
            msg = (
                f"the body has {announced[:20]} bytes; at most {limit} are accepted here, more through POST /v1/uploads"
            )
            raise TooLarge(msg)
        if self._free <= 0:
            msg = "too many uploads are being received at this moment; try again in a few seconds"
            raise Unavailable(msg, retry_after=2)
        self._free -= 1
        try:
            return await receive_to_file(
                request.receive,
                self.folder,
                limit=limit,
                idle_seconds=self._idle_seconds,
                minimum_rate=self._minimum_rate,
                reserve=self._reserve,
            )
        finally:
            self._free += 1
