"""The diagram as a dataclass: a field for each box, a method for each thing a person or an event can ask."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from io import SEEK_END
from typing import TYPE_CHECKING, BinaryIO

from darkroom import figures as f
from darkroom import ledger, names
from darkroom.catalog import Claim
from darkroom.catalog.quotas import Quota
from darkroom.errors import (
    AlreadyExists,
    InvalidRequest,
    NotFound,
    OriginalDeleted,
    Refused,
    TooLarge,
    TooManyPixels,
    Unavailable,
    UnsupportedFormat,
    VersionMoved,
)
from darkroom.events import EdgePurge, ImageDeleted, ObjectCreated
from darkroom.model import Facts, Failure, Format, Image, Original, OriginalPolicy, Shelved, State, Variant
from darkroom.transform import Limits, Order
from darkroom.transform.recipes import Fit
from darkroom.transform.sniff import HEAD_BYTES, sniff
from darkroom.uploads import Promise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from darkroom.bucket import Bucket, Stat, Stored
    from darkroom.catalog import Catalog
    from darkroom.catalog.quotas import Usage
    from darkroom.edge import FarEdge, Purges
    from darkroom.events import Event, Queue
    from darkroom.figures import Figures
    from darkroom.model import Page, Query
    from darkroom.transform import Inspect, Rendered, Slot, Transform
    from darkroom.transform.recipes import Recipe
    from darkroom.uploads import Ticket, Tickets

log = logging.getLogger("darkroom.images")

ERASE_AGAIN_SECONDS = 15.0
"""An erasure is promised to the queue before it is begun, this far ahead: if the process dies in between, the queue
finishes it."""

GAVE_UP = "gave-up"
"""The code of an image that failed for no fault of its file."""

RENDER_TRIES = 2
"""How often an original is decoded when the decoding process itself fails: once more, because the machine may have
lacked memory, and no more, because a file made to hang decoders would hold one for a minute each time."""

CLAIM_LIFE = timedelta(hours=24)
"""How long an ``Idempotency-Key`` is remembered (the contract's 24 hours)."""

EDIT_SECONDS = 10.0
"""How long an edit without a version goes on trying while others write in between."""


class Step(StrEnum):
    """The moments between two effects of a flow, in their order: where a process may die, and what follows must cope.

    ``Service.reached`` is told of each.
    """

    IMAGE_CREATED = "image-created"
    ORIGINAL_STORED = "original-stored"

    EVENT_TAKEN = "event-taken"
    RENDERED = "rendered"
    LEDGER_WRITTEN = "ledger-written"
    OBJECT_SHELVED = "object-shelved"
    """After each of them."""
    STALE_REMOVED = "stale-removed"
    COMMITTED = "committed"
    CHANGE_PURGED = "change-purged"
    ORIGINAL_ARCHIVED = "original-archived"
    ORIGINAL_DISPOSED = "original-disposed"
    FAILURE_WRITTEN = "failure-written"

    REPROCESS_WRITTEN = "reprocess-written"
    RENDER_ASKED = "render-asked"

    ERASURE_PROMISED = "erasure-promised"
    TOMBSTONE_WRITTEN = "tombstone-written"
    ORIGINAL_ERASED = "original-erased"
    OBJECT_ERASED = "object-erased"
    """After each of them."""
    ERASURE_PURGED = "erasure-purged"


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
class Unset:
    """A member of an edit that was not given (``None`` means: take it away)."""


UNSET = Unset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a person wants changed. ``tags`` replaces all of them; ``add_tags`` and ``remove_tags`` are sets."""

    title: str | Unset | None = UNSET
    album: str | Unset | None = UNSET
    tags: tuple[str, ...] | Unset = UNSET
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    focus: tuple[float, float] | Unset | None = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One way to fill these fields is a deployment; nothing in here knows which one it is in."""

    catalog: Catalog
    uploads: Bucket
    assets: Bucket
    tickets: Tickets
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
    far_edge: FarEdge | None = None
    """What stands in front of delivery, where something does that has to be told."""
    reached: Callable[[Step], None] = _unnoticed

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

    def open_upload(self, owner: str, upload: Upload, *, idempotency_key: str | None = None) -> tuple[Image, Ticket]:
        """Begin an upload by ticket: return the awaiting image and permission to put exactly its bytes.

        The same key and request give the same answer. Raises ``Conflict`` for a key used for another request,
        ``OverQuota``.
        """
        image, _ = self._begin(owner, upload, State.AWAITING, upload.fingerprint, idempotency_key)
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
        fingerprint = f"{upload.fingerprint} {_digest_of(body)}" if idempotency_key else ""
        image, is_new = self._begin(owner, upload, State.PROCESSING, fingerprint, idempotency_key)
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
            if sniff(file.read(HEAD_BYTES)) is None:
                raise UnsupportedFormat(NOT_AN_IMAGE)
            file.seek(0)
            width, height = self.inspect(file)
        if width > limits.side or height > limits.side or width * height > limits.pixels:
            msg = (
                f"the picture is {width}×{height}; at most {limits.side} a side and {limits.pixels} pixels are accepted"
            )
            raise TooManyPixels(msg)

    def _begin(
        self, owner: str, upload: Upload, state: State, fingerprint: str, idempotency_key: str | None
    ) -> tuple[Image, bool]:
        """Return the image of an upload, and whether it was made just now."""
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

    def original(self, owner: str, image_id: str) -> tuple[Image, Stat, BinaryIO]:
        """Open the original for reading; the caller closes it. Raises ``NotFound``, ``OriginalDeleted``."""
        image = self.image(owner, image_id)
        if image.original is Original.KEPT:
            for key in _original_keys(image):
                try:
                    stat, file = self.uploads.open(key)
                except NotFound:
                    continue
                return image, stat, file
            if image.state is State.AWAITING:
                msg = "the original has not arrived yet; send it to the ticket's url first"
                raise NotFound(msg)
        raise OriginalDeleted(ORIGINAL_GONE)

    def edit(self, owner: str, image_id: str, edit: Edit, *, version: int | None = None) -> Image:
        """Change what a person said of an image; without ``version`` it is tried again when others write in between.

        Raises ``NotFound``, ``InvalidRequest``, ``VersionMoved`` when ``version`` is not the stored one any more.
        """
        before, after = self._change(owner, image_id, lambda image: self._edited(image, edit), version=version)
        if after.generation != before.generation:
            self._ask_for_render(after)
        return after

    def _change(
        self, owner: str, image_id: str, wish: Callable[[Image], Image], *, version: int | None = None
    ) -> tuple[Image, Image]:
        """Write what ``wish`` makes of an image as it is at that moment; return it before and after."""
        deadline = time.monotonic() + EDIT_SECONDS
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
            except VersionMoved:
                if version is not None or time.monotonic() > deadline:
                    raise

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
            if self._crops_by_focus and self._original_of(image) is not None:
                changes |= self._anew(image)
        return dataclasses.replace(image, **changes)  # type: ignore[arg-type]  # names and types are those above

    @property
    def _crops_by_focus(self) -> bool:
        return any(recipe.fit is Fit.COVER and recipe.gravity == "center" for recipe in self.recipes)

    def reprocess(self, owner: str, image_id: str, *, from_rendition: bool = False) -> Image:
        """Make all variants anew, from the original or, if that is gone and it is allowed, from the best variant kept.

        Raises ``NotFound``, ``OriginalDeleted``.
        """
        rendition: Stored | None = None

        def asked_for_anew(image: Image) -> Image:
            nonlocal rendition
            if image.state is State.AWAITING:
                raise NotFound("the original has not arrived yet; send it to the ticket's url first")
            original = self._original_of(image)
            use_rendition = original is None or image.original is Original.DELETED
            rendition = self._best_rendition(image) if original is None and from_rendition else None
            if use_rendition and (not from_rendition or (original is None and rendition is None)):
                raise OriginalDeleted(ORIGINAL_GONE)
            changes = self._anew(image) | {"error": None, "from_rendition": use_rendition}
            return dataclasses.replace(image, **changes)  # type: ignore[arg-type]  # names and types are those of _anew

        _, stored = self._change(owner, image_id, asked_for_anew)
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
        original = self._original_of(image)
        if original is not None:
            self.queue.publish(ObjectCreated(key=original.key, etag=original.etag))
        elif rendition is not None:
            # As any original that arrives, this publishes itself.
            key = names.original_key(image.id)
            self.uploads.put(key, rendition.body, content_type=rendition.content_type)
        else:
            raise OriginalDeleted(ORIGINAL_GONE)
        self.reached(Step.RENDER_ASKED)

    def _original_of(self, image: Image) -> Stat | None:
        """Return what there is to render the image from, if there is anything."""
        if image.original is Original.DELETED and not image.from_rendition:
            return None
        for key in _original_keys(image):
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

    def delete(self, owner: str, image_id: str) -> None:
        """Remove an image and everything made from it: when it returns, nothing of it is answered any more.

        Raises ``NotFound``.
        """
        self.image(owner, image_id)
        self.queue.publish(ImageDeleted(image_id=image_id), delay_seconds=ERASE_AGAIN_SECONDS)
        self.reached(Step.ERASURE_PROMISED)
        _, tombstone = self._change(owner, image_id, self._tombstone)
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
            # Kept as long as the tombstone: whoever was rendering may put what is in here after all was erased,
            # and has to be able to erase it again.
            objects=image.objects,
            deleted_at=self.clock(),
        )

    def erase(self, image: Image) -> None:
        """Remove every byte of an image that is gone, by its ledger. It may be done again, and end what was cut off."""
        for key in _original_keys(image):
            self.uploads.delete(key)
        self.reached(Step.ORIGINAL_ERASED)
        for key in ledger.keys(image):
            self.assets.delete(key)
            self.reached(Step.OBJECT_ERASED)
        self._purge(image)
        self.reached(Step.ERASURE_PURGED)

    def _purge(self, image: Image) -> None:
        self.purges.purge(image.id, tuple(one.name for one in image.objects))

    # ------------------------------------------------------------------ what upkeep asks

    def resume(self, image: Image) -> None:
        """Have an image worked on of whose original nobody seems to know; where there is none, the image fails.

        Raises ``VersionMoved``, ``NotFound``.
        """
        rendition = None
        if image.from_rendition and self._original_of(image) is None:
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
        """Turn an original that has arrived into a ready image, or into a failed one with a reason.

        The steps are those of ``docs/architecture.md``. Killed anywhere, the same event ends the work later.
        """
        image = self.catalog.get(event.image_id) if names.is_id(event.image_id) else None
        if image is None:
            log.warning("object without image", extra={"key": event.key})
            return
        if image.state is State.DELETED:
            self.erase(image)
            return
        if image.state is State.READY:
            if image.generation > 1:  # whoever committed it may have died before the edges were told
                self._purge(image)
            self._look_after_original(image, event)
            return
        self.reached(Step.EVENT_TAKEN)
        laps = Laps()
        try:
            stat, original = self.uploads.open(event.key)
            laps.seconds["waited"] = max(0.0, (self.clock() - stat.modified).total_seconds())
            with original:
                rendered = self._rendered(image, stat, original)
        except NotFound:
            if image.original is Original.DELETED and not image.from_rendition:
                return  # the image failed, and its original was kept for as long as it is
            raise  # a store may lag behind its event; when it never catches up, the last try says so
        except Refused as refusal:
            self._fail(image, Failure(code=refusal.code, detail=refusal.detail), laps)
            return
        laps.end("render")
        self.reached(Step.RENDERED)
        self._finish(image, stat, rendered, laps)

    def _look_after_original(self, image: Image, event: ObjectCreated) -> None:
        """Do what is left to do for an image that is ready already."""
        archived = event.key == names.original_key(image.id) and self._exists(names.archive_key(image.id))
        if archived or image.original is Original.DELETED:
            self.uploads.delete(event.key)
            if event.etag != image.original_etag:
                log.warning("upload replayed", extra={"image": image.id})
        elif event.etag == image.original_etag:
            self._dispose_of_original(image, event.key)
        # Else it is the original that is kept: its tag changes when a folder is copied, its bytes do not.

    def _exists(self, key: str) -> bool:
        try:
            self.uploads.stat(key)
        except NotFound:
            return False
        return True

    def _rendered(self, image: Image, stat: Stat, original: BinaryIO) -> Rendered:
        if stat.bytes > self.rules.limits.bytes:
            msg = f"the file has {stat.bytes} bytes; at most {self.rules.limits.bytes} are accepted"
            raise TooLarge(msg)
        if original.seek(0, SEEK_END) != stat.bytes:
            raise Unavailable("the bucket gave only a part of the original; it is asked again")
        original.seek(0)
        try:
            if sniff(original.read(HEAD_BYTES)) is None:
                raise UnsupportedFormat(NOT_AN_IMAGE)
            original.seek(0)
            order = Order(recipes=self.recipes, focus=image.focus, limits=self.rules.limits)
            rendered = self.transform.render(original, order)
        except Refused:
            if _known_sha256(image) is not None:
                original.seek(0)
                _check_source(image, ledger.sha256_of(original))
            raise
        _check_source(image, rendered.facts.source.sha256)
        return rendered

    def _finish(self, image: Image, original: Stat, rendered: Rendered, laps: Laps) -> None:
        made = {names.slot_name(slot.variant, slot.extension): slot for slot in rendered.slots}
        promised = self._promise(image, made.keys())
        if promised is None:
            return
        self.reached(Step.LEDGER_WRITTEN)
        prefix = names.asset_prefix(image.id)
        for name, slot in made.items():
            self.assets.put(prefix + name, slot.body, content_type=slot.format.content_type)
            self.reached(Step.OBJECT_SHELVED)
        stale = tuple(one.name for one in promised.objects if one.name not in made)
        for name in stale:
            self.assets.delete(prefix + name)
        if stale:  # before the commit, which forgets them
            self.purges.purge(image.id, stale)
        laps.end("shelve")
        self.reached(Step.STALE_REMOVED)
        stored = self._commit(promised, original, rendered.facts, made)
        if stored is None:
            return
        laps.end("commit")
        self._report(image, rendered, laps)
        self.reached(Step.COMMITTED)
        if image.generation > 1:
            self._purge(stored)
            self.reached(Step.CHANGE_PURGED)
        self._dispose_of_original(stored, original.key)
        self.reached(Step.ORIGINAL_DISPOSED)

    def _report(self, image: Image, rendered: Rendered, laps: Laps) -> None:
        source = rendered.facts.source
        self.figures.add(f.TRANSFORMS, format=source.format, outcome="ready")
        self.figures.time(f.TRANSFORM_SECONDS, laps.total(), outcome="ready")
        for slot in rendered.slots:
            self.figures.add(f.VARIANT_BYTES, len(slot.body), format=slot.format)
        log.info(
            "image ready",
            extra={
                "image": image.id,
                "owner": image.owner,
                "format": source.format,
                "width": source.width,
                "height": source.height,
                "bytes": source.bytes,
                "variant_bytes": sum(len(slot.body) for slot in rendered.slots),
                **laps.fields(),
            },
        )

    def _promise(self, image: Image, made: Iterable[str]) -> Image | None:
        """Return the image, its ledger naming all that is ``made``; ``None`` when nobody wants that any more."""
        while True:
            current = self.catalog.get(image.id)
            if current is None or current.state is State.DELETED:
                self.erase(current or image)
                return None
            if current.generation != image.generation or current.state is State.READY:
                log.info("render superseded", extra={"image": image.id})
                return None
            self._check_focus(image, current)
            if set(made) <= {one.name for one in current.objects}:
                return current
            # The recipes are others than when the image was asked for.
            promised = dataclasses.replace(current, objects=ledger.promise(current.objects, made))
            try:
                return self.catalog.replace(promised, version=current.version)
            except (VersionMoved, NotFound):
                continue

    def _commit(self, image: Image, original: Stat, facts: Facts, made: Mapping[str, Slot]) -> Image | None:
        """The one commit point: the moment search can see it. ``None`` when there is nothing left to do after it."""
        objects = tuple(Shelved(name=name, checksum=ledger.checksum(slot.body)) for name, slot in made.items())
        while True:
            current = self.catalog.get(image.id)
            if current is None or current.state is State.DELETED:
                self.erase(current or image)
                return None
            if current.generation != image.generation or current.state is State.READY:
                if current.generation == image.generation and set(objects) <= set(current.objects):
                    self._dispose_of_original(current, original.key)  # another delivery of the event made the same
                else:
                    self._uncross(current, _variants(image, made), objects)
                return None
            self._check_focus(image, current)
            kept = self.rules.originals is not OriginalPolicy.DELETE and not current.from_rendition
            if current.from_rendition and current.facts is not None:
                facts = dataclasses.replace(facts, source=current.facts.source, exif=current.facts.exif)
            ready = dataclasses.replace(
                current,
                state=State.READY,
                facts=facts,
                variants=_variants(image, made),
                objects=objects,
                error=None,
                original=Original.KEPT if kept else Original.DELETED,
                original_etag=original.etag,
                from_rendition=False,
            )
            try:
                return self.catalog.replace(ready, version=current.version)
            except (VersionMoved, NotFound):
                continue

    def _check_focus(self, image: Image, current: Image) -> None:
        """Raise ``Unavailable`` when the focus was set in the moment in which the original arrived."""
        if current.focus != image.focus and self._crops_by_focus:
            raise Unavailable("the focus was set while the picture was being made; it is made again")

    def _uncross(self, image: Image, variants: tuple[Variant, ...], objects: tuple[Shelved, ...]) -> None:
        """Set right that two renders put their objects under the same keys at the same time; these here are ours.

        The ledger speaks, or is going to speak, of those of one, while those of the other may lie there. With an
        original everything is made once more; without, what lies there is what counts: whole pictures, all of them.
        """
        while True:
            lying = tuple(self._lying(image, one.name) for one in image.objects)
            if image.state is State.READY and lying == image.objects:
                return
            log.warning("renders crossed", extra={"image": image.id})
            try:
                if self._original_of(image) is not None:
                    self.reprocess(image.owner, image.id, from_rendition=True)
                elif image.state is State.READY:
                    ours = {names.asset_prefix(image.id) + one.name for one in objects if one in lying}
                    shown = {variant.key: variant for variant in image.variants}
                    shown |= {variant.key: variant for variant in variants if variant.key in ours}
                    recorded = dataclasses.replace(image, objects=lying, variants=tuple(shown.values()))
                    self._purge(self.catalog.replace(recorded, version=image.version))
            except VersionMoved:
                current = self.delivered(image.id)
                if current is not None:
                    image = current
                    continue
            except (NotFound, OriginalDeleted):  # gone meanwhile
                return
            return

    def _lying(self, image: Image, name: str) -> Shelved:
        """Return what would be recorded of an object as it lies there."""
        try:
            body = self.assets.get(names.asset_prefix(image.id) + name).body
        except NotFound:
            return Shelved(name=name)
        return Shelved(name=name, checksum=ledger.checksum(body))

    def _dispose_of_original(self, image: Image, key: str) -> None:
        if image.original is Original.DELETED:
            self.uploads.delete(key)
        elif self.rules.originals is OriginalPolicy.ARCHIVE and key != names.archive_key(image.id):
            try:
                stat, file = self.uploads.open(key)
            except NotFound:  # another delivery of the event has done it
                return
            with file:
                self.uploads.put(names.archive_key(image.id), file.read(), content_type="application/octet-stream")
            self.reached(Step.ORIGINAL_ARCHIVED)
            self.uploads.delete(stat.key)

    def _fail(self, image: Image, failure: Failure, laps: Laps) -> None:
        while True:
            current = self.catalog.get(image.id)
            if current is None or current.generation != image.generation:
                return
            if current.state in {State.READY, State.DELETED}:  # another delivery of the event was luckier, or a person
                return
            try:
                self.catalog.replace(
                    dataclasses.replace(current, state=State.FAILED, error=failure, from_rendition=False),
                    version=current.version,
                )
                break
            except (VersionMoved, NotFound):
                continue
        self.reached(Step.FAILURE_WRITTEN)
        if current.from_rendition:  # what lies there is only a copy
            self.uploads.delete(names.original_key(image.id))
        self.figures.add(f.TRANSFORMS, format="unknown", outcome=failure.code)
        self.figures.time(f.TRANSFORM_SECONDS, laps.total(), outcome="failed")
        log.warning(
            "image failed",
            extra={
                "image": image.id,
                "owner": image.owner,
                "code": failure.code,
                "detail": failure.detail,
                **laps.fields(),
            },
        )

    def give_up(self, event: Event, reason: str, *, code: str = GAVE_UP) -> None:
        """The last try has failed: say so where the uploader looks. The event itself is buried by whoever holds it."""
        if isinstance(event, ObjectCreated):
            image = self.catalog.get(event.image_id) if names.is_id(event.image_id) else None
            if image is not None and image.state not in {State.READY, State.DELETED}:
                detail = (
                    f"processing was tried several times without success ({reason}); reprocess it or upload it again"
                    if code == GAVE_UP
                    else f"{reason}; tried once more it was no better, so save the picture anew and upload that"
                )
                self._fail(image, Failure(code=code, detail=detail), Laps())


