"""Routes of ``/v1/images/{id}/original``."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, BinaryIO
from urllib.parse import quote

from fastapi import APIRouter, Depends, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.concurrency import iterate_in_threadpool

from darkroom.access import Caller, Scope
from darkroom.bucket import Stat
from darkroom.http.authority import Authority
from darkroom.http.images import ImageId
from darkroom.model import Image
from darkroom.service import Service

CHUNK = 256 * 1024
CONTENT: dict[str, Any] = {
    kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/*", "application/octet-stream")
}
Elsewhere = Callable[[Stat, str, str], str | None]
"""Returns a short-lived address of an original that is too long to be answered from here, ``None`` for others.

It is given ``Content-Type`` and ``Content-Disposition`` of the answer.
"""


def original_routes(service: Service, authority: Authority, elsewhere: Elsewhere | None) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["images"])
    reader = Annotated[Caller, Depends(authority.needs(Scope.READ))]

    @router.get(
        "/v1/images/{id}/original",
        response_class=Response,
        responses={200: {"content": CONTENT}},
    )
    def get_original(id: ImageId, caller: reader) -> Response:  # noqa: A002  # the contract's name
        """Return the untouched original as an attachment, while it is kept."""
        if elsewhere is not None:
            image = service.image(caller.owner, id)
            stat = None if image.from_rendition else service.original_of(image)
            address = elsewhere(stat, *_shown_as(image)) if stat else None
            if address:
                return RedirectResponse(address, headers={"cache-control": "no-store"})
        image, stat, file = service.original(caller.owner, id)
        content_type, disposition = _shown_as(image)
        return StreamingResponse(
            iterate_in_threadpool(_chunks(file)),
            media_type=content_type,
            headers={
                "content-length": str(stat.bytes),
                "content-disposition": disposition,
                "cache-control": "private, no-store",
                "content-security-policy": "sandbox; default-src 'none'",
            },
        )

    return router


def _shown_as(image: Image) -> tuple[str, str]:
    """Return ``Content-Type`` and ``Content-Disposition`` of an original."""
    content_type = "application/octet-stream" if image.facts is None else image.facts.source.content_type
    return content_type, f"attachment; filename*=UTF-8''{quote(image.filename, safe='')}"


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk
