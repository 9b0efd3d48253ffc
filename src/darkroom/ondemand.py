"""Results on demand: any transformation of an image, made once, shelved, and delivered like a variant from then on.

The order of the steps: claim it, which enters its name in the ledger of results; look at the image; render; put; look
at the image again; commit. Whoever deletes or changes an image writes that first and then removes all names that are
entered. So either the one who makes a result sees the change, or the one who changes the image sees the name.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom import figures as f
from darkroom import ledger, names
from darkroom.errors import InvalidRequest, NotFound, Refused, Unavailable
from darkroom.model import Format, State
from darkroom.results import Result, stamp_of
from darkroom.transform import Wish
from darkroom.transform.geometry import needed
from darkroom.transform.options import EXTENSIONS, canonical, parse
from darkroom.transform.plan import Size
from darkroom.transform.sources import candidates, in_order

if TYPE_CHECKING:
    from datetime import datetime
    from typing import BinaryIO

    from darkroom.events import ResultWanted
    from darkroom.model import Image
    from darkroom.service import Service
    from darkroom.transform import Slot
    from darkroom.transform.options import Transformation
    from darkroom.transform.sources import Candidate

log = logging.getLogger("darkroom.results")

CLAIM_SECONDS = 90.0
"""For one result: more than rendering may take. When its maker dies, nobody else makes it before."""
LOOK_SECONDS = 0.02
NOT_ENLARGED = "not-enlarged"
"""By what name readers are told the size of what was too small, where the store delivers by itself."""
FORGET_AT_ONCE = 500


def result_name(transformation: Transformation, wanted: Format) -> str:
    """Return what the object of a result is called under its image's prefix."""
    return f"{names.RESULTS}{canonical(transformation, wanted)}.{wanted.extension}"


