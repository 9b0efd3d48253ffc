"""All objects that belong to an image, taken as a whole while the service goes on changing it: for copies of a library.

Catalog and buckets cannot be read at one moment. So an image is read, then its objects are taken; if one is missing or
has other bytes than recorded, the image has changed in between, and is read and taken anew: what is taken is the image
as it was at one moment or at a later one, never a mixture.
"""

from __future__ import annotations

import base64
import re
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

from darkroom import names
from darkroom.model import Original, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from darkroom.model import Image

Object = TypeVar("Object")

_SEGMENT = re.compile(r"[A-Za-z0-9._,:=-]{1,200}")

TRIES = 20
PAUSE_SECONDS = 0.1
"""Between two looks at an image whose original is being stored at this moment."""


class Place(StrEnum):
    """In which of the two buckets an object lies."""

    UPLOADS = "uploads"
    ASSETS = "assets"


class Presence(StrEnum):
    """What it means that an object is missing of an image that has not changed meanwhile."""

    CERTAIN = "certain"
    """It is lost."""
    LIKELY = "likely"
    """It has not arrived yet, or is not kept any longer."""
    POSSIBLE = "possible"
    """Nothing: it may have been made or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """An object of an image. It lies under one of ``keys``; it moves from the first towards the last."""

    place: Place
    keys: tuple[str, ...]
    presence: Presence
    digest: bytes = b""
    """What the SHA-256 of its bytes begins with, as far as it was recorded."""

    def is_as_recorded(self, sha256: str) -> bool:
        """Tell whether these are the bytes that were recorded, from their SHA-256 in hex."""
        return bytes.fromhex(sha256).startswith(self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken(Generic[Object]):
    """What was found of an image: its objects, and the holdings that were not there or were not as recorded."""

    objects: tuple[Object, ...]
    missing: tuple[Holding, ...] = ()
    altered: tuple[Holding, ...] = ()


def of(image: Image) -> Iterator[Holding]:
    """Yield the holdings of an image, the original first; a tombstone has none."""
    if image.state is State.DELETED:
        return
    if image.from_rendition:
        yield Holding(place=Place.UPLOADS, keys=(names.archive_key(image.id),), presence=Presence.LIKELY)
    elif image.original is Original.KEPT:
        is_ready = image.state is State.READY and image.facts is not None
        yield Holding(
            place=Place.UPLOADS,
            keys=(names.original_key(image.id), names.archive_key(image.id)),
            presence=Presence.CERTAIN if is_ready else Presence.LIKELY,
            digest=bytes.fromhex(image.facts.source.sha256) if is_ready and image.facts is not None else b"",
        )
    prefix = names.asset_prefix(image.id)
    for one in image.objects:
        yield Holding(
            place=Place.ASSETS,
            keys=(f"{prefix}{one.name}",),
            presence=Presence.CERTAIN if one.checksum else Presence.POSSIBLE,
            digest=base64.urlsafe_b64decode(f"{one.checksum}==") if one.checksum else b"",
        )
    if not image.objects:  # of before there were ledgers
        for variant in image.variants:
            yield Holding(place=Place.ASSETS, keys=(variant.key,), presence=Presence.CERTAIN)


def belongs(image_id: str, place: Place, key: str) -> bool:
    """Tell whether an object of the image could lie under ``key``, any text, in one of the buckets."""
    if place is Place.UPLOADS:
        return key in {names.original_key(image_id), names.archive_key(image_id)}
    prefix = names.asset_prefix(image_id)
    return key.startswith(prefix) and all(
        _SEGMENT.fullmatch(segment) and segment not in {".", ".."} for segment in key.removeprefix(prefix).split("/")
    )


def take_whole(
    image: Image,
    take: Callable[[Image], Taken[Object]],
    current: Callable[[str], Image | None],
    *,
    taken: Taken[Object] | None = None,
) -> tuple[Image | None, Taken[Object]]:
    """Take the objects of ``image`` until they are those of one and the same state of it; return that, and them.

    ``current`` reads an image as it is now; ``taken`` is what a first ``take`` gave, if there was one already. An image
    that was deleted meanwhile is returned as its tombstone or ``None``, with no objects. What is still missing or
    altered in the end is so in the service itself.
    """
    for _ in range(TRIES):
        taken = take(image) if taken is None else taken
        if not taken.missing and not taken.altered:
            return image, taken
        now = current(image.id)
        if now is None or now.state is State.DELETED:
            return now, Taken(objects=())
        if now.version == image.version:
            if image.state is not State.PROCESSING:
                return image, taken
            time.sleep(PAUSE_SECONDS)
        image, taken = now, None
    return image, take(image)
