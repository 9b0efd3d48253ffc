"""Upload tickets of our own: the promise stands in the url, signed, so that nothing has to be looked up at the door."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from darkroom.errors import BadSignature, Expired
from darkroom.names import UPLOAD_PREFIX, is_id, original_key, parse_original_key, part_path, upload_path
from darkroom.uploads import Promise, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.uploads import PartedPromise

SECRET_BYTES = 32
"""Least length of a signing secret, that of the digest (RFC 2104, section 3)."""

_LONGEST_QUERY = 1024
_SIGNATURE = "&signature="
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPromise:
    """What a ticket for a part promises: part ``number`` of an image's original, of so many bytes."""

    image_id: str
    number: int
    bytes: int


class SignedTickets:
    """``Tickets`` that ``verify`` tells from everything else, wherever they were issued under the same secret."""

    def __init__(self, secret: bytes, base_url: str, clock: Callable[[], datetime]) -> None:
        """``base_url`` is where the door is reached, without a slash at its end; ``clock`` returns an aware now."""
        if len(secret) < SECRET_BYTES:
            msg = f"a signing secret takes at least {SECRET_BYTES} bytes, got {len(secret)}"
            raise ValueError(msg)
        self._secret = secret
        self._base_url = base_url
        self._clock = clock

    def issue(self, promise: Promise) -> Ticket:
        image_id = parse_original_key(promise.key)
        if image_id is None or promise.bytes < 1 or not _MEDIA_TYPE.fullmatch(promise.content_type):
            msg = f"no ticket can be made for {promise}"
            raise ValueError(msg)
        if promise.sha256 is not None and not _SHA256.fullmatch(promise.sha256):
            msg = f"{promise.sha256!r} is no SHA-256 in lower-case hex"
            raise ValueError(msg)
        expires = int(promise.expires_at.timestamp())
        said: dict[str, object] = {"bytes": promise.bytes, "type": promise.content_type, "expires": expires}
        if promise.sha256 is not None:
            said["sha256"] = promise.sha256
        headers = {"Content-Type": promise.content_type}
        return self._ticket(upload_path(image_id), said, headers, expires)

    def issue_parts(self, promise: PartedPromise) -> tuple[Ticket, ...]:
        """Return a ticket for each part of a promise, for ``verify_part``."""
        image_id = parse_original_key(promise.key)
        if image_id is None or promise.bytes < 1:
            msg = f"no tickets can be made for {promise}"
            raise ValueError(msg)
        expires = int(promise.expires_at.timestamp())
        return tuple(
            self._ticket(part_path(image_id, number), {"bytes": length, "expires": expires}, {}, expires)
            for number, length in enumerate(promise.lengths, start=1)
        )

    def _ticket(self, path: str, said: dict[str, object], headers: dict[str, str], expires: int) -> Ticket:
        query, name = urlencode(said), path.removeprefix(UPLOAD_PREFIX)
        return Ticket(
            method="PUT",
            url=f"{self._base_url}{path}?{query}{_SIGNATURE}{self._signature(name, query)}",
            headers=headers,
            expires_at=datetime.fromtimestamp(expires, UTC),
        )

    def verify(self, image_id: str, query: bytes) -> Promise:
        """Return what was promised by a ticket of this path and query string, whatever text they are.

        Raises ``BadSignature`` unless both are, to the letter, what ``issue`` wrote; ``Expired`` when they were.
        """
        values, expires_at = self._said(image_id, query, known=is_id(image_id))
        return Promise(
            key=original_key(image_id),
            bytes=int(values["bytes"]),
            content_type=values["type"],
            sha256=values.get("sha256"),
            expires_at=expires_at,
        )

    def verify_part(self, image_id: str, number: int, query: bytes) -> PartPromise:
        """Return what was promised by the ticket for a part; raises as ``verify``."""
        values, _ = self._said(f"{image_id}/{number}", query, known=is_id(image_id))
        return PartPromise(image_id=image_id, number=number, bytes=int(values["bytes"]))

    def _said(self, name: str, query: bytes, *, known: bool) -> tuple[dict[str, str], datetime]:
        """Return what stands in the query of a ticket for ``name``, and until when."""
        text = query[: _LONGEST_QUERY + 1].decode("latin-1")
        said, _, signature = text.rpartition(_SIGNATURE)
        known = known and len(text) <= _LONGEST_QUERY
        if not known or not hmac.compare_digest(self._signature(name, said).encode(), signature.encode()):
            msg = "this is no upload ticket of this service; send the bytes to the url exactly as it was given"
            raise BadSignature(msg)
        # What was signed was written by us, so it can be read without asking whether it is well formed.
        values = dict(parse_qsl(said))
        expires_at = datetime.fromtimestamp(int(values["expires"]), UTC)
        if self._clock() >= expires_at:
            msg = "the upload ticket has expired; ask for a new one with POST /v1/uploads"
            raise Expired(msg)
        return values, expires_at

    def _signature(self, name: str, said: str) -> str:
        # A newline can be in neither a name nor a query that we wrote, so no two tickets make the same message.
        message = f"darkroom upload 1\nPUT\n{name}\n{said}".encode()
        digest = hmac.new(self._secret, message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
