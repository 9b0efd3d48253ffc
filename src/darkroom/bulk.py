"""Work on many images at once: a job goes over the images of a search, or of a list, step by step on the event queue.

A step writes down which images come next before it touches them, and how far it has come after that, in one write of
the job on the condition that nobody else went on with it. So whoever dies leaves a job that the same event, given out
again, goes on with: at most the images of one step are done twice, which is as good as once, and all are counted once.
Two who work on one job at a time find out when they write, and one of them leaves it to the other.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from darkroom import names
from darkroom.catalog import cursors, questions, terms
from darkroom.errors import AlreadyExists, Conflict, InvalidRequest, NotFound, OverQuota, Refused, VersionMoved
from darkroom.events import BulkStep
from darkroom.jobs import ABSENT, ERRORS_KEPT, OVER, Action, ImageError, Job, JobState
from darkroom.model import Edit, Failure, State
from darkroom.steps import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkroom.model import Image, Query
    from darkroom.service import Service

log = logging.getLogger("darkroom.bulk")

TOGETHER = 50
"""Images that are written down, done and counted together."""
STEP_SECONDS = 5.0
"""A step begins no more images after so long: others wait for the queue too."""
IDS_MAX = 1_000
"""The longest list of ids that a job is given; a search may find any number."""
JOBS_MAX = 20
"""The most jobs of one owner that are not over."""
JOB_LIFE = timedelta(days=30)
"""How long a job is remembered."""
RENDERS_AHEAD = 200
"""With more events than this in the queue, images are not asked for anew: uploads would have to wait behind them."""
BEHIND_SECONDS = 5.0
"""After this it is looked again whether there are fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants done, to the images of ``search`` (one line, ``catalog/questions.py``) or of ``ids``."""

    action: Action
    search: str | None = None
    ids: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    album: str | None = None
    from_rendition: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Bulk:
    """Jobs of one service."""

    service: Service

    # ------------------------------------------------------------------ what people ask

    def begin(self, owner: str, wish: Wish, *, idempotency_key: str | None = None) -> Job:
        """Begin a job and return it; the same key gives the same job as long as it is remembered.

        Raises ``InvalidRequest``, ``Conflict`` for a key that was used for another wish, ``OverQuota`` when the owner
        has ``JOBS_MAX`` that are not over.
        """
        service = self.service
        job_id = (
            names.new_id(service.clock(), service.randomness(names.RANDOM_BYTES))
            if idempotency_key is None
            else names.derived_id(f"job {owner} {idempotency_key}")
        )
        job = dataclasses.replace(self._wished(owner, wish), id=job_id)
        known = None if idempotency_key is None else service.jobs.get(owner, job_id)
        if known is None:
            service.jobs.forget(owner, life=JOB_LIFE)
            if sum(one.goes_on for one in service.jobs.list(owner)) >= JOBS_MAX:
                msg = f"you have {JOBS_MAX} jobs that are not over; wait for some, or stop them"
                raise OverQuota(msg, retry_after=60)
            try:
                service.jobs.create(job)
            except AlreadyExists:
                known = service.jobs.get(owner, job_id)
        if known is not None and known.wish != job.wish:
            msg = "this Idempotency-Key was used for another job; repeat that request unchanged, or send a new key"
            raise Conflict(msg)
        job = known or job
        service.reached(Step.JOB_CREATED)
        if job.state not in OVER:  # again too: whoever created it may have died before this
            self._go_on_later(job)
        return job

    def job(self, owner: str, job_id: str) -> Job:
        """Return a job of this owner. Raises ``NotFound``."""
        job = self.service.jobs.get(owner, job_id)
        if job is None:
            raise NotFound(ABSENT)
        return job

    def jobs(self, owner: str) -> Sequence[Job]:
        """Return the owner's latest jobs, the newest first."""
        return self.service.jobs.list(owner)

    def stop(self, owner: str, job_id: str) -> Job:
        """Have a job do nothing more; what was done stays done, one that is over stays so. Raises ``NotFound``."""
        while True:
            job = self.job(owner, job_id)
            if job.state in OVER:
                return job
            with suppress(VersionMoved):
                return self._save(job, state=JobState.STOPPED, pending=())

    def _wished(self, owner: str, wish: Wish) -> Job:
        """Return the job of a wish, cleaned, still without an id."""
        if (wish.search is None) == (wish.ids is None):
            raise InvalidRequest("give either search or ids: which images are meant")
        if wish.ids is not None and not (0 < len(wish.ids) <= IDS_MAX):
            msg = f"ids has {len(wish.ids)} ids; give 1 to {IDS_MAX}, or a search for more"
            raise InvalidRequest(msg)
        if wish.search is not None:
            if not wish.search.strip():
                raise InvalidRequest("search is empty; say state:ready to mean every image")
            terms.plan(_query(owner, wish.search))
        takes_tags = wish.action in {Action.ADD_TAGS, Action.REMOVE_TAGS}
        if takes_tags and not wish.tags:
            msg = f"tags: {wish.action.value} takes at least one"
            raise InvalidRequest(msg)
        too_much = (
            ("tags", wish.tags and not takes_tags),
            ("album", wish.album is not None and wish.action is not Action.SET_ALBUM),
            ("from", wish.from_rendition and wish.action is not Action.REPROCESS),
        )
        for name, is_there in too_much:
            if is_there:
                msg = f"{name}: {wish.action.value} takes none; leave it out"
                raise InvalidRequest(msg)
        now = self.service.clock()
        return Job(
            id="",
            owner=owner,
            action=wish.action,
            created_at=now,
            changed_at=now,
            search=wish.search,
            ids=None if wish.ids is None else tuple(dict.fromkeys(wish.ids)),
            tags=names.clean_tags(wish.tags, self.service.rules.max_tags),
            album=names.clean_tag(wish.album) if wish.album else None,
            from_rendition=wish.from_rendition,
            dry_run=wish.dry_run,
        )

    # ------------------------------------------------------------------ what events ask

    def step(self, event: BulkStep) -> None:
        """Go on with a job for a while, and have an event go on after that."""
        job = self.service.jobs.get(event.owner, event.job_id)
        began = time.monotonic()
        try:
            while job is not None and job.state not in OVER:
                if self._is_to_wait(job):
                    self._go_on_later(job, BEHIND_SECONDS)
                    return
                if time.monotonic() - began > STEP_SECONDS:
                    self._go_on_later(job)
                    return
                job = self._counted(job) if job.state is JobState.COUNTING else self._worked(job)
        except (VersionMoved, NotFound):
            return  # somebody else goes on with it, or has stopped it
        if job is not None and job.state is JobState.DONE:
            log.info("job done", extra={"job": job.id, "owner": job.owner, "done": job.done, "failed": job.failed})

    def give_up(self, event: BulkStep, reason: str) -> None:
        """The last try to go on with a job has failed."""
        job = self.service.jobs.get(event.owner, event.job_id)
        if job is not None and job.state not in OVER:
            detail = f"it could not go on ({reason}); what was done stays done"
            with suppress(VersionMoved, NotFound):
                self._save(job, error=Failure(code="gave-up", detail=detail))

    def _is_to_wait(self, job: Job) -> bool:
        return (
            job.action is Action.REPROCESS
            and job.state is JobState.RUNNING
            and self.service.queue.depth().waiting > RENDERS_AHEAD
        )

    def _go_on_later(self, job: Job, delay_seconds: float = 0.0) -> None:
        self.service.queue.publish(BulkStep(owner=job.owner, job_id=job.id), delay_seconds=delay_seconds)

    def _save(self, job: Job, **changes: object) -> Job:
        given: dict[str, object] = {"changed_at": self.service.clock(), "error": None} | changes
        changed = dataclasses.replace(job, **given)  # type: ignore[arg-type]  # names and types are those of a job
        stored = self.service.jobs.replace(changed, version=job.version)
        self.service.reached(Step.JOB_SAVED)
        return stored

    # ------------------------------------------------------------------ counting

    def _counted(self, job: Job) -> Job:
        """Count some more images; at the end, begin with the first."""
        if job.ids is not None:
            matched, after = self._living(job), None
        else:
            found, after = self._found(job, terms.PAGE_MAX)
            matched = job.matched + len(found)
        if after is not None:
            return self._save(job, matched=matched, after=after)
        if job.dry_run:
            return self._save(job, matched=matched, after=None, state=JobState.DONE)
        return self._save_next(dataclasses.replace(job, matched=matched, after=None))

    def _living(self, job: Job) -> int:
        assert job.ids is not None
        parts = [job.ids[at : at + TOGETHER] for at in range(0, len(job.ids), TOGETHER)]
        images = [image for part in parts for image in self.service.catalog.get_many(part)]
        return sum(image.owner == job.owner and image.state is not State.DELETED for image in images)

    # ------------------------------------------------------------------ working

    def _worked(self, job: Job) -> Job:
        """Do the images that were written down, and write down the next ones."""
        errors = []
        for image_id in job.pending:
            error = self._done(job, image_id)
            if error is not None:
                errors.append(error)
            self.service.reached(Step.JOB_IMAGE_DONE)
        return self._save_next(
            dataclasses.replace(
                job,
                done=job.done + len(job.pending) - len(errors),
                failed=job.failed + len(errors),
                errors=(*job.errors, *errors)[:ERRORS_KEPT],
            )
        )

    def _save_next(self, job: Job) -> Job:
        """Write a job down with what is to be done next, or as done."""
        if job.ids is not None:
            pending, at, after = job.ids[job.at : job.at + TOGETHER], job.at + TOGETHER, None
            found_all = at >= len(job.ids)
        else:
            ids, after = ([], None) if job.found_all else self._found(job, TOGETHER)
            pending, at = tuple(ids), job.at
            found_all = after is None
        is_done = found_all and not pending
        state = JobState.DONE if is_done else JobState.RUNNING
        return self._save(job, pending=pending, at=at, after=after, found_all=found_all, state=state)

    def _found(self, job: Job, limit: int) -> tuple[list[str], str | None]:
        """Return the ids of the next images of a search, and after which id to go on, if there may be more."""
        assert job.search is not None
        query = _query(job.owner, job.search)
        cursor = None if job.after is None else cursors.cursor_after(job.after, terms.plan(query))
        page = self.service.catalog.search(dataclasses.replace(query, limit=limit, cursor=cursor))
        return [image.id for image in page.items], None if page.next is None else page.next[: names.ID_LENGTH]

    def _done(self, job: Job, image_id: str) -> ImageError | None:
        """Do one image, which may have been done already; return why it cannot be."""
        try:
            self._do(job, image_id)
        except NotFound as error:
            if job.action is Action.DELETE and self._was_deleted(job, image_id):
                return None
            return ImageError(image_id=image_id, code=error.code, detail=error.detail)
        except Refused as error:
            return ImageError(image_id=image_id, code=error.code, detail=error.detail)
        return None

    def _do(self, job: Job, image_id: str) -> None:
        service = self.service
        match job.action:
            case Action.ADD_TAGS:
                service.edit(job.owner, image_id, Edit(add_tags=job.tags))
            case Action.REMOVE_TAGS:
                service.edit(job.owner, image_id, Edit(remove_tags=job.tags))
            case Action.SET_ALBUM:
                service.edit(job.owner, image_id, Edit(album=job.album))
            case Action.DELETE:
                service.delete(job.owner, image_id)
            case Action.REPROCESS:
                if not _asked_since(service.image(job.owner, image_id), job):
                    service.reprocess(job.owner, image_id, from_rendition=job.from_rendition)

    def _was_deleted(self, job: Job, image_id: str) -> bool:
        image = self.service.catalog.get(image_id)
        return image is not None and image.owner == job.owner and image.state is State.DELETED


def _asked_since(image: Image, job: Job) -> bool:
    """Tell whether it was asked for anew since the job began, so by this job before it was cut off, or as good."""
    return image.asked_at is not None and image.asked_at >= job.created_at


def _query(owner: str, line: str) -> Query:
    return questions.query(owner, questions.read_line(line), limit=TOGETHER)
