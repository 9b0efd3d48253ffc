"""The failure inbox: what went wrong for good and waits for a person, image by image."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from darkroom import names
from darkroom.catalog import GET_MANY_MAX
from darkroom.errors import NotFound
from darkroom.events import BulkStep, EdgePurge, ImageDeleted, ObjectCreated, ResultWanted
from darkroom.model import State
from darkroom.sweep import every_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from darkroom.events import Buried, Event
    from darkroom.model import Image
    from darkroom.service import Service

BURIED_MAX = 100_000
"""More buried events than that are not looked at; the newest come first."""

LOOKED_BACK = (timedelta(hours=1), timedelta(hours=8), timedelta(days=3), timedelta(days=30), None)
"""How far it is looked back for the newest failures, one after the other until there are enough; ``None``: all."""
LOOK_AT = 2_000
"""How many failed images are looked at for that; where more lie, it is not looked so far back."""


@dataclass(slots=True)
class Case:
    """One image that failed, or of which an event was buried, or both. ``image`` only if it is failed."""

    image_id: str
    image: Image | None = None
    buried: list[Buried] = field(default_factory=list)
    """Newest first."""


def work_of(event: Event) -> str:
    """Return, in a word, what was to be done."""
    match event:
        case ObjectCreated():
            return "rendering"
        case ImageDeleted():
            return "erasing"
        case EdgePurge():
            return "purging"
        case ResultWanted():
            return "transforming"
        case BulkStep():
            return "working in bulk"


def cases(service: Service) -> Iterator[Case]:
    """Yield every case: failed images in the order of their uploads, then buried events of images that did not fail."""
    graves: dict[str, list[Buried]] = {}
    for grave in service.queue.buried(BURIED_MAX):
        graves.setdefault(grave.event.image_id, []).append(grave)
    for image in every_image(service.catalog, State.FAILED):
        yield Case(image.id, image, graves.pop(image.id, []))
    for image_id, buried in graves.items():
        yield Case(image_id, None, buried)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest failed images, newest first; ``more`` tells whether there are others."""

    images: tuple[Image, ...]
    more: bool


def newest_failed(service: Service, count: int) -> Newest:
    """Return the up to ``count`` failed images of all owners that were uploaded last, looking at few of many.

    Of so many failures at once that nobody reads them all it may be fewer than ``count``, or none: then ``more`` is
    true.
    """
    newest: list[Image] = []
    for span in LOOKED_BACK:
        after = "" if span is None else names.new_id(service.clock() - span, bytes(names.RANDOM_BYTES))
        images = list(islice(_failed_after(service, after), LOOK_AT + 1))
        if len(images) > LOOK_AT:
            break
        newest = images[-count:]
        if len(images) >= count:
            break
    oldest = service.catalog.walk("", 1, state=State.FAILED)
    more = bool(oldest) and (not newest or oldest[0].id < newest[0].id)
    return Newest(images=tuple(reversed(newest)), more=more)


def _failed_after(service: Service, after: str) -> Iterator[Image]:
    while part := service.catalog.walk(after, GET_MANY_MAX, state=State.FAILED):
        yield from part
        after = part[-1].id


def brought_together(service: Service, images: Iterable[Image], graves: Iterable[Buried]) -> list[Case]:
    """Return the cases of failed images and buried events, the one that something happened to last first."""
    found = {image.id: Case(image.id, image) for image in images}
    for grave in graves:
        found.setdefault(grave.event.image_id, Case(grave.event.image_id)).buried.append(grave)
    unknown = [one.image_id for one in found.values() if one.image is None and names.is_id(one.image_id)]
    for image in service.catalog.get_many(tuple(unknown[:GET_MANY_MAX])):
        if image.state is State.FAILED:
            found[image.id].image = image
    return sorted(found.values(), key=last_moment, reverse=True)


def last_moment(one: Case) -> datetime:
    """Return when something happened to a case last, as far as that is known."""
    buried = [grave.buried_at for grave in one.buried]
    image = one.image
    return max([*buried, *([] if image is None else [image.asked_at or image.uploaded_at])])


def case(service: Service, image_id: str, graves: Iterable[Buried] | None = None) -> Case:
    """Return the case of an image; ``graves`` are the buried events, if they are known. Raises ``NotFound``."""
    image = service.catalog.get(image_id) if names.is_id(image_id) else None
    failed = image if image is not None and image.state is State.FAILED else None
    among = service.queue.buried(BURIED_MAX) if graves is None else graves
    buried = [grave for grave in among if grave.event.image_id == image_id]
    if failed is None and not buried:
        msg = "nothing of this id has failed; darkroom failed list shows what has"
        raise NotFound(msg)
    return Case(image_id, failed, buried)


def as_it_is(service: Service, known: Case) -> Case | None:
    """Return a case that was found a while ago, or ``None`` when it is none any more; what is buried is as it was."""
    image = service.catalog.get(known.image_id) if known.image is not None else None
    failed = image if image is not None and image.state is State.FAILED else None
    return Case(known.image_id, failed, known.buried) if failed or known.buried else None


def retry(service: Service, failed: Case) -> None:
    """Try once more: have a failed image made anew, and give its buried events out again.

    Raises ``OriginalDeleted`` when there is nothing left to make it from, and then changes nothing.
    """
    image = failed.image
    if image is not None:
        service.reprocess(image.owner, image.id, from_rendition=bool(image.variants))
    for grave in failed.buried:
        if image is not None and isinstance(grave.event, ObjectCreated):
            service.queue.discard(grave)  # reprocess has published its like
        else:
            service.queue.revive(grave)


def drop(service: Service, failed: Case) -> None:
    """Give up: delete a failed image for good, and forget its buried events."""
    if failed.image is not None:
        service.delete(failed.image.owner, failed.image_id)
    for grave in failed.buried:
        service.queue.discard(grave)
