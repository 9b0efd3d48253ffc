"""The sweep: what crashes, lost events and time leave behind is found and set right.

It goes over the catalog and both buckets at once, in the order of ids, and holds one image at a time, however many
there are. What it sees so may be of different moments, so whatever looks wrong is read again, image and objects at one
version, before it is called wrong; and what it then changes is changed on the condition that the image is still the
same. So it may run beside everything else, and twice at a time.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import partial
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Protocol

from darkroom import ledger, names
from darkroom.catalog import GET_MANY_MAX
from darkroom.errors import NotFound, OriginalDeleted, VersionMoved
from darkroom.events import backoff
from darkroom.model import Image, Original, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from darkroom.bucket import Bucket, Leftovers, Stat
    from darkroom.catalog import Catalog
    from darkroom.service import Service

READS = 5
"""How often an image is read again that is being changed each time; then it is left to the next sweep."""


FEW, MOST = 100, 0.1
"""More unowned objects than this, in number and of all there are, are not removed by themselves: crashes leave some
behind, but a catalog that was lost, or replaced by an old copy, leaves its images."""


class Kind(StrEnum):
    """What can be found, in the words of reports and figures."""

    EXPIRED_UPLOAD = "expired-upload"
    """An upload was opened and its bytes never came: it is forgotten."""
    UNANNOUNCED_UPLOAD = "unannounced-upload"
    """The bytes came, but nobody was told: the event is published again."""
    STUCK_IMAGE = "stuck-image"
    """It is being processed, but nobody does: the event is published again."""
    LOST_UPLOAD = "lost-upload"
    """It is to be processed, but there is nothing to process: it fails with that reason."""
    OLD_FAILURE = "old-failure"
    """The original of a failed image was kept for as long as it should be: it is removed."""
    LEFT_ORIGINAL = "left-original"
    """An original is still there although it was to go, or to the archive: it is removed."""
    LEFT_PART = "left-part"
    """A part of an upload that has been completed: it is removed."""
    LOST_ORIGINAL = "lost-original"
    """The original of a ready image should be there and is not: reported only."""
    UNDELETED_OBJECT = "undeleted-object"
    """Something is left of an image that was deleted: it is removed."""
    OLD_TOMBSTONE = "old-tombstone"
    """An image was deleted so long ago that nothing of it can come back: it is forgotten."""
    UNOWNED_OBJECT = "unowned-object"
    """An object that no image owns: it is removed."""
    FOREIGN_OBJECT = "foreign-object"
    """An object under a name that this program gives to none, so somebody else put it there: reported only."""
    MISSING_OBJECT = "missing-object"
    """A ready image's object is missing: everything is made anew if the original is kept, else it is reported."""
    MISSING_RESULT = "missing-result"
    """A picture made on demand is missing: it is made anew when it is asked for. Only an audit looks for it."""
    NO_LEDGER = "no-ledger"
    """A ready image of a release that kept no ledger: what lies under its prefix is written into one."""
    STALE_COUNT = "stale-count"
    """A tag or an album is said to have more images than it has, or fewer: it is counted again. Only on AWS."""
    LEFTOVER_FILE = "leftover-file"
    """A file that a dead process left half-made: it is removed."""


class Place(StrEnum):
    """Where a finding lies."""

    CATALOG = "catalog"
    UPLOADS = "uploads"
    ASSETS = "assets"
    FILES = "files"


_HOMES = {
    Place.UPLOADS: frozenset({names.ORIGINALS, names.ARCHIVE, names.PARTS}),
    Place.ASSETS: frozenset({names.ASSETS, names.DEFAULTS}),
}
"""What the keys that this program gives begin with."""

