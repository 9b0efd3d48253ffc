"""Work on many images at once, by a form over the gallery; and the page of how far it has come.

Scripts ask the API for the same and show it where they are. Without them a deletion is counted first, as a job that
does nothing, and the page of that job asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from darkroom.bulk import IDS_MAX, Bulk, Wish
from darkroom.errors import Conflict, InvalidRequest
from darkroom.http.parameters import split_tags
from darkroom.jobs import Action, JobState
from darkroom.model import State
from darkroom.web.views import label

if TYPE_CHECKING:
    from starlette.datastructures import FormData

    from darkroom.jobs import Job
    from darkroom.web.pages import Pages

MOST_FIELDS = IDS_MAX + 50
"""A few more ids than a job takes are read, so that what is wrong can be said on a page."""


def selection_routes(pages: Pages) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    bulk = Bulk(pages.service)

    def shown(job: Job) -> Response:
        return RedirectResponse(f"/jobs/{job.id}", 303)

    @router.post("/selection")
    @pages.shown
    async def post_selection(request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=MOST_FIELDS)
        owner = await run_in_threadpool(pages.writes, request)
        return shown(await run_in_threadpool(bulk.begin, owner, wish_of(form)))

    @router.get("/jobs/{job_id}")
    @pages.shown
    def get_job(request: Request, job_id: str) -> Response:
        owner = pages.reads(request)
        job = bulk.job(owner, job_id)
        failed = pages.service.catalog.get_many(tuple(one.image_id for one in job.errors))
        names = {
            image.id: label(image) for image in failed if image.owner == owner and image.state is not State.DELETED
        }
        return pages.page(request, "job.html", job=job, deed=deed(job), told=told(job), names=names)

    @router.post("/jobs/{job_id}/stop")
    @pages.shown
    def post_stop(request: Request, job_id: str) -> Response:
        return shown(bulk.stop(pages.writes(request), job_id))

    @router.post("/jobs/{job_id}/delete")
    @pages.shown
    def post_delete(request: Request, job_id: str) -> Response:
        owner = pages.writes(request)
        counted = bulk.job(owner, job_id)
        if not (counted.dry_run and counted.action is Action.DELETE and counted.state is JobState.DONE):
            msg = "these images are not to be deleted, or were not counted yet"
            raise Conflict(msg)
        wish = Wish(action=Action.DELETE, search=counted.search, ids=counted.ids)
        return shown(bulk.begin(owner, wish, idempotency_key=f"counted {counted.id}"))

    return router


def wish_of(form: FormData) -> Wish:
    """Return what the form over the gallery asks for; a deletion is only to be counted. Raises ``InvalidRequest``."""
    act, album = _text(form, "act"), _text(form, "album")
    tags = split_tags([_text(form, "tags")])
    if not act and bool(tags) != bool(album):  # by the enter key, so what is filled in is meant
        act = Action.ADD_TAGS if tags else Action.SET_ALBUM
    if act not in set(Action) - {Action.REPROCESS}:
        msg = "say what to do with the images: by one of the buttons"
        raise InvalidRequest(msg)
    action, is_all, ids = Action(act), "all" in form, tuple(map(str, form.getlist("id")))
    if not is_all and not ids:
        msg = "no image is selected; tick some first"
        raise InvalidRequest(msg)
    return Wish(
        action=action,
        search=_text(form, "search") if is_all else None,
        ids=None if is_all else ids,
        tags=tuple(tags) if action in {Action.ADD_TAGS, Action.REMOVE_TAGS} else (),
        album=album if action is Action.SET_ALBUM else None,
        dry_run=action is Action.DELETE,
    )


def deed(job: Job) -> str:
    """Return what a job does, in words."""
    tags = ("the tag " if len(job.tags) == 1 else "the tags ") + ", ".join(job.tags)
    words = {
        Action.ADD_TAGS: f"Add {tags}",
        Action.REMOVE_TAGS: f"Remove {tags}",
        Action.SET_ALBUM: "Take out of their album" if job.album is None else f"Put into the album {job.album}",
        Action.REPROCESS: "Make all files anew",
        Action.DELETE: "Delete images",
    }
    return words[job.action]


def told(job: Job) -> str:
    """Return how far a job has come, in words."""
    images = "1 image" if job.matched == 1 else f"{job.matched} images"
    if job.error is not None:
        return f"{job.done} of {images} done."
    if job.state is JobState.COUNTING:
        return "Counting the images …" if not job.matched else f"Counting the images: {job.matched} …"
    if job.dry_run:
        return f"{images} would be changed; nothing was."
    failed = f", {job.failed} could not be" if job.failed else ""
    sentence = f"{job.done} of {images} done{failed}"
    return {JobState.RUNNING: f"{sentence} …", JobState.STOPPED: f"Stopped. {sentence}."}.get(job.state, f"{sentence}.")


def _text(form: FormData, name: str) -> str:
    return str(form.get(name, "")).strip()
