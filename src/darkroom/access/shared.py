"""How often keys call, in a small file that all processes of one machine share.

The file is a table of fixed size: a key's digest says in which row its bucket is, in any slot of the row. A bucket is
the moment at which it is full again, so one that is full says nothing, and its slot is free. When no slot of a row is
free, a key takes over the bucket that is full the soonest with what is gone from it (as in the Space-Saving algorithm,
Metwally, Agrawal and El Abbadi 2005): the least of a row never sinks, so whoever comes back finds at most what he left.

It is read and written, not mapped: under a mapping, a file cut short would end the process. What is missing of it
counts as full buckets.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from array import array
from typing import TYPE_CHECKING

from darkroom.access import NANOSECONDS, once_more
from darkroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from darkroom.access import Rate

ROWS, SLOTS = 1024, 16
"""Room for about 4,000 keys that call within the same moments: more than 16 of them in a row are one in a million."""

_NUMBER = "Q"
_SLOT_BYTES = 2 * array(_NUMBER).itemsize


class SharedRates:
    """``Rates`` in the file ``path``.

    ``clock`` returns nanoseconds, never goes back and is the same one for all processes; a file that is older than the
    clock's beginning has to be removed.
    """

    def __init__(self, path: Path, clock: Callable[[], int], *, rows: int = ROWS, slots: int = SLOTS) -> None:
        """Make the file if there is none, and take its room on the disk."""
        self._path = path
        self._clock = clock
        self._rows = rows
        self._row_bytes = slots * _SLOT_BYTES
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, rows * self._row_bytes)
        finally:
            os.close(descriptor)

    def take(self, key_id: str, rate: Rate) -> float:
        digest = int.from_bytes(hashlib.blake2b(key_id.encode(), digest_size=8).digest())
        try:
            # Opened anew each time: the lock then keeps apart threads, forks and strangers alike.
            descriptor = os.open(self._path, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                return self._take(descriptor, digest, rate) / NANOSECONDS
            finally:
                os.close(descriptor)
        except OSError as error:
            msg = f"requests cannot be counted ({error.strerror}); try again"
            raise Unavailable(msg) from error

    def _take(self, descriptor: int, digest: int, rate: Rate) -> int:
        place = digest % self._rows * self._row_bytes
        row = array(_NUMBER, os.pread(descriptor, self._row_bytes, place).ljust(self._row_bytes, b"\0"))
        digests, moments = row[0::2], row[1::2]
        slot = digests.index(digest) if digest in digests else moments.index(min(moments))
        full_at, wait = once_more(moments[slot], self._clock(), rate)
        if not wait:
            os.pwrite(descriptor, array(_NUMBER, (digest, full_at)).tobytes(), place + slot * _SLOT_BYTES)
        return wait
