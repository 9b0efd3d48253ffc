"""Routes that say what is allowed at most, and what there is already."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from darkroom.access import Caller, Scope
from darkroom.http.authority import Authority
from darkroom.http.documents import LimitsDocument, UsageDocument, rate_document
from darkroom.service import Service


def limit_routes(service: Service, authority: Authority) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["about"])
    reader = Annotated[Caller, Depends(authority.needs(Scope.READ))]

    @router.get("/v1/limits", response_model=LimitsDocument)
    def get_limits(caller: reader) -> dict[str, Any]:
        """Say what is accepted at most, of everybody and of the key that asks."""
        rules = service.rules
        quota = rules.quota
        return {
            "ticket_bytes": rules.limits.bytes,
            "post_bytes": rules.max_post_bytes,
            "pixels": rules.limits.pixels,
            "side": rules.limits.side,
            "frames": rules.limits.frames,
            "tags": rules.max_tags,
            "ticket_seconds": int(rules.ticket_life.total_seconds()),
            "part_bytes": rules.part_bytes,
            "parts_seconds": int(rules.parts_life.total_seconds()),
            "owner_images": quota.images,
            "owner_bytes": quota.bytes,
            "owner_open_tickets": quota.open_tickets,
            "rate": rate_document(authority.rate_of(caller)),
        }

    @router.get("/v1/usage", response_model=UsageDocument)
    def get_usage(caller: reader, response: Response) -> dict[str, Any]:
        """Say what the owner of the key has, and how much it may have."""
        quota, used = service.rules.quota, service.usage(caller.owner)
        response.headers["cache-control"] = "no-store"
        return {
            "owner": caller.owner,
            "images": {"used": used.images, "limit": quota.images},
            "bytes": {"used": used.bytes, "limit": quota.bytes},
            "open_tickets": {"used": used.open_tickets, "limit": quota.open_tickets},
        }

    return router
