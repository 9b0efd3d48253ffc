"""Uploads of long files: opened, taken up again after a break, and completed once all their parts are there.

The order when one is completed: the parts are made one object, which publishes its arrival; then they go. So whoever
dies between the two, and is asked again, finds the object or all the parts.
"""

from __future__ import annotations

import hmac
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom import figures as f
from darkroom import names
from darkroom.errors import AlreadyExists, Conflict, Expired, NotFound, Unavailable
from darkroom.events import ObjectCreated
from darkroom.model import Parts, State
from darkroom.steps import Step
from darkroom.uploads import PartedPromise, PartedTicket, part_bytes_of

if TYPE_CHECKING:
    from darkroom.model import Image
    from darkroom.service import Service, Upload

log = logging.getLogger("darkroom.images")

TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class InParts:
    """What the service does about uploads that come in parts."""

    service: Service

    def open(self, owner: str, upload: Upload, idempotency_key: str | None) -> tuple[Image, PartedTicket]:
        """As ``Service.open_upload``, for a file that is longer than one part."""
        begun: list[tuple[str, str]] = []

        def begin(image_id: str) -> Parts:
            key = names.original_key(image_id)
            begun.append((key, self.service.parted.begin(key, upload.content_type)))
            return self._parts(upload, begun[0][1])

        try:
            image, is_new = self.service.begin(
                owner, upload, State.AWAITING, upload.fingerprint, idempotency_key, begin
            )
        except Exception:
            self._undo(begun)
            raise
        if is_new:
            self.service.reached(Step.IMAGE_CREATED)
            return image, self._ticket(image, ())
        self._undo(begun)
        if image.parts is None:
            msg = "the upload that this Idempotency-Key stands for is complete; send a new key for a new image"
            raise AlreadyExists(msg)
        return image, self._ticket(image, self.service.parted.received(_promise(image)))

    def _parts(self, upload: Upload, called: str) -> Parts:
        return Parts(
            upload=called,
            token=self.service.randomness(TOKEN_BYTES).hex(),
            bytes=part_bytes_of(upload.bytes, self.service.rules.part_bytes),
            until=self.service.clock() + self.service.rules.parts_life,
        )

    def _undo(self, begun: list[tuple[str, str]]) -> None:
        """Give up what was begun and is not needed; what cannot be given up goes by itself."""
        with suppress(Unavailable):
            for key, called in begun:
                self.service.parted.drop(key, called)

    def again(self, image: Image) -> PartedTicket:
        """Return the ticket of an upload as it stands. Raises ``AlreadyExists`` once it is completed, ``Expired``."""
        try:
            self.admit(image.id)
        except AlreadyExists:
            self._announce(image.id)
            raise
        self._check_time(image)
        return self._ticket(image, self.service.parted.received(_promise(image)))

    def _announce(self, image_id: str) -> None:
        """Publish an arrival again that is not worked on: who completed it may have died before, and nobody will again.

        For whoever is told that an upload is complete does not complete it.
        """
        image = self.service.delivered(image_id)
        original = None if image is None or image.state is not State.AWAITING else self.service.original_of(image)
        if original is not None:
            self.service.queue.publish(ObjectCreated(key=original.key, etag=original.etag))

    def by_token(self, image_id: str, token: str) -> Image:
        """Return the image of an upload, for who holds its token. Raises ``NotFound``, ``AlreadyExists``."""
        image = self.service.delivered(image_id)
        if image is None:
            raise NotFound(UNKNOWN)
        if image.state is not State.AWAITING:
            raise AlreadyExists(COMPLETED)
        if image.parts is None or not hmac.compare_digest(image.parts.token.encode(), token.encode()):
            raise NotFound(UNKNOWN)
        return image

    def admit(self, image_id: str) -> None:
        """Return if parts of this upload are waited for. Raises ``NotFound``, ``AlreadyExists``."""
        image = self.service.delivered(image_id)
        if image is None:
            raise NotFound(UNKNOWN)
        if image.state is not State.AWAITING or self.service.original_of(image) is not None:
            raise AlreadyExists(COMPLETED)
        if image.parts is None:
            raise NotFound(UNKNOWN)

    def complete(self, image_id: str, token: str) -> None:
        """Make one original of the parts that have come; twice does no harm.

        Raises ``NotFound``, ``Expired``, ``Conflict`` while parts are missing, ``InvalidRequest`` for another checksum
        than promised, ``StorageFull``.
        """
        try:
            image = self.by_token(image_id, token)
        except AlreadyExists:
            return
        self._check_time(image)
        promise = _promise(image)
        try:
            self.service.parted.join(promise)
        except AlreadyExists:
            log.info("upload repeated", extra={"image": image.id})
        except (Conflict, Expired):
            current = self.service.delivered(image_id)
            if current is None or current.state is State.AWAITING:
                raise
            return  # another completion was quicker, and its original is worked on already
        else:
            self.service.figures.add(f.RECEIVED_BYTES, promise.bytes, door="parts")
        self.service.reached(Step.ORIGINAL_STORED)
        self.service.parted.drop(promise.key, promise.upload)
        self.service.reached(Step.PARTS_REMOVED)

    def drop(self, image: Image) -> None:
        """Remove all parts of an image that has been deleted, or given up."""
        if image.parts is not None:
            self.service.parted.drop(names.original_key(image.id), image.parts.upload)

    def _check_time(self, image: Image) -> None:
        if image.parts is not None and self.service.clock() >= image.parts.until:
            raise Expired("this upload has expired; ask for a new ticket with POST /v1/uploads")

    def _ticket(self, image: Image, received: tuple[int, ...]) -> PartedTicket:
        assert image.parts is not None
        return PartedTicket(
            part_bytes=image.parts.bytes,
            parts=self.service.parted.issue(_promise(image)),
            received=received,
            token=image.parts.token,
            expires_at=image.parts.until,
        )


UNKNOWN = "there is no upload in parts at this address; use the addresses of the ticket as they were given"
COMPLETED = "this upload is complete; GET /v1/images/{id} tells how far it is"


def _promise(image: Image) -> PartedPromise:
    assert image.parts is not None
    return PartedPromise(
        key=names.original_key(image.id),
        bytes=image.promised_bytes,
        content_type="application/octet-stream",
        sha256=image.promised_sha256,
        expires_at=image.parts.until,
        upload=image.parts.upload,
        part_bytes=image.parts.bytes,
    )
