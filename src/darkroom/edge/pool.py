"""Where delivery waits for the store: a few threads, and an end to patience."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from darkroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

THREADS = 4
"""More are slower while the files are in the page cache (they wait for each other in Python), fewer on a slow disk."""


class Pool:
    """A bounded pool of threads for calls that may block."""

    def __init__(self, patience_seconds: float) -> None:
        """Let no caller wait longer than ``patience_seconds``."""
        self._patience_seconds = patience_seconds
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="delivery")

    async def run(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Return what ``function`` returns or raise what it raises; ``Unavailable`` when it takes too long."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
        await asyncio.wait((future,), timeout=self._patience_seconds)
        if not future.done():
            future.add_done_callback(_let_go)
            msg = f"the store took longer than {self._patience_seconds} s"
            raise Unavailable(msg)
        return future.result()

    def close(self) -> None:
        """Start nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _let_go(future: asyncio.Future[Result]) -> None:
    """Look at a late outcome so that it is not reported as forgotten, and close what nobody will close."""
    if future.cancelled() or future.exception() is not None:
        return
    close = getattr(future.result(), "close", None)
    if close is not None:
        close()