class Laps:
    """How long a piece of work has taken, and each step of it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = self._lap = time.monotonic()

    def end(self, step: str) -> None:
        """The step has ended, and the next begins."""
        now = time.monotonic()
        self.seconds[step] = now - self._lap
        self._lap = now

    def total(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self._began

    def fields(self) -> dict[str, float]:
        """Return it all as fields of a log line."""
        named = {f"{step}_seconds": seconds for step, seconds in self.seconds.items()} | {"seconds": self.total()}
        return {name: round(seconds, 3) for name, seconds in named.items()}


NOT_AN_IMAGE = "the bytes are no picture this service reads; send JPEG, PNG, WebP, GIF, TIFF, AVIF or HEIC"
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
    """Return where the original of an image may lie in the upload bucket."""
    return names.original_key(image.id), names.archive_key(image.id)


def _variants(image: Image, made: Mapping[str, Slot]) -> tuple[Variant, ...]:
    prefix = names.asset_prefix(image.id)
    return tuple(
        Variant(
            name=slot.variant,
            format=slot.format,
            width=slot.width,
            height=slot.height,
            bytes=len(slot.body),
            key=prefix + name,
        )
        for name, slot in made.items()
        if slot.listed
    )


def _known_sha256(image: Image) -> str | None:
    """Return the SHA-256 that the bytes to be rendered have to have, as far as it is known."""
    if image.from_rendition:
        return None
    return image.promised_sha256 if image.facts is None else image.facts.source.sha256


def _check_source(image: Image, sha256: str) -> None:
    """Raise ``Refused`` when the bytes that were read are not those that were promised, or received once."""
    if _known_sha256(image) in {None, sha256}:
        return
    msg = (
        "the bytes that arrived do not have the SHA-256 that was promised; upload the file again, unchanged"
        if image.facts is None
        else "the stored original no longer has the SHA-256 it was received with; restore it from a backup"
    )
    raise Refused(msg, code="checksum-mismatch")


def utc_now() -> datetime:
    """Return the aware time of now: the clock of every deployment."""
    return datetime.now(UTC)
