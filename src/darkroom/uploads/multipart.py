"""Uploads in parts that lead straight to S3: its own multipart uploads, a presigned request for each part.

The length of each part is signed, so S3 takes no other. A checksum of the whole S3 can neither sign nor tell of parts
(its SHA-256 of such an object is one of the parts' checksums), so that is compared where the original is processed.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from darkroom.aws import answered
from darkroom.errors import AlreadyExists, Expired, NotFound
from darkroom.uploads import MOST_PARTS, PartedPromise, Ticket, missing_parts

if TYPE_CHECKING:
    from collections.abc import Callable


class MultipartUploads:
    """``PartedTickets`` to the S3 bucket ``bucket``."""

    def __init__(self, client: Any, bucket: str, clock: Callable[[], datetime]) -> None:  # noqa: ANN401 # botocore has no types
        """``client`` is what ``presigned.connect`` returns; ``clock`` returns an aware now."""
        self._client = client
        self._bucket = bucket
        self._clock = clock

    def begin(self, key: str, content_type: str) -> str:
        with answered("S3"):
            begun = self._client.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=content_type)
        return str(begun["UploadId"])

    def issue(self, promise: PartedPromise) -> tuple[Ticket, ...]:
        expires = int(promise.expires_at.timestamp())
        life = max(0, expires - int(self._clock().timestamp()))
        ends = datetime.fromtimestamp(expires, UTC)
        return tuple(
            Ticket(
                method="PUT",
                url=self._client.generate_presigned_url(
                    "upload_part",
                    Params=self._named(promise) | {"PartNumber": number, "ContentLength": length},
                    ExpiresIn=life,
                    HttpMethod="PUT",
                ),
                headers={},
                expires_at=ends,
            )
            for number, length in enumerate(promise.lengths, start=1)
        )

    def received(self, promise: PartedPromise) -> tuple[int, ...]:
        try:
            return tuple(self._listed(promise))
        except Expired:
            return ()

    def join(self, promise: PartedPromise) -> None:
        try:
            tags = self._listed(promise)
        except Expired:
            self._refuse_if_there(promise)
            raise
        missing = set(range(1, len(promise.lengths) + 1)) - tags.keys()
        if missing:
            raise missing_parts(missing)
        parts = [{"PartNumber": number, "ETag": tags[number]} for number in sorted(tags)]
        known = {
            "NoSuchUpload": AlreadyExists(COMPLETED),
            "PreconditionFailed": AlreadyExists(COMPLETED),
            "ConditionalRequestConflict": AlreadyExists(COMPLETED),
        }
        with answered("S3", known):
            self._client.complete_multipart_upload(
                **self._named(promise), MultipartUpload={"Parts": parts}, IfNoneMatch="*"
            )

    def drop(self, key: str, upload: str) -> None:
        with suppress(Expired), answered("S3", {"NoSuchUpload": Expired(GONE)}):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)

    def _named(self, promise: PartedPromise) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": promise.key, "UploadId": promise.upload}

    def _listed(self, promise: PartedPromise) -> dict[int, str]:
        """Return the entity tag of each part that is there, by its number. Raises ``Expired``."""
        with answered("S3", {"NoSuchUpload": Expired(GONE)}):
            told = self._client.list_parts(**self._named(promise), MaxParts=MOST_PARTS)
        expected = dict(enumerate(promise.lengths, start=1))
        return {
            part["PartNumber"]: part["ETag"]
            for part in told.get("Parts", ())
            if part["Size"] == expected.get(part["PartNumber"])
        }

    def _refuse_if_there(self, promise: PartedPromise) -> None:
        """Raise ``AlreadyExists`` when it is there, and S3 has told of it; S3 forgets uploads that are completed."""
        with suppress(NotFound):
            with answered("S3", {"404": NotFound(GONE)}):
                self._client.head_object(Bucket=self._bucket, Key=promise.key)
            raise AlreadyExists(COMPLETED)


GONE = "the parts of this upload are there no more; ask for a new ticket with POST /v1/uploads"
COMPLETED = "this upload was completed before"
