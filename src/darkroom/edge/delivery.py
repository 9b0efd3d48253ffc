"""Delivery on one machine: what is asked for often comes from memory, the rest from the assets bucket.

A plain hit touches memory and eight bytes of the purge log, nothing else. Whatever may wait runs in a small pool.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from darkroom import ledger
from darkroom.edge import answers, iiif, paths
from darkroom.edge.answers import METHODS, Absence, Answer, Lifetimes, Picture, Ready
from darkroom.edge.defaults import default_objects
from darkroom.edge.iiif_delivery import Iiif, IiifRules
from darkroom.edge.negotiation import Negotiator
from darkroom.edge.pictures import CHANGING, READS, Pictures
from darkroom.edge.pool import Pool
from darkroom.edge.signatures import MARK, MARK_AT
from darkroom.edge.tally import Tally
from darkroom.edge.transformations import Transformations
from darkroom.errors import NotFound, Unavailable
from darkroom.names import default_key
from darkroom.results import NoResults

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from darkroom.bucket import Bucket
    from darkroom.edge.paths import AssetPath
    from darkroom.edge.purgelog import PurgeReader
    from darkroom.edge.transformations import Demand
    from darkroom.figures import Figures
    from darkroom.model import Image
    from darkroom.transform.recipes import Recipe

log = logging.getLogger("darkroom.deliveries")

DEFAULT_SECONDS = 10.0
"""How long a worker keeps a default image in memory before it looks whether there is another."""

WARNING_SECONDS = 1.0

CHUNK_BYTES = 256 * 1024
"""How much of a body is handed to the server at a time: what a slow reader can hold of our memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRules:
    """What the operator has decided."""

    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    hot_cache_bytes: int = 128 * 1024 * 1024
    """Memory one worker may use for pictures that are asked for often."""
    patience_seconds: float = 10.0
    """How long a request waits for the store before it is answered 503."""
    iiif: IiifRules = field(default_factory=IiifRules)


