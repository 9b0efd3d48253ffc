"""Waiting for images to settle without holding a thread: one poller a process asks for all who wait at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from darkroom.model import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.model import Image

POLL_SECONDS = 0.025
BATCH = 500
SETTLED = frozenset({State.READY, State.FAILED, State.DELETED})


class Waiting:
    """The images that requests of this process wait for."""

    def __init__(
        self, look: Callable[[tuple[str, ...]], tuple[Image, ...]], *, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._look = look
        self._poll_seconds = poll_seconds
        self._waiters: dict[str, set[asyncio.Future[Image]]] = {}
        self._poller: asyncio.Task[None] | None = None

    async def until_settled(self, image: Image, seconds: float) -> Image:
        """Return the image as soon as it is ready or failed, or as it was given once ``seconds`` have passed."""
        if image.state in SETTLED or seconds <= 0:
            return image
        future: asyncio.Future[Image] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(image.id, set()).add(future)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return image
        finally:
            waiters = self._waiters.get(image.id, set())
            waiters.discard(future)
            if not waiters:
                self._waiters.pop(image.id, None)

    async def _poll(self) -> None:
        while self._waiters:
            wanted = list(self._waiters)
            for start in range(0, len(wanted), BATCH):
                await self._look_at(tuple(wanted[start : start + BATCH]))
            await asyncio.sleep(self._poll_seconds)

    async def _look_at(self, image_ids: tuple[str, ...]) -> None:
        try:
            images = await run_in_threadpool(self._look, image_ids)
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to those who wait
            for image_id in image_ids:
                for future in self._waiters.get(image_id, ()):
                    if not future.done():
                        future.set_exception(error)
            return
        for image in images:
            if image.state in SETTLED:
                for future in self._waiters.get(image.id, ()):
                    if not future.done():
                        future.set_result(image)
