"""Where the processes that answer HTTP have pictures made: a local socket on which the processor serves.

A socket and no queue: somebody is waiting, so there is no pause between two looks, and what nobody waits for any more
need not be kept. The bytes do not come this way: the processor shelves a result, and whoever asked reads it from the
bucket. One line of JSON each way; the folder the socket lies in is private to the service's user.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from darkroom.errors import DarkroomError, InvalidRequest, NotFound, Unavailable
from darkroom.transform.options import EXTENSIONS, parse

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from darkroom.model import Format
    from darkroom.transform.options import Transformation

    Make = Callable[[str, Transformation, Format], None]

log = logging.getLogger("darkroom.results")

LINE_BYTES = 4096
BACKLOG = 512
ANSWER_SECONDS = 120.0
"""For a picture that stands in the queue and is then rendered; those who wait give up long before."""
FAILED_SECONDS = 10.0
"""How long a result that could not be made is not tried again."""
_FAILED_MAX = 1_000
_ERRORS = {error.__name__: error for error in (NotFound, InvalidRequest, Unavailable)}

Order = tuple[str, str, str]
"""Image id, canonical options and extension."""


class SocketMaker:
    """``edge.Maker`` of a process that answers HTTP."""

    def __init__(self, path: Path) -> None:
        """Take where the processor's socket lies."""
        self._path = path

    async def make(self, image_id: str, options: str, extension: str) -> None:
        """As the port says."""
        try:
            said = await asyncio.wait_for(self._ask([image_id, options, extension]), ANSWER_SECONDS)
        except (OSError, ValueError, asyncio.IncompleteReadError, TimeoutError) as error:
            raise Unavailable("nobody makes pictures just now; ask again", retry_after=1) from error
        if said:
            kind, detail = _ERRORS[said["error"]], said["detail"]
            raise kind(detail, retry_after=said["retry_after"]) if kind is Unavailable else kind(detail)

    async def _ask(self, order: list[str]) -> dict[str, Any]:
        # An absolute path may be longer than the address of a socket can be, so it is reached through its folder.
        with _folder(self._path) as address, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
            channel.setblocking(False)  # noqa: FBT003  # the library's signature
            await asyncio.get_running_loop().sock_connect(channel, address)
            reader, writer = await asyncio.open_unix_connection(sock=channel.dup(), limit=LINE_BYTES)
        try:
            writer.write(json.dumps(order).encode() + b"\n")
            await writer.drain()
            answer: dict[str, Any] = json.loads(await reader.readuntil(b"\n"))
            return answer
        finally:
            writer.close()


class Counter:
    """The processor's side: has each order made once for all who ask, and turns away who would wait too long."""

    def __init__(self, path: Path, make: Make, *, threads: int, most_waiting: int) -> None:
        """``make`` is called in one of ``threads``; ``most_waiting`` orders may stand behind those at a time."""
        self._path = path
        self._make = make
        self._threads = threads
        self._most = threads + most_waiting
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="result")
        self._orders: dict[Order, asyncio.Task[dict[str, Any]]] = {}
        self._failed: dict[Order, tuple[float, dict[str, Any]]] = {}

    def run(self, stopping: threading.Event) -> None:
        """Serve until ``stopping`` is set: a chore of the processor."""
        try:
            asyncio.run(self._serve(stopping))
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, stopping: threading.Event) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
            with suppress(FileNotFoundError):
                self._path.unlink()
            with _folder(self._path) as address:
                channel.bind(address)
            server = await asyncio.start_unix_server(self._greet, sock=channel, backlog=BACKLOG, limit=LINE_BYTES)
            async with server:
                await asyncio.to_thread(stopping.wait)
            with suppress(FileNotFoundError):
                self._path.unlink()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled at shutdown: whoever waits sees the socket close and asks again later. Raised from here, the streams
        # of Python 3.11 would take it for a mishap and write a trace into the log.
        with suppress(
            OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError
        ):
            image_id, options, extension = json.loads(await reader.readuntil(b"\n"))
            answer = await self._answer((str(image_id), str(options), str(extension)))
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _answer(self, order: Order) -> dict[str, Any]:
        until, answer = self._failed.get(order, (0.0, {}))
        if until > time.monotonic():
            return answer
        making = self._orders.get(order)
        if making is None:
            if len(self._orders) >= self._most:
                return _said(Unavailable("too many pictures are waiting to be made; ask again", retry_after=2))
            making = self._orders[order] = asyncio.get_running_loop().create_task(self._have_made(order))
            making.add_done_callback(lambda _: self._orders.pop(order))
        return await asyncio.shield(making)

    async def _have_made(self, order: Order) -> dict[str, Any]:
        image_id, options, extension = order
        try:
            wanted, transformation = EXTENSIONS[extension], parse(options).transformation
            await asyncio.get_running_loop().run_in_executor(self._pool, self._make, image_id, transformation, wanted)
        except (NotFound, InvalidRequest) as error:
            return _said(error)
        except DarkroomError as error:
            log.warning("result not made", extra={"image": image_id, "options": options, "reason": error.detail})
            answer = _said(Unavailable(error.detail, retry_after=getattr(error, "retry_after", 5)))
        except Exception:
            log.exception("result not made", extra={"image": image_id, "options": options})
            answer = _said(Unavailable("something went wrong on our side; it has been written down"))
        else:
            return {}
        if len(self._failed) >= _FAILED_MAX:
            self._failed.clear()
        self._failed[order] = time.monotonic() + FAILED_SECONDS, answer
        return answer


def _said(error: DarkroomError) -> dict[str, Any]:
    kind = next(name for name, kind in _ERRORS.items() if isinstance(error, kind))
    return {"error": kind, "detail": error.detail, "retry_after": getattr(error, "retry_after", 0)}


@contextmanager
def _folder(path: Path) -> Iterator[str]:
    """Give an address of a socket that is short, however long its path is."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
