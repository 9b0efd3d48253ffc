"""Where the tickets of the one-machine deployment lead to: ``PUT /upload/{id}?…``, plain ASGI.

The parts of a long file come to ``PUT /upload/{id}/{number}?…``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from starlette.requests import Request

from darkroom import figures as f
from darkroom.errors import AlreadyExists, DarkroomError, InvalidRequest, NotFound
from darkroom.http.lingering import Lingering
from darkroom.http.problems import problem, raw_problem
from darkroom.names import parse_part_path, parse_upload_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from darkroom.bucket import Bucket, Stat
    from darkroom.figures import Figures
    from darkroom.http.receive import Received
    from darkroom.http.reception import Reception
    from darkroom.uploads import Promise

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Verifier(Protocol):
    """What tells tickets from anything else."""

    def verify(self, image_id: str, query: bytes) -> Promise:
        """Return what was promised; raises ``BadSignature`` or ``Expired``."""
        ...

    def verify_part(self, image_id: str, number: int, query: bytes) -> PartPromise:
        """Return what was promised of a part; raises likewise."""
        ...


class PartPromise(Protocol):
    """What is promised of a part."""

    @property
    def bytes(self) -> int:
        """How long it is."""
        ...


class Parts(Protocol):
    """Where parts wait until all of them are there."""

    def keep(self, image_id: str, number: int, body: Path) -> Stat:
        """Keep a part; ``body`` is taken over."""
        ...

    def take_back(self, image_id: str, number: int) -> None:
        """Remove a part."""
        ...


class UploadDoor:
    """Takes in exactly what a ticket promises, once. Nothing of a body is read before its ticket has been checked."""

    def __init__(
        self,
        tickets: Verifier,
        bucket: Bucket,
        parts: Parts,
        admit: Callable[[str], None],
        reception: Reception,
        figures: Figures,
    ) -> None:
        """``admit`` raises ``NotFound`` or ``AlreadyExists`` for an image of which no part is waited for."""
        self._tickets = tickets
        self._bucket = bucket
        self._parts = parts
        self._admit = admit
        self._reception = reception
        self._figures = figures
        self._app = Lingering(self._serve)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, headers, body = await self._answer(scope, receive)
        except DarkroomError as error:
            status, headers, body = problem(error)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] == "OPTIONS":
            return 204, [], b""
        if scope["method"] != "PUT":
            return raw_problem(405, "method-not-allowed", "an upload ticket is used by PUT", {"allow": "PUT, OPTIONS"})
        part = parse_part_path(scope["path"])
        if part is not None:
            return await self._take_part(*part, scope, receive)
        image_id = parse_upload_path(scope["path"])
        if image_id is None:
            msg = "there is no upload at this address; send the bytes to the url exactly as it was given"
            raise NotFound(msg)
        promise = self._tickets.verify(image_id, scope["query_string"])
        refused = _length_refused(scope, promise.bytes)
        if refused is not None:
            return refused
        if _values(scope, b"content-type") != [promise.content_type.encode()]:
            msg = f"Content-Type must be {promise.content_type}, as the ticket promises"
            raise InvalidRequest(msg)
        with self._reception.place():
            received = await self._reception.take(Request(scope, receive), promise.bytes)
            etag = await self._reception.store(self._store, received, promise)
        self._figures.add(f.RECEIVED_BYTES, received.bytes, door="ticket")
        return _taken(etag)

    async def _take_part(self, image_id: str, number: int, scope: Scope, receive: Receive) -> Answer:
        promise = self._tickets.verify_part(image_id, number, scope["query_string"])
        refused = _length_refused(scope, promise.bytes)
        if refused is not None:
            return refused
        with self._reception.place():
            await self._reception.store(self._admit, image_id)
            received = await self._reception.take(Request(scope, receive), promise.bytes)
            etag = await self._reception.store(self._keep_part, received, image_id, number, promise)
        return _taken(etag)

    def _keep_part(self, received: Received, image_id: str, number: int, promise: PartPromise) -> str:
        try:
            _check_length(received, promise.bytes)
            stat = self._parts.keep(image_id, number, received.path)
        finally:
            received.path.unlink(missing_ok=True)
        try:
            self._admit(image_id)
        except (NotFound, AlreadyExists):  # deleted or completed while it came
            self._parts.take_back(image_id, number)
            raise
        return stat.etag

    def _store(self, received: Received, promise: Promise) -> str:
        try:
            _check_length(received, promise.bytes)
            if promise.sha256 not in {None, received.sha256}:
                msg = "the bytes do not have the SHA-256 of the ticket; send the file again, unchanged"
                raise InvalidRequest(msg, code="checksum-mismatch")
            stat = self._bucket.put(promise.key, received.path, content_type=promise.content_type, create_only=True)
        except AlreadyExists as error:
            msg = "this ticket was used before; the image is what was sent then"
            raise AlreadyExists(msg) from error
        finally:
            received.path.unlink(missing_ok=True)
        return stat.etag


def _length_refused(scope: Scope, expected: int) -> Answer | None:
    """Return the answer to a request that does not say its length; raises ``InvalidRequest`` for another length."""
    lengths = _values(scope, b"content-length")
    if not lengths:
        return raw_problem(411, "length-required", f"send Content-Length: {expected}, as the ticket promises")
    if lengths != [str(expected).encode()]:
        msg = f"Content-Length must be {expected}, as the ticket promises; other bytes need another ticket"
        raise InvalidRequest(msg)
    return None


def _check_length(received: Received, expected: int) -> None:
    if received.bytes != expected:
        msg = f"{received.bytes} bytes came, not the {expected} of the ticket; send all of them"
        raise InvalidRequest(msg)


def _taken(etag: str) -> Answer:
    return 200, [(b"etag", f'"{etag}"'.encode()), (b"content-length", b"0")], b""


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for field, value in scope["headers"] if field == name]
