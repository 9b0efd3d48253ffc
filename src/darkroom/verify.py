"""Verification: every stored byte is read and compared with the checksum it was stored with."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO

from darkroom import figures as f
from darkroom import ledger, names
from darkroom.errors import NotFound, OriginalDeleted
from darkroom.model import Original, State
from darkroom.sweep import READS, every_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from darkroom.bucket import Bucket
    from darkroom.model import Image
    from darkroom.service import Service


class Fault(StrEnum):
    """What can be wrong with stored bytes."""

    DAMAGED_OBJECT = "damaged-object"
    MISSING_OBJECT = "missing-object"
    DAMAGED_ORIGINAL = "damaged-original"
    MISSING_ORIGINAL = "missing-original"
    UNREADABLE = "unreadable"
    """The disk itself says that it cannot read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulty:
    """A stored object that is not as it was stored. ``image_id`` is empty for the default images."""

    fault: Fault
    key: str
    image_id: str = ""


@dataclass(slots=True)
class Verification:
    """What was read, and what was wrong with it."""

    images: int = 0
    objects: int = 0
    """Originals too."""
    bytes: int = 0
    unrecorded: int = 0
    """Objects, among these, that nothing was recorded of to compare with."""
    seconds: float = 0.0
    faults: dict[Fault, int] = field(default_factory=dict)
    repairs: int = 0
    """Images that are made anew."""

    @property
    def sound(self) -> bool:
        """Whether everything is as it was stored."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Defaults:
    """The default images: their ledger, and how to have them made anew at the next start."""

    objects: Callable[[], Mapping[str, str | None]]
    distrust: Callable[[], None]


class Verifier:
    """Reads one deployment's buckets through. For one thread."""

    def __init__(self, service: Service, defaults: Defaults) -> None:
        self._service = service
        self._defaults = defaults
        self._result = Verification()

    def run(
        self, *, repair: bool = False, tell: Callable[[Faulty, bool], None] = lambda _faulty, _repaired: None
    ) -> Verification:
        """Read everything; ``tell`` is told each fault, and whether with ``repair`` its image is made anew.

        Made anew is what has its original, undamaged, or a whole variant of full size; the service does it when its
        turn comes. Raises ``Unavailable`` when catalog or buckets do not answer.
        """
        began = time.monotonic()
        result = self._result = Verification()
        wrong = self._of_defaults()
        if wrong and repair:
            self._defaults.distrust()
        self._tell(wrong, repair, tell)
        for image in every_image(self._service.catalog):
            if image.state is State.DELETED:
                continue
            result.images += 1
            now, faulty = self._of_image(image)
            repaired = bool(faulty) and repair and self._repair(now, faulty)
            result.repairs += repaired
            self._tell(faulty, repaired, tell)
            self._tell(self._of_results(now, repair=repair), repair, tell)
        result.seconds = time.monotonic() - began
        return result

    def _tell(self, faulty: list[Faulty], repaired: bool, tell: Callable[[Faulty, bool], None]) -> None:  # noqa: FBT001 # as it is told
        for one in faulty:
            self._result.faults[one.fault] = self._result.faults.get(one.fault, 0) + 1
            self._service.figures.add(f.DAMAGED_OBJECTS, finder="verify")
            tell(one, repaired)

    def _of_defaults(self) -> list[Faulty]:
        faulty = []
        for key, checksum in self._defaults.objects().items():
            if checksum is not None:
                fault = self._compare(self._service.assets, key, ledger.checksum_of, checksum)
                if fault is not None:
                    faulty.append(Faulty(fault=fault, key=key))
        return faulty

    def _of_image(self, image: Image) -> tuple[Image, list[Faulty]]:
        """Return what is wrong with an image that was not changed while it was read."""
        for _ in range(READS):
            faulty = list(self._look(image))
            if not faulty:
                break
            now = self._service.delivered(image.id)
            if now is None:
                return image, []
            if now.version == image.version:
                return image, faulty
            image = now
        return image, []

    def _of_results(self, image: Image, *, repair: bool) -> list[Faulty]:
        """Return which pictures made on demand are damaged; repaired are those by not being there any more."""
        service, prefix = self._service, names.asset_prefix(image.id)
        faulty = []
        for one in service.results.finished(image.id):
            fault = self._compare(service.assets, prefix + one.name, ledger.checksum_of, one.checksum)
            # One that is missing is made anew when it is asked for, and so is one that was made void meanwhile.
            if fault not in {None, Fault.MISSING_OBJECT} and one in service.results.finished(image.id):
                faulty.append(Faulty(fault=fault, key=prefix + one.name, image_id=image.id))
                if repair:
                    service.assets.delete(prefix + one.name)
                    service.purges.purge(image.id, (one.name,))
        return faulty

    def _look(self, image: Image) -> Iterator[Faulty]:
        prefix = names.asset_prefix(image.id)
        for one in image.objects:
            if one.checksum is None:
                self._result.unrecorded += image.state is State.READY
                continue
            fault = self._compare(self._service.assets, prefix + one.name, ledger.checksum_of, one.checksum)
            if fault is not None:
                yield Faulty(fault=fault, key=prefix + one.name, image_id=image.id)
        if image.original is Original.KEPT and image.state in {State.READY, State.FAILED}:
            yield from self._look_at_original(image)

    def _look_at_original(self, image: Image) -> Iterator[Faulty]:
        expected = ledger.expected_source(image)
        for key in ledger.source_keys(image):
            fault = self._compare(self._service.uploads, key, ledger.sha256_of, expected)
            if fault is None:
                return
            if fault is not Fault.MISSING_OBJECT:
                damaged = Fault.DAMAGED_ORIGINAL if fault is Fault.DAMAGED_OBJECT else fault
                yield Faulty(fault=damaged, key=key, image_id=image.id)
                return
        if image.state is State.READY:
            yield Faulty(fault=Fault.MISSING_ORIGINAL, key=names.original_key(image.id), image_id=image.id)

    def _compare(
        self, bucket: Bucket, key: str, checksum_of: Callable[[BinaryIO], str], recorded: str | None
    ) -> Fault | None:
        """Read an object to its end and return what is wrong with it."""
        try:
            stat, file = bucket.open(key)
            with file:
                found = checksum_of(file)
        except NotFound:
            return Fault.MISSING_OBJECT
        except OSError:
            return Fault.UNREADABLE
        self._result.objects += 1
        self._result.bytes += stat.bytes
        self._result.unrecorded += recorded is None
        return None if recorded in {None, found} else Fault.DAMAGED_OBJECT

    def _repair(self, image: Image, faulty: list[Faulty]) -> bool:
        original_is_whole = all(one.fault not in _SPOILT for one in faulty if not one.key.startswith(names.ASSETS))
        if not original_is_whole or all(one.fault is Fault.MISSING_ORIGINAL for one in faulty):
            return False
        try:
            self._service.reprocess(image.owner, image.id, from_rendition=True)
        except (NotFound, OriginalDeleted):
            return False
        return True


_SPOILT = frozenset({Fault.DAMAGED_ORIGINAL, Fault.UNREADABLE})
"""An original that is there but must not be worked from."""
