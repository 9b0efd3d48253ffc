"""Requests that outlive a server that is busy or just starting, and errors that say what happened."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import httpx

from darkroom.client.errors import ApiError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

BUSY = frozenset({429, 503})
"""The statuses that the contract means as "later"; every other error would be the same again."""

OVER_QUOTA = "over-quota"
"""The one code under a busy status that waiting does not cure: something has to be deleted first."""

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often something is tried, and the seconds between: doubling from the first delay to the longest.

    A server's ``Retry-After`` lengthens a delay; one longer than ``longest_retry_after`` is not waited for. ``pause``
    does the waiting; what it raises ends the call.
    """

    attempts: int = 4
    first_delay: float = 0.2
    longest_delay: float = 10.0
    longest_retry_after: float = 60.0
    pause: Callable[[float], None] = time.sleep

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after the failed ``attempt``, counted from 1."""
        return float(min(self.longest_delay, self.first_delay * 2.0 ** (attempt - 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. ``body`` makes its bytes anew for each attempt; ``repeatable`` says that twice does no harm."""

    method: str
    url: str
    parameters: Iterable[tuple[str, str]] = ()
    headers: Mapping[str, str] | None = None
    json: Any = None
    body: Callable[[], Iterator[bytes]] | None = None
    with_key: bool = True
    repeatable: bool = False


class Connection:
    """A pool of connections to one server. Several threads may use it at once."""

    def __init__(
        self,
        base_url: str,
        key: str | None,
        *,
        timeout: float,
        patience: Patience,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Connect to nothing yet; raises ``ValueError`` for an address or a key that can be none."""
        self.base_url = _checked_url(base_url)
        self._key_header = {"Authorization": f"Bearer {_checked_key(key)}"} if key else {}
        self.patience = patience
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout, pool=None),
            transport=transport,
            headers={"Accept": "application/json"},
            # A proxy of the environment is for the world outside; it could not reach this machine's loopback.
            mounts={f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")},
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, call: Call) -> httpx.Response:
        """Return the successful answer, read whole. Raises the errors of ``darkroom.client.errors``."""
        for attempt in count(1):
            last = attempt >= self.patience.attempts
            delay = self.patience.delay(attempt)
            request = self._request(call)
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                if last or not (call.repeatable or isinstance(error, _NEVER_SENT)):
                    raise _unreachable(request.url, error) from error
            else:
                if response.is_success:
                    return response
                problem = _problem(response)
                wished = problem.retry_after or 0.0
                if last or not _is_passing(problem) or wished > self.patience.longest_retry_after:
                    raise problem
                delay = max(delay, wished)
            self.patience.pause(delay)
        raise AssertionError

    @contextmanager
    def stream(self, url: str, *, with_key: bool) -> Iterator[Iterator[bytes]]:
        """Yield the body of a GET, piece by piece; following redirects, which never see the key of another host."""
        request = self._request(Call(method="GET", url=url, with_key=with_key, headers={"Accept": "*/*"}))
        try:
            response = self._http.send(request, stream=True, follow_redirects=True)
            try:
                if not response.is_success:
                    response.read()
                    raise _problem(response)
                yield response.iter_bytes()
            finally:
                response.close()
        except (httpx.TransportError, httpx.TooManyRedirects, httpx.DecodingError) as error:
            raise _unreachable(request.url, error) from error

    def _request(self, call: Call) -> httpx.Request:
        headers = {**(self._key_header if call.with_key else {}), **(call.headers or {})}
        return self._http.build_request(
            call.method,
            self.base_url.join(call.url),
            params=httpx.QueryParams(list(call.parameters)) if call.parameters else None,
            headers=headers,
            json=call.json,
            content=call.body() if call.body else None,
        )


def _unreachable(url: httpx.URL, error: Exception) -> Unreachable:
    address = f"{url.scheme}://{url.netloc.decode('ascii')}"
    reason = str(error) or type(error).__name__
    return Unreachable(f"cannot reach {address} ({reason}); is the server running, and the address right?")


def _is_passing(problem: ApiError) -> bool:
    return problem.status in BUSY and problem.code != OVER_QUOTA


def _problem(response: httpx.Response) -> ApiError:
    try:
        told = response.json()
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    status = response.status_code
    detail = told.get("detail") or told.get("title") or f"the server answered {status} {response.reason_phrase}".strip()
    if response.has_redirect_location:
        detail = f"the server sends you on to {response.headers['Location']}; use that address"
    return ApiError(status, str(told.get("code") or f"http-{status}"), str(detail), _retry_after(response))


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


def _checked_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text.strip().rstrip("/") + "/")
    except httpx.InvalidURL as error:
        msg = f"the server's address {text!r} is none ({error})"
        raise ValueError(msg) from error
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        msg = f"the server's address must be one such as http://127.0.0.1:8000, not {text!r}"
        raise ValueError(msg)
    return url


def _checked_key(key: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key:
        msg = "the key has characters that no key has; copy it again"
        raise ValueError(msg)
    return key
