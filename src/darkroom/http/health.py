"""Asking the stores how they are, without waiting for ever for one that hangs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from darkroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_SECONDS = 5.0


class Health:
    """One question at a time, whoever asks: however often that is, no more than one thread hangs."""

    def __init__(self, check: Callable[[], None], *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """``check`` returns when all is well and raises what is wrong; it may block."""
        self._check = check
        self._patience_seconds = patience_seconds
        self._asking: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Return when all is well; raises what is wrong, ``Unavailable`` when there is no answer within patience."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(run_in_threadpool(self._check))
            self._asking.add_done_callback(_look_at)
        asking = self._asking
        await asyncio.wait((asking,), timeout=self._patience_seconds)
        if not asking.done():
            msg = f"catalog and buckets have not answered for {self._patience_seconds:g} s"
            raise Unavailable(msg)
        asking.result()


def _look_at(asking: asyncio.Task[None]) -> None:
    """Look at an answer that came too late for anybody, so that it is not reported as forgotten."""
    if not asking.cancelled():
        asking.exception()
