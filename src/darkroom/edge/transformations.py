"""Delivery of transformations: whose signature holds is served like a variant, and made first if it is not there.

An address that was once found right is remembered for a while, so that a hot result costs a look into a dictionary more
than a variant does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from darkroom.edge import answers
from darkroom.edge.answers import Absence, Answer, Lifetimes, Ready
from darkroom.edge.gatekeeper import FRESH_SECONDS, Gatekeeper
from darkroom.edge.negotiation import Negotiator
from darkroom.edge.pictures import CHANGING, READS
from darkroom.errors import Expired, Forbidden, NotFound, Refused, Unavailable
from darkroom.model import Format, State
from darkroom.names import asset_prefix
from darkroom.transform.options import AUTO, EXTENSIONS, canonical, parse
from darkroom.transform.sources import seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from darkroom.access.signing import SigningSecret
    from darkroom.edge import Maker
    from darkroom.edge.gatekeeper import Size
    from darkroom.edge.pictures import Pictures
    from darkroom.edge.pool import Pool
    from darkroom.edge.signatures import SignedPath
    from darkroom.model import Image
    from darkroom.results import Results
    from darkroom.transform.options import Transformation

log = logging.getLogger("darkroom.deliveries")

_KNOWN_MAX = 10_000
MOST_IN_FLIGHT = 256
"""Results one worker may be waiting for; more are answered 503."""
PROMISE_SECONDS = 60.0
"""How often one worker asks for the same AVIF to be made by and by."""
SHORT_SECONDS = 10
"""How long anybody keeps what stands in for an AVIF that is being made."""

_STILL = (Format.AVIF, Format.WEBP, Format.JPEG)
_CLEAR = (Format.AVIF, Format.WEBP, Format.PNG)
_MOVING = (Format.WEBP, Format.GIF)
CHOICES = (_STILL, _CLEAR, _MOVING)
"""What ``auto`` chooses from, the most modern first: for plain pictures, those one can see through, and moving ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformationRules:
    """What the operator has decided."""

    widths: tuple[int, ...] = ()
    """Those that the signature of a family holds for."""
    unsigned: frozenset[Size] = frozenset()
    """Width and height of what is made without a signature, and with no other options than fit and a plain gravity."""
    avif_budget: float = 0.3
    """Seconds an AVIF that was negotiated may take, before something else is shown first."""
    patience_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What making results on demand takes, besides the pictures themselves. ``secrets`` and ``image`` may block."""

    results: Results
    maker: Maker
    promise: Callable[[str, str, str], None]
    """Have a result made by and by, of this image id, canonical options and extension; it may block."""
    secrets: Callable[[], Sequence[SigningSecret]]
    image: Callable[[str], Image | None]
    """Returns an image as the catalog has it, tombstones too."""
    rules: TransformationRules = field(default_factory=TransformationRules)


@dataclass(slots=True, kw_only=True)
class Known:
    """An address that was found right, and how long that may be believed."""

    image_id: str
    transformation: Transformation
    format: Format | None
    """``None`` for one that is negotiated."""
    until: float
    negotiator: Negotiator | None = None
    exp: int | None = None
    slow: bool = False
    """Whether an AVIF of it takes longer than the budget."""
    owner: str = ""
    """Whose the image is, where that matters."""
    admit: Callable[[], Awaitable[None]] | None = None
    """Asked before something is made, where that is not everybody's to ask for; raises what it refuses with."""
    keys: dict[Format, str] = field(default_factory=dict)

    def key(self, wanted: Format) -> str:
        key = self.keys.get(wanted)
        if key is None:
            options = canonical(self.transformation, wanted)
            key = self.keys[wanted] = f"{asset_prefix(self.image_id)}t/{options}.{wanted.extension}"
        return key


