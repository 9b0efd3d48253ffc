"""CORS (https://fetch.spec.whatwg.org/#http-cors-protocol): which other origins' pages may call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = b"GET, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = b"Authorization, Content-Type, Idempotency-Key, If-Match, Prefer"
ANSWER_HEADERS = b"ETag, Location, Retry-After"
PREFLIGHT_SECONDS = b"600"


class CrossOrigin:
    """Answers preflights and marks answers for pages of the allowed origins; others get no mark, so browsers refuse.

    Credentials are never allowed: a page of another origin sends a ticket, not a cookie.
    """

    def __init__(self, app: ASGIApp, *, origins: tuple[str, ...], prefixes: tuple[str, ...]) -> None:
        """``origins`` such as ``https://a.example``, or ``*`` for any; ``prefixes`` are the paths it is about."""
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)
        self._prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer a preflight."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefixes):
            await self._app(scope, receive, send)
            return
        fields = dict(scope["headers"])
        mark = self._mark(fields.get(b"origin"))
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in fields:
            await send({"type": "http.response.start", "status": 204, "headers": self._preflight(mark)})
            await send({"type": "http.response.body", "body": b""})
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *mark]
            await send(message)

        await self._app(scope, receive, marked)

    def _mark(self, origin: bytes | None) -> list[tuple[bytes, bytes]]:
        mark = [(b"vary", b"Origin")]
        if origin is not None and (origin in self._origins or b"*" in self._origins):
            mark += [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", ANSWER_HEADERS)]
        return mark

    def _preflight(self, mark: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        if len(mark) == 1:
            return mark
        return [
            *mark,
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", REQUEST_HEADERS),
            (b"access-control-max-age", PREFLIGHT_SECONDS),
        ]
