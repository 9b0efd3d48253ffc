"""Routes of ``/v1/keys``: an administrator makes, lists and revokes keys."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from darkroom.access import Access, Caller, Key, Rate, Scope, clean_owner
from darkroom.errors import NotFound
from darkroom.http.authority import Authority
from darkroom.http.documents import KeysDocument, NewKey, NewKeyDocument, rate_document, timestamp


def key_routes(access: Access, authority: Authority) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["keys"])
    administrator = Annotated[Caller, Depends(authority.needs(Scope.ADMIN))]

    @router.post("/v1/keys", status_code=201, response_model=NewKeyDocument)
    def post_key(body: NewKey, response: Response, caller: administrator) -> dict[str, Any]:  # noqa: ARG001
        """Make a key; its text is in this answer and never again."""
        rate = None if body.rate is None else Rate(body.rate.per_second, body.rate.burst)
        scopes = frozenset(Scope(scope) for scope in body.scopes)
        key, text = access.add(clean_owner(body.owner), body.name, scopes, rate=rate)
        response.headers["cache-control"] = "no-store"
        return _shown(key) | {"key": text}

    @router.get("/v1/keys", response_model=KeysDocument)
    def list_keys(caller: administrator) -> dict[str, Any]:  # noqa: ARG001  # asked for its scope
        """List all keys without their secrets."""
        return {"items": [_shown(key) for key in access.list()]}

    @router.delete("/v1/keys/{id}", status_code=204, response_class=Response)
    def delete_key(id: Annotated[str, Path(max_length=64)], caller: administrator) -> Response:  # noqa: A002, ARG001
        """Revoke a key: it is unknown from then on."""
        if not access.revoke(id):
            msg = "there is no key of this id"
            raise NotFound(msg)
        return Response(status_code=204)

    return router


def _shown(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "owner": key.owner,
        "name": key.name,
        "scopes": sorted(scope.value for scope in key.scopes),
        "created_at": timestamp(key.created_at),
        "rate": rate_document(key.rate),
    }
