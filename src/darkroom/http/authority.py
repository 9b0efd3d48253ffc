"""Who is calling, and whether too often: by the ``Authorization`` header, or the local owner while keys are off.

Requests of a known key count, whatever comes of them. Those of nobody do not: refusing one costs the same small time
whatever was sent, and a limit by address would lock out everybody behind the same proxy or network.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002  # FastAPI reads the annotation at run time

from darkroom.access import LOCAL_OWNER, Caller, Scope
from darkroom.errors import Forbidden, RateLimited, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.access import Access, Rate, Rates

LOCAL_CALLER = Caller(owner=LOCAL_OWNER, scopes=frozenset(Scope), key_id=None)


class Authority:
    """Makes the dependency of a route that says which scope it takes."""

    def __init__(self, access: Access | None, rates: Rates, rate: Rate | None) -> None:
        """``access`` is ``None`` while keys are switched off: then everybody let in is the local owner.

        ``rate`` is that of the keys that have none of their own; ``None``: they may call as often as they like.
        """
        self._access = access
        self._rates = rates
        self._rate = rate

    def rate_of(self, caller: Caller) -> Rate | None:
        """Return how often the caller may call; ``None``: as often as it likes."""
        return None if caller.key_id is None else caller.rate or self._rate

    def needs(self, scope: Scope) -> Callable[[Request], Caller]:
        """Return a dependency that gives the caller or raises ``Unauthorized``, ``RateLimited`` or ``Forbidden``."""

        def caller(request: Request) -> Caller:
            found = self._identify(request.headers.getlist("authorization"))
            request.state.key_id = found.key_id
            request.state.owner = found.owner
            request.state.scopes = found.scopes
            self._count(found)
            if scope not in found.scopes:
                msg = f"this key may not do that; it takes the scope {scope.value}"
                raise Forbidden(msg)
            return found

        return caller

    def _identify(self, values: list[str]) -> Caller:
        if self._access is None:
            return LOCAL_CALLER
        kind, _, text = values[0].partition(" ") if len(values) == 1 else ("", "", "")
        found = self._access.identify(text.strip()) if kind.lower() == "bearer" else None
        if found is None:
            msg = "send a valid key as 'Authorization: Bearer KEY'; `darkroom keys add` makes one"
            raise Unauthorized(msg)
        return found

    def _count(self, caller: Caller) -> None:
        rate = self.rate_of(caller)
        if rate is None or caller.key_id is None:
            return
        wait = self._rates.take(caller.key_id, rate)
        if wait:
            seconds = math.ceil(wait)
            msg = (
                f"this key may make {rate.per_second:g} requests a second, {rate.burst} at once; "
                f"try again in {seconds} s"
            )
            raise RateLimited(msg, retry_after=seconds)
