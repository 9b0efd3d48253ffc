"""The page of one image, and what its forms change."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from darkroom.catalog.labels import LabelKind
from darkroom.copies import Copies
from darkroom.errors import Conflict, InvalidRequest
from darkroom.http.parameters import split_tags
from darkroom.model import Edit
from darkroom.web.views import small_one

if TYPE_CHECKING:
    from starlette.datastructures import FormData

    from darkroom.web.pages import Pages

SUGGESTIONS = 100
MOST_FIELDS = 600
MOST_ALIKE = 12


def image_page_routes(pages: Pages) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    service = pages.service

    @router.get("/images/{image_id}")
    @pages.shown
    def get_image(request: Request, image_id: str) -> Response:
        owner = pages.reads(request)
        image = service.image(owner, image_id)
        tags = service.labels(owner, LabelKind.TAG, limit=SUGGESTIONS).items
        albums = service.labels(owner, LabelKind.ALBUM, limit=SUGGESTIONS).items
        return pages.page(request, "image.html", image=image, tags=tags, albums=albums)

    @router.get("/images/{image_id}/similar")
    @pages.shown
    def get_similar(request: Request, image_id: str) -> Response:
        owner = pages.reads(request)
        image = service.image(owner, image_id)
        try:
            likenesses = Copies(service).similar(owner, image_id, limit=MOST_ALIKE)
        except (Conflict, InvalidRequest):  # not looked at yet, or no index is kept that would tell
            likenesses = ()
        return pages.page(request, "similar.html", image=image, likenesses=likenesses)

    @router.post("/images/{image_id}")
    @pages.shown
    async def post_image(request: Request, image_id: str) -> Response:
        form = await form_of(request)
        owner = await run_in_threadpool(pages.writes, request)
        edit = Edit(
            title=_text(form, "title") or None,
            album=_text(form, "album") or None,
            tags=(*map(str, form.getlist("tag")), *split_tags([_text(form, "more")])),
        )
        version = _text(form, "version")
        change = partial(service.edit, version=int(version) if version.isdigit() and len(version) < 16 else None)
        await run_in_threadpool(change, owner, image_id, edit)
        return _back(image_id)

    @router.post("/images/{image_id}/focus")
    @pages.shown
    async def post_focus(request: Request, image_id: str) -> Response:
        form = await form_of(request)
        owner = await run_in_threadpool(pages.writes, request)
        image = await run_in_threadpool(service.image, owner, image_id)
        pointed = small_one(image)
        focus = None
        if "at.x" in form and pointed is not None:
            focus = share(_text(form, "at.x"), pointed.width), share(_text(form, "at.y"), pointed.height)
        await run_in_threadpool(service.edit, owner, image_id, Edit(focus=focus))
        return _back(image_id)

    @router.post("/images/{image_id}/reprocess")
    @pages.shown
    def post_reprocess(request: Request, image_id: str) -> Response:
        service.reprocess(pages.writes(request), image_id, from_rendition=True)
        return _back(image_id)

    @router.get("/images/{image_id}/delete")
    @pages.shown
    def get_delete(request: Request, image_id: str) -> Response:
        return pages.page(request, "delete.html", image=service.image(pages.writes(request), image_id))

    @router.post("/images/{image_id}/delete")
    @pages.shown
    def post_delete(request: Request, image_id: str) -> Response:
        service.delete(pages.writes(request), image_id)
        return RedirectResponse("/", 303)

    return router


async def form_of(request: Request) -> FormData:
    """Return what a form without files sends."""
    return await request.form(max_files=0, max_fields=MOST_FIELDS)


def _text(form: FormData, name: str) -> str:
    return str(form.get(name, "")).strip()


def share(at: str, whole: int) -> float:
    """Return how far into a picture was pointed, from 0 to 1. Raises ``InvalidRequest``."""
    if not (at.isascii() and at.isdigit() and len(at) < 6):
        msg = "point into the picture to set its focus"
        raise InvalidRequest(msg)
    return round(min(1.0, int(at) / whole), 4)


def _back(image_id: str) -> Response:
    return RedirectResponse(f"/images/{image_id}", 303)
