"""Pictures and what is said of them by the IIIF Image API: unsigned, so of those owners only that the operator names.

A picture is the same result as of a signed address, under the same key. Only what has to be made is counted against the
owner's rate. An edge in front keeps an answer no longer than it may show what was deleted: an address here can be
spelled in many ways, so it cannot be purged by its path.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from darkroom.edge import answers, iiif
from darkroom.edge.answers import Absence, Answer
from darkroom.edge.gatekeeper import FRESH_SECONDS
from darkroom.edge.transformations import Known
from darkroom.errors import InvalidRequest, NotFound, RateLimited, Refused, Unavailable
from darkroom.model import State
from darkroom.transform.plan import Size
from darkroom.transform.sources import candidates, largest_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from darkroom.edge.answers import Lifetimes
    from darkroom.edge.pool import Pool
    from darkroom.edge.transformations import Transformations
    from darkroom.model import Image

EDGE_SECONDS = 60
_KNOWN_MAX = 10_000
_LINKED_DATA = b"application/ld+json"
_NONE = "there is no picture of this id, or not yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class IiifRules:
    """What the operator has decided. Without ``owners`` there is nothing under ``/iiif/``."""

    owners: frozenset[str] = frozenset()
    base_url: str = ""
    """What addresses begin with, before ``/iiif/``."""
    take: Callable[[str], float] = lambda _owner: 0.0
    """Count a picture that has to be made against its owner's rate: 0, or the seconds to wait. It may block."""


class Iiif:
    """Answers every path under ``/iiif/``. Used on one event loop only."""

    def __init__(
        self,
        transformations: Transformations,
        pool: Pool,
        image: Callable[[str], Image | None],
        rules: IiifRules,
        lifetimes: Lifetimes,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``image`` returns an image, and may block; ``clock`` counts seconds."""
        self._transformations = transformations
        self._pool = pool
        self._image = image
        self._rules = rules
        self._lifetimes = replace(lifetimes, edge=min(lifetimes.edge, EDGE_SECONDS))
        self._clock = clock
        self._known: dict[str, tuple[Known, bytes]] = {}

    async def answer(self, method: str, path: str, fields: Mapping[bytes, bytes]) -> tuple[str, Answer]:
        """Return the outcome, as it is counted, and the answer."""
        if method not in answers.METHODS:
            return "error", answers.method_not_allowed()
        try:
            return await self._answered(method, path, fields)
        except NotFound as error:
            return "refused", answers.refused(method, 404, error.code, error.detail)
        except Refused as error:
            return "refused", answers.refused(method, 400, InvalidRequest.code, error.detail)
        except RateLimited as error:
            return "refused", answers.refused(method, 429, error.code, error.detail, error.retry_after)
        except Unavailable as error:
            return "error", answers.refused(method, 503, error.code, error.detail, error.retry_after)

    def known(self, path: str) -> Known:
        """Return what was just answered under ``path``, which was a picture."""
        return self._known[path][0]

    async def _answered(self, method: str, path: str, fields: Mapping[bytes, bytes]) -> tuple[str, Answer]:
        known, link = self._known.get(path, (None, b""))
        if known is None or known.until <= self._clock():
            parts = iiif.split(path)
            if parts is None:
                raise NotFound(_NONE)
            image, stated = await self._shown(parts[0])
            if not parts[1]:
                return "hot", answers.see_other(f"{self._address(image)}/{iiif.INFO}")
            if parts[1] == iiif.INFO:
                return "hot", self._information(image, stated, method, fields)
            known, link = self._know(path, parts[1], image, stated)
        answered = await self._transformations.deliver(known, method, fields)
        if isinstance(answered, Absence):
            raise NotFound(_NONE)
        outcome, answer = answered
        kept = answers.kept_for(answer, self._lifetimes)
        return outcome, replace(kept, headers=[*kept.headers, (b"link", link)])

    async def _shown(self, image_id: str) -> tuple[Image, Size]:
        """Return a ready image whose owner is served here, and its stated size. Raises ``NotFound``."""
        image = await self._pool.run(self._image, image_id)
        if image is None or image.state is not State.READY or image.owner not in self._rules.owners:
            raise NotFound(_NONE)
        stated = largest_kept(image)
        if stated is None:
            raise NotFound("nothing is kept of the image that shows all of it")
        return image, stated

    def _know(self, path: str, rest: str, image: Image, stated: Size) -> tuple[Known, bytes]:
        assert image.facts is not None
        source = image.facts.source
        asked = iiif.read(rest, stated, Size(source.width, source.height), image.focus)
        known = Known(
            image_id=image.id,
            transformation=asked.transformation,
            format=asked.format,
            until=self._clock() + FRESH_SECONDS,
            owner=image.owner,
            admit=lambda: self._admit(image.owner),
        )
        canonical = f'<{self._address(image)}/{asked.canonical}>;rel="canonical"'
        link = f'{canonical}, <{iiif.PROFILE}>;rel="profile"'.encode("latin-1")
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known[path] = known, link
        return known, link

    async def _admit(self, owner: str) -> None:
        wait = await self._pool.run(self._rules.take, owner)
        if wait:
            seconds = math.ceil(wait)
            msg = f"too many new pictures are asked for here; try again in {seconds} s"
            raise RateLimited(msg, retry_after=seconds)

    def _information(self, image: Image, stated: Size, method: str, fields: Mapping[bytes, bytes]) -> Answer:
        sizes = [each.size for each in candidates(image) if each.key is not None]
        body = json.dumps(iiif.information(self._address(image), stated, sizes)).encode()
        linked = _LINKED_DATA in fields.get(b"accept", b"")
        kind = f'application/ld+json;profile="{iiif.CONTEXT}"' if linked else "application/json"
        return answers.document(method, kind, body, seconds=EDGE_SECONDS)

    def _address(self, image: Image) -> str:
        return f"{self._rules.base_url}{iiif.PREFIX}{image.id}"
