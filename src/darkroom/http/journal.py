"""One structured log line and one set of figures for each API request."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from darkroom import figures as f

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from darkroom.figures import Figures

log = logging.getLogger("darkroom.requests")


class Journal:
    """Writes down what was asked, by whom (the public id of the key), what was answered and how long it took."""

    def __init__(self, app: ASGIApp, *, figures: Figures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and write it down when it has been answered, or broken off."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        status = 0
        sent = 0

        async def watched(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        scope.setdefault("state", {})
        try:
            await self._app(scope, receive, watched)
        finally:
            self._write(scope, status, sent, time.monotonic() - began)

    def _write(self, scope: Scope, status: int, sent: int, seconds: float) -> None:
        # The route's template, not the path: a label must have few values.
        route = getattr(scope.get("route"), "path", None) or "other"
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
        self._figures.add(f.REQUESTS, method=method, route=route, status=str(status))
        self._figures.time(f.REQUEST_SECONDS, seconds, route=route)
        log.info(
            "request",
            extra={
                "method": method,
                "path": scope["path"][:200],
                "route": route,
                "status": status,
                "bytes": sent,
                "seconds": round(seconds, 4),
                "key": scope["state"].get("key_id"),
                "owner": scope["state"].get("owner"),
            },
        )


KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
