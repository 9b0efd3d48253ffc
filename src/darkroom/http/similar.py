"""The route that finds copies of an image, and what uploads are told of the bytes being there already."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from darkroom.access import Caller, Scope
from darkroom.catalog.terms import PAGE_MAX
from darkroom.copies import Copies
from darkroom.http.authority import Authority
from darkroom.http.documents import ImageDocument, PartedUploadDocument, UploadDocument, image_document
from darkroom.service import Service

Duplicates = Annotated[
    list[str] | None,
    Field(
        description="Images of this owner that were there before, of the same bytes: the newest ten. "
        "`null`: not known, because no checksum was given."
    ),
]


class ReceivedDocument(ImageDocument):
    """An image that was just uploaded."""

    duplicates: Duplicates


class OpenedDocument(UploadDocument):
    """A ticket that was just given."""

    duplicates: Duplicates


class OpenedInPartsDocument(PartedUploadDocument):
    """A ticket in parts that was just given."""

    duplicates: Duplicates


class LikenessDocument(BaseModel):
    """An image that is like another one."""

    image: ImageDocument
    same_bytes: bool
    distance: Annotated[
        int | None, Field(description="In how many of 255 waves they differ: 0 to 80; `null` where one is plain.")
    ]


class SimilarDocument(BaseModel):
    """Images like another one: of the same bytes first, then the nearest."""

    items: list[LikenessDocument]


class SimilarParameters(BaseModel):
    """How many are shown."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 50


def similar_routes(service: Service, authority: Authority, delivery_url: str) -> APIRouter:
    """Return the route; ``delivery_url`` is where ``/i/`` lies."""
    router = APIRouter(tags=["images"])
    reader = Annotated[Caller, Depends(authority.needs(Scope.READ))]

    @router.get("/v1/images/{id}/similar", response_model=SimilarDocument)
    def list_similar(
        id: Annotated[str, Path(max_length=64)],  # noqa: A002  # the contract's name
        caller: reader,
        parameters: Annotated[SimilarParameters, Query()],
    ) -> JSONResponse:
        """List copies of an image: of the same bytes; then resized, recompressed, recoloured or cropped a little."""
        found = Copies(service).similar(caller.owner, id, limit=parameters.limit)
        items: list[dict[str, Any]] = [
            {
                "image": image_document(one.image, delivery_url),
                "same_bytes": one.same_bytes,
                "distance": one.distance,
            }
            for one in found
        ]
        return JSONResponse({"items": items}, headers={"cache-control": "no-store"})

    return router
