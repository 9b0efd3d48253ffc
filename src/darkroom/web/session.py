"""Signed in by a key in a cookie: for whoever looks with a browser. The cookie ends with the key, or the browser.

The key is in no page, and no script can read the cookie. A request that changes something is believed to be wished for
only if it comes from a page of this service and carries the token that its pages have.
"""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from darkroom.errors import Forbidden
from darkroom.http.guard import LOOPBACK_NAMES
from darkroom.http.problems import problem

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "darkroom-key"
TOKEN_HEADER = b"x-csrf-token"
TOKEN_PARAMETER = "csrf"  # noqa: S105 # its name
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def token_of(key: str) -> str:
    """Return what a page that was made for this key sends back with what it changes."""
    return hmac.new(key.encode(), b"darkroom csrf 1", hashlib.sha256).hexdigest()[:32]


class SignedIn:
    """Hands a request with a cookie on as one with its key: if it is safe, or comes from a page of ours.

    Ours are the pages of the name that the request is for, and those of ``base_url``: what passes requests on to us may
    name us otherwise.
    """

    def __init__(self, app: ASGIApp, base_url: str) -> None:
        self._app = app
        self._origin = origin_of(base_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer ``403``."""
        if scope["type"] == "http":
            key = cookie_key(scope["headers"])
            if key is not None and not any(name == b"authorization" for name, _ in scope["headers"]):
                if scope["method"] not in _SAFE and not self._is_ours(scope, key):
                    await _refuse(send)
                    return
                added = (b"authorization", b"Bearer " + key.encode("latin-1"))
                scope = {**scope, "headers": [*scope["headers"], added]}
        await self._app(scope, receive, send)

    def _is_ours(self, scope: Scope, key: str) -> bool:
        fields = dict(scope["headers"])
        origin, host = fields.get(b"origin", b"").decode("latin-1"), fields.get(b"host", b"").decode("latin-1")
        told = fields.get(TOKEN_HEADER, b"").decode("latin-1")
        if not told:
            told = parse_qs(scope["query_string"].decode("latin-1")).get(TOKEN_PARAMETER, [""])[0]
        same = origin == self._origin or (bool(host) and urlsplit(origin).netloc == host)
        return same and hmac.compare_digest(told.encode(), token_of(key).encode())


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address, as browsers name where a page is from."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def cookie_key(headers: list[tuple[bytes, bytes]]) -> str | None:
    """Return the key of a request's cookie, if there is one."""
    for name, value in headers:
        if name == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                continue
            if found is not None and found.value.isascii() and found.value.isprintable():
                return found.value
    return None


def sign_in(request: Request, response: Response, key: str) -> None:
    """Have the browser send the key from now on, until it is closed."""
    response.set_cookie(COOKIE, key, httponly=True, samesite="lax", secure=_is_secure(request), path="/")


def sign_out(request: Request, response: Response) -> None:
    """Have the browser forget the key."""
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=_is_secure(request), path="/")


def _is_secure(request: Request) -> bool:
    return request.url.hostname not in LOOPBACK_NAMES


async def _refuse(send: Send) -> None:
    msg = "this did not come from a page of this service; open the page again and do it there"
    status, headers, body = problem(Forbidden(msg))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
