"""Transformations behind an edge that has one made by one call, and keeps nothing here: a function, not a server.

The edge asks for the key of a result. What the reader asked for stands in a header, and only that is believed, as far
as it is signed. Pictures by the IIIF Image API, which is unsigned, have a window of their own, and go by their path.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from darkroom.edge import answers, signatures
from darkroom.edge.answers import Absence
from darkroom.errors import Unavailable
from darkroom.transform.options import AUTO, EXTENSIONS, canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from darkroom.access.signing import SigningSecret
    from darkroom.edge.answers import Answer
    from darkroom.edge.iiif_delivery import Iiif
    from darkroom.edge.signatures import SignedPath
    from darkroom.edge.transformations import Known, Transformations

ASKED = "x-darkroom-path"
"""Header with the path that the reader has asked for, percent-encoded, as the edge's own function sets it."""
PASSED_ON = ("accept", "if-none-match", "if-modified-since")
"""Headers of the reader that an answer depends on. Parts of a picture are cut out by the edge."""
PASSED_ON_IN_FULL = (*PASSED_ON, "range", "if-range")
"""Where no edge is in between."""
ELSEWHERE_SECONDS = 3600
"""The life of an address that a larger picture is had from, which nobody has asked to be signed."""


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
        fields = _fields(headers, PASSED_ON)
        outcome = await self._transformations.answer(method, unquote(asked), fields)
        if isinstance(outcome, Absence):  # the edge has the default image
            return _whole(answers.refused(method, 404, "not-found", "there is no picture of this address, or not yet"))
        answer = outcome[1]
        if answer.length <= self._largest:
            return _whole(answer)
        _let_go(answer)
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
        return _sent(asked)

    def _signed(self, signed: SignedPath, extension: str) -> str:
        """Return the address of one format, signed by the secret that signed the negotiated one, or by none either."""
        if signed.signature == signatures.UNSIGNED:
            return signatures.path_of(signed.image_id, signed.options, signatures.UNSIGNED, extension)
        secret = next(each.secret for each in self._secrets() if signatures.verify(signed, [each.secret], self._widths))
        signature = signatures.sign(secret, signed.image_id, signed.options, extension)
        return signatures.path_of(signed.image_id, signed.options, signature, extension)


class IiifWindow:
    """Answers requests by the IIIF Image API, as ``Window`` does others."""

    def __init__(
        self,
        iiif: Iiif,
        secrets: Callable[[], Sequence[SigningSecret]],
        *,
        delivery_url: str,
        largest: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``delivery_url`` is where signed addresses are answered; ``now`` returns seconds since 1970."""
        self._iiif = iiif
        self._secrets = secrets
        self._delivery_url = delivery_url
        self._largest = largest
        self._now = now

    async def answer(self, method: str, path: str, headers: Mapping[str, str]) -> Shown:
        """Return the answer to a request of this path; header names are in lower case."""
        path = unquote(path)
        _, answer = await self._iiif.answer(method, path, _fields(headers, PASSED_ON_IN_FULL))
        if answer.length <= self._largest:
            return _whole(answer)
        _let_go(answer)
        return self._elsewhere(method, self._iiif.known(path))

    def _elsewhere(self, method: str, known: Known) -> Shown:
        """Send the reader to where an edge has the picture, which is kept by now, by an address signed for a while."""
        own = [each for each in self._secrets() if each.owner == known.owner]
        if not own:
            detail = f"a picture of more than {self._largest} bytes takes a signing secret of the image's owner"
            return _whole(answers.refused(method, 503, Unavailable.code, detail, retry_after=60))
        assert known.format is not None
        until = int(self._now()) + ELSEWHERE_SECONDS
        options = f"{canonical(known.transformation, known.format)},kid={own[-1].id},exp={until}"
        extension = known.format.extension
        signature = signatures.sign(own[-1].secret, known.image_id, options, extension)
        return _sent(self._delivery_url + signatures.path_of(known.image_id, options, signature, extension))


def _fields(headers: Mapping[str, str], names: tuple[str, ...]) -> dict[bytes, bytes]:
    return {name.encode(): headers[name].encode("latin-1", "replace") for name in names if name in headers}


def _let_go(answer: Answer) -> None:
    if answer.file is not None:
        answer.file.close()


def _sent(location: str) -> Shown:
    headers = {"location": location, "cache-control": "no-store", "access-control-allow-origin": "*"}
    return Shown(status=307, headers=headers, body=b"")


def _whole(answer: Answer) -> Shown:
    body = answer.body
    if answer.file is not None:
        with answer.file as file:
            body = file.read(answer.length)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
    return Shown(status=answer.status, headers=headers, body=body)
