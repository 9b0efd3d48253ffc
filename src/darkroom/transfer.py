"""A library as JSON Lines, with or without its files, out of one deployment and into another. Memory stays flat.

``docs/backup.md`` describes the format for people. A header, a line for each image, and an end that counts them:

    {"darkroom-export": 1, "release": "0.1.0", "made_at": "2026-11-23T17:00:00+00:00", "objects": true}
    {"image": {…}, "objects": [{"bucket": "assets", "key": "i/…/large.jpg", "bytes": 9000, "sha256": "…"}, …]}
    {"end": 1}

``image`` is the document that databases keep (``catalog/documents.py``). Nothing of what is read is believed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, Protocol

from darkroom import holdings, ledger, names
from darkroom.catalog.documents import to_document
from darkroom.errors import AlreadyExists, Conflict, NotFound, Refused, Unavailable, VersionMoved
from darkroom.events import ObjectCreated
from darkroom.holdings import Holding, Place, Presence, Taken
from darkroom.model import Original, State
from darkroom.sweep import every_image
from darkroom.transform.sniff import HEAD_BYTES, sniff
from darkroom.trust import trusted_image, trusted_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from darkroom.bucket import Bucket
    from darkroom.catalog import Catalog
    from darkroom.edge import Purges
    from darkroom.events import Queue
    from darkroom.model import Image

FORMAT = 1
LINE_BYTES = 4 * 1024 * 1024
"""The longest line that is read: an image with 10,000 objects takes less than 2 MB."""
OBJECTS_MAX = 10_000

_CHUNK = 1024 * 1024
_UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What images lie in. ``uploads`` is the bucket itself; best, nobody is told of what is put there."""

    catalog: Catalog
    uploads: Bucket
    assets: Bucket
    queue: Queue
    purges: Purges
    goes_to_the_archive: Callable[[Image], bool] = lambda _: False
    """Whether the original of such an image may not lie where originals arrive, but in the archive."""

    def bucket(self, place: Place) -> Bucket:
        """Return one of the buckets."""
        return self.uploads if place is Place.UPLOADS else self.assets


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An object that came with an image: where it lies, its length and the SHA-256 of its bytes in hex."""

    place: Place
    key: str
    bytes: int
    sha256: str

    def document(self) -> dict[str, Any]:
        """Return it as JSON's own types."""
        return {"bucket": self.place.value, "key": self.key, "bytes": self.bytes, "sha256": self.sha256}


@dataclass(slots=True)
class Extent:
    """How much was exported, checked or imported. ``lost`` says what was missing, a sentence each."""

    images: int = 0
    objects: int = 0
    bytes: int = 0
    lost: list[str] = field(default_factory=list)


# ---------------------------------------------------------------------- out


class Target(Protocol):
    """Where an export goes."""

    def write(self, line: str) -> None:
        """Add a line, with its end."""
        ...

    def keep(self, place: Place, key: str, body: BinaryIO) -> tuple[int, str]:
        """Keep an object, in place of what was kept under this key; return its length and SHA-256 in hex."""
        ...

    def drop(self, place: Place, key: str) -> None:
        """Remove an object that was kept; it is of an image that changed meanwhile."""
        ...


def export(
    collection: Collection,
    target: Target,
    *,
    release: str,
    now: datetime,
    with_objects: bool,
    told: Callable[[Extent], None] = lambda _: None,
) -> Extent:
    """Write down all images but those that were deleted, each with its objects as they belong together.

    It may be done while the library is in use: an image is as it was at a moment of the export.
    """
    extent = Extent()
    target.write(
        _line({"darkroom-export": FORMAT, "release": release, "made_at": now.isoformat(), "objects": with_objects})
    )
    for image in every_image(collection.catalog):
        exported = _exported(collection, target, image, extent) if with_objects else _alone(image)
        if exported is not None:
            target.write(_line(exported))
            extent.images += 1
            told(extent)
    target.write(_line({"end": extent.images}))
    return extent


def _alone(image: Image) -> dict[str, Any] | None:
    return None if image.state is State.DELETED else {"image": to_document(image)}


