"""Routes of ``/v1/uploads``: tickets for whole files, and for long ones in parts."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from darkroom.access import Caller, Scope
from darkroom.copies import Copies
from darkroom.http.authority import Authority
from darkroom.http.documents import (
    CompletedDocument,
    NewUpload,
    PartedUploadDocument,
    parted_upload_document,
    upload_document,
)
from darkroom.http.parameters import IdempotencyKey
from darkroom.http.similar import OpenedDocument, OpenedInPartsDocument
from darkroom.inparts import InParts
from darkroom.service import Service
from darkroom.uploads import PartedTicket

UploadId = Annotated[str, Path(max_length=64, description="The id of the upload, and of its image.")]
HEX = "^[0-9a-f]{32}$"


def upload_routes(service: Service, authority: Authority, base_url: str) -> APIRouter:
    """Return the routes; ``base_url`` is where they are."""
    router = APIRouter(tags=["uploads"])
    needs_write = authority.needs(Scope.WRITE)
    in_parts = InParts(service)

    @router.post("/v1/uploads", status_code=201, response_model=OpenedDocument | OpenedInPartsDocument)
    def post_upload(
        body: NewUpload,
        response: Response,
        caller: Annotated[Caller, Depends(needs_write)],
        idempotency_key: IdempotencyKey = None,
    ) -> dict[str, Any]:
        """Open an upload: the answer says where to PUT the bytes, and with which headers; a long file in parts."""
        upload = service.upload(
            filename=body.filename,
            length=body.bytes,
            content_type=body.content_type,
            sha256=body.sha256,
            tags=tuple(body.tags),
            album=body.album,
            title=body.title,
        )
        image, ticket = service.open_upload(caller.owner, upload, idempotency_key=idempotency_key)
        response.headers["cache-control"] = "no-store"
        response.headers["location"] = f"/v1/images/{image.id}"
        told = {"duplicates": Copies(service).duplicates(image)}
        if isinstance(ticket, PartedTicket):
            return parted_upload_document(image.id, ticket, base_url) | told
        return upload_document(image.id, ticket) | told

    @router.get("/v1/uploads/{id}", response_model=PartedUploadDocument)
    def get_upload(
        id: UploadId,  # noqa: A002  # the contract's name
        request: Request,
        response: Response,
        token: Annotated[
            str | None, Query(pattern=HEX, description="Of the ticket's `resume_url`, in place of a key.")
        ] = None,
    ) -> dict[str, Any]:
        """Say which parts of an upload are there, with fresh addresses: to go on after a break."""
        image = service.image(needs_write(request).owner, id) if token is None else in_parts.by_token(id, token)
        response.headers["cache-control"] = "no-store"
        return parted_upload_document(id, in_parts.again(image), base_url)

    @router.post("/v1/uploads/{id}/complete", response_model=CompletedDocument)
    def complete_upload(
        id: UploadId,  # noqa: A002  # the contract's name
        response: Response,
        token: Annotated[str, Query(pattern=HEX, description="Of the ticket's `complete_url`.")],
    ) -> dict[str, Any]:
        """Complete an upload whose parts are all there: the token is the permission, and twice does no harm."""
        in_parts.complete(id, token)
        response.headers["cache-control"] = "no-store"
        response.headers["location"] = f"/v1/images/{id}"
        return {"id": id}

    return router
