"""The bytes of an upload on their way: a file whole, or in parts from wherever it stopped."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from darkroom.client.connection import Call
from darkroom.client.errors import ApiError, SourceChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from darkroom.client.answers import PartedTicket, Ticket

CHUNK_BYTES = 64 * 1024
_OUT_OF_DATE = frozenset({403, 404, 412})
"""What a store answers whose address for a part is too old, or whose upload is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One file, of which ``size`` bytes are to be sent by ``send``; ``sent`` is told the bytes that went out."""

    source: Path | bytes
    size: int
    send: Callable[[Call], Any]
    sent: Callable[[int], None]

    def whole(self, ticket: Ticket) -> None:
        """Send all of it."""
        self._put(ticket.method, ticket.url, ticket.headers, 0, self.size)

    def in_parts(self, ticket: PartedTicket, again: Callable[[], PartedTicket]) -> None:
        """Send the parts that are not there yet, and complete the upload.

        Addresses may end before the upload does: ``again`` gives fresh ones, and raises when it is complete.
        """
        for number in range(1, len(ticket.parts) + 1):
            if number in ticket.received:
                continue
            try:
                self._put_part(ticket, number)
            except ApiError as error:
                if error.status not in _OUT_OF_DATE:
                    raise
                ticket = again()
                self._put_part(ticket, number)
        self.send(Call(method="POST", url=ticket.complete_url, with_key=False, repeatable=True))

    def _put_part(self, ticket: PartedTicket, number: int) -> None:
        part, start = ticket.parts[number - 1], (number - 1) * ticket.part_bytes
        self._put("PUT", part.url, part.headers, start, min(ticket.part_bytes, self.size - start))

    def _put(self, method: str, url: str, fields: Mapping[str, str], start: int, length: int) -> None:
        attempts = 0
        counted = 0

        def body() -> Iterator[bytes]:
            nonlocal attempts, counted
            attempts += 1
            self.sent(-counted)
            counted = 0
            for chunk in self._chunks(start, length):
                yield chunk
                counted += len(chunk)
                self.sent(len(chunk))

        headers = {name: value for name, value in fields.items() if name.lower() != "content-length"}
        headers["Content-Length"] = str(length)
        try:
            self.send(Call(method=method, url=url, headers=headers, body=body, with_key=False, repeatable=True))
        except ApiError as error:
            # The ticket is used: by our own first attempt, whose answer the broken connection swallowed.
            if not (error.status == 412 and attempts > 1):
                raise

    def _chunks(self, start: int, length: int) -> Iterator[bytes]:
        return chunks(self.source, start, length, last=start + length == self.size)


def chunks(source: Path | bytes, start: int, length: int, *, last: bool) -> Iterator[bytes]:
    """Yield exactly ``length`` bytes from ``start`` on.

    Raises ``SourceChanged`` when there are fewer, or, where these are the ``last`` ones, more.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        file.seek(start)
        left = length
        while left and (chunk := file.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk
        if left or (last and file.read(1)):
            raise SourceChanged("the file changed while it was being sent; try again when it is at rest")
