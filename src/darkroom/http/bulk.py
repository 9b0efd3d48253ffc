"""Routes of work on many images at once, and of how far it has come."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from darkroom.access import Caller, Scope
from darkroom.bulk import IDS_MAX, Bulk, Wish
from darkroom.catalog.questions import LINE_MAX
from darkroom.http.authority import Authority
from darkroom.http.documents import FailureDocument, Tag, timestamp
from darkroom.http.parameters import IdempotencyKey
from darkroom.jobs import Action, Job
from darkroom.service import Service

JobId = Annotated[str, Path(max_length=64, description="A job's id.")]
States = Literal["counting", "running", "done", "stopped", "failed"]


class NewJob(BaseModel):
    """What is to be done, and to which images: those of ``search``, or those of ``ids``."""

    model_config = ConfigDict(extra="forbid")

    action: Action
    search: Annotated[
        str | None, Field(max_length=LINE_MAX, description="In one line, as the command line takes it.")
    ] = None
    ids: Annotated[list[Annotated[str, Field(max_length=64)]] | None, Field(max_length=IDS_MAX)] = None
    tags: list[Tag] = Field([], max_length=500, description="For `add_tags` and `remove_tags`.")
    album: str | None = Field(None, max_length=64, description="For `set_album`; null: none.")
    source: Annotated[
        Literal["rendition"] | None,
        Field(alias="from", description="For `reprocess`: allow the best kept variant when the original is gone."),
    ] = None
    dry_run: bool = Field(default=False, description="Only count.")


class ImageErrorDocument(BaseModel):
    """Why an image could not be done."""

    id: str
    code: str
    detail: str


class JobDocument(BaseModel):
    """A job and how far it has come."""

    id: str
    action: Action
    state: States
    dry_run: bool
    search: str | None
    tags: list[str]
    album: str | None
    matched: Annotated[int, Field(description="How many images there were when they were counted.")]
    done: int
    failed: int
    errors: Annotated[list[ImageErrorDocument], Field(description="Of the first images that failed.")]
    error: Annotated[FailureDocument | None, Field(description="Why the job as a whole could not go on.")]
    created_at: str
    changed_at: str


class JobsDocument(BaseModel):
    """The latest jobs, the newest first."""

    items: list[JobDocument]


def bulk_routes(service: Service, authority: Authority) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["bulk"])
    reader = Annotated[Caller, Depends(authority.needs(Scope.READ))]
    writer = Annotated[Caller, Depends(authority.needs(Scope.WRITE))]
    bulk = Bulk(service)

    def shown(document: dict[str, Any], status: int = 200, **headers: str) -> JSONResponse:
        return JSONResponse(document, status, {"cache-control": "no-store"} | headers)

    @router.post("/v1/bulk", status_code=202, response_model=JobDocument)
    def post_bulk(body: NewJob, caller: writer, idempotency_key: IdempotencyKey = None) -> JSONResponse:
        """Begin work on many images at once: the answer is a job, whose address says how far it has come."""
        wish = Wish(
            action=body.action,
            search=body.search,
            ids=None if body.ids is None else tuple(body.ids),
            tags=tuple(body.tags),
            album=body.album,
            from_rendition=body.source == "rendition",
            dry_run=body.dry_run,
        )
        job = bulk.begin(caller.owner, wish, idempotency_key=idempotency_key)
        return shown(job_document(job), 202, location=f"/v1/jobs/{job.id}")

    @router.get("/v1/jobs", response_model=JobsDocument)
    def list_jobs(caller: reader) -> JSONResponse:
        """List the latest jobs, the newest first: those of the last 30 days, at most 100."""
        return shown({"items": [job_document(job) for job in bulk.jobs(caller.owner)]})

    @router.get("/v1/jobs/{id}", response_model=JobDocument)
    def get_job(id: JobId, caller: reader) -> JSONResponse:  # noqa: A002  # as images have it
        """Return one job: what it does and how far it has come."""
        return shown(job_document(bulk.job(caller.owner, id)))

    @router.delete("/v1/jobs/{id}", response_model=JobDocument)
    def stop_job(id: JobId, caller: writer) -> JSONResponse:  # noqa: A002  # as images have it
        """Stop a job: what was done stays done. One that is over stays as it is."""
        return shown(job_document(bulk.stop(caller.owner, id)))

    return router


def job_document(job: Job) -> dict[str, Any]:
    """Return a job as the contract shows it."""
    error = job.error
    return {
        "id": job.id,
        "action": job.action.value,
        "state": "failed" if error is not None else job.state.value,
        "dry_run": job.dry_run,
        "search": job.search,
        "tags": list(job.tags),
        "album": job.album,
        "matched": job.matched,
        "done": job.done,
        "failed": job.failed,
        "errors": [{"id": one.image_id, "code": one.code, "detail": one.detail} for one in job.errors],
        "error": None if error is None else {"code": error.code, "detail": error.detail},
        "created_at": timestamp(job.created_at),
        "changed_at": timestamp(job.changed_at),
    }
