"""Jobs in this process only: for tests, and for deployments that may forget."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING

from darkroom.errors import AlreadyExists, NotFound, VersionMoved
from darkroom.jobs import ABSENT, LISTED_MAX, MOVED, TAKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from darkroom.jobs import Job


class MemoryJobs:
    """``Jobs`` that last as long as the process. ``clock`` returns the present as an aware moment."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[tuple[str, str], Job] = {}

    def create(self, job: Job) -> None:
        with self._lock:
            if (job.owner, job.id) in self._jobs:
                raise AlreadyExists(TAKEN)
            self._jobs[job.owner, job.id] = job

    def get(self, owner: str, job_id: str) -> Job | None:
        with self._lock:
            return self._jobs.get((owner, job_id))

    def replace(self, job: Job, *, version: int) -> Job:
        stored = dataclasses.replace(job, version=version + 1)
        with self._lock:
            current = self._jobs.get((job.owner, job.id))
            if current is None:
                raise NotFound(ABSENT)
            if current.version != version:
                raise VersionMoved(MOVED)
            self._jobs[job.owner, job.id] = stored
        return stored

    def list(self, owner: str) -> Sequence[Job]:
        with self._lock:
            mine = [job for (of, _), job in self._jobs.items() if of == owner]
        return sorted(mine, key=lambda job: job.created_at, reverse=True)[:LISTED_MAX]

    def forget(self, owner: str, *, life: timedelta) -> None:
        with self._lock:
            since = self._clock() - life
            self._jobs = {key: job for key, job in self._jobs.items() if job.owner != owner or job.created_at >= since}
