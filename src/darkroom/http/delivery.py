"""Delivery in front of the API: plain ASGI, because a hit is over before a framework has begun."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from darkroom.edge.delivery import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from darkroom.edge.delivery import Delivery

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Message, Receive, Send], Awaitable[None]]


class DeliveryApp:
    """An ASGI app that answers every path of delivery's and hands everything else, the lifespan too, to the next."""

    def __init__(self, delivery: Delivery, next_app: App) -> None:
        """``next_app`` calls ``delivery.close`` when the service stops."""
        self._delivery = delivery
        self._next_app = next_app
        self._prefixes = delivery.prefixes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request (https://asgi.readthedocs.io/en/latest/specs/www.html)."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefixes):
            await self._next_app(scope, receive, send)
            return
        answer = await self._delivery.answer(scope["method"], scope["path"], scope["headers"])
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        if answer.file is None and answer.length <= CHUNK_BYTES:
            await send({"type": "http.response.body", "body": answer.body})
            return
        async with aclosing(self._delivery.chunks(answer)) as chunks:
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
