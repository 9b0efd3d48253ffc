"""A data folder made anew from a backup, every byte of it compared with its checksum. See ``docs/backup.md``."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from darkroom import holdings, ledger
from darkroom.embedded import wire
from darkroom.embedded.backup import IMAGES_AHEAD, THREADS, Tally
from darkroom.embedded.layout import Layout
from darkroom.embedded.vault import Vault
from darkroom.errors import NotFound, Refused
from darkroom.events import ObjectCreated
from darkroom.files import sync
from darkroom.holdings import Place
from darkroom.model import State
from darkroom.sweep import every_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from darkroom.embedded.snapshot import Entry, Kept, Manifest, Snapshot

_CHUNK = 1024 * 1024
_SHOWN = 20
"""How many damaged files are named."""

_SECRET = re.compile(r"secrets/[A-Za-z0-9._-]{1,200}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored, and a sentence for each object that could not be."""

    manifest: Manifest
    lost: tuple[str, ...]


def restore(
    folder: Path,
    layout: Layout,
    *,
    name: str | None = None,
    accept_losses: bool = False,
    told: Callable[[Tally], None] = lambda _: None,
) -> Restored:
    """Make a data folder, which must be new or empty, from the latest backup in ``folder`` or the one called ``name``.

    It is a data folder only when all of it is there. Raises ``Refused`` naming what is damaged, and then nothing is
    restored; with ``accept_losses`` objects that are damaged are left out instead. Raises ``Unavailable`` for backups
    of a later release, ``Conflict``, ``BadConfiguration``, ``OSError``.
    """
    with closing(Vault(folder)) as vault:
        if layout.root.resolve().is_relative_to(folder.resolve()):
            msg = f"{layout.root} lies within the folder of backups; restore to another place"
            raise Refused(msg)
        snapshot = vault.snapshot(name)
        manifest = snapshot.manifest()
        _refuse_used(layout)
        was_there = layout.root.exists()
        held = layout.lock()
        try:
            return _Restore(vault, snapshot, manifest, layout, told).run(accept_losses=accept_losses)
        except BaseException:
            shutil.rmtree(layout.restoring, ignore_errors=True)
            if not was_there:
                shutil.rmtree(layout.root, ignore_errors=True)
            raise
        finally:
            os.close(held)


def check(folder: Path, *, name: str | None = None, told: Callable[[Tally], None] = lambda _: None) -> Restored:
    """Read everything that ``restore`` would and compare it with its checksums, without writing anything."""
    with closing(Vault(folder)) as vault:
        snapshot = vault.snapshot(name)
        return _Restore(vault, snapshot, snapshot.manifest(), None, told).run(accept_losses=True)


def _refuse_used(layout: Layout) -> None:
    """Raise ``Refused`` when there is anything in the folder but the rest of an interrupted restore."""
    try:
        found = {path.name for path in layout.root.iterdir()}
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        msg = f"{layout.root} is no folder"
        raise Refused(msg) from error
    if found - {layout.restoring.name, "lock"}:
        msg = f"{layout.root} is not empty; a backup is restored only into a new or an empty folder"
        raise Refused(msg)


