"""Who may come in when keys are switched off: only this machine, asking directly."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from darkroom.errors import Forbidden
from darkroom.http.problems import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
PROXY_HEADERS = frozenset(
    {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port"}
)


class LocalOnly:
    """Lets a request through if it comes from this machine, names it, and neither a proxy nor a foreign page sent it.

    Without keys a page of any site, opened in a browser on this machine, could otherwise reach the service by a name
    of its own that resolves to 127.0.0.1 (DNS rebinding), or simply by a form.
    """

    def __init__(self, app: ASGIApp, *, allowed_origins: tuple[str, ...]) -> None:
        self._app = app
        self._origins = frozenset(allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer ``403``."""
        reason = self._reason(scope) if scope["type"] == "http" and scope["path"] != "/healthz" else None
        if reason is None:
            await self._app(scope, receive, send)
            return
        status, headers, body = problem(Forbidden(f"keys are switched off, so {reason}; start the service with keys"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _reason(self, scope: Scope) -> str | None:
        client = scope.get("client")
        if client is not None and not _is_loopback(client[0]):
            return "only this machine may call"
        hosts = []
        for name, value in scope["headers"]:
            if name in PROXY_HEADERS or name.startswith(b"x-forwarded-"):
                return "requests through a proxy are refused"
            if name == b"host":
                hosts.append(value.decode("latin-1"))
            elif name == b"origin" and not self._is_own(value.decode("latin-1")):
                return "pages of other origins may not call"
        if len(hosts) != 1 or _host_name(hosts[0]) not in LOOPBACK_NAMES:
            return "the Host header must be localhost, 127.0.0.1 or [::1]"
        return None

    def _is_own(self, origin: str) -> bool:
        if origin in self._origins:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in {"http", "https"} and parts.hostname in LOOPBACK_NAMES


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
