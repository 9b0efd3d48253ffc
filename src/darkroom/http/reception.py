"""How bodies are taken in: where to, how much, how slowly, how many at a time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from darkroom.errors import TooLarge, Unavailable
from darkroom.http.receive import Received, receive_to_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.requests import Request

Result = TypeVar("Result")

THREADS = 16
"""What is stored at the same time waits for the same disk: more are no quicker."""


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
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="upload")

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place from before the first byte until all are stored: what hangs is no more than there are places.

        Raises ``Unavailable`` when there is none.
        """
        if self._free <= 0:
            msg = "too many uploads are being received at this moment; try again in a few seconds"
            raise Unavailable(msg, retry_after=2)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def take(self, request: Request, limit: int) -> Received:
        """Receive a body of at most ``limit`` bytes, for whoever has a place.

        Raises ``TooLarge`` (before reading, when the length is announced), and what receiving raises for slow and
        broken-off ones.
        """
        announced = request.headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > limit:
            msg = (
                f"the body has {announced[:20]} bytes; at most {limit} are accepted here, more through POST /v1/uploads"
            )
            raise TooLarge(msg)
        return await receive_to_file(
            request.receive,
            self.folder,
            limit=limit,
            idle_seconds=self._idle_seconds,
            minimum_rate=self._minimum_rate,
            reserve=self._reserve,
        )

    async def store(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Run what waits for a bucket, in threads of its own: one that hangs holds up uploads and nothing else.

        When cancelled, it is waited for all the same, since it uses the file.
        """
        running = asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            with suppress(Exception):
                await running
            raise