@dataclass(frozen=True, slots=True)
class OnDemand:
    """What the service does about a picture that nobody has asked for before."""

    service: Service
    look_seconds: float = LOOK_SECONDS
    """Between two looks at a result that another process is making; where each is paid for, more."""

    def make(self, image_id: str, transformation: Transformation, wanted: Format, *, patience: float = 10.0) -> None:
        """Return once the result is there: made now, by another meanwhile, or long ago.

        Raises ``NotFound`` when there is no ready image of this id, ``InvalidRequest`` when the image has no such part,
        ``Unavailable`` when it could not be made now or another takes longer than ``patience`` seconds.
        """
        results, name = self.service.results, result_name(transformation, wanted)
        deadline = time.monotonic() + patience
        while True:
            image = self._ready(image_id)
            found = results.find(image_id, name)
            if found is not None and self._is_good(image, found):
                return
            receipt = results.claim(image_id, name, CLAIM_SECONDS, damaged=None if found is None else found.checksum)
            if receipt is not None and self._made(receipt, image_id, name, transformation, wanted):
                return
            if time.monotonic() > deadline:
                raise Unavailable("the picture is being made; ask again", retry_after=1)
            if receipt is None:
                time.sleep(self.look_seconds)

    def result_wanted(self, event: ResultWanted) -> None:
        """Make what nobody waits for; an image that is gone or was changed meanwhile wants it no more."""
        transformation = parse(event.options).transformation
        with suppress(NotFound, InvalidRequest):
            self.make(event.image_id, transformation, EXTENSIONS[event.extension], patience=CLAIM_SECONDS)

    def forget_unused(self, before: datetime) -> int:
        """Remove results that nobody has looked at since ``before``, and what is left of void ones; return how many.

        They come back when they are asked for.
        """
        service, count = self.service, 0
        while unused := service.results.unused(before, FORGET_AT_ONCE):
            for image_id, name in unused:
                service.assets.delete(names.asset_prefix(image_id) + name)
                service.purges.purge(image_id, (name,))
                service.results.forget(image_id, name, before)
                count += 1
            if len(unused) < FORGET_AT_ONCE:
                break
        return count

    def _ready(self, image_id: str) -> Image:
        image = self.service.catalog.get(image_id)
        if image is None or image.state is not State.READY or image.facts is None:
            raise NotFound("there is no picture of this id, or not yet")
        return image

    def _is_good(self, image: Image, found: Result) -> bool:
        """Tell whether a result lies there as it was put, and is of the image as it is now."""
        if found.stamp != stamp_of(image):
            return False
        try:
            body = self.service.assets.get(names.asset_prefix(image.id) + found.name).body
        except NotFound:
            return False
        return ledger.checksum(body) == found.checksum

    def _made(self, receipt: str, image_id: str, name: str, transformation: Transformation, wanted: Format) -> bool:
        """Make a result that is claimed; ``False`` when the image was changed meanwhile, or the claim was lost."""
        service, key = self.service, names.asset_prefix(image_id) + name
        put = False
        try:
            image = self._ready(image_id)
            began = time.monotonic()
            slot, kept_size = self._rendered(image, transformation, wanted)
            told = {NOT_ENLARGED: kept_size} if kept_size else None
            kind = slot.format.content_type
            service.assets.put(key, slot.body, content_type=kind, lasting=False, told=told)
            put = True
            current = service.catalog.get(image_id)
            result = Result(
                image_id=image_id,
                name=name,
                checksum=ledger.checksum(slot.body),
                stamp=stamp_of(image),
                kept_size=kept_size,
            )
            is_current = current is not None and current.state is State.READY and stamp_of(current) == result.stamp
            if is_current and service.results.commit(receipt, result):
                service.figures.add(f.RESULTS, format=wanted, outcome="made")
                service.figures.time(f.RESULT_SECONDS, time.monotonic() - began)
                return True
            service.figures.add(f.RESULTS, format=wanted, outcome="superseded")
        except Exception:
            service.figures.add(f.RESULTS, format=wanted, outcome="failed")
            self._give_back(receipt, image_id, name, put=put)
            raise
        self._give_back(receipt, image_id, name, put=put)
        return False

    def _give_back(self, receipt: str, image_id: str, name: str, *, put: bool) -> None:
        if put:
            self.service.assets.delete(names.asset_prefix(image_id) + name)
        self.service.results.release(receipt, image_id, name)

    def _rendered(self, image: Image, transformation: Transformation, wanted: Format) -> tuple[Slot, str]:
        """Return the picture, and the size of what it was made from if that was too small."""
        assert image.facts is not None
        source = image.facts.source
        original = Size(source.width, source.height)
        wish = Wish(
            transformation=transformation,
            format=wanted,
            original=original,
            focus=image.focus,
            limits=self.service.rules.limits,
        )
        size = needed(original, transformation)
        moving = source.frames > 1 and wanted in {Format.WEBP, Format.GIF}
        for candidate in in_order(candidates(image), size, moving=moving):
            opened = self._opened(image, candidate)
            if opened is None:
                continue
            with opened as file:
                slot = self._transformed(file, wish)
            kept = candidate.size
            return slot, "" if kept.holds(size) else f"{kept.width}x{kept.height}"
        raise Unavailable("nothing is kept of the image that it could be made from")

    def _transformed(self, file: BinaryIO, wish: Wish) -> Slot:
        try:
            return self.service.transform.make(file, wish)
        except InvalidRequest:
            raise
        except Refused as refused:
            # It was read once, so it is our copy that is broken, and no fault of whoever asks.
            msg = f"what is kept of the image cannot be read ({refused.detail})"
            raise Unavailable(msg) from refused

    def _opened(self, image: Image, candidate: Candidate) -> BinaryIO | None:
        """Open what a result could be made from; ``None`` when it is not there, or is not what was stored."""
        bucket, keys, checksum_of = self.service.uploads, ledger.source_keys(image), ledger.sha256_of
        expected = ledger.expected_source(image)
        if candidate.key is not None:
            bucket, keys, checksum_of = self.service.assets, (candidate.key,), ledger.checksum_of
            expected = ledger.expected(image, candidate.key)
        for key in keys:
            try:
                stat, file = bucket.open(key)
            except NotFound:
                continue
            if expected in {None, checksum_of(file)}:
                file.seek(0)
                return file
            file.close()
            self.service.figures.add(f.DAMAGED_OBJECTS, finder="delivery")
            log.error("object damaged", extra={"key": key, "bytes": stat.bytes})
        return None