class Transformations:
    """Answers every path that has ``signatures.MARK`` where transformations do. Used on one event loop only."""

    def __init__(
        self,
        pictures: Pictures,
        pool: Pool,
        demand: Demand,
        lifetimes: Lifetimes,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``clock`` counts seconds; ``now`` returns those since 1970."""
        self._pictures = pictures
        self._pool = pool
        self._demand = demand
        self._lifetimes = lifetimes
        self._clock = clock
        self._now = now
        self._known: dict[str, Known] = {}
        self._gatekeeper = Gatekeeper(
            pool,
            demand.secrets,
            demand.image,
            widths=demand.rules.widths,
            unsigned=demand.rules.unsigned,
            clock=clock,
        )
        self._flights: dict[str, asyncio.Task[None]] = {}
        self._promised: dict[str, float] = {}

    async def answer(self, method: str, path: str, fields: Mapping[bytes, bytes]) -> tuple[str, Answer] | Absence:
        """Return the outcome, as it is counted, and the answer; or why the default image is to be shown.

        Raises ``Unavailable``.
        """
        if method not in answers.METHODS:
            return "error", answers.method_not_allowed()
        try:
            known = self._known.get(path)
            if known is None or known.until <= self._clock():
                known = await self._verified(path)
            return await self.deliver(known, method, fields)
        except NotFound:
            return Absence.MISSING
        except Refused as error:
            status = 403 if isinstance(error, Forbidden) else 422
            return "refused", answers.refused(method, status, error.code, error.detail)
        except Unavailable as error:
            return "error", answers.refused(method, 503, error.code, error.detail, error.retry_after)

    # ------------------------------------------------------------------ is it right?

    async def _verified(self, path: str) -> Known:
        """Raises ``BadSignature``, ``InvalidRequest``, ``NotFound`` for an image that there is not."""
        signed, image = await self._gatekeeper.let_in(path)
        options = parse(signed.options)
        if image is None or image.state is State.DELETED:
            raise NotFound("there is no such image")
        known = self._know(signed, options.transformation, options.exp, image)
        if image.facts is not None:  # else there is more to know of it soon
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[path] = known
        return known

    def _know(self, signed: SignedPath, wanted: Transformation, exp: int | None, image: Image) -> Known:
        negotiator, slow = None, False
        if signed.extension == AUTO:
            formats = _formats(image, wanted)
            negotiator = Negotiator(formats)
            slow = Format.AVIF in formats and seconds(image, wanted, Format.AVIF) > self._demand.rules.avif_budget
        return Known(
            image_id=signed.image_id,
            transformation=wanted,
            negotiator=negotiator,
            format=EXTENSIONS.get(signed.extension),
            exp=exp,
            until=self._clock() + FRESH_SECONDS,
            slow=slow,
        )

    # ------------------------------------------------------------------ is it there?

    async def deliver(self, known: Known, method: str, fields: Mapping[bytes, bytes]) -> tuple[str, Answer] | Absence:
        """As ``answer``, for an address whose right is known; raises what was wrong."""
        lifetimes = self._lifetimes
        left = None if known.exp is None else known.exp - int(self._now())
        if left is not None:
            if left <= 0:
                raise Expired("this address was good until a moment that has passed; ask for a new one")
            lifetimes = lifetimes.at_most(left)
        wanted = known.format
        if known.negotiator is not None:
            wanted = EXTENSIONS[known.negotiator.extension(fields.get(b"accept"))]
            if wanted is Format.AVIF and known.slow and not await self._is_there(known, wanted):
                await self._promise(known, wanted)
                wanted, lifetimes = _stand_in(known.negotiator, fields.get(b"accept")), lifetimes.at_most(SHORT_SECONDS)
        assert wanted is not None
        for _ in range(READS):
            outcome, picture = await self._have(known, wanted)
            if isinstance(picture, Absence):
                return picture
            answer = await self._respond(picture, method, fields, negotiated=known.negotiator is not None)
            if answer is not None:
                return outcome, answer if lifetimes is self._lifetimes else answers.kept_for(answer, lifetimes)
        raise Unavailable(CHANGING)

    async def _have(self, known: Known, wanted: Format) -> tuple[str, Ready | Absence]:
        """Return a result, made now if need be, and how it came; or why there is none. Raises as ``Maker.make``."""
        key = known.key(wanted)
        picture = self._pictures.hot(key)
        if picture is not None:
            return "hot", picture
        found = await self._pictures.find(key, known.image_id)
        if found is not Absence.MISSING:
            return "cold", found
        for _ in range(READS):
            await self._make(known, wanted)
            found = await self._pictures.find(key, known.image_id)
            if found is not Absence.MISSING:
                return "made", found
        raise Unavailable(CHANGING)  # it was made each time, and the image changed at once

    async def _respond(
        self, picture: Ready, method: str, fields: Mapping[bytes, bytes], *, negotiated: bool
    ) -> Answer | None:
        """Return the answer; ``None`` when the picture has changed meanwhile."""
        answer = answers.respond(picture, method, fields, negotiated=negotiated)
        if answer.lacks_body:
            file = await self._pictures.open(picture, answer.start)
            return None if file is None else replace(answer, file=file)
        return answer

    async def _is_there(self, known: Known, wanted: Format) -> bool:
        key = known.key(wanted)
        return self._pictures.hot(key) is not None or isinstance(await self._pictures.find(key, known.image_id), Ready)

    async def _make(self, known: Known, wanted: Format) -> None:
        """Have a result made, once for all who wait for it here. Raises as ``Maker.make``."""
        key = known.key(wanted) if known.admit is None else f"{known.key(wanted)} if admitted"
        flight = self._flights.get(key)
        if flight is None:
            if len(self._flights) >= MOST_IN_FLIGHT:
                raise Unavailable("too many pictures are being made just now; ask again", retry_after=2)
            flight = asyncio.get_running_loop().create_task(self._made(known, wanted))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        done, _ = await asyncio.wait((flight,), timeout=self._demand.rules.patience_seconds)
        if not done:
            raise Unavailable("the picture is being made; ask again", retry_after=1)
        await flight

    async def _made(self, known: Known, wanted: Format) -> None:
        if known.admit is not None:
            await known.admit()
        await self._demand.maker.make(known.image_id, canonical(known.transformation, wanted), wanted.extension)

    def _landed(self, key: str, flight: asyncio.Task[None]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()

    async def _promise(self, known: Known, wanted: Format) -> None:
        """Have a message say that a result is wanted; more than one does no harm."""
        key, now = known.key(wanted), self._clock()
        if self._promised.get(key, 0.0) > now:
            return
        if len(self._promised) >= _KNOWN_MAX:
            self._promised.clear()
        self._promised[key] = now + PROMISE_SECONDS
        options = canonical(known.transformation, wanted)
        with suppress(Unavailable):  # it is asked for again
            await self._pool.run(self._demand.promise, known.image_id, options, wanted.extension)


def _formats(image: Image, wanted: Transformation) -> tuple[Format, ...]:
    if image.facts is None:
        return _STILL
    source = image.facts.source
    if source.frames > 1:
        return _MOVING
    return _CLEAR if source.has_alpha and wanted.background is None else _STILL


def _stand_in(negotiator: Negotiator, accept: bytes | None) -> Format:
    """Return what is shown while an AVIF is being made."""
    return EXTENSIONS[negotiator.without(Format.AVIF).extension(accept)]