def _exported(collection: Collection, target: Target, image: Image, extent: Extent) -> dict[str, Any] | None:
    written: set[tuple[Place, str]] = set()

    def take(current: Image) -> Taken[Listed]:
        taken = _take(collection, target, current)
        written.update((listed.place, listed.key) for listed in taken.objects)
        return taken

    final, taken = holdings.take_whole(image, take, collection.catalog.get)
    altered = {key for holding in taken.altered for key in holding.keys}
    sound = [listed for listed in taken.objects if listed.key not in altered]
    for place, key in written - {(listed.place, listed.key) for listed in sound}:
        target.drop(place, key)
    if final is None or final.state is State.DELETED:
        return None
    lost = [holding for holding in taken.missing if holding.presence is Presence.CERTAIN]
    extent.lost += [f"{holding.place.value}/{holding.keys[0]} is missing" for holding in lost]
    extent.lost += [
        f"{holding.place.value}/{holding.keys[0]} has other bytes than recorded" for holding in taken.altered
    ]
    extent.objects += len(sound)
    extent.bytes += sum(listed.bytes for listed in sound)
    return {"image": to_document(final), "objects": [listed.document() for listed in sound]}


def _take(collection: Collection, target: Target, image: Image) -> Taken[Listed]:
    objects, missing, altered = [], [], []
    for holding in holdings.of(image):
        listed = _kept(collection, target, holding)
        if listed is not None:
            objects.append(listed)
            if not holding.is_as_recorded(listed.sha256):
                altered.append(holding)
        elif holding.presence is not Presence.POSSIBLE:
            missing.append(holding)
    return Taken(objects=tuple(objects), missing=tuple(missing), altered=tuple(altered))


def _kept(collection: Collection, target: Target, holding: Holding) -> Listed | None:
    for key in holding.keys:
        with suppress(NotFound):
            _, body = collection.bucket(holding.place).open(key)
            with body:
                length, sha256 = target.keep(holding.place, key, body)
            return Listed(place=holding.place, key=key, bytes=length, sha256=sha256)
    return None


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":")) + "\n"


# ---------------------------------------------------------------------- in


class Origin(Protocol):
    """Where an import comes from."""

    def lines(self) -> Iterator[bytes]:
        """Yield the lines from the first on, each time; of one longer than ``LINE_BYTES`` a part that is longer too."""
        ...

    def open(self, place: Place, key: str) -> BinaryIO:
        """Open an object for reading; the caller closes it. Raises ``NotFound``."""
        ...


class OnConflict(StrEnum):
    """What becomes of an image that is there already, and is another than the one that comes."""

    SKIP = "skip"
    REPLACE = "replace"
    FAIL = "fail"


class Outcome(StrEnum):
    """What became of one image that came."""

    CREATED = "created"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    """It was there already, the same."""
    SKIPPED = "skipped"
    """Another was there already, and stays."""
    DELETED = "deleted"
    """It was deleted here, and stays so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One image that came, and the line that it came on. ``objects`` is ``None`` when only images were exported."""

    number: int
    image: Image
    objects: tuple[Listed, ...] | None

    def refuse(self, reason: str) -> NoReturn:
        """Raise ``Refused``."""
        _refuse(self.number, reason)


def check(
    origin: Origin, collection: Collection, on_conflict: OnConflict, told: Callable[[Extent], None] = lambda _: None
) -> Extent:
    """Read all that came and change nothing.

    Raises ``Refused`` with the number of the first line that cannot be imported; ``Conflict`` for the first image that
    is here already and another, when that is to fail; ``Unavailable`` for an export of a later release.
    """
    extent = Extent()
    for record in records(origin):
        for listed in record.objects or ():
            _check_object(origin, record, listed)
            extent.objects += 1
            extent.bytes += listed.bytes
        if on_conflict is OnConflict.FAIL:
            existing = collection.catalog.get(record.image.id)
            if existing is not None and not _is_same(existing, record):
                where = f"line {record.number}: image {record.image.id}"
                msg = f"{where} is here already, and is another; nothing was imported"
                raise Conflict(msg)
        extent.images += 1
        told(extent)
    return extent


def bring(
    origin: Origin,
    collection: Collection,
    scratch: Path,
    on_conflict: OnConflict,
    told: Callable[[Outcome], None] = lambda _: None,
) -> None:
    """Import what was checked. Doing it again, or after it was cut off, adds only what is not here yet.

    The objects of an image come first and the image last: it is there whole or not at all, and what was put for one
    that then never came is removed by the sweep. ``scratch`` is a folder for large objects, on the file system of the
    buckets.
    """
    for record in records(origin):
        told(_bring_one(origin, collection, scratch, record, on_conflict))