_OBJECTS_GO = frozenset({Kind.LEFT_ORIGINAL, Kind.LEFT_PART, Kind.UNDELETED_OBJECT, Kind.UNOWNED_OBJECT})
"""What is set right by removing the object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be. ``key`` is the object's, empty where an image as such is meant."""

    kind: Kind
    place: Place
    image_id: str = ""
    key: str = ""
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """How old something has to be before it is called left behind."""

    patience: timedelta
    """All tries that an event is given, with what lies between them."""
    grace: timedelta
    """The life of a ticket, the longest upload that may begin with it at the last moment, and ``patience``."""
    failures: timedelta
    """How long the original of a failed image is kept."""
    tombstones: timedelta
    """How long it is known that an image was deleted: no ticket, event or backup in use is older than that."""
    leftovers: timedelta = timedelta(hours=1)
    """No process takes so long from one write into a temporary file to the next."""

    @classmethod
    def of(
        cls,
        *,
        ticket_life: timedelta,
        longest_upload: timedelta,
        attempts: int,
        longest_try: timedelta,
        failures: timedelta,
        tombstones: timedelta,
    ) -> Ages:
        """Return the ages that follow from how long things may take."""
        pauses = timedelta(seconds=sum(backoff(attempt) for attempt in range(1, attempts)))
        patience = pauses + attempts * longest_try + CLOCKS_APART
        grace = ticket_life + longest_upload + patience
        return cls(patience=patience, grace=grace, failures=max(failures, grace), tombstones=max(tombstones, 2 * grace))


CLOCKS_APART = timedelta(minutes=5)
"""What the clocks of all machines that take part, and the times of a store's objects, may differ by."""


@dataclass(slots=True)
class Count:
    """How often a kind was found, how many bytes that is, and how often it was set right."""

    found: int = 0
    bytes: int = 0
    mended: int = 0


@dataclass(slots=True)
class Report:
    """What a sweep has seen and done."""

    images: int = 0
    """Tombstones too."""
    objects: int = 0
    bytes: int = 0
    seconds: float = 0.0
    whole: bool = True
    """Whether it came to the end before it was stopped."""
    withheld: bool = False
    """Whether objects that no image owns were left alone because there are too many of them."""
    kinds: dict[Kind, Count] = field(default_factory=dict)

    def add(self, finding: Finding, *, mended: bool) -> None:
        """Count a finding."""
        count = self.kinds.setdefault(finding.kind, Count())
        count.found += 1
        count.bytes += finding.bytes
        count.mended += mended


@dataclass(slots=True)
class Shelf:
    """All there is of one id, as far as there is anything."""

    image_id: str
    image: Image | None = None
    originals: list[Stat] = field(default_factory=list)
    """In the archive, then where it arrived."""
    objects: list[Stat] = field(default_factory=list)
    parts: list[Stat] = field(default_factory=list)
    """Of an original, which wait until all of them are there."""


