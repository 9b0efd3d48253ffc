"""The diagram as a dataclass: a field for each box, a method for each thing a person or an event can ask."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO

from darkroom import figures as f
from darkroom import ledger, names
from darkroom.arrival import GAVE_UP, Arrival
from darkroom.bulk import Bulk
from darkroom.catalog import Claim, labels
from darkroom.catalog.quotas import Quota
from darkroom.errors import (
    AlreadyExists,
    InvalidRequest,
    NotFound,
    OriginalDeleted,
    TooLarge,
    TooManyPixels,
    Unavailable,
    VersionMoved,
)
from darkroom.events import BulkStep, EdgePurge, ImageDeleted, ObjectCreated, ResultWanted
from darkroom.inparts import InParts
from darkroom.model import Edit, Failure, Format, Image, Original, OriginalPolicy, State, Unset
from darkroom.ondemand import OnDemand
from darkroom.results import NoResults
from darkroom.steps import Step
from darkroom.transform import Limits
from darkroom.transform.recipes import Fit
from darkroom.transform.sniff import HEAD_BYTES, recognise
from darkroom.turns import Turns
from darkroom.uploads import Promise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from darkroom.bucket import Bucket, Stat, Stored
    from darkroom.catalog import Catalog
    from darkroom.catalog.labels import LabelKind, LabelPage
    from darkroom.catalog.quotas import Usage
    from darkroom.edge import FarEdge, Purges
    from darkroom.events import Event, Queue
    from darkroom.figures import Figures
    from darkroom.jobs import Jobs
    from darkroom.model import Page, Parts, Query
    from darkroom.results import Results
    from darkroom.transform import Inspect, Transform
    from darkroom.transform.recipes import Recipe
    from darkroom.uploads import PartedTicket, PartedTickets, Ticket, Tickets

log = logging.getLogger("darkroom.images")

ERASE_AGAIN_SECONDS = 15.0
"""An erasure is promised to the queue before it is begun, this far ahead: if the process dies in between, the queue
finishes it."""

CLAIM_LIFE = timedelta(hours=24)
"""How long an ``Idempotency-Key`` is remembered (the contract's 24 hours)."""

EDIT_SECONDS = 20.0
"""How long an edit without a version goes on trying while others write in between."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 1.0
"""Before it is tried again that another process came before: up to twice as long each time, at random (full jitter)."""


def _unnoticed(step: Step) -> None:
    """Do nothing at a step, as everywhere but in tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the operator has decided, as far as the core has to know."""

    originals: OriginalPolicy = OriginalPolicy.DELETE
    limits: Limits = Limits()
    max_post_bytes: int = 4 * 1024 * 1024
    max_tags: int = 50
    ticket_life: timedelta = timedelta(minutes=15)
    part_bytes: int = 8 * 1024 * 1024
    """Longer files come in parts of so many bytes."""
    parts_life: timedelta = timedelta(hours=24)
    quota: Quota = Quota()


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What an uploader says of a file, already cleaned: see ``Service.upload``."""

    filename: str
    bytes: int
    content_type: str
    sha256: str | None
    tags: tuple[str, ...]
    album: str | None
    title: str | None

    @property
    def fingerprint(self) -> str:
        """The same for the same request: what an ``Idempotency-Key`` is bound to."""
        return hashlib.sha256(repr(dataclasses.astuple(self)).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One way to fill these fields is a deployment; nothing in here knows which one it is in."""

    catalog: Catalog
    uploads: Bucket
    assets: Bucket
    tickets: Tickets
    parted: PartedTickets
    queue: Queue
    transform: Transform
    inspect: Inspect
    purges: Purges
    figures: Figures
    recipes: tuple[Recipe, ...]
    rules: Rules
    clock: Callable[[], datetime]
    """Returns the aware time of now."""
    randomness: Callable[[int], bytes]
    """Returns that many bytes of the system's secure source."""
    jobs: Jobs
    """Work on many images: ``bulk.py``."""
    results: Results = field(default_factory=NoResults)
    """What was made on demand: ``ondemand.py``."""
    far_edge: FarEdge | None = None
    """What stands in front of delivery, where something does that has to be told."""
    reached: Callable[[Step], None] = _unnoticed
    turns: Turns = field(default_factory=Turns)

    # ------------------------------------------------------------------ upload

    def upload(
        self,
        *,
        filename: str,
        length: int,
        content_type: str | None = None,
        sha256: str | None = None,
        tags: tuple[str, ...] = (),
        album: str | None = None,
        title: str | None = None,
    ) -> Upload:
        """Check what an uploader says and return it cleaned. Raises ``InvalidRequest``, ``TooLarge``."""
        if length < 1:
            msg = "bytes must be at least 1; an empty file is no image"
            raise InvalidRequest(msg)
        if length > self.rules.limits.bytes:
            msg = f"the file has {length} bytes; at most {self.rules.limits.bytes} are accepted"
            raise TooLarge(msg)
        cleaned = names.clean_filename(filename)
        return Upload(
            filename=cleaned,
            bytes=length,
            content_type=_media_type(content_type, cleaned),
            sha256=None if sha256 is None else _checksum(sha256),
            tags=names.clean_tags(tags, self.rules.max_tags),
            album=names.clean_tag(album) if album else None,
            title=names.clean_title(title) if title else None,
        )

    def open_upload(
        self, owner: str, upload: Upload, *, idempotency_key: str | None = None
    ) -> tuple[Image, Ticket | PartedTicket]:
        """Begin an upload by ticket: return the awaiting image and permission to put exactly its bytes, in parts if
        they are many.

        The same key and request give the same answer. Raises ``Conflict`` for a key used for another request,
        ``OverQuota``.
        """
        if upload.bytes > self.rules.part_bytes:
            return InParts(self).open(owner, upload, idempotency_key)
        image, _ = self.begin(owner, upload, State.AWAITING, upload.fingerprint, idempotency_key)
        promise = Promise(
            key=names.original_key(image.id),
            bytes=upload.bytes,
            content_type=upload.content_type,
            sha256=upload.sha256,
            expires_at=image.uploaded_at + self.rules.ticket_life,
        )
        return image, self.tickets.issue(promise)

    def receive(self, owner: str, upload: Upload, body: Path, *, idempotency_key: str | None = None) -> Image:
        """Take a small file that is here already (``body`` is taken over) and return its image, being processed.

        What is no image is refused at once: raises ``UnsupportedFormat``, ``UnreadableImage``, ``TooManyPixels``,
        ``TooLarge``, ``Conflict``, ``OverQuota``, ``StorageFull``.
        """
        self._refuse_at_once(upload, body)
        digest = _digest_of(body)
        fingerprint = f"{upload.fingerprint} {digest}"
        received = dataclasses.replace(upload, sha256=upload.sha256 or digest)
        image, is_new = self.begin(owner, received, State.PROCESSING, fingerprint, idempotency_key)
        if image.state is not State.PROCESSING:
            return image
        self.reached(Step.IMAGE_CREATED)
        try:
            self.uploads.put(names.original_key(image.id), body, content_type=upload.content_type, create_only=True)
        except AlreadyExists:
            log.info("upload repeated", extra={"image": image.id})
        except Exception:
            if is_new:  # else whoever sent the same before may have been luckier
                self._take_back(image)
            raise
        self.reached(Step.ORIGINAL_STORED)
        self.figures.add(f.RECEIVED_BYTES, upload.bytes, door="post")
        return image if is_new else self._hold(image)

    def _hold(self, image: Image) -> Image:
        """Write an image once more before it is promised for the second time.

        Whoever made it may not have been able to store it, and be about to take it back at this moment.
        """
        try:
            return self.catalog.replace(image, version=image.version)
        except VersionMoved:
            return self.image(image.owner, image.id)
        except NotFound as error:
            msg = "the upload that this Idempotency-Key stands for was not stored; send it again"
            raise Unavailable(msg) from error

    def _take_back(self, image: Image) -> None:
        """Forget an upload that could not be stored; where that cannot be done either, the sweep ends it."""
        with suppress(Unavailable, VersionMoved):
            self.catalog.forget(image.id, version=image.version)
            self.uploads.delete(names.original_key(image.id))

    def _refuse_at_once(self, upload: Upload, body: Path) -> None:
        if upload.bytes > self.rules.max_post_bytes:
            msg = (
                f"the file has {upload.bytes} bytes; at most {self.rules.max_post_bytes} are accepted here, "
                "more through POST /v1/uploads"
            )
            raise TooLarge(msg)
        limits = self.rules.limits
        with body.open("rb") as file:
            recognise(file.read(HEAD_BYTES), svg=limits.svg)
            file.seek(0)
            width, height = self.inspect(file)
        if width > limits.side or height > limits.side or width * height > limits.pixels:
            msg = (
                f"the picture is {width}×{height}; at most {limits.side} a side and {limits.pixels} pixels are accepted"
            )
            raise TooManyPixels(msg)

    def begin(
        self,
        owner: str,
        upload: Upload,
        state: State,
        fingerprint: str,
        idempotency_key: str | None,
        parts: Callable[[str], Parts | None] = lambda _: None,
    ) -> tuple[Image, bool]:
        """Return the image of an upload, and whether it was made just now; ``parts`` says, of its id, how it comes."""
        now = self.clock()
        image_id = names.new_id(now, self.randomness(names.RANDOM_BYTES))
        image = Image(
            id=image_id,
            owner=owner,
            state=state,
            filename=upload.filename,
            uploaded_at=names.moment_of(image_id),
            title=upload.title,
            album=upload.album,
            tags=upload.tags,
            promised_bytes=upload.bytes,
            promised_sha256=upload.sha256,
            parts=parts(image_id),
            objects=ledger.promise((), ledger.slots(self.recipes)),
        )
        claim = None
        if idempotency_key is not None:
            claim = Claim(name=idempotency_key, fingerprint=fingerprint, until=now + CLAIM_LIFE)
        quota = self.rules.quota
        known = self.catalog.create(image, within=None if quota.unlimited else quota, claim=claim)
        if known.state is State.DELETED:
            msg = "the image that this Idempotency-Key stands for was deleted; send a new key for a new image"
            raise NotFound(msg)
        return known, known.id == image_id

    def usage(self, owner: str) -> Usage:
        """Return what an owner has."""
        return self.catalog.usage(owner, tickets_since=self.clock() - self.rules.ticket_life)

    # ------------------------------------------------------------------ look, change, remove

    def image(self, owner: str, image_id: str) -> Image:
        """Return an image of this owner. Raises ``NotFound``."""
        image = self.catalog.get(image_id)
        if image is None or image.state is State.DELETED or image.owner != owner:
            msg = "there is no image of this id"
            raise NotFound(msg)
        return image

    def delivered(self, image_id: str) -> Image | None:
        """Return what delivery has to know of an image, whoever's it is; ``None`` when there is none, or no more."""
        image = self.catalog.get(image_id)
        return None if image is None or image.state is State.DELETED else image

    def search(self, query: Query) -> Page:
        """Return one page of an owner's images. Raises ``InvalidRequest`` for a cursor of another search."""
        return self.catalog.search(query)

    def labels(
        self, owner: str, kind: LabelKind, *, prefix: str = "", after: str = "", limit: int = labels.LABELS_MAX
    ) -> LabelPage:
        """Return one page of the tags or albums of an owner's ready images, with how many have them.

        ``after`` is the ``next`` of the page before. Raises ``InvalidRequest``.
        """
        labels.check_limit(limit)
        beginning = labels.beginning(prefix)
        found = self.catalog.labels(owner, kind, prefix=beginning, after=after, limit=limit + 1)
        return labels.page(found, limit)

    def original(self, owner: str, image_id: str) -> tuple[Image, Stat, BinaryIO]:
        """Open the original for reading, compared to its last byte with what came; the caller closes it.

        Raises ``NotFound``, ``OriginalDeleted``, ``Unavailable`` when it is not what came.
        """
        image = self.image(owner, image_id)
        if image.original is Original.KEPT and not image.from_rendition:
            for key in ledger.source_keys(image):
                try:
                    stat, file = self.uploads.open(key)
                except NotFound:
                    continue
                if ledger.expected_source(image) not in {None, ledger.sha256_of(file)}:
                    file.close()
                    self.figures.add(f.DAMAGED_OBJECTS, finder="delivery")
                    log.error("object damaged", extra={"key": key, "bytes": stat.bytes})
                    raise Unavailable(ORIGINAL_DAMAGED)
                file.seek(0)
                return image, stat, file
            if image.state is State.AWAITING:
                msg = "the original has not arrived yet; send it to the ticket's url first"
                raise NotFound(msg)
        raise OriginalDeleted(ORIGINAL_GONE)

    def edit(self, owner: str, image_id: str, edit: Edit, *, version: int | None = None) -> Image:
        """Change what a person said of an image; without ``version`` it is tried again when others write in between.

        Raises ``NotFound``, ``InvalidRequest``, ``VersionMoved`` when ``version`` is not the stored one any more,
        ``Unavailable`` when so many others write that it does not come to it.
        """
        before, after = self._change(owner, image_id, lambda image: self._edited(image, edit), version=version)
        if after.generation != before.generation:
            self._ask_for_render(after)
        elif after.focus != before.focus:
            self.purge(after)
        return after

    def _change(
        self, owner: str, image_id: str, wish: Callable[[Image], Image], *, version: int | None = None
    ) -> tuple[Image, Image]:
        """Write what ``wish`` makes of an image as it is at that moment; return it before and after.

        Raises ``VersionMoved`` for a ``version`` that is not the stored one, ``Unavailable`` when others come before
        all the time.
        """
        deadline = time.monotonic() + EDIT_SECONDS
        pause = FIRST_PAUSE_SECONDS
        with self.turns.of(image_id, seconds=EDIT_SECONDS):
            while True:
                image = self.image(owner, image_id)
                if version is not None and image.version != version:
                    msg = f"the image is at version {image.version}, not {version}; read it again and decide again"
                    raise VersionMoved(msg)
                changed = wish(image)
                if changed == image:
                    return image, image
                try:
                    return image, self.catalog.replace(changed, version=image.version)
                except VersionMoved as error:
                    if version is not None:
                        raise
                    if time.monotonic() > deadline:
                        msg = "too many others are changing this image at this moment; try again"
                        raise Unavailable(msg, retry_after=1) from error
                time.sleep(random.uniform(0, pause))  # noqa: S311 # nothing secret
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _edited(self, image: Image, edit: Edit) -> Image:
        changes: dict[str, object] = {}
        if not isinstance(edit.title, Unset):
            changes["title"] = names.clean_title(edit.title) if edit.title else None
        if not isinstance(edit.album, Unset):
            changes["album"] = names.clean_tag(edit.album) if edit.album else None
        tags = image.tags if isinstance(edit.tags, Unset) else edit.tags
        removed = {names.fold(names.clean_tag(tag)) for tag in edit.remove_tags}
        kept = [tag for tag in [*tags, *edit.add_tags] if names.fold(names.clean_tag(tag)) not in removed]
        changes["tags"] = names.clean_tags(kept, self.rules.max_tags)
        if not isinstance(edit.focus, Unset) and edit.focus != image.focus:
            if edit.focus is not None and not all(0.0 <= part <= 1.0 for part in edit.focus):
                msg = "focus must be two numbers from 0 to 1, [from the left, from the top]"
                raise InvalidRequest(msg)
            changes["focus"] = edit.focus
            if self.crops_by_focus and self.original_of(image) is not None:
                changes |= self._anew(image)
        return dataclasses.replace(image, **changes)  # type: ignore[arg-type]  # names and types are those above

    @property
    def crops_by_focus(self) -> bool:
        """Whether a focus changes any of the pictures."""
        return any(recipe.fit is Fit.COVER and recipe.gravity == "center" for recipe in self.recipes)

    def reprocess(
        self, owner: str, image_id: str, *, from_rendition: bool = False, version: int | None = None
    ) -> Image:
        """Make all variants anew, from the original or, if that is gone and it is allowed, from the best variant kept.

        Raises ``NotFound``, ``OriginalDeleted``, ``VersionMoved`` as ``edit``.
        """
        rendition: Stored | None = None

        def asked_for_anew(image: Image) -> Image:
            nonlocal rendition
            if image.state is State.AWAITING:
                raise NotFound("the original has not arrived yet; send it to the ticket's url first")
            original = self.original_of(image)
            use_rendition = original is None or image.original is Original.DELETED
            rendition = self._best_rendition(image) if original is None and from_rendition else None
            if use_rendition and (not from_rendition or (original is None and rendition is None)):
                raise OriginalDeleted(ORIGINAL_GONE)
            changes = self._anew(image) | {"error": None, "from_rendition": use_rendition}
            return dataclasses.replace(image, **changes)  # type: ignore[arg-type]  # names and types are those of _anew

        _, stored = self._change(owner, image_id, asked_for_anew, version=version)
        self.reached(Step.REPROCESS_WRITTEN)
        self._ask_for_render(stored, rendition)
        return stored

    def _anew(self, image: Image) -> dict[str, object]:
        """Return what changes in an image whose variants are asked for anew."""
        return {
            "state": State.PROCESSING,
            "generation": image.generation + 1,
            "objects": ledger.promise(image.objects, ledger.slots(self.recipes)),
            "asked_at": self.clock(),
        }

    def _ask_for_render(self, image: Image, rendition: Stored | None = None) -> None:
        """Have an event say that there is something to render; without an original, of ``rendition``."""
        original = self.original_of(image)
        if original is not None:
            self.queue.publish(ObjectCreated(key=original.key, etag=original.etag))
        elif rendition is not None:
            key = names.archive_key(image.id)
            stored = self.uploads.put(key, rendition.body, content_type=rendition.content_type)
            self.queue.publish(ObjectCreated(key=key, etag=stored.etag))
        else:
            self.image(image.owner, image.id)  # it was deleted meanwhile: then that is what to say
            raise OriginalDeleted(ORIGINAL_GONE)
        self.reached(Step.RENDER_ASKED)

    def original_of(self, image: Image) -> Stat | None:
        """Return what there is to render the image from, if there is anything."""
        if image.original is Original.DELETED and not image.from_rendition:
            return None
        for key in ledger.source_keys(image):
            try:
                return self.uploads.stat(key)
            except NotFound:
                continue
        return None

    def _best_rendition(self, image: Image) -> Stored | None:
        """Return a whole variant of the largest there are, or none: from a smaller one all would become smaller.

        AVIF comes last, it is slower to decode.
        """
        largest = max((variant.width * variant.height for variant in image.variants), default=0)
        usable = [variant for variant in image.variants if variant.width * variant.height == largest]
        for variant in sorted(usable, key=lambda variant: variant.format is Format.AVIF):
            try:
                stored = self.assets.get(variant.key)
            except NotFound:
                continue
            if ledger.expected(image, variant.key) in {None, ledger.checksum(stored.body)}:
                return stored
        return None

    def delete(self, owner: str, image_id: str, *, version: int | None = None) -> None:
        """Remove an image and everything made from it: when it returns, nothing of it is answered any more.

        Raises ``NotFound``, ``VersionMoved`` as ``edit``.
        """
        self.image(owner, image_id)
        self.queue.publish(ImageDeleted(image_id=image_id), delay_seconds=ERASE_AGAIN_SECONDS)
        self.reached(Step.ERASURE_PROMISED)
        _, tombstone = self._change(owner, image_id, self._tombstone, version=version)
        self.reached(Step.TOMBSTONE_WRITTEN)
        self.erase(tombstone)
        log.info("image deleted", extra={"image": image_id, "owner": owner})

    def _tombstone(self, image: Image) -> Image:
        return Image(
            id=image.id,
            owner=image.owner,
            state=State.DELETED,
            filename="",
            uploaded_at=image.uploaded_at,
            original=Original.DELETED,
            parts=image.parts,
            # Kept as long as the tombstone: whoever was rendering may put what is in here after all was erased,
            # and has to be able to erase it again.
            objects=image.objects,
            deleted_at=self.clock(),
        )

    def erase(self, image: Image) -> None:
        """Remove every byte of an image that is gone, by its ledger. It may be done again, and end what was cut off."""
        for key in _original_keys(image):
            self.uploads.delete(key)
        InParts(self).drop(image)
        self.reached(Step.ORIGINAL_ERASED)
        for key in ledger.keys(image):
            self.assets.delete(key)
            self.reached(Step.OBJECT_ERASED)
        self.purge(image)
        self.reached(Step.ERASURE_PURGED)

    def purge(self, image: Image) -> None:
        """The image has changed or is gone: what was made of it on demand goes, and every copy of anything of it."""
        results = self.results.void(image.id)
        for name in results:
            self.assets.delete(names.asset_prefix(image.id) + name)
        self.purges.purge(image.id, (*(one.name for one in image.objects), *results))

    # ------------------------------------------------------------------ what upkeep asks

    def forget_upload(self, image: Image) -> None:
        """Forget an upload whose bytes have not come. Raises ``VersionMoved``, ``NotFound``."""
        self.catalog.forget(image.id, version=image.version)
        InParts(self).drop(image)

    def resume(self, image: Image) -> None:
        """Have an image worked on of whose original nobody seems to know; where there is none, the image fails.

        Raises ``VersionMoved``, ``NotFound``.
        """
        rendition = None
        if image.from_rendition and self.original_of(image) is None:
            rendition = self._best_rendition(image)
        try:
            self._ask_for_render(image, rendition)
        except OriginalDeleted:
            self.fail_without_original(image)

    def fail_without_original(self, image: Image) -> None:
        """Fail an image that has nothing to be made from, and never will. Raises ``VersionMoved``, ``NotFound``."""
        detail = "its bytes were not there when they were to be processed; upload the file again"
        failed = dataclasses.replace(
            image,
            state=State.FAILED,
            error=Failure(code="original-missing", detail=detail),
            original=Original.DELETED,
            from_rendition=False,
        )
        self.catalog.replace(failed, version=image.version)
        log.warning(
            "image failed",
            extra={"image": image.id, "owner": image.owner, "code": "original-missing", "detail": detail},
        )

    def drop_original(self, image: Image) -> None:
        """Remove the original of a failed image: it was kept long enough. Raises ``VersionMoved``, ``NotFound``."""
        self.catalog.replace(dataclasses.replace(image, original=Original.DELETED), version=image.version)
        for key in _original_keys(image):
            self.uploads.delete(key)

    def check(self) -> None:
        """Return when catalog and buckets answer; raises ``Unavailable`` with the reason."""
        self.catalog.check()
        self.uploads.check()
        self.assets.check()

    # ------------------------------------------------------------------ what events ask

    def handle(self, event: Event) -> None:
        """Do what an event asks.

        Returning means it is done, also when there was nothing to do; any exception means: not now, again later.
        """
        match event:
            case ObjectCreated():
                self.object_created(event)
            case ImageDeleted():
                self.image_deleted(event)
            case EdgePurge():
                self.edge_purge(event)
            case ResultWanted():
                OnDemand(self).result_wanted(event)
            case BulkStep():
                Bulk(self).step(event)

    def image_deleted(self, event: ImageDeleted) -> None:
        """Finish the erasure of a tombstone."""
        image = self.catalog.get(event.image_id)
        if image is not None and image.state is State.DELETED:
            self.erase(image)

    def edge_purge(self, event: EdgePurge) -> None:
        """Have the edge in front of delivery forget an image."""
        if self.far_edge is not None:
            self.far_edge.forget(event.image_id, event.names)

    def object_created(self, event: ObjectCreated) -> None:
        """Turn an original that has arrived into a ready image, or into a failed one with a reason: ``arrival.py``."""
        Arrival(self).object_created(event)

    def give_up(self, event: Event, reason: str, *, code: str = GAVE_UP) -> None:
        """The last try has failed: say so where people look. The event itself is buried by whoever holds it."""
        if isinstance(event, BulkStep):
            Bulk(self).give_up(event, reason)
            return
        Arrival(self).give_up(event, reason, code=code)


ORIGINAL_DAMAGED = "the stored original is not what was received; it is not given out, restore it from a backup"
ORIGINAL_GONE = "the original was removed after processing, as this service is set up; the variants are still there"

_TYPE_OF_EXTENSION = {
    **{kind.extension: kind.content_type for kind in Format},
    "jpeg": "image/jpeg",
    "tiff": "image/tiff",
    "heif": "image/heic",
}
_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$&-^_.+")


def _media_type(claimed: str | None, filename: str) -> str:
    """Return the media type an upload goes by: a claim only, what the bytes are is looked at later."""
    if not claimed:
        extension = filename.rpartition(".")[2].lower()
        return _TYPE_OF_EXTENSION.get(extension, "application/octet-stream")
    kind, slash, subtype = claimed.strip().lower().partition("/")
    if not (slash and kind and subtype and len(claimed) <= 100 and _TOKEN.issuperset(kind + subtype)):
        msg = "content_type must be a media type without parameters, such as image/jpeg; or leave it away"
        raise InvalidRequest(msg)
    return f"{kind}/{subtype}"


def _digest_of(body: Path) -> str:
    with body.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(text: str) -> str:
    lowered = text.lower()
    if len(lowered) != 64 or not frozenset("0123456789abcdef").issuperset(lowered):
        msg = "sha256 must be 64 hexadecimal digits"
        raise InvalidRequest(msg)
    return lowered


def _original_keys(image: Image) -> tuple[str, str]:
    """Return everywhere in the upload bucket where something of an image may lie."""
    return names.original_key(image.id), names.archive_key(image.id)


def utc_now() -> datetime:
    """Return the aware time of now: the clock of every deployment."""
    return datetime.now(UTC)