class Delivery:
    """Answers everything under ``prefixes``. One for each worker, used on its event loop only."""

    def __init__(
        self,
        assets: Bucket,
        lookup: Callable[[str], Image | None],
        purged: PurgeReader,
        figures: Figures,
        *,
        recipes: Sequence[Recipe],
        default_picture: Picture,
        rules: DeliveryRules,
        demand: Demand | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what delivery needs to know.

        ``lookup`` returns an image, ``None`` when there is none or it was deleted; it may block.
        ``default_picture`` is shown where the bucket has no default image. Without ``demand`` nothing is made on
        demand. ``clock`` counts seconds.
        """
        self._assets = assets
        self._default_picture = default_picture
        self._lifetimes = rules.lifetimes
        self._clock = clock
        self._negotiators = {recipe.name: Negotiator(recipe.formats) for recipe in recipes}
        self._slots = {(recipe.name, format_.extension) for recipe in recipes for format_ in recipe.formats}
        self._smallest = min(recipes, key=lambda recipe: recipe.width * recipe.height).name
        self._pool = Pool(rules.patience_seconds)
        self._pictures = Pictures(
            assets,
            lookup,
            purged,
            self._pool,
            figures,
            lifetimes=rules.lifetimes,
            hot_cache_bytes=rules.hot_cache_bytes,
            results=NoResults() if demand is None else demand.results,
            clock=clock,
        )
        self._transformations = (
            None
            if demand is None
            else Transformations(self._pictures, self._pool, demand, rules.lifetimes, clock=clock)
        )
        self._iiif = None
        if self._transformations is not None and rules.iiif.owners:
            self._iiif = Iiif(self._transformations, self._pool, lookup, rules.iiif, rules.lifetimes, clock=clock)
        self._defaults: dict[tuple[str, str], tuple[float, Picture]] = {}
        self._tally = Tally(figures)
        self._silent_until = 0.0

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the paths begin with that are answered here."""
        return (paths.PREFIX,) if self._iiif is None else (paths.PREFIX, iiif.PREFIX)

    async def answer(self, method: str, path: str, headers: Sequence[tuple[bytes, bytes]]) -> Answer:
        """Return the answer to a request; ``path`` is percent-decoded, header names are in lower case."""
        fields = dict(headers)
        if len(fields) != len(headers):
            fields = _joined(headers)
        if self._iiif is not None and path.startswith(iiif.PREFIX):
            outcome, answer = await self._iiif.answer(method, path, fields)
            self._tally.count(outcome, answer.status, answer.length)
            return answer
        if path.startswith(MARK, MARK_AT) and self._transformations is not None:
            return await self._transformed(self._transformations, method, path, fields)
        negotiated = "." not in path
        if negotiated:
            path = self._negotiated(path, fields)
        picture = self._pictures.hot(path[1:])
        if picture is not None and method in METHODS:
            answer = answers.respond(picture, method, fields, negotiated=negotiated)
            if not answer.lacks_body:
                self._tally.count("hot", answer.status, answer.length)
                return answer
        try:
            outcome, answer = await self._consider(method, path, fields, picture, negotiated=negotiated)
        except Unavailable as error:
            self._warn(path, error)
            outcome, answer = "error", answers.unavailable(method, error.retry_after)
        self._tally.count(outcome, answer.status, answer.length)
        return answer

    async def _transformed(
        self, transformations: Transformations, method: str, path: str, fields: Mapping[bytes, bytes]
    ) -> Answer:
        try:
            answered = await transformations.answer(method, path, fields)
        except Unavailable as error:
            self._warn(path, error)
            answered = "error", answers.unavailable(method, error.retry_after)
        if isinstance(answered, Absence):
            default = await self._default(None, fields.get(b"accept"))
            answered = "default", answers.default(default, answered, method, self._lifetimes, negotiated=True)
        outcome, answer = answered
        self._tally.count(outcome, answer.status, answer.length)
        return answer

    async def chunks(self, answer: Answer) -> AsyncGenerator[bytes]:
        """Yield the body of an answer in pieces of at most ``CHUNK_BYTES``; closes the file of a large one."""
        if answer.file is None:
            for start in range(0, answer.length, CHUNK_BYTES):
                yield answer.body[start : start + CHUNK_BYTES]
            return
        left = answer.length
        with answer.file as file:
            while left:
                chunk = await self._pool.run(file.read, min(left, CHUNK_BYTES))
                if not chunk:
                    raise Unavailable("a stored picture is shorter than it says")
                left -= len(chunk)
                yield chunk

    def close(self) -> None:
        """Give on the last numbers; let the threads and the purge log go."""
        self._tally.close()
        self._pool.close()
        self._pictures.close()

    def _negotiated(self, path: str, fields: Mapping[bytes, bytes]) -> str:
        """Return the exact path that one without extension means, or the same path when there is no such variant."""
        negotiator = self._negotiators.get(path[paths.VARIANT_AT :])
        return path if negotiator is None else f"{path}.{negotiator.extension(fields.get(b'accept'))}"

    async def _consider(
        self, method: str, path: str, fields: Mapping[bytes, bytes], picture: Ready | None, *, negotiated: bool
    ) -> tuple[str, Answer]:
        """Return the outcome, as it is counted, and the answer to anything but a plain hit. Raises ``Unavailable``."""
        if method not in METHODS:
            return "error", answers.method_not_allowed()
        wanted = paths.parse(path)
        for _ in range(READS):
            found = picture or await self._find(path, wanted)
            if isinstance(found, Absence):
                default = await self._default(wanted, fields.get(b"accept") if negotiated else None)
                return "default", answers.default(default, found, method, self._lifetimes, negotiated=negotiated)
            answer = answers.respond(found, method, fields, negotiated=negotiated)
            if answer.lacks_body:
                file = await self._pictures.open(found, answer.start)
                if file is None:
                    picture = None
                    continue
                answer = replace(answer, file=file)
            return "cold" if picture is None else "hot", answer
        raise Unavailable(CHANGING)

    async def _find(self, path: str, wanted: AssetPath | None) -> Ready | Absence:
        if wanted is None or wanted.extension is None:
            return Absence.MISSING
        found = await self._pictures.find(path[1:], wanted.image_id)
        if isinstance(found, Absence) and (wanted.variant, wanted.extension) not in self._slots:
            return Absence.MISSING  # it will not be there when the image is ready either
        return found

    async def _default(self, wanted: AssetPath | None, accept: bytes | None) -> Picture:
        """Return the default image in the size and format asked for, as far as they are known."""
        variant = wanted.variant if wanted is not None and wanted.variant in self._negotiators else self._smallest
        slot = variant, self._negotiators[variant].extension(accept)
        if wanted is not None and wanted.extension is not None and (variant, wanted.extension) in self._slots:
            slot = variant, wanted.extension
        until, picture = self._defaults.get(slot, (0.0, self._default_picture))
        if until <= self._clock():
            picture = await self._pool.run(self._load_default, *slot)
            self._defaults[slot] = self._clock() + DEFAULT_SECONDS, picture
        return picture

    def _warn(self, path: str, error: Unavailable) -> None:
        """Log why a picture was not read, at most once a second: a store that is down fails every request."""
        if self._silent_until <= self._clock():
            self._silent_until = self._clock() + WARNING_SECONDS
            log.warning("picture not read", extra={"path": path, "reason": error.detail})

    def _load_default(self, variant: str, extension: str) -> Picture:
        key = default_key(variant, extension)
        try:
            stored = self._assets.get(key)
            if default_objects(self._assets).get(key) in {None, ledger.checksum(stored.body)}:
                return Picture(stored.content_type, stored.body)
            log.error("object damaged", extra={"key": key, "bytes": stored.stat.bytes})
        except (NotFound, Unavailable):
            pass
        return self._default_picture


def _joined(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the header fields, those sent several times as one list (RFC 9110, section 5.3)."""
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        fields[name] = fields[name] + b", " + value if name in fields else value
    return fields