class _Restore:
    """One run; without a ``layout`` it only reads."""

    def __init__(
        self,
        vault: Vault,
        snapshot: Snapshot,
        manifest: Manifest,
        layout: Layout | None,
        told: Callable[[Tally], None],
    ) -> None:
        self._vault = vault
        self._snapshot = snapshot
        self._manifest = manifest
        self._layout = layout
        self._staged = None if layout is None else Layout(layout.restoring)
        self._told = told
        self._tally = Tally()
        self._lost: list[str] = []

    def run(self, *, accept_losses: bool) -> Restored:
        self._begin()
        self._restore_files()
        self._restore_objects()
        if not accept_losses:
            self._refuse_losses()
        if self._layout is not None and self._staged is not None:
            _ask_for_unfinished(self._staged)
            self._put_in_place(self._layout, self._staged)
        return Restored(manifest=self._manifest, lost=tuple(self._lost))

    def _refuse_losses(self) -> None:
        if self._lost:
            shown = "; ".join(self._lost[:_SHOWN])
            more = f"; and {len(self._lost) - _SHOWN} more" if len(self._lost) > _SHOWN else ""
            msg = f"the backup {self._snapshot.name} is damaged, and nothing was restored: {shown}{more}"
            raise Refused(msg, code="data-damaged")

    def _begin(self) -> None:
        if self._staged is not None:
            shutil.rmtree(self._staged.root, ignore_errors=True)
            for made in (self._staged.root, self._staged.uploads, self._staged.assets, self._staged.secrets):
                made.mkdir(mode=0o700)

    # ------------------------------------------------------------------ files

    def _restore_files(self) -> None:
        listed = self._manifest.files
        copied = Layout(self._snapshot.folder)
        list_of_objects = self._snapshot.list_of_objects
        needed = [path.name for path in (copied.catalog, copied.queue, copied.access, list_of_objects)]
        for name in [*needed, *sorted(listed.keys() - set(needed))]:
            source = self._snapshot.folder / name
            if name not in listed or (name not in needed and not _SECRET.fullmatch(name)):
                msg = f"{self._snapshot.folder} is damaged: {name} has no place in it; restore another backup"
                raise Refused(msg, code="data-damaged")
            target = None if self._staged is None or source == list_of_objects else self._staged.root / name
            problem = _copy(source, target, *listed[name])
            if problem is not None:
                msg = f"{source} {problem}; restore another backup"
                raise Refused(msg, code="data-damaged")

    # ------------------------------------------------------------------ objects

    def _restore_objects(self) -> None:
        ahead: deque[tuple[Entry, Future[list[str]]]] = deque()
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="restore")
        try:
            for entry in self._snapshot.entries():
                ahead.append((entry, pool.submit(self._restore_image, entry)))
                if len(ahead) == IMAGES_AHEAD:
                    self._enter(*ahead.popleft())
            while ahead:
                self._enter(*ahead.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _enter(self, entry: Entry, problems: Future[list[str]]) -> None:
        self._lost += problems.result()
        self._tally.images += 1
        self._tally.objects += len(entry.objects)
        self._tally.bytes += sum(kept.bytes for kept in entry.objects)
        self._told(self._tally)

    def _restore_image(self, entry: Entry) -> list[str]:
        problems = []
        folders = set()
        for kept in entry.objects:
            if not holdings.belongs(entry.image_id, kept.place, kept.key):
                msg = f"{self._snapshot.list_of_objects} is damaged: {kept.key!r} is no object of {entry.image_id}"
                raise Refused(msg, code="data-damaged")
            target = None if self._staged is None else self._bucket(self._staged, kept) / kept.key
            if target is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                folders.add(target.parent)
            source = self._vault.path(kept.sha256)
            problem = _copy(source, target, kept.bytes, kept.sha256, modified=kept.modified)
            if problem is not None:
                problems.append(f"{source} ({kept.place.value}/{kept.key}) {problem}")
        for folder in folders:
            sync(folder)
        return problems

    def _bucket(self, layout: Layout, kept: Kept) -> Path:
        return layout.uploads if kept.place is Place.UPLOADS else layout.assets

    # ------------------------------------------------------------------ the end

    def _put_in_place(self, layout: Layout, staged: Layout) -> None:
        for bucket in (staged.uploads, staged.assets):
            for folder in bucket.iterdir():
                sync(folder)
            sync(bucket)
        sync(staged.secrets)
        # The catalog last: without it the folder is none that anybody would take for whole.
        for path in (staged.uploads, staged.assets, staged.secrets, staged.queue, staged.access, staged.catalog):
            path.rename(layout.root / path.name)
        sync(layout.root)
        staged.root.rmdir()
        sync(layout.root)


def _ask_for_unfinished(layout: Layout) -> None:
    """Publish an event for every original that waits to be worked on.

    The queue was copied at another moment than the catalog, so it may lack some. It may have others twice now: an event
    that comes twice does no harm.
    """
    stores = wire.stores(layout)
    try:
        for state in (State.AWAITING, State.PROCESSING):
            for image in every_image(stores.catalog, state):
                for key in ledger.source_keys(image):
                    with suppress(NotFound):
                        found = stores.uploads.stat(key)
                        stores.queue.publish(ObjectCreated(key=key, etag=found.etag))
                        break
    finally:
        stores.close()


def _copy(source: Path, target: Path | None, size: int, sha256: str, *, modified: datetime | None = None) -> str | None:
    """Copy a file to the disk and compare it with its checksum; return what is wrong with it, ``None`` when nothing is.

    Without a ``target`` it is only compared. A copy of what is damaged does not stay.
    """
    try:
        facts = source.lstat()
    except FileNotFoundError:
        return "is missing"
    if not stat.S_ISREG(facts.st_mode):
        return "is a link or no file"
    if facts.st_size != size:
        return f"is damaged: it has {facts.st_size} bytes instead of {size}"
    try:
        found = _checksum(source) if target is None else _copied(source, target, modified)
    except _Unreadable as error:
        problem: str | None = f"cannot be read: {error}"
    else:
        problem = None if found == sha256 else f"is damaged: its SHA-256 is {found}"
    if problem is not None and target is not None:
        target.unlink()
    return problem


def _checksum(source: Path) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(source):
        digest.update(chunk)
    return digest.hexdigest()


def _copied(source: Path, target: Path, modified: datetime | None) -> str:
    """Copy a file to the disk and return its SHA-256."""
    digest = hashlib.sha256()
    with target.open("xb") as made:
        for chunk in _chunks(source):
            digest.update(chunk)
            made.write(chunk)
        made.flush()
        if modified is not None:
            nanoseconds = (modified - _EPOCH) // _MICROSECOND * 1000
            os.utime(made.fileno(), ns=(nanoseconds, nanoseconds))
        os.fsync(made.fileno())
    return digest.hexdigest()


class _Unreadable(Exception):
    """A file of the backup cannot be read: no failure of the folder that is written to."""


def _chunks(source: Path) -> Iterator[bytes]:
    try:
        with source.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise _Unreadable(error.strerror or str(error)) from error
