"""Routes of ``/v1/images``."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from darkroom.access import Caller, Scope
from darkroom.copies import Copies
from darkroom.http.authority import Authority
from darkroom.http.documents import (
    ImageDocument,
    ImageEdit,
    PageDocument,
    image_document,
    page_document,
)
from darkroom.http.parameters import (
    IdempotencyKey,
    IfMatch,
    Prefer,
    Search,
    SmallDoor,
    check_once,
    version_of,
    wait_seconds,
)
from darkroom.http.reception import Reception
from darkroom.http.similar import ReceivedDocument
from darkroom.http.small_door import SMALL_DOOR_BODY, take_small_file
from darkroom.http.waiting import Waiting
from darkroom.model import UNSET, Edit, Image, State
from darkroom.service import Service

ImageId = Annotated[str, Path(max_length=64, description="An image's id.", examples=["01k9w0c6n8e8m5f4q2v7x3y1za"])]


def image_routes(
    service: Service,
    authority: Authority,
    waiting: Waiting,
    reception: Reception,
    delivery_url: str,
) -> APIRouter:
    """Return the routes; ``reception`` takes bodies in, ``delivery_url`` is where ``/i/`` lies."""
    router = APIRouter(tags=["images"])
    copies = Copies(service)
    reader = Annotated[Caller, Depends(authority.needs(Scope.READ))]
    writer = Annotated[Caller, Depends(authority.needs(Scope.WRITE))]

    def shown(image: Image, status: int = 200, headers: dict[str, str] | None = None, **more: object) -> JSONResponse:
        fields = {"etag": f'"{image.version}"', "cache-control": "no-store"} | (headers or {})
        return JSONResponse(image_document(image, delivery_url) | more, status, fields)

    @router.post(
        "/v1/images",
        status_code=202,
        responses={201: {"model": ReceivedDocument}, 202: {"model": ReceivedDocument}},
        openapi_extra=SMALL_DOOR_BODY,
    )
    async def post_image(
        request: Request,
        caller: writer,
        parameters: SmallDoor,
        idempotency_key: IdempotencyKey = None,
        prefer: Prefer = None,
    ) -> JSONResponse:
        """Upload a small file: a form with ``file``, or the raw bytes."""
        with reception.place():
            file = await take_small_file(request, reception, parameters)
            try:
                upload = service.upload(**file.said)
                receive = partial(service.receive, idempotency_key=idempotency_key)
                image = await reception.store(receive, caller.owner, upload, file.path)
            finally:
                await run_in_threadpool(partial(file.path.unlink, missing_ok=True))
        duplicates = await run_in_threadpool(copies.duplicates, image)
        image = await waiting.until_settled(image, wait_seconds(prefer))
        status = 201 if image.state is State.READY else 202
        return shown(image, status, {"location": f"/v1/images/{image.id}"}, duplicates=duplicates)

    @router.get("/v1/images", response_model=PageDocument, dependencies=[Depends(check_once)])
    def list_images(caller: reader, parameters: Search) -> JSONResponse:
        """Search: every parameter is optional, all are combined with AND; newest first unless told otherwise."""
        page = service.search(parameters.query(caller.owner))
        return JSONResponse(page_document(page, delivery_url), headers={"cache-control": "no-store"})

    @router.get("/v1/images/{id}", response_model=ImageDocument)
    def get_image(id: ImageId, caller: reader) -> JSONResponse:  # noqa: A002  # the contract's name
        """Return one image and what is known of it."""
        return shown(service.image(caller.owner, id))

    @router.patch("/v1/images/{id}", response_model=ImageDocument)
    def patch_image(
        id: ImageId,  # noqa: A002  # the contract's name
        body: ImageEdit,
        caller: writer,
        if_match: IfMatch = None,
    ) -> JSONResponse:
        """Change title, album, tags or focus; ``null`` takes a title, an album or a focus away."""
        given = body.model_fields_set
        edit = Edit(
            title=body.title if "title" in given else UNSET,
            album=body.album if "album" in given else UNSET,
            tags=tuple(body.tags or ()) if "tags" in given else UNSET,
            add_tags=tuple(body.add_tags),
            remove_tags=tuple(body.remove_tags),
            focus=body.focus if "focus" in given else UNSET,
        )
        return shown(service.edit(caller.owner, id, edit, version=version_of(if_match)))

    @router.delete("/v1/images/{id}", status_code=204, response_class=Response)
    def delete_image(id: ImageId, caller: writer, if_match: IfMatch = None) -> Response:  # noqa: A002  # the contract's name
        """Delete an image and everything made from it."""
        service.delete(caller.owner, id, version=version_of(if_match))
        return Response(status_code=204)

    @router.post("/v1/images/{id}/reprocess", status_code=202, response_model=ImageDocument)
    def reprocess_image(
        id: ImageId,  # noqa: A002  # the contract's name
        caller: writer,
        source: Annotated[str | None, Query(alias="from", pattern="^rendition$")] = None,
        if_match: IfMatch = None,
    ) -> JSONResponse:
        """Make all variants anew; ``from=rendition`` allows the best kept variant when the original is gone."""
        image = service.reprocess(caller.owner, id, from_rendition=source == "rendition", version=version_of(if_match))
        return shown(image, 202, {"location": f"/v1/images/{image.id}"})

    return router