def _bring_one(
    origin: Origin, collection: Collection, scratch: Path, record: Record, on_conflict: OnConflict
) -> Outcome:
    while True:
        existing = collection.catalog.get(record.image.id)
        if existing is None:
            image = _with_objects(origin, collection, scratch, record)
            try:
                collection.catalog.create(image)
            except AlreadyExists:  # two imports at once
                continue
            _ask_for_render(collection, image)
            return Outcome.CREATED
        if existing.state is State.DELETED:
            return Outcome.DELETED
        if _is_same(existing, record):
            return Outcome.UNCHANGED
        if on_conflict is not OnConflict.REPLACE:
            return Outcome.SKIPPED
        try:
            _replace(origin, collection, scratch, record, existing)
        except (VersionMoved, NotFound):
            continue
        return Outcome.REPLACED


def _replace(origin: Origin, collection: Collection, scratch: Path, record: Record, existing: Image) -> None:
    """Put the image that came in the place of another; raises ``VersionMoved`` and ``NotFound`` like the catalog.

    Without objects, only what people say of it is taken over: everything else speaks of bytes that did not come.
    """
    if record.objects is None:
        collection.catalog.replace(_said(existing, record.image), version=existing.version)
        return
    coming = [one.name for one in record.image.objects]
    promised = collection.catalog.replace(
        dataclasses.replace(
            existing, generation=existing.generation + 1, objects=ledger.promise(existing.objects, coming)
        ),
        version=existing.version,
    )
    image = _with_objects(origin, collection, scratch, record)
    collection.catalog.replace(dataclasses.replace(image, generation=promised.generation), version=promised.version)
    stay = {(listed.place, _home(collection, image, listed)) for listed in record.objects}
    prefix = names.asset_prefix(image.id)
    for name in {one.name for one in promised.objects}:
        if (Place.ASSETS, prefix + name) not in stay:
            collection.assets.delete(prefix + name)
    for key in (names.original_key(image.id), names.archive_key(image.id)):
        if (Place.UPLOADS, key) not in stay:
            collection.uploads.delete(key)
    collection.purges.purge(image.id, tuple(one.name for one in promised.objects))
    _ask_for_render(collection, image)


def _said(existing: Image, image: Image) -> Image:
    return dataclasses.replace(existing, filename=image.filename, title=image.title, album=image.album, tags=image.tags)


def _is_same(existing: Image, record: Record) -> bool:
    """Tell whether an image is the one that came, but for what belongs to the deployment that it lies in."""
    if record.objects is None:
        return existing.state is not State.DELETED and existing == _said(existing, record.image)
    image = record.image
    return existing == dataclasses.replace(
        image,
        version=existing.version,
        generation=existing.generation,
        original_etag=existing.original_etag,
        asked_at=existing.asked_at,
    )


def _with_objects(origin: Origin, collection: Collection, scratch: Path, record: Record) -> Image:
    """Put the objects that came; return the image as it is with them."""
    image = record.image
    for listed in record.objects or ():
        with origin.open(listed.place, listed.key) as body:
            key = _home(collection, image, listed)
            etag = _put(collection.bucket(listed.place), key, record, listed, body, scratch)
        if listed.place is Place.UPLOADS and image.original is Original.KEPT:
            image = dataclasses.replace(image, original_etag=etag)
    return image


def _home(collection: Collection, image: Image, listed: Listed) -> str:
    """Return the key that an object has here: an original may lie elsewhere than it did."""
    if listed.key == names.original_key(image.id) and collection.goes_to_the_archive(image):
        return names.archive_key(image.id)
    return listed.key


def _put(bucket: Bucket, key: str, record: Record, listed: Listed, body: BinaryIO, scratch: Path) -> str:
    head = body.read(HEAD_BYTES)
    kind = sniff(head)
    content_type = _UNKNOWN_TYPE if kind is None else kind.content_type
    body.seek(0)
    if listed.bytes <= _CHUNK:
        whole = body.read(_CHUNK + 1)
        _compare(record, listed, len(whole), hashlib.sha256(whole).hexdigest())
        return bucket.put(key, whole, content_type=content_type).etag
    with NamedTemporaryFile(dir=scratch, delete=False) as staged:
        path = Path(staged.name)
        try:
            digest = hashlib.sha256()
            while chunk := body.read(_CHUNK):
                digest.update(chunk)
                staged.write(chunk)
            staged.flush()
            _compare(record, listed, staged.tell(), digest.hexdigest())
            return bucket.put(key, path, content_type=content_type).etag
        finally:
            path.unlink(missing_ok=True)


def _ask_for_render(collection: Collection, image: Image) -> None:
    """Have an image that was still on its way made ready here, if there is something to make it from."""
    if image.state in {State.AWAITING, State.PROCESSING}:
        for key in ledger.source_keys(image):
            with suppress(NotFound):
                collection.queue.publish(ObjectCreated(key=key, etag=collection.uploads.stat(key).etag))
                return


