"""Transformations behind an edge that has one made by one call, and keeps nothing here: a function, not a server.

The edge asks for the key of a result. What the reader asked for stands in a header, and only that is believed, as far
as it is signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from darkroom.edge import answers, signatures
from darkroom.edge.answers import Absence
from darkroom.transform.options import AUTO, EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from darkroom.access.signing import SigningSecret
    from darkroom.edge.answers import Answer
    from darkroom.edge.signatures import SignedPath
    from darkroom.edge.transformations import Transformations

ASKED = "x-darkroom-path"
"""Header with the path that the reader has asked for, percent-encoded, as the edge's own function sets it."""
PASSED_ON = ("accept", "if-none-match", "if-modified-since")
"""Headers of the reader that an answer depends on. Parts of a picture are cut out by the edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An answer as a whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Window:
    """Answers one request after the other, each in one piece of at most ``largest`` bytes. On one event loop only."""

    def __init__(
        self,
        transformations: Transformations,
        secrets: Callable[[], Sequence[SigningSecret]],
        *,
        widths: Collection[int],
        largest: int,
    ) -> None:
        """``secrets`` and ``widths`` as ``Gatekeeper`` takes them."""
        self._transformations = transformations
        self._secrets = secrets
        self._widths = frozenset(map(str, widths))
        self._largest = largest

    async def answer(self, method: str, headers: Mapping[str, str]) -> Shown:
        """Return the answer; header names are in lower case. Raises ``Unavailable`` as ``Transformations.answer``."""
        asked = headers.get(ASKED, "")
        fields = {name.encode(): headers[name].encode("latin-1", "replace") for name in PASSED_ON if name in headers}
        outcome = await self._transformations.answer(method, unquote(asked), fields)
        if isinstance(outcome, Absence):  # the edge has the default image
            return _whole(answers.refused(method, 404, "not-found", "there is no picture of this address, or not yet"))
        answer = outcome[1]
        if answer.length <= self._largest:
            return _whole(answer)
        if answer.file is not None:
            answer.file.close()
        return self._elsewhere(asked, dict(answer.headers)[b"content-type"].decode("latin-1"))

    def _elsewhere(self, asked: str, content_type: str) -> Shown:
        """Send the reader to where the edge has the picture from the bucket, now that it is kept there.

        That is the same address, or where the format is negotiated that of the one which was chosen.
        """
        signed = signatures.split(unquote(asked))
        assert signed is not None  # it was found right
        if signed.extension == AUTO:
            extension = next(name for name, kind in EXTENSIONS.items() if kind.content_type == content_type)
            asked = self._signed(signed, extension)
        return Shown(status=307, headers={"location": asked, "cache-control": "no-store"}, body=b"")

    def _signed(self, signed: SignedPath, extension: str) -> str:
        """Return the address of one format, signed by the secret that signed the negotiated one."""
        secret = next(each.secret for each in self._secrets() if signatures.verify(signed, [each.secret], self._widths))
        signature = signatures.sign(secret, signed.image_id, signed.options, extension)
        return signatures.path_of(signed.image_id, signed.options, signature, extension)


def _whole(answer: Answer) -> Shown:
    body = answer.body
    if answer.file is not None:
        with answer.file as file:
            body = file.read(answer.length)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
    return Shown(status=answer.status, headers=headers, body=body)
