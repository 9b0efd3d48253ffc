"""A copy of everything the service keeps, made while it serves. ``docs/backup.md`` says what holds.

The databases are copied first, each as it is at one moment. Then, image by image of the copied catalog, the objects:
``holdings.py`` makes sure that those of one image belong together, and an image that has changed meanwhile so that its
objects are no longer there is written into the copied catalog as it is by then.
"""

from __future__ import annotations

import shutil
import stat
import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from darkroom import __version__, holdings
from darkroom.embedded.layout import Layout
from darkroom.embedded.snapshot import Entry, Kept, Manifest
from darkroom.embedded.vault import Vault
from darkroom.embedded.wire import copy_databases, stores
from darkroom.errors import NotFound, Refused, Unavailable
from darkroom.files import is_link
from darkroom.holdings import Holding, Place, Presence, Taken
from darkroom.sweep import every_image

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from datetime import datetime
    from pathlib import Path
    from typing import TextIO

    from darkroom.bucket import Bucket, Stat
    from darkroom.catalog import Catalog
    from darkroom.embedded.vault import Known
    from darkroom.model import Image

THREADS = 8
"""They mostly wait until a file is on the disk; 4 took half as long again, 16 were little faster."""
IMAGES_AHEAD = 64


@dataclass(slots=True)
class Tally:
    """How far a backup or a restore is."""

    images: int = 0
    objects: int = 0
    bytes: int = 0
    new_objects: int = 0
    new_bytes: int = 0


def back_up(
    layout: Layout,
    folder: Path,
    *,
    clock: Callable[[], datetime],
    keep: int | None = None,
    told: Callable[[Tally], None] = lambda _: None,
) -> Manifest:
    """Make a backup of a data folder in ``folder``; then, with ``keep``, remove all but so many of the newest.

    ``told`` is told how far it is after every image. Raises ``Refused`` and ``Conflict`` when ``folder`` is not fit for
    it, ``Unavailable`` and ``BadConfiguration`` when the data folder is not; ``OSError`` when writing fails, and then
    what was copied stays, and the next backup goes on from there.
    """
    if not layout.catalog.is_file():
        msg = f"{layout.root} is no data folder: there is no {layout.catalog.name} in it"
        raise Refused(msg)
    layout.refuse_within(folder)
    vault = Vault(folder, write=True)
    try:
        manifest = _Backup(layout, vault, clock, told).run()
        if keep is not None:
            vault.prune(keep)
    finally:
        vault.close()
    return manifest


