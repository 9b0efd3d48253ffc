"""An answer that comes before the body has been read has to be heard by a client that is still sending."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_SECONDS = 5.0
"""How long the rest of a refused body is still read, and thrown away."""


class Lingering:
    """Reads on for a while after an app has answered without reading the whole body.

    A connection that is closed while bytes still come is reset, and a reset throws away what the client has not read
    yet: the answer (RFC 9112, section 9.6).
    """

    def __init__(self, app: ASGIApp, *, seconds: float = LINGER_SECONDS) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, then read what is left of its body."""
        if scope["type"] != "http" or not _sends_unasked(scope):
            await self._app(scope, receive, send)
            return
        ended = False

        async def watched() -> Message:
            nonlocal ended
            message = await receive()
            ended = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        await self._app(scope, watched, send)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                while not ended:
                    await watched()


def _sends_unasked(scope: Scope) -> bool:
    """Tell whether a body follows the head at once: whoever expects a ``100`` sends none after another answer."""
    names = {name for name, _ in scope["headers"]}
    return b"expect" not in names and not names.isdisjoint({b"content-length", b"transfer-encoding"})
