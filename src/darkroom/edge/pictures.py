"""The pictures behind the paths: hot in memory, read once for all who ask at a time, forgotten when purged."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from darkroom import figures as f
from darkroom import ledger, names
from darkroom.edge import answers
from darkroom.edge.answers import Absence, Ready
from darkroom.edge.hotcache import HotCache
from darkroom.errors import NotFound, Unavailable
from darkroom.model import State
from darkroom.results import stamp_of
from darkroom.transform.sniff import HEAD_BYTES, sniff

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from darkroom.bucket import Bucket
    from darkroom.edge.answers import Lifetimes
    from darkroom.edge.pool import Pool
    from darkroom.figures import Figures
    from darkroom.model import Image
    from darkroom.results import Results

log = logging.getLogger("darkroom.deliveries")

READS = 3
"""How often a picture is read that is purged again and again while it is being read."""

MISS_SECONDS = 1.0
"""How long a worker believes that a picture is missing. One that is being processed is looked for every time."""

WHOLE_BYTES = 1024 * 1024
"""A picture up to this long is read whole even where the hot cache is too small to keep it."""

UNKNOWN_TYPE = "application/octet-stream"

CHANGING = "the picture is being changed; ask again"

DAMAGED = "the stored picture is damaged; it is not shown until it is made anew"

_MISSES_MAX = 10_000
_DAMAGED_MAX = 10_000


@dataclass(slots=True, eq=False)
class _Flight:
    """One reading of a picture, for everybody who waits for it."""

    image_id: str
    task: asyncio.Task[Ready | Absence] | None = None
    stale: bool = False
    """Whether the picture was purged after the reading began."""


class Purged(Protocol):
    """What was purged since it was looked last, as one worker knows it: ``purgelog.py``."""

    def changed(self) -> bool:
        """Tell whether anything was, since ``read``."""
        ...

    def read(self) -> frozenset[str] | None:
        """Return the ids, or ``None`` when they are not known: then forget everything."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Pictures:
    """The pictures of the assets bucket, as one worker knows them. Used on its event loop only."""

    def __init__(
        self,
        assets: Bucket,
        lookup: Callable[[str], Image | None],
        purged: Purged,
        pool: Pool,
        figures: Figures,
        *,
        lifetimes: Lifetimes,
        hot_cache_bytes: int,
        results: Results,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``lookup`` returns an image, ``None`` when there is none or it was deleted; it may block."""
        self._results = results
        self._assets = assets
        self._lookup = lookup
        self._purged = purged
        self._pool = pool
        self._figures = figures
        self._lifetimes = lifetimes
        self._clock = clock
        self._cache: HotCache[Ready] = HotCache(hot_cache_bytes)
        self._whole_bytes = max(self._cache.largest, WHOLE_BYTES)
        self._damaged: set[tuple[str, str]] = set()
        """Key and tag of what was found damaged, so that each is reported once."""
        self._misses: dict[str, tuple[float, Absence]] = {}
        self._flights: dict[str, _Flight] = {}

    def hot(self, key: str) -> Ready | None:
        """Return a picture if it is in memory and was not purged."""
        if self._purged.changed():
            self._obey()
        return self._cache.get(key)

    async def find(self, key: str, image_id: str) -> Ready | Absence:
        """Return a picture that is not hot, or why there is none. Raises ``Unavailable``."""
        expiry, absence = self._misses.get(key, (0.0, Absence.MISSING))
        if expiry > self._clock():
            return absence
        flight = self._flights.get(key)
        if flight is not None:
            found = await _landed(flight)
            if isinstance(found, Ready):
                return found
            # That reading began before this request came: what was missing then may be there now.
            flight = self._flights.get(key)
        return await _landed(flight or self._begin(key, image_id))

    async def open(self, picture: Ready, start: int) -> BinaryIO | None:
        """Open a picture that is too large for memory, at ``start``; ``None`` when it has changed meanwhile.

        Raises ``Unavailable`` when its bytes are not those any more that were read before.
        """
        file = None
        try:
            file = await self._pool.run(self._open, picture, start)
        finally:
            if file is None:
                self._cache.remove(picture.stat.key)
        return file

    def close(self) -> None:
        """Let the purge log go."""
        self._purged.close()

    def _begin(self, key: str, image_id: str) -> _Flight:
        flight = self._flights[key] = _Flight(image_id)
        flight.task = asyncio.get_running_loop().create_task(self._fly(key, flight))
        flight.task.add_done_callback(_looked_at)
        return flight

    async def _fly(self, key: str, flight: _Flight) -> Ready | Absence:
        try:
            for _ in range(READS):
                flight.stale = False
                found = await self._pool.run(self._read, key, flight.image_id)
                # What was read before a purge must be neither kept nor shown after it.
                if self._purged.changed():
                    self._obey()
                if not flight.stale:
                    self._keep(key, flight.image_id, found)
                    return found
            raise Unavailable(CHANGING)
        finally:
            del self._flights[key]

    def _keep(self, key: str, image_id: str, found: Ready | Absence) -> None:
        if isinstance(found, Ready):
            self._cache.put(key, image_id, found, len(found.exact.whole.body))
        elif found is not Absence.PROCESSING and not names.parse_result_key(key):
            if len(self._misses) >= _MISSES_MAX:
                self._misses.clear()
            self._misses[key] = (self._clock() + MISS_SECONDS, found)

    def _obey(self) -> None:
        purged = self._purged.read()
        self._misses.clear()
        for flight in self._flights.values():
            flight.stale |= purged is None or flight.image_id in purged
        if purged is None:
            self._cache.clear()
        else:
            for image_id in purged:
                self._cache.evict(image_id)

    # ------------------------------------------------------------------ in the pool

    def _read(self, key: str, image_id: str) -> Ready | Absence:
        name = names.parse_result_key(key)
        if name:
            return self._read_result(key, image_id, name)
        for _ in range(READS):
            loaded = self._load(key)
            image = self._lookup(image_id)
            if loaded is None and image is not None and image.state is State.READY:
                loaded = self._load(key)  # it may have become ready between the two looks
            if loaded is None or image is None:
                return Absence.of(None if image is None else image.state)
            picture = loaded
            if ledger.expected(image, key) in {None, picture.checksum}:
                return picture
            # It is either damaged, or was made anew between the two looks: then both are new the next time.
        self._report(picture)
        raise Unavailable(DAMAGED)

    def _read_result(self, key: str, image_id: str, name: str) -> Ready | Absence:
        """Return a result made on demand; one that is not as it should be is as good as none, and is made anew."""
        image = self._lookup(image_id)
        result = None if image is None else self._results.find(image_id, name)
        if image is None or result is None or result.stamp != stamp_of(image):
            return Absence.of(None if image is None else image.state)
        picture = self._load(key, kept_size=result.kept_size)
        if picture is not None and picture.checksum != result.checksum:
            self._report(picture)
            return Absence.MISSING
        return picture or Absence.MISSING

    def _load(self, key: str, *, kept_size: str = "") -> Ready | None:
        """Return the picture, without its body if it is too large for memory."""
        try:
            stat, file = self._assets.open(key)
        except NotFound:
            return None
        with file:
            small = stat.bytes <= self._whole_bytes
            beginning = file.read(stat.bytes if small else HEAD_BYTES)
            if small:
                checksum = ledger.checksum(beginning)
            else:
                file.seek(0)
                checksum = ledger.checksum_of(file)
        format_ = sniff(beginning[:HEAD_BYTES])
        content_type = UNKNOWN_TYPE if format_ is None else format_.content_type
        body = beginning if small else b""
        return answers.ready(stat, content_type, body, checksum, self._lifetimes, kept_size=kept_size)

    def _report(self, picture: Ready) -> None:
        damaged = picture.stat.key, picture.stat.etag
        if damaged in self._damaged:
            return
        if len(self._damaged) >= _DAMAGED_MAX:
            self._damaged.clear()
        self._damaged.add(damaged)
        self._figures.add(f.DAMAGED_OBJECTS, finder="delivery")
        log.error("object damaged", extra={"key": picture.stat.key, "bytes": picture.stat.bytes})

    def _open(self, picture: Ready, start: int) -> BinaryIO | None:
        try:
            stat, file = self._assets.open(picture.stat.key)
        except NotFound:
            return None
        if stat.etag != picture.stat.etag:
            file.close()
            return None
        if ledger.checksum_of(file) != picture.checksum:  # a disk tells nobody when it loses a bit
            file.close()
            self._report(picture)
            raise Unavailable(DAMAGED)
        file.seek(start)
        return file


async def _landed(flight: _Flight) -> Ready | Absence:
    assert flight.task is not None
    # A reader who goes away must not end the reading for the others.
    return await asyncio.shield(flight.task)


def _looked_at(task: asyncio.Task[Ready | Absence]) -> None:
    if not task.cancelled():
        task.exception()