# ---------------------------------------------------------------------- what is believed


def records(origin: Origin) -> Iterator[Record]:
    """Yield what came, each line checked before. Raises ``Refused`` with its number, ``Unavailable``."""
    count = 0
    with_objects: bool | None = None
    is_ended = False
    number = 0
    for number, line in enumerate(origin.lines(), start=1):
        document = _document(number, line)
        if is_ended:
            _refuse(number, "the export ends on the line before")
        if with_objects is None:
            with_objects = _header(number, document)
        elif "end" in document:
            if document != {"end": count}:
                _refuse(number, f"the export says that it ends after {document['end']!r} images, and {count} came")
            is_ended = True
        else:
            yield _record(number, document, with_objects=with_objects)
            count += 1
    if not is_ended:
        _refuse(number + 1, "the export is cut off: its last line is missing")


def _document(number: int, line: bytes) -> dict[str, Any]:
    if len(line) > LINE_BYTES:
        _refuse(number, f"it is longer than {LINE_BYTES} bytes")
    try:
        document = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        _refuse(number, f"it is no JSON ({error})")
    if not isinstance(document, dict):
        _refuse(number, "it is no JSON object")
    return document


def _refuse_constant(constant: str) -> NoReturn:
    msg = f"{constant} is no number of JSON"
    raise ValueError(msg)


def _header(number: int, document: dict[str, Any]) -> bool:
    """Return whether objects come with the images."""
    found = document.get("darkroom-export")
    if not isinstance(found, int) or isinstance(found, bool):
        _refuse(number, "this is no export of Darkroom")
    if found > FORMAT:
        msg = f"line {number}: this is export format {found}, this program reads {FORMAT}; run a later release"
        raise Unavailable(msg, code="data-format")
    if found != FORMAT or not isinstance(document.get("objects"), bool):
        _refuse(number, "this is no export of Darkroom")
    return bool(document["objects"])


def _record(number: int, document: dict[str, Any], *, with_objects: bool) -> Record:
    try:
        image = trusted_image(document.get("image"))
        objects = tuple(_listed(image, row) for row in _rows(document)) if with_objects else None
    except ValueError as error:
        _refuse(number, str(error))
    record = Record(number=number, image=image, objects=objects)
    keys = [(listed.place, listed.key) for listed in objects or ()]
    if len(keys) != len(set(keys)):
        record.refuse("an object is listed twice")
    owned = {(holding.place, key): holding for holding in holdings.of(image) for key in holding.keys}
    for listed in objects or ():
        holding = owned.get((listed.place, listed.key))
        if holding is None:
            record.refuse(f"{listed.place.value}/{listed.key} is no object that the image has")
        if not holding.is_as_recorded(listed.sha256):
            record.refuse(f"{listed.place.value}/{listed.key} has another checksum than the image says")
    return record


def _rows(document: dict[str, Any]) -> list[Any]:
    rows = document.get("objects")
    if not isinstance(rows, list) or len(rows) > OBJECTS_MAX:
        msg = f"its objects are no list of at most {OBJECTS_MAX}"
        raise ValueError(msg)
    return rows


def _listed(image: Image, row: object) -> Listed:
    match row:
        case {"bucket": str(place), "key": str(key), "bytes": int(length), "sha256": str(sha256)}:
            listed = Listed(place=Place(place), key=key, bytes=length, sha256=trusted_sha256(sha256))
            if length >= 0 and holdings.belongs(image.id, listed.place, key):
                return listed
    msg = f"{json.dumps(row)[:200]} is no object of image {image.id}"
    raise ValueError(msg)


def _check_object(origin: Origin, record: Record, listed: Listed) -> None:
    try:
        body = origin.open(listed.place, listed.key)
    except NotFound as error:
        record.refuse(error.detail)
    with body:
        head = body.read(HEAD_BYTES)
        if listed.place is Place.ASSETS and sniff(head) is None:
            record.refuse(f"{listed.place.value}/{listed.key} is no picture")
        digest, length = hashlib.sha256(head), len(head)
        while chunk := body.read(_CHUNK):
            digest.update(chunk)
            length += len(chunk)
    _compare(record, listed, length, digest.hexdigest())


def _compare(record: Record, listed: Listed, length: int, sha256: str) -> None:
    if (length, sha256) != (listed.bytes, listed.sha256):
        record.refuse(f"{listed.place.value}/{listed.key} is damaged: its bytes are not those that were exported")


def _refuse(number: int, reason: str) -> NoReturn:
    msg = f"line {number}: {reason}; nothing was imported"
    raise Refused(msg)
