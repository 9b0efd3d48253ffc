"""The page where images are added: by a form of one small file without scripts, else through tickets."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from darkroom.catalog.labels import LabelKind
from darkroom.http.parameters import SmallDoorParameters
from darkroom.http.small_door import take_small_file

if TYPE_CHECKING:
    from darkroom.http.reception import Reception
    from darkroom.web.pages import Pages

SUGGESTIONS = 100


def adding_routes(pages: Pages, reception: Reception) -> APIRouter:
    """Return the routes; ``reception`` takes bodies in."""
    router = APIRouter(include_in_schema=False)

    @router.get("/add")
    @pages.shown
    def get_add(request: Request) -> Response:
        owner = pages.writes(request)
        albums = pages.service.labels(owner, LabelKind.ALBUM, limit=SUGGESTIONS).items
        rules = pages.service.rules
        limits = {"largest": rules.limits.bytes, "largest_whole": rules.max_post_bytes}
        return pages.page(request, "add.html", albums=albums, **limits)

    @router.post("/add")
    @pages.shown
    async def post_add(request: Request) -> Response:
        owner = await run_in_threadpool(pages.writes, request)
        with reception.place():
            file = await take_small_file(request, reception, SmallDoorParameters.model_validate({}))
            try:
                upload = pages.service.upload(**file.said)
                image = await reception.store(pages.service.receive, owner, upload, file.path)
            finally:
                await run_in_threadpool(partial(file.path.unlink, missing_ok=True))
        return RedirectResponse(f"/images/{image.id}", 303)

    return router
