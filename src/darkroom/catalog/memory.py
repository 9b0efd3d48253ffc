"""The catalog in this process only: for tests, and for deployments that may forget."""

from __future__ import annotations

import bisect
import dataclasses
import heapq
import threading
from itertools import groupby, islice
from typing import TYPE_CHECKING

from darkroom import names
from darkroom.catalog import (
    ABSENT,
    CLAIMED_OTHERWISE,
    GET_MANY_MAX,
    MOVED,
    TAKEN,
    WORK_PER_PAGE,
    cursors,
    terms,
)
from darkroom.errors import AlreadyExists, Conflict, NotFound, VersionMoved
from darkroom.model import Page, State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from darkroom.catalog.terms import Plan
    from darkroom.model import Image, Query


@dataclasses.dataclass(frozen=True, slots=True)
class _Claim:
    image_id: str
    fingerprint: str
    until: datetime


class MemoryCatalog:
    """A ``Catalog`` that lasts as long as the process."""

    def __init__(self, *, work_per_page: int = WORK_PER_PAGE) -> None:
        self._work_per_page = work_per_page
        self._lock = threading.Lock()
        self._images: dict[str, Image] = {}
        self._index: dict[tuple[str, str], list[str]] = {}
        """The ids under each (owner, term), oldest first."""
        self._claims: dict[tuple[str, str], _Claim] = {}

    def create(self, image: Image) -> None:
        if not names.is_id(image.id):
            msg = f"{image.id!r} is no id"
            raise ValueError(msg)
        with self._lock:
            if image.id in self._images:
                raise AlreadyExists(TAKEN)
            self._put(image)

    def get(self, image_id: str) -> Image | None:
        with self._lock:
            return self._images.get(image_id)

    def get_many(self, image_ids: tuple[str, ...]) -> tuple[Image, ...]:
        if len(image_ids) > GET_MANY_MAX:
            msg = f"{len(image_ids)} images at once are more than {GET_MANY_MAX}"
            raise ValueError(msg)
        with self._lock:
            return tuple(self._images[image_id] for image_id in set(image_ids) if image_id in self._images)

    def replace(self, image: Image, *, version: int) -> Image:
        stored = dataclasses.replace(image, version=version + 1)
        with self._lock:
            current = self._images.get(image.id)
            if current is None or current.state is State.DELETED:
                raise NotFound(ABSENT)
            if current.version != version:
                raise VersionMoved(MOVED)
            self._drop(current)
            self._put(stored)
        return stored

    def forget(self, image_id: str) -> None:
        with self._lock:
            current = self._images.get(image_id)
            if current is not None:
                self._drop(current)

    def search(self, query: Query) -> Page:
        plan = terms.plan(query)
        start = plan.end if query.cursor is None else cursors.position(query.cursor, plan)
        with self._lock:
            walked = min(plan.groups, key=lambda group: sum(len(self._ids(plan, term)) for term in group))
            candidates = list(islice(self._newest_first(plan, walked, start), self._work_per_page))
            admitted = (self._images[image_id] for image_id in candidates if plan.admits(self._images[image_id]))
            found = tuple(islice(admitted, query.limit + 1))
        looked_to = candidates[-1] if len(candidates) == self._work_per_page else None
        return cursors.page(plan, found, query.limit, looked_to)

    def claim(self, owner: str, name: str, *, image_id: str, fingerprint: str, now: datetime, until: datetime) -> str:
        with self._lock:
            self._claims = {key: claim for key, claim in self._claims.items() if now < claim.until}
            claim = self._claims.setdefault((owner, name), _Claim(image_id, fingerprint, until))
        if claim.fingerprint != fingerprint:
            raise Conflict(CLAIMED_OTHERWISE)
        return claim.image_id

    def check(self) -> None:
        return

    def _ids(self, plan: Plan, term: str) -> list[str]:
        return self._index.get((plan.owner, term), [])

    def _newest_first(self, plan: Plan, group: tuple[str, ...], start: str) -> Iterator[str]:
        """Yield the ids under any term of the group that lie before ``start`` and within the plan, each once."""
        lists = []
        for term in group:
            ids = self._ids(plan, term)
            lists.append(reversed(ids[bisect.bisect_left(ids, plan.first) : bisect.bisect_left(ids, start)]))
        return (image_id for image_id, _ in groupby(heapq.merge(*lists, reverse=True)))

    def _put(self, image: Image) -> None:
        self._images[image.id] = image
        for term in terms.terms(image):
            bisect.insort(self._index.setdefault((image.owner, term), []), image.id)

    def _drop(self, image: Image) -> None:
        del self._images[image.id]
        for term in terms.terms(image):
            ids = self._index[image.owner, term]
            del ids[bisect.bisect_left(ids, image.id)]
            if not ids:
                del self._index[image.owner, term]
