"""What happens when an original has arrived: rendered, shelved, committed, and the original disposed of.

The order of the steps is that of ``docs/architecture.md``: whoever dies between two of them leaves nothing that the
same event, given out again, does not put right.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from dataclasses import dataclass
from io import SEEK_END
from typing import TYPE_CHECKING, BinaryIO

from darkroom import figures as f
from darkroom import ledger, names
from darkroom.errors import NotFound, OriginalDeleted, Refused, TooLarge, Unavailable, VersionMoved
from darkroom.events import ObjectCreated
from darkroom.model import Failure, Original, OriginalPolicy, Shelved, State, Variant
from darkroom.steps import Step
from darkroom.transform import Order
from darkroom.transform.sniff import HEAD_BYTES, recognise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from darkroom.bucket import Stat
    from darkroom.events import Event
    from darkroom.model import Facts, Image
    from darkroom.service import Service
    from darkroom.transform import Rendered, Slot

log = logging.getLogger("darkroom.images")

GAVE_UP = "gave-up"
"""The code of an image that failed for no fault of its file."""

RENDER_TRIES = 2
"""How often an original is decoded when the decoding process itself fails: once more, because the machine may have
lacked memory, and no more, because a file made to hang decoders would hold one for a minute each time."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the service does about an original that has arrived."""

    service: Service

    def object_created(self, event: ObjectCreated) -> None:
        """Turn an original that has arrived into a ready image, or into a failed one with a reason.

        The steps are those of ``docs/architecture.md``. Killed anywhere, the same event ends the work later.
        """
        image = self.service.catalog.get(event.image_id) if names.is_id(event.image_id) else None
        if image is None:
            log.warning("object without image", extra={"key": event.key})
            return
        if image.state is State.DELETED:
            self.service.erase(image)
            return
        if image.state is State.READY:
            if image.generation > 1:  # whoever committed it may have died before the edges were told
                self.service.purge(image)
            self._look_after_original(image, event)
            return
        if image.generation > 1 and self._is_made_from_another(image, event):
            self.service.uploads.delete(event.key)
            log.warning("upload replayed", extra={"image": image.id})
            return
        self.service.reached(Step.EVENT_TAKEN)
        laps = Laps()
        try:
            stat, original = self.service.uploads.open(event.key)
            laps.seconds["waited"] = max(0.0, (self.service.clock() - stat.modified).total_seconds())
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
        self.service.reached(Step.RENDERED)
        self._finish(image, stat, rendered, laps)

    def _look_after_original(self, image: Image, event: ObjectCreated) -> None:
        """Do what is left to do for an image that is ready already."""
        if self._is_made_from_another(image, event) or image.original is Original.DELETED:
            self.service.uploads.delete(event.key)
            if event.etag != image.original_etag:
                log.warning("upload replayed", extra={"image": image.id})
        elif event.etag == image.original_etag:
            self._dispose_of_original(image, event.key)
        # Else it is the original that is kept: its tag changes when a folder is copied, its bytes do not.

    def _is_made_from_another(self, image: Image, event: ObjectCreated) -> bool:
        """Tell whether what has arrived is not what the image is made from, which lies in the archive."""
        if event.key != names.original_key(image.id):
            return False
        return image.from_rendition or self._exists(names.archive_key(image.id))

    def _exists(self, key: str) -> bool:
        try:
            self.service.uploads.stat(key)
        except NotFound:
            return False
        return True

    def _rendered(self, image: Image, stat: Stat, original: BinaryIO) -> Rendered:
        if stat.bytes > self.service.rules.limits.bytes:
            msg = f"the file has {stat.bytes} bytes; at most {self.service.rules.limits.bytes} are accepted"
            raise TooLarge(msg)
        if original.seek(0, SEEK_END) != stat.bytes:
            raise Unavailable("the bucket gave only a part of the original; it is asked again")
        original.seek(0)
        try:
            recognise(original.read(HEAD_BYTES), svg=self.service.rules.limits.svg)
            original.seek(0)
            order = Order(recipes=self.service.recipes, focus=image.focus, limits=self.service.rules.limits)
            rendered = self.service.transform.render(original, order)
        except Refused:
            if ledger.expected_source(image) is not None:
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
        self.service.reached(Step.LEDGER_WRITTEN)
        prefix = names.asset_prefix(image.id)
        for name, slot in made.items():
            self.service.assets.put(prefix + name, slot.body, content_type=slot.format.content_type)
            self.service.reached(Step.OBJECT_SHELVED)
        stale = tuple(one.name for one in promised.objects if one.name not in made)
        for name in stale:
            self.service.assets.delete(prefix + name)
        if stale:  # before the commit, which forgets them
            self.service.purges.purge(image.id, stale)
        laps.end("shelve")
        self.service.reached(Step.STALE_REMOVED)
        stored = self._commit(promised, original, rendered.facts, made)
        if stored is None:
            return
        laps.end("commit")
        self._report(image, rendered, laps)
        self.service.reached(Step.COMMITTED)
        if image.generation > 1:
            self.service.purge(stored)
            self.service.reached(Step.CHANGE_PURGED)
        self._dispose_of_original(stored, original.key)
        self.service.reached(Step.ORIGINAL_DISPOSED)

    def _report(self, image: Image, rendered: Rendered, laps: Laps) -> None:
        source = rendered.facts.source
        self.service.figures.add(f.TRANSFORMS, format=source.format, outcome="ready")
        self.service.figures.time(f.TRANSFORM_SECONDS, laps.total(), outcome="ready")
        for slot in rendered.slots:
            self.service.figures.add(f.VARIANT_BYTES, len(slot.body), format=slot.format)
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
            current = self.service.catalog.get(image.id)
            if current is None or current.state is State.DELETED:
                self.service.erase(current or image)
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
                return self.service.catalog.replace(promised, version=current.version)
            except (VersionMoved, NotFound):
                continue

    def _commit(self, image: Image, original: Stat, facts: Facts, made: Mapping[str, Slot]) -> Image | None:
        """The one commit point: the moment search can see it. ``None`` when there is nothing left to do after it."""
        objects = tuple(Shelved(name=name, checksum=ledger.checksum(slot.body)) for name, slot in made.items())
        while True:
            current = self.service.catalog.get(image.id)
            if current is None or current.state is State.DELETED:
                self.service.erase(current or image)
                return None
            if current.generation != image.generation or current.state is State.READY:
                if current.generation == image.generation and set(objects) <= set(current.objects):
                    self._dispose_of_original(current, original.key)  # another delivery of the event made the same
                else:
                    self._uncross(current, _variants(image, made), objects)
                return None
            self._check_focus(image, current)
            kept = self.service.rules.originals is not OriginalPolicy.DELETE and not current.from_rendition
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
                parts=None,
                from_rendition=False,
            )
            try:
                return self.service.catalog.replace(ready, version=current.version)
            except (VersionMoved, NotFound):
                continue

    def _check_focus(self, image: Image, current: Image) -> None:
        """Raise ``Unavailable`` when the focus was set in the moment in which the original arrived."""
        if current.focus != image.focus and self.service.crops_by_focus:
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
                if self.service.original_of(image) is not None:
                    self.service.reprocess(image.owner, image.id, from_rendition=True)
                elif image.state is State.READY:
                    ours = {names.asset_prefix(image.id) + one.name for one in objects if one in lying}
                    shown = {variant.key: variant for variant in image.variants}
                    shown |= {variant.key: variant for variant in variants if variant.key in ours}
                    recorded = dataclasses.replace(image, objects=lying, variants=tuple(shown.values()))
                    self.service.purge(self.service.catalog.replace(recorded, version=image.version))
            except VersionMoved:
                current = self.service.delivered(image.id)
                if current is not None:
                    image = current
                    continue
            except (NotFound, OriginalDeleted):  # gone meanwhile
                return
            return

    def _lying(self, image: Image, name: str) -> Shelved:
        """Return what would be recorded of an object as it lies there."""
        try:
            body = self.service.assets.get(names.asset_prefix(image.id) + name).body
        except NotFound:
            return Shelved(name=name)
        return Shelved(name=name, checksum=ledger.checksum(body))

    def _dispose_of_original(self, image: Image, key: str) -> None:
        if image.original is Original.DELETED:
            self.service.uploads.delete(key)
        elif self.service.rules.originals is OriginalPolicy.ARCHIVE and key != names.archive_key(image.id):
            try:
                stat, file = self.service.uploads.open(key)
            except NotFound:  # another delivery of the event has done it
                return
            with file:
                self.service.uploads.put(
                    names.archive_key(image.id), file.read(), content_type="application/octet-stream"
                )
            self.service.reached(Step.ORIGINAL_ARCHIVED)
            self.service.uploads.delete(stat.key)

    def _fail(self, image: Image, failure: Failure, laps: Laps) -> None:
        while True:
            current = self.service.catalog.get(image.id)
            if current is None or current.generation != image.generation:
                return
            if current.state in {State.READY, State.DELETED}:  # another delivery of the event was luckier, or a person
                return
            try:
                self.service.catalog.replace(
                    dataclasses.replace(current, state=State.FAILED, error=failure, parts=None, from_rendition=False),
                    version=current.version,
                )
                break
            except (VersionMoved, NotFound):
                continue
        self.service.reached(Step.FAILURE_WRITTEN)
        if current.from_rendition:  # what lies there is only a copy
            self.service.uploads.delete(names.archive_key(image.id))
        self.service.figures.add(f.TRANSFORMS, format="unknown", outcome=failure.code)
        self.service.figures.time(f.TRANSFORM_SECONDS, laps.total(), outcome="failed")
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
            image = self.service.catalog.get(event.image_id) if names.is_id(event.image_id) else None
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


def _check_source(image: Image, sha256: str) -> None:
    """Raise ``Refused`` when the bytes that were read are not those that were promised, or received once."""
    if ledger.expected_source(image) in {None, sha256}:
        return
    msg = (
        "the bytes that arrived do not have the SHA-256 that was promised; upload the file again, unchanged"
        if image.facts is None
        else "the stored original no longer has the SHA-256 it was received with; restore it from a backup"
    )
    raise Refused(msg, code="checksum-mismatch")