class _Backup:
    """One run."""

    def __init__(
        self, layout: Layout, vault: Vault, clock: Callable[[], datetime], told: Callable[[Tally], None]
    ) -> None:
        self._layout = layout
        self._vault = vault
        self._clock = clock
        self._told = told
        self._tally = Tally()
        self._counting = threading.Lock()
        self._states: Counter[str] = Counter()
        self._damaged: list[str] = []

    def run(self) -> Manifest:
        started = self._clock()
        snapshot, known = self._vault.begin()
        with closing(known):
            copied = Layout(snapshot.folder)
            self._copy_secrets(copied)
            taken_at = self._clock()
            with (
                closing(copy_databases(self._layout, copied)) as catalog,
                closing(stores(self._layout)) as self._stores,
                snapshot.list_of_objects.open("x", encoding="utf-8") as lines,
            ):
                self._copy_objects(catalog, known, lines)
        self._vault.bring_to_disk()
        manifest = Manifest(
            darkroom=__version__,
            name=self._vault.name_for(started),
            started_at=started.isoformat(),
            taken_at=taken_at.isoformat(),
            finished_at=self._clock().isoformat(),
            images=dict(sorted(self._states.items())),
            objects=self._tally.objects,
            bytes=self._tally.bytes,
            new_objects=self._tally.new_objects,
            new_bytes=self._tally.new_bytes,
            damaged=tuple(self._damaged),
            files=snapshot.list_files(),
        )
        self._vault.finish(snapshot, manifest)
        return manifest

    def _copy_secrets(self, copied: Layout) -> None:
        copied.secrets.mkdir(mode=0o700)
        for secret in sorted(self._layout.secrets.iterdir()):
            if stat.S_ISREG(secret.lstat().st_mode):
                shutil.copyfile(secret, copied.secrets / secret.name)

    # ------------------------------------------------------------------ objects

    def _copy_objects(self, catalog: Catalog, known: Known, lines: TextIO) -> None:
        ahead: deque[tuple[Image, Callable[[Image], Taken[Kept]], Future[Taken[Kept]]]] = deque()
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="backup")
        try:
            for image in every_image(catalog):
                take = partial(self._take, known.of(image.id))
                ahead.append((image, take, pool.submit(take, image)))
                if len(ahead) == IMAGES_AHEAD:
                    self._enter(catalog, lines, *ahead.popleft())
            while ahead:
                self._enter(catalog, lines, *ahead.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _enter(
        self,
        catalog: Catalog,
        lines: TextIO,
        image: Image,
        take: Callable[[Image], Taken[Kept]],
        taking: Future[Taken[Kept]],
    ) -> None:
        """Write down what was taken of an image, once it is whole."""
        final, taken = holdings.take_whole(image, take, self._stores.catalog.get, taken=taking.result())
        if final != image:
            catalog.forget(image.id)
            if final is not None:
                catalog.create(final)
        if final is not None:
            self._states[final.state.value] += 1
        self._damaged += [self._sentence(holding, "is missing") for holding in taken.missing if _is_lost(holding)]
        self._damaged += [self._sentence(holding, "has other bytes than recorded") for holding in taken.altered]
        if taken.objects:
            lines.write(Entry(image_id=image.id, objects=taken.objects).line())
        self._tally.images += 1
        self._tally.objects += len(taken.objects)
        self._tally.bytes += sum(kept.bytes for kept in taken.objects)
        self._told(self._tally)

    def _take(self, known: Mapping[str, Kept], image: Image) -> Taken[Kept]:
        objects, missing, altered = [], [], []
        for holding in holdings.of(image):
            kept = self._keep(holding, known)
            if kept is not None:
                objects.append(kept)
                if not holding.is_as_recorded(kept.sha256):
                    altered.append(holding)
            elif holding.presence is not Presence.POSSIBLE:
                missing.append(holding)
        return Taken(objects=tuple(objects), missing=tuple(missing), altered=tuple(altered))

    def _keep(self, holding: Holding, known: Mapping[str, Kept]) -> Kept | None:
        bucket, root = self._bucket(holding.place)
        for key in holding.keys:
            if is_link(root, key):
                continue
            try:
                found, file = bucket.open(key)
                with file:
                    return self._kept(holding.place, found, file, known.get(key))
            except (NotFound, Unavailable):
                continue
        return None

    def _kept(self, place: Place, found: Stat, file: BinaryIO, known: Kept | None) -> Kept:
        is_known = known is not None and (known.place, known.etag, known.bytes) == (place, found.etag, found.bytes)
        if known is not None and is_known and self._vault.has(known.sha256, known.bytes):
            sha256 = known.sha256
        else:
            sha256, is_new = self._vault.store(_Source(file), found.bytes)
            if is_new:
                with self._counting:
                    self._tally.new_objects += 1
                    self._tally.new_bytes += found.bytes
        return Kept(
            place=place, key=found.key, bytes=found.bytes, etag=found.etag, modified=found.modified, sha256=sha256
        )

    def _bucket(self, place: Place) -> tuple[Bucket, Path]:
        if place is Place.UPLOADS:
            return self._stores.uploads, self._layout.uploads
        return self._stores.assets, self._layout.assets

    def _sentence(self, holding: Holding, what: str) -> str:
        bucket, root = self._bucket(holding.place)
        key = holding.keys[0]
        if is_link(root, key):
            what = "is a link or no file, and is not followed"
        else:
            try:
                bucket.open(key)[1].close()
            except NotFound:
                pass
            except Unavailable as error:
                what = f"cannot be read: {error.detail}"
        return f"{holding.place.value}/{key} {what}"


class _Source:
    """A file of the data folder: what goes wrong with it is no failure of the folder that is written to."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, count: int, /) -> bytes:
        """Return up to so many of the next bytes."""
        try:
            return self._file.read(count)
        except OSError as error:
            msg = f"it cannot be read ({error.strerror})"
            raise Unavailable(msg) from error


def _is_lost(holding: Holding) -> bool:
    return holding.presence is Presence.CERTAIN
