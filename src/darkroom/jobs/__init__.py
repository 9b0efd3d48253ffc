"""Port: work on many images at once, and how far it has come. What a job does is in ``bulk.py``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from darkroom.model import Failure

ERRORS_KEPT = 20
"""Of how many images that could not be done a job says why; all of them are counted."""
LISTED_MAX = 100
"""The most jobs that a listing shows."""

# The sentences are the port's, so that a client cannot tell one store from another.
TAKEN = "there is a job of this id already"
ABSENT = "there is no job of this id"
MOVED = "the job has gone on in between"


class Action(StrEnum):
    """What is done to every image."""

    ADD_TAGS = "add_tags"
    REMOVE_TAGS = "remove_tags"
    SET_ALBUM = "set_album"
    REPROCESS = "reprocess"
    DELETE = "delete"


class JobState(StrEnum):
    """How far a job has come."""

    COUNTING = "counting"
    """The images are counted; nothing is changed yet."""
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """Somebody stopped it: what was done stays done."""


OVER = frozenset({JobState.DONE, JobState.STOPPED})
"""The states that a job never leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageError:
    """Why an image could not be done."""

    image_id: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work on the images of a search, or on those of some ids: exactly one of the two is given.

    ``after`` is the id after which the search goes on, ``at`` how many of ``ids`` are behind. ``pending`` are the
    images that are being done, or about to be: whoever goes on with the job begins with them.
    """

    id: str
    owner: str
    action: Action
    created_at: datetime
    changed_at: datetime
    tags: tuple[str, ...] = ()
    album: str | None = None
    from_rendition: bool = False
    search: str | None = None
    """As one line (``catalog/questions.py``), moments in it with their zone or in UTC."""
    ids: tuple[str, ...] | None = None
    dry_run: bool = False
    state: JobState = JobState.COUNTING
    matched: int = 0
    """How many images there were when they were counted."""
    done: int = 0
    failed: int = 0
    errors: tuple[ImageError, ...] = ()
    """The first ``ERRORS_KEPT``."""
    after: str | None = None
    at: int = 0
    found_all: bool = False
    """Whether no image comes after those that are pending."""
    pending: tuple[str, ...] = ()
    error: Failure | None = None
    """Why it could not go on; it waits in the failure inbox, and goes on when it is tried again from there."""
    version: int = 1

    @property
    def goes_on(self) -> bool:
        """Whether somebody works on it, or will."""
        return self.state not in OVER and self.error is None

    @property
    def wish(self) -> tuple[object, ...]:
        """What was asked for: the same for the same request."""
        return (
            *(self.action, self.tags, self.album, self.from_rendition),
            *(self.search, self.ids, self.dry_run),
        )


class Jobs(Protocol):
    """The jobs of all owners. Every verb may raise ``Unavailable``; writes may raise ``StorageFull``.

    What a verb has written is durable and visible to every process when it returns.
    """

    def create(self, job: Job) -> None:
        """Keep a new job. Raises ``AlreadyExists``."""
        ...

    def get(self, owner: str, job_id: str) -> Job | None:
        """Return a job of this owner, if there is one. Any text may be given as id."""
        ...

    def replace(self, job: Job, *, version: int) -> Job:
        """Write a job if the stored one has ``version``; return it as stored: ``version + 1``.

        Raises ``VersionMoved`` when another version is there, ``NotFound`` when none is.
        """
        ...

    def list(self, owner: str) -> Sequence[Job]:
        """Return the owner's jobs, the newest first, at most ``LISTED_MAX``."""
        ...

    def forget(self, owner: str, *, life: timedelta) -> None:
        """Forget jobs of the owner that were created longer ago than ``life``; a store may do so by itself."""
        ...