class Sweep:
    """One deployment's catalog and buckets, gone over as a whole. For one thread."""

    def __init__(
        self,
        service: Service,
        ages: Ages,
        *,
        defaults: Callable[[], Mapping[str, str | None]],
        leftovers: Leftovers | None = None,
        results_too: bool = False,
    ) -> None:
        """``defaults`` returns the ledger of the default images: their keys and checksums.

        ``results_too`` also asks for every image which results should be there.
        """
        self._service = service
        self._results_too = results_too
        self._ages = ages
        self._defaults = defaults
        self._leftovers = leftovers
        self._now = service.clock()
        self._patience = ages.patience
        self._made_anew = ""

    def run(
        self,
        *,
        dry: bool = False,
        force: bool = False,
        tell: Callable[[Finding, bool], None] = lambda _finding, _mended: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Report:
        """Find everything and, unless ``dry``, set right what can be; ``tell`` is told each finding, and if it was.

        Objects that no image owns are removed last, once it is known how many they are: unless ``force``, not when
        they are so many that it is rather the catalog that has lost its images. Ends early, between two images, once
        ``stopping`` says so. Raises ``Unavailable``, ``StorageFull``.
        """
        began = time.monotonic()
        report = Report()
        unowned = 0

        def found(finding: Finding, image: Image | None = None) -> None:
            nonlocal unowned
            if finding.kind is Kind.UNOWNED_OBJECT and not dry:
                unowned += 1
                return
            mended = not dry and self._mend(finding, image)
            report.add(finding, mended=mended)
            tell(finding, mended)

        def found_again(finding: Finding, image: Image | None = None) -> None:
            if finding.kind is Kind.UNOWNED_OBJECT:
                mended = not report.withheld and self._mend(finding, image)
                report.add(finding, mended=mended)
                tell(finding, mended)

        self._look(found, report, stopping)
        if unowned and report.whole:
            report.withheld = not force and unowned > FEW and unowned > MOST * report.objects
            again = Report()
            self._look(found_again, again, stopping)
            report.whole = again.whole
        if report.whole:
            self._recount(report, dry=dry, tell=tell, stopping=stopping)
        report.seconds = time.monotonic() - began
        return report

    def _recount(
        self, report: Report, *, dry: bool, tell: Callable[[Finding, bool], None], stopping: Callable[[], bool]
    ) -> None:
        for wrong in self._service.catalog.recount(mend=not dry):
            name = f"{wrong.owner} {wrong.kind.value}:{wrong.key}"
            finding = Finding(kind=Kind.STALE_COUNT, place=Place.CATALOG, key=name)
            report.add(finding, mended=not dry)
            tell(finding, not dry)
            if stopping():
                report.whole = False
                return

    def of(self, image_id: str) -> tuple[Finding, ...]:
        """Return what is found of one id now; nothing when it is being changed all the time."""
        self._now = self._service.clock()
        return self._look_again(image_id)[1]

    # ------------------------------------------------------------------ looking

    def _look(self, found: _Found, report: Report, stopping: Callable[[], bool]) -> None:
        service = self._service
        self._now = service.clock()
        # Events are given out in their order, so who waits behind others is not stuck. No event waits for ever, though.
        behind = timedelta(seconds=service.queue.depth().oldest_seconds or 0)
        self._patience = self._ages.patience + min(behind, self._ages.grace)
        self._look_for_strangers(found)
        self._look_at_defaults(found)
        self._look_for_leftovers(found)

        def foreign(place: Place, stat: Stat) -> None:
            found(Finding(kind=Kind.FOREIGN_OBJECT, place=place, key=stat.key, bytes=stat.bytes))

        for shelf in shelves(service.catalog, service.uploads, service.assets, foreign):
            if stopping():
                report.whole = False
                return
            stats = [*shelf.originals, *shelf.objects, *shelf.parts]
            report.images += shelf.image is not None
            report.objects += len(stats)
            report.bytes += sum(stat.bytes for stat in stats)
            if any(self._judge(shelf)):
                image, findings = self._look_again(shelf.image_id)
                for finding in findings:
                    found(finding, image)

    def _look_for_strangers(self, found: _Found) -> None:
        for place, known in _HOMES.items():
            bucket = self._bucket(place)
            for root in bucket.roots():
                if root not in known:
                    for stat in bucket.list(root) if root.endswith("/") else _stat(bucket, root):
                        found(Finding(kind=Kind.FOREIGN_OBJECT, place=place, key=stat.key, bytes=stat.bytes))

    def _look_at_defaults(self, found: _Found) -> None:
        assets = self._service.assets
        there = {stat.key: stat for stat in assets.list(names.DEFAULTS)}
        owned = self._defaults()
        for key in sorted(there.keys() - owned.keys()):
            if self._is_older(there[key].modified, self._ages.grace):
                found(Finding(kind=Kind.UNOWNED_OBJECT, place=Place.ASSETS, key=key, bytes=there[key].bytes))
        for key, checksum in owned.items():
            if checksum is not None and key not in there and not _stat(assets, key):
                found(Finding(kind=Kind.MISSING_OBJECT, place=Place.ASSETS, key=key))

    def _look_for_leftovers(self, found: _Found) -> None:
        if self._leftovers is not None:
            for stat in self._leftovers.find(self._now - self._ages.leftovers):
                found(Finding(kind=Kind.LEFTOVER_FILE, place=Place.FILES, key=stat.key, bytes=stat.bytes))

    def _look_again(self, image_id: str) -> tuple[Image | None, tuple[Finding, ...]]:
        """Judge all of one id, seen at one version of its image, which is returned too.

        Whatever puts or removes an object of an image writes the image before, so at one version nothing moves.
        """
        service = self._service
        for _ in range(READS):
            before = service.catalog.get(image_id)
            keys = (names.archive_key(image_id), names.original_key(image_id))
            originals = [stat for key in keys for stat in _stat(service.uploads, key)]
            objects = list(service.assets.list(names.asset_prefix(image_id)))
            parts = list(service.uploads.list(names.parts_prefix(image_id)))
            image = service.catalog.get(image_id)
            if (before and before.version) == (image and image.version):
                return image, tuple(self._judge(Shelf(image_id, image, originals, objects, parts)))
        return None, ()

    def _judge(self, shelf: Shelf) -> Iterator[Finding]:
        image = shelf.image
        if image is None:
            yield from self._nobodys(shelf)
        elif image.state is State.DELETED:
            yield from self._of_deleted(shelf, image)
        else:
            yield from self._of_state(shelf, image)
            yield from self._of_parts(shelf, image)
            yield from self._too_much(shelf, image)
            if self._results_too:
                yield from self._of_results(shelf, image)

    def _nobodys(self, shelf: Shelf) -> Iterator[Finding]:
        for place, stat in _all(shelf):
            if self._is_older(stat.modified, self._ages.grace):
                yield _of_object(Kind.UNOWNED_OBJECT, place, shelf, stat)

    def _of_deleted(self, shelf: Shelf, image: Image) -> Iterator[Finding]:
        deleted_at = image.deleted_at or image.uploaded_at
        if self._is_older(deleted_at, self._ages.patience):
            for place, stat in _all(shelf):
                yield _of_object(Kind.UNDELETED_OBJECT, place, shelf, stat)
        if not any(_all(shelf)) and self._is_older(deleted_at, self._ages.tombstones):
            yield _of_image(Kind.OLD_TOMBSTONE, shelf)

    def _of_state(self, shelf: Shelf, image: Image) -> Iterator[Finding]:
        asked_at = image.asked_at or image.uploaded_at
        if image.parts is not None and not shelf.originals:
            asked_at = image.parts.until
        since = max(asked_at, *(stat.modified for stat in shelf.originals)) if shelf.originals else asked_at
        match image.state:
            case State.AWAITING if shelf.originals:
                if self._is_older(since, self._patience):
                    yield _of_image(Kind.UNANNOUNCED_UPLOAD, shelf)
            case State.AWAITING:
                if self._is_older(since, self._ages.grace):
                    yield _of_image(Kind.EXPIRED_UPLOAD, shelf)
            case State.PROCESSING:
                if self._is_older(since, self._patience):
                    is_there = shelf.originals or image.from_rendition
                    yield _of_image(Kind.STUCK_IMAGE if is_there else Kind.LOST_UPLOAD, shelf)
            case State.FAILED if image.original is Original.KEPT and self._is_older(since, self._ages.failures):
                yield _of_image(Kind.OLD_FAILURE, shelf, sum(stat.bytes for stat in shelf.originals))
            case State.READY if image.original is Original.KEPT and not shelf.originals:
                yield _of_image(Kind.LOST_ORIGINAL, shelf)
            case _:
                pass

    def _of_parts(self, shelf: Shelf, image: Image) -> Iterator[Finding]:
        if image.state is not State.AWAITING or shelf.originals:
            for stat in shelf.parts:
                if self._is_older(stat.modified, self._ages.patience):
                    yield _of_object(Kind.LEFT_PART, Place.UPLOADS, shelf, stat)

    def _too_much(self, shelf: Shelf, image: Image) -> Iterator[Finding]:
        """Tell what a living image has and should not, and what it should have and has not."""
        if image.original is Original.DELETED and not image.from_rendition:
            left = shelf.originals
        else:
            left = shelf.originals[1:] if image.state is State.READY else []
        for stat in left:
            if self._is_older(stat.modified, self._ages.patience):
                yield _of_object(Kind.LEFT_ORIGINAL, Place.UPLOADS, shelf, stat)
        if image.state is State.READY and not image.objects:
            yield _of_image(Kind.NO_LEDGER, shelf)
            return
        there = {stat.key for stat in shelf.objects}
        owned = dict(zip(ledger.keys(image), image.objects, strict=True))
        for stat in shelf.objects:
            if stat.key not in owned and self._is_older(stat.modified, self._ages.grace) and not self._is_result(stat):
                yield _of_object(Kind.UNOWNED_OBJECT, Place.ASSETS, shelf, stat)
        for key, one in owned.items():
            if one.checksum is not None and key not in there:
                yield Finding(kind=Kind.MISSING_OBJECT, place=Place.ASSETS, image_id=image.id, key=key)

    def _of_results(self, shelf: Shelf, image: Image) -> Iterator[Finding]:
        there, prefix = {stat.key for stat in shelf.objects}, names.asset_prefix(image.id)
        for key in [prefix + result.name for result in self._service.results.finished(image.id)]:
            if key not in there:
                yield Finding(kind=Kind.MISSING_RESULT, place=Place.ASSETS, image_id=image.id, key=key)

    def _is_result(self, stat: Stat) -> bool:
        image_id, name = names.parse_asset_key(stat.key) or ("", "")
        return name.startswith(names.RESULTS) and self._service.results.owns(image_id, name)

    def _is_older(self, moment: datetime, age: timedelta) -> bool:
        return self._now - moment >= age

    # ------------------------------------------------------------------ mending

    def _mend(self, finding: Finding, image: Image | None) -> bool:
        """Set right what was found, and tell whether it was; no, if it is no longer as it was, or cannot be."""
        try:
            if finding.kind in _OBJECTS_GO or image is None:
                return self._mend_object(finding)
            return self._mend_image(finding.kind, image)
        except (VersionMoved, NotFound, OriginalDeleted):
            return False

    def _mend_object(self, finding: Finding) -> bool:
        match finding.kind:
            case kind if kind in _OBJECTS_GO:
                self._bucket(finding.place).delete(finding.key)
                if finding.place is Place.ASSETS and finding.image_id:
                    name = finding.key.removeprefix(names.asset_prefix(finding.image_id))
                    self._service.purges.purge(finding.image_id, (name,))
            case Kind.LEFTOVER_FILE if self._leftovers is not None:
                self._leftovers.remove(finding.key)
            case _:
                return False
        return True

    def _mend_image(self, kind: Kind, image: Image) -> bool:
        service = self._service
        match kind:
            case Kind.EXPIRED_UPLOAD:
                service.forget_upload(image)
            case Kind.OLD_TOMBSTONE:
                service.catalog.forget(image.id, version=image.version)
            case Kind.UNANNOUNCED_UPLOAD | Kind.STUCK_IMAGE:
                service.resume(image)
            case Kind.LOST_UPLOAD:
                service.fail_without_original(image)
            case Kind.OLD_FAILURE:
                service.drop_original(image)
            case Kind.NO_LEDGER:
                self._write_ledger(image)
            case Kind.MISSING_OBJECT if image.original is Original.KEPT:
                if self._made_anew != image.id:  # once is enough for all that is missing of it
                    service.reprocess(image.owner, image.id)
                self._made_anew = image.id
            case _:
                return False
        return True

    def _write_ledger(self, image: Image) -> None:
        prefix = names.asset_prefix(image.id)
        lying = [stat.key.removeprefix(prefix) for stat in self._service.assets.list(prefix)]
        lying = [name for name in lying if not name.startswith(names.RESULTS)]  # these have a ledger of their own
        recorded = dataclasses.replace(image, objects=ledger.promise((), lying))
        self._service.catalog.replace(recorded, version=image.version)

    def _bucket(self, place: Place) -> Bucket:
        return self._service.uploads if place is Place.UPLOADS else self._service.assets


class _Found(Protocol):
    def __call__(self, finding: Finding, image: Image | None = None) -> None: ...


def shelves(
    catalog: Catalog, uploads: Bucket, assets: Bucket, foreign: Callable[[Place, Stat], None]
) -> Iterator[Shelf]:
    """Yield all there is of every id, in the order of ids; ``foreign`` is told of objects that are of none.

    The parts of a shelf may be of different moments.
    """
    # The objects first: an object that is listed was owned before.
    everything: Iterable[tuple[str, Stat | Image]] = merge(
        _by_id(assets.list(names.ASSETS), _asset_id, partial(foreign, Place.ASSETS)),
        _by_id(uploads.list(names.ARCHIVE), names.parse_archive_key, partial(foreign, Place.UPLOADS)),
        _by_id(uploads.list(names.ORIGINALS), names.parse_original_key, partial(foreign, Place.UPLOADS)),
        _by_id(uploads.list(names.PARTS), _part_id, partial(foreign, Place.UPLOADS)),
        ((image.id, image) for image in every_image(catalog)),
        key=itemgetter(0),
    )
    for image_id, things in groupby(everything, key=itemgetter(0)):
        shelf = Shelf(image_id)
        for _, thing in things:
            if isinstance(thing, Image):
                shelf.image = thing
            elif thing.key.startswith(names.ASSETS):
                shelf.objects.append(thing)
            elif thing.key.startswith(names.PARTS):
                shelf.parts.append(thing)
            else:
                shelf.originals.append(thing)
        yield shelf


def _by_id(
    stats: Iterator[Stat], id_of: Callable[[str], str | None], foreign: Callable[[Stat], None]
) -> Iterator[tuple[str, Stat]]:
    for stat in stats:
        image_id = id_of(stat.key)
        if image_id is None:
            foreign(stat)
        else:
            yield image_id, stat


def _asset_id(key: str) -> str | None:
    parsed = names.parse_asset_key(key)
    return None if parsed is None else parsed[0]


def _part_id(key: str) -> str | None:
    parsed = names.parse_part_key(key)
    return None if parsed is None else parsed[0]


def every_image(catalog: Catalog, state: State | None = None) -> Iterator[Image]:
    """Yield every image of every owner in the order of ids, with ``state`` those in that state only."""
    after = ""
    while part := catalog.walk(after, GET_MANY_MAX, state=state):
        yield from part
        after = part[-1].id


def _stat(bucket: Bucket, key: str) -> list[Stat]:
    """Return what is known of an object, if there is one."""
    try:
        return [bucket.stat(key)]
    except NotFound:
        return []


def _all(shelf: Shelf) -> Iterator[tuple[Place, Stat]]:
    yield from ((Place.UPLOADS, stat) for stat in [*shelf.originals, *shelf.parts])
    yield from ((Place.ASSETS, stat) for stat in shelf.objects)


def _of_image(kind: Kind, shelf: Shelf, length: int = 0) -> Finding:
    return Finding(kind=kind, place=Place.CATALOG, image_id=shelf.image_id, bytes=length)


def _of_object(kind: Kind, place: Place, shelf: Shelf, stat: Stat) -> Finding:
    return Finding(kind=kind, place=place, image_id=shelf.image_id, key=stat.key, bytes=stat.bytes)
