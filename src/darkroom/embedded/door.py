"""Where the tickets of the one-machine deployment lead to: ``PUT /upload/{id}?…``, plain ASGI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from starlette.requests import Request

from darkroom import figures as f
from darkroom.errors import AlreadyExists, DarkroomError, InvalidRequest, NotFound
from darkroom.http.lingering import Lingering
from darkroom.http.problems import problem, raw_problem
from darkroom.names import parse_upload_path

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from darkroom.bucket import Bucket
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


class UploadDoor:
    """Takes in exactly what a ticket promises, once. Nothing of a body is read before its ticket has been checked."""

    def __init__(
        self,
        tickets: Verifier,
        bucket: Bucket,
        reception: Reception,
        figures: Figures,
    ) -> None:
        self._tickets = tickets
        self._bucket = bucket
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
        image_id = parse_upload_path(scope["path"])
        if image_id is None:
            msg = "there is no upload at this address; send the bytes to the url exactly as it was given"
            raise NotFound(msg)
        promise = self._tickets.verify(image_id, scope["query_string"])
        lengths, types = _values(scope, b"content-length"), _values(scope, b"content-type")
        if not lengths:
            msg = f"send Content-Length: {promise.bytes}, as the ticket promises"
            return raw_problem(411, "length-required", msg)
        if lengths != [str(promise.bytes).encode()]:
            msg = f"Content-Length must be {promise.bytes}, as the ticket promises; another file needs another ticket"
            raise InvalidRequest(msg)
        if types != [promise.content_type.encode()]:
            msg = f"Content-Type must be {promise.content_type}, as the ticket promises"
            raise InvalidRequest(msg)
        with self._reception.place():
            received = await self._reception.take(Request(scope, receive), promise.bytes)
            etag = await self._reception.store(self._store, received, promise)
        self._figures.add(f.RECEIVED_BYTES, received.bytes, door="ticket")
        return 200, [(b"etag", f'"{etag}"'.encode()), (b"content-length", b"0")], b""

    def _store(self, received: Received, promise: Promise) -> str:
        try:
            if received.bytes != promise.bytes:
                msg = f"{received.bytes} bytes came, not the {promise.bytes} of the ticket; send the whole file"
                raise InvalidRequest(msg)
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


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for field, value in scope["headers"] if field == name]
