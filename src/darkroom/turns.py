"""Those of one process who change the same image take turns, so that they do not come before one another in vain."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCKS = 64


class Turns:
    """Locks for any number of names; some names share one."""

    def __init__(self) -> None:
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    @contextmanager
    def of(self, name: str, *, seconds: float) -> Iterator[None]:
        """Wait for one's turn, or so long: what comes then is decided by what is stored, with or without a turn."""
        lock = self._locks[crc32(name.encode(errors="replace")) % _LOCKS]
        has_turn = lock.acquire(timeout=seconds)
        try:
            yield
        finally:
            if has_turn:
                lock.release()
