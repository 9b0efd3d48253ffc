"""The body of a request, into a temporary file: bounded in length, time and memory, and gone when anything fails."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.errors import InvalidRequest, StorageFull, TooLarge, TooSlow, Unavailable
from darkroom.transform.sniff import HEAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive

WRITE_BYTES = 256 * 1024
"""How much of a body is gathered before a thread writes it: what one upload takes of our memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A whole body in a temporary file, which is now the caller's to move or remove."""

    path: Path
    head: bytes
    """The first ``HEAD_BYTES`` of the body, for ``sniff``."""
    bytes: int
    sha256: str
    """Lower-case hex."""


async def receive_to_file(
    receive: Receive, folder: Path, *, limit: int, idle_seconds: float, minimum_rate: float, reserve: int = 0
) -> Received:
    """Receive a request's body of at most ``limit`` bytes into a new file in ``folder``.

    As long as it leaves ``reserve`` bytes free on the disk: others have to write something down before they can delete.
    ``minimum_rate`` is in bytes a second over the time spent waiting for the whole body so far, and begins to count
    after ``idle_seconds``, which is also the longest silence. Raises ``TooLarge``, ``TooSlow``, ``InvalidRequest`` when
    the sender breaks off, ``StorageFull``; whatever it raises, and when it is cancelled, no file is left.
    """
    body = _Body(folder, reserve)
    try:
        await _gather(receive, body, limit=limit, idle_seconds=idle_seconds, minimum_rate=minimum_rate)
    except BaseException:
        await _in_thread(body.discard)
        raise
    return body.received()


async def _gather(receive: Receive, body: _Body, *, limit: int, idle_seconds: float, minimum_rate: float) -> None:
    now = asyncio.get_running_loop().time
    gathered = bytearray()
    total, waited, more = 0, 0.0, True
    while more:
        began = now()
        patience = min(idle_seconds, idle_seconds + total / minimum_rate - waited)
        try:
            async with asyncio.timeout(patience):
                message = await receive()
        except TimeoutError as error:
            msg = f"the body came too slowly ({total} bytes so far); send it again over a better connection"
            raise TooSlow(msg) from error
        waited += now() - began
        if message["type"] != "http.request":
            msg = f"the body broke off after {total} bytes; send it again"
            raise InvalidRequest(msg)
        chunk, more = message.get("body", b""), message.get("more_body", False)
        total += len(chunk)
        if total > limit:
            msg = f"the body has more than the {limit} bytes that are accepted here"
            raise TooLarge(msg)
        gathered += chunk
        if len(gathered) >= WRITE_BYTES or not more:
            await _in_thread(body.write, bytes(gathered), not more)
            gathered.clear()


class _Body:
    """The file that a body is written to; it is used by one thread at a time."""

    def __init__(self, folder: Path, reserve: int) -> None:
        self._folder = folder
        self._reserve = reserve
        self._path: Path | None = None
        self._descriptor = -1
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._head = b""

    def write(self, part: bytes, last: bool) -> None:  # noqa: FBT001 # threads are handed plain arguments
        try:
            self._check_room(len(part))
            if self._path is None:
                self._descriptor, name = tempfile.mkstemp(dir=self._folder)
                self._path = Path(name)
                self._head = part[:HEAD_BYTES]
            left = memoryview(part)
            while left:
                left = left[os.write(self._descriptor, left) :]
            if last:
                self._close()
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                msg = "there is no room left to receive this; free some and send it again"
                raise StorageFull(msg) from error
            msg = f"the body cannot be written down ({error.strerror}); try again"
            raise Unavailable(msg) from error
        self._digest.update(part)
        self._bytes += len(part)

    def _check_room(self, length: int) -> None:
        disk = os.statvfs(self._folder)
        if disk.f_bavail * disk.f_frsize - length < self._reserve:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def received(self) -> Received:
        assert self._path is not None
        return Received(path=self._path, bytes=self._bytes, sha256=self._digest.hexdigest(), head=self._head)

    def discard(self) -> None:
        self._close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


async def _in_thread(function: Callable[..., None], *arguments: object) -> None:
    """Run ``function`` off the event loop; when cancelled, wait for it all the same, since it uses the file."""
    running = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        with suppress(Exception):
            await running
        raise
