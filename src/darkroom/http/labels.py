"""Routes that list an owner's tags and albums, with how many images have them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from darkroom.access import Caller, Scope
from darkroom.catalog.labels import LABELS_MAX, LabelKind
from darkroom.http.authority import Authority
from darkroom.names import TAG_MAX
from darkroom.service import Service


class LabelDocument(BaseModel):
    """A tag or an album as it was spelled last, and how many ready images have it."""

    name: str
    images: int


class LabelsDocument(BaseModel):
    """One page, in the order of the names without regard to case; only ``next: null`` ends a listing."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    items: list[LabelDocument]
    next: str | None


class LabelParameters(BaseModel):
    """Which names to list."""

    model_config = ConfigDict(extra="forbid")

    prefix: Annotated[str, Field(max_length=TAG_MAX, description="Names that begin so, without regard to case.")] = ""
    limit: Annotated[int, Field(ge=1, le=LABELS_MAX)] = 100
    cursor: Annotated[str, Field(max_length=500, description="`next` of the page before.")] = ""


Parameters = Annotated[LabelParameters, Query()]


def label_routes(service: Service, authority: Authority) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["images"])
    reader = Annotated[Caller, Depends(authority.needs(Scope.READ))]

    def page(caller: Caller, kind: LabelKind, asked: LabelParameters) -> JSONResponse:
        found = service.labels(caller.owner, kind, prefix=asked.prefix, after=asked.cursor, limit=asked.limit)
        items = [{"name": label.name, "images": label.images} for label in found.items]
        document: dict[str, Any] = {"items": items, "next": found.next}
        return JSONResponse(document, headers={"cache-control": "no-store"})

    @router.get("/v1/tags", response_model=LabelsDocument)
    def list_tags(caller: reader, parameters: Parameters) -> JSONResponse:
        """List the tags of ready images, with how many have each: in the order of their names."""
        return page(caller, LabelKind.TAG, parameters)

    @router.get("/v1/albums", response_model=LabelsDocument)
    def list_albums(caller: reader, parameters: Parameters) -> JSONResponse:
        """List the albums of ready images, with how many are in each: in the order of their names."""
        return page(caller, LabelKind.ALBUM, parameters)

    return router
