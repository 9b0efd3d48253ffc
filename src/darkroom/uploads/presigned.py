"""Upload tickets that lead straight to S3: presigned requests, whose signature S3 itself checks.

What is signed into a ticket cannot be sent otherwise: the key, the length, the type, the checksum where one was
promised, and that there must be nothing under the key yet. AWS's own SDK signs, because signing by obstore binds
the host only.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from darkroom import aws
from darkroom.names import ORIGINALS
from darkroom.uploads import Promise, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from darkroom.bucket import Stat


def connect(*, endpoint: str | None = None, region: str | None = None) -> Any:  # noqa: ANN401 # botocore has no types
    """Return the client that signs: for the bucket's own region and host, since a redirect would break the signature.

    An emulator has no host for each bucket.
    """
    style = "virtual" if endpoint is None else "path"
    return aws.client(
        "s3",
        endpoint=endpoint,
        region_name=region,
        signature_version="s3v4",
        s3={"addressing_style": style, "us_east_1_regional_endpoint": "regional"},
        # Else a checksum of nothing is signed into every ticket.
        request_checksum_calculation="when_required",
    )


class PresignedTickets:
    """``Tickets`` to the S3 bucket ``bucket``."""

    def __init__(self, client: Any, bucket: str, clock: Callable[[], datetime]) -> None:  # noqa: ANN401 # as above
        """``client`` is what ``connect`` returns; ``clock`` returns an aware now."""
        self._client = client
        self._bucket = bucket
        self._clock = clock

    def issue(self, promise: Promise) -> Ticket:
        headers = {"Content-Type": promise.content_type, "If-None-Match": "*"}
        said: dict[str, Any] = {
            "Bucket": self._bucket,
            "Key": promise.key,
            "ContentLength": promise.bytes,
            "ContentType": promise.content_type,
            "IfNoneMatch": "*",
        }
        if promise.sha256 is not None:
            checksum = base64.b64encode(bytes.fromhex(promise.sha256)).decode()
            headers["x-amz-checksum-sha256"] = said["ChecksumSHA256"] = checksum
        expires = int(promise.expires_at.timestamp())
        url = self._client.generate_presigned_url(
            "put_object", Params=said, ExpiresIn=max(0, expires - int(self._clock().timestamp())), HttpMethod="PUT"
        )
        return Ticket(method="PUT", url=url, headers=headers, expires_at=datetime.fromtimestamp(expires, UTC))


def where_tickets_lead(client: Any, bucket: str) -> str:  # noqa: ANN401 # as above
    """Return what the addresses of all tickets to ``bucket`` begin with, as ``client`` signs them.

    That is the bucket's own host in its region, https://BUCKET.s3.REGION.amazonaws.com, and the prefix of originals.
    """
    said = {"Bucket": bucket, "Key": ORIGINALS}
    url: str = client.generate_presigned_url("put_object", Params=said, ExpiresIn=1, HttpMethod="PUT")
    return url.partition("?")[0]


class PresignedDownloads:
    """Short-lived addresses under which S3 itself answers objects of at least ``from_bytes``."""

    def __init__(self, client: Any, bucket: str, *, life: timedelta, from_bytes: int) -> None:  # noqa: ANN401 # as above
        self._client = client
        self._bucket = bucket
        self._life = life
        self._from_bytes = from_bytes

    def address(self, stat: Stat, content_type: str, disposition: str) -> str | None:
        """Return the address of an object, to be answered with these headers; ``None`` for one that is shorter."""
        if stat.bytes < self._from_bytes:
            return None
        said = {
            "Bucket": self._bucket,
            "Key": stat.key,
            "ResponseContentType": content_type,
            "ResponseContentDisposition": disposition,
            "ResponseCacheControl": "private, no-store",
        }
        url: str = self._client.generate_presigned_url(
            "get_object", Params=said, ExpiresIn=int(self._life.total_seconds()), HttpMethod="GET"
        )
        return url
