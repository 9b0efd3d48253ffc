"""Who is calling: the ``Authorization`` header, or the one local owner while keys are switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002  # FastAPI reads the annotation at run time

from darkroom.access import LOCAL_OWNER, Caller, Scope
from darkroom.errors import Forbidden, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.access import Access

LOCAL_CALLER = Caller(owner=LOCAL_OWNER, scopes=frozenset(Scope), key_id=None)


class Authority:
    """Makes the dependency of a route that says which scope it takes."""

    def __init__(self, access: Access | None) -> None:
        """``access`` is ``None`` while keys are switched off: then everybody let in is the local owner."""
        self._access = access

    def needs(self, scope: Scope) -> Callable[[Request], Caller]:
        """Return a dependency that gives the caller or raises ``Unauthorized`` or ``Forbidden``."""

        def caller(request: Request) -> Caller:
            found = self._identify(request.headers.getlist("authorization"))
            request.state.key_id = found.key_id
            request.state.owner = found.owner
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
