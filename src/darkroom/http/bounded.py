"""Bodies that are read into memory, JSON that is, are bounded before anything parses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkroom.errors import TooLarge
from darkroom.http.problems import problem

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON_BYTES = 1024 * 1024


class BoundedBodies:
    """Refuses bodies over ``limit`` bytes with ``413``, except for routes that stream what they receive to disk."""

    def __init__(self, app: ASGIApp, *, limit: int = JSON_BYTES, streaming: Collection[tuple[str, str]]) -> None:
        """``streaming`` are the methods and paths of those routes."""
        self._app = app
        self._limit = limit
        self._streaming = streaming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer ``413``."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) in self._streaming:
            await self._app(scope, receive, send)
            return
        total = 0
        error = TooLarge(f"the body has more than {self._limit} bytes; what is said of an image is shorter")

        async def counted() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > self._limit:
                raise error
            return message

        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > self._limit:
            status, headers, body = problem(error)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await self._app(scope, counted, send)
