"""HTTP/1.1 for a replay: connections that stay open, and as little work for each request as can be."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class _Line:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: bool = False


@dataclass(slots=True)
class Pool:
    """At most ``size`` connections to one server, the last used first. For one event loop."""

    host: str
    port: int
    size: int
    _idle: list[_Line] = field(default_factory=list)
    _places: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        """No connection yet."""
        self._places = asyncio.Semaphore(self.size)

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Return the answer, over a connection that is free or will be. Raises ``OSError`` when none works."""
        async with self._places:
            line = self._idle.pop() if self._idle else await self._connected()
            try:
                try:
                    answer = await self._asked(line, method, path, headers, body)
                except (asyncio.IncompleteReadError, ConnectionError):
                    if not line.used:
                        raise
                    line.writer.close()  # the server had closed it while nobody asked
                    line = await self._connected()
                    answer = await self._asked(line, method, path, headers, body)
            except asyncio.IncompleteReadError as error:
                line.writer.close()
                msg = "the answer broke off"
                raise ConnectionError(msg) from error
            except BaseException:
                line.writer.close()
                raise
            line.used = True
            if answer.headers.get("connection", "").lower() == "close":
                line.writer.close()
            else:
                self._idle.append(line)
            return answer

    async def close(self) -> None:
        """Close all connections."""
        for line in self._idle:
            line.writer.close()
            with suppress(OSError):
                await line.writer.wait_closed()
        self._idle.clear()

    async def _connected(self) -> _Line:
        return _Line(*await asyncio.open_connection(self.host, self.port, limit=1 << 20))

    async def _asked(self, line: _Line, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        told = {"Host": f"{self.host}:{self.port}"} | dict(headers)
        if body:
            told["Content-Length"] = str(len(body))
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in told.items())
        line.writer.write(head.encode() + b"\r\n")
        if body:
            line.writer.write(body)
            await line.writer.drain()
        return await _answer(line.reader, method)


async def _answer(reader: asyncio.StreamReader, method: str) -> Answer:
    first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(first.split(" ", 2)[1])
    pairs = (text.partition(":") for text in rest if text)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if method == "HEAD" or status in {204, 304}:
        return Answer(status, headers, b"")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return Answer(status, headers, await _chunks(reader))
    return Answer(status, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readline()
    return b"".join(parts)
