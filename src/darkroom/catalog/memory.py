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
    check_walk,
    cursors,
    labels,
    quotas,
    terms,
)
from darkroom.catalog import perceptual_hash as hashes
from darkroom.errors import AlreadyExists, Conflict, NotFound, VersionMoved
from darkroom.model import Page, State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from darkroom.catalog import Claim
    from darkroom.catalog.labels import Label, LabelKind, WrongCount
    from darkroom.catalog.quotas import Quota, Usage
    from darkroom.catalog.terms import Plan
    from darkroom.model import Image, Query


class MemoryCatalog:
    """A ``Catalog`` that lasts as long as the process."""

    def __init__(self, *, work_per_page: int = WORK_PER_PAGE, kinds: frozenset[terms.Kind] = terms.ALL_KINDS) -> None:
        self._work_per_page = work_per_page
        self._kinds = kinds
        self._lock = threading.Lock()
        self._images: dict[str, Image] = {}
        self._index: dict[tuple[str, str], list[str]] = {}
        """The ids under each (owner, term), oldest first."""
        self._claims: dict[tuple[str, str], tuple[Claim, str]] = {}
        """The claim of each (owner, name), and the id it is bound to."""
        self._bytes: dict[str, int] = {}
        """What each owner's images take."""
        self._labels: dict[tuple[str, LabelKind], dict[str, Label]] = {}
        """The tags and albums of each owner, by their keys."""

    def create(self, image: Image, *, within: Quota | None = None, claim: Claim | None = None) -> Image:
        if not names.is_id(image.id):
            msg = f"{image.id!r} is no id"
            raise ValueError(msg)
        with self._lock:
            bound = None if claim is None else self._bound(image, claim)
            if bound is not None:
                return bound
            if image.id in self._images:
                raise AlreadyExists(TAKEN)
            if within is not None:
                within.admit(image, self._usage(image.owner, image.uploaded_at - within.ticket_life))
            if claim is not None:
                self._claims[image.owner, claim.name] = claim, image.id
            self._put(image)
            self._count(None, image)
        return image

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
            self._count(current, stored)
        return stored

    def walk(self, after: str, limit: int, *, state: State | None = None) -> tuple[Image, ...]:
        check_walk(limit, state)
        with self._lock:
            wanted = (image for image in self._images.values() if image.id > after and state in {None, image.state})
            return tuple(heapq.nsmallest(limit, wanted, key=lambda image: image.id))

    def forget(self, image_id: str, *, version: int | None = None) -> None:
        with self._lock:
            current = self._images.get(image_id)
            if current is None:
                return
            if version not in {None, current.version}:
                raise VersionMoved(MOVED)
            self._drop(current)
            self._count(current, None)

    def search(self, query: Query) -> Page:
        plan = terms.plan(query, self._kinds)
        bounds = cursors.bounds(query.cursor, plan)
        with self._lock:
            walked = min(plan.walkable, key=lambda group: sum(len(self._ids(plan, term)) for term in group))
            candidates = list(islice(self._in_order(plan, walked, bounds), self._work_per_page))
            admitted = (self._images[image_id] for image_id in candidates if plan.admits(self._images[image_id]))
            found = tuple(islice(admitted, query.limit + 1))
        looked_to = candidates[-1] if len(candidates) == self._work_per_page else None
        return cursors.page(plan, found, query.limit, looked_to)

    def alike(self, owner: str, perceptual_hash: str) -> tuple[Image, ...]:
        terms.check_kind("similar", terms.Kind.LIKENESS, self._kinds)
        with self._lock:

            def under(wanted: tuple[str, ...], amount: int) -> list[tuple[str, str]]:
                ids = heapq.nlargest(amount, {each for term in wanted for each in self._index.get((owner, term), ())})
                return [(image_id, _hash_of(self._images[image_id])) for image_id in ids]

            near = hashes.nearest(perceptual_hash, under, work=self._work_per_page)
            found = (self._images[image_id] for image_id in near)
            return tuple(image for image in found if image.state is State.READY)

    def labels(self, owner: str, kind: LabelKind, *, prefix: str, after: str, limit: int) -> tuple[Label, ...]:
        with self._lock:
            counted = self._labels.get((owner, kind), {})
            keys = heapq.nsmallest(limit, (key for key in counted if key.startswith(prefix) and key > after))
            return tuple(counted[key] for key in keys)

    def recount(self, *, mend: bool) -> Iterator[WrongCount]:  # noqa: ARG002 # counts change with the images
        return iter(())

    def usage(self, owner: str, *, tickets_since: datetime) -> Usage:
        with self._lock:
            return self._usage(owner, tickets_since)

    def check(self) -> None:
        return

    def _bound(self, image: Image, claim: Claim) -> Image | None:
        """Return the image to which the name is bound; forget all claims that have run out."""
        self._claims = {key: kept for key, kept in self._claims.items() if image.uploaded_at < kept[0].until}
        kept, image_id = self._claims.get((image.owner, claim.name), (claim, image.id))
        bound = self._images.get(image_id)
        if bound is not None and kept.fingerprint != claim.fingerprint:
            raise Conflict(CLAIMED_OTHERWISE)
        return bound if image_id != image.id else None

    def _usage(self, owner: str, tickets_since: datetime) -> Usage:
        awaiting = self._index.get((owner, terms.of_state(State.AWAITING)), [])
        return quotas.Usage(
            images=len(self._index.get((owner, terms.EVERY), [])),
            bytes=self._bytes.get(owner, 0),
            open_tickets=len(awaiting) - bisect.bisect_left(awaiting, names.first_id_at(tickets_since)),
        )

    def _ids(self, plan: Plan, term: str) -> list[str]:
        return self._index.get((plan.owner, term), [])

    def _in_order(self, plan: Plan, group: tuple[str, ...], bounds: tuple[str, str]) -> Iterator[str]:
        """Yield the ids under any term of the group that lie within the bounds, in the plan's order, each once."""
        first, end = bounds
        lists = []
        for term in group:
            ids = self._ids(plan, term)
            within = ids[bisect.bisect_left(ids, first) : bisect.bisect_left(ids, end)]
            lists.append(within if plan.oldest_first else within[::-1])
        return (image_id for image_id, _ in groupby(heapq.merge(*lists, reverse=not plan.oldest_first)))

    def _put(self, image: Image) -> None:
        self._images[image.id] = image
        self._bytes[image.owner] = self._bytes.get(image.owner, 0) + quotas.stored_bytes(image)
        for term in terms.terms(image, self._kinds):
            bisect.insort(self._index.setdefault((image.owner, term), []), image.id)

    def _count(self, before: Image | None, after: Image | None) -> None:
        one = after or before
        assert one is not None
        for change in labels.changes(labels.spelled(before), labels.spelled(after)):
            counted = self._labels.setdefault((one.owner, change.kind), {})
            known = counted.get(change.key, labels.Label(key=change.key, name="", images=0))
            counted[change.key] = labels.Label(
                key=change.key, name=change.name or known.name, images=known.images + change.more
            )
            if not counted[change.key].images:
                del counted[change.key]

    def _drop(self, image: Image) -> None:
        del self._images[image.id]
        self._bytes[image.owner] -= quotas.stored_bytes(image)
        for term in terms.terms(image, self._kinds):
            ids = self._index[image.owner, term]
            del ids[bisect.bisect_left(ids, image.id)]
            if not ids:
                del self._index[image.owner, term]


def _hash_of(image: Image) -> str:
    assert image.facts is not None
    assert image.facts.perceptual_hash is not None
    return image.facts.perceptual_hash
