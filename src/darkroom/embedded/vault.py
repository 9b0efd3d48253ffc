"""The folder that backups lie in. ``docs/backup.md`` describes it for people.

    darkroom-backup.json          says what this folder is
    objects/ab/abcd…              the bytes of an object, once, under their SHA-256
    snapshots/20261123T164413Z/   one backup: copies of the databases and secrets, objects.jsonl, manifest.json
    unfinished/                   the backup under way, or what is left of an interrupted one
    lock

An object is on the disk before it has its name, and everything a manifest speaks of before the manifest is there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import heapq
import json
import os
import re
import secrets
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO, Protocol

from darkroom.embedded.snapshot import FORMAT, Entry, Kept, Manifest, Snapshot, refuse_later, written_whole
from darkroom.errors import Conflict, Refused
from darkroom.files import sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

SMALL_BYTES = 1024 * 1024
"""An object up to this long is read at once: if it is here already, nothing is written."""

_MARK = "darkroom-backup.json"
_LOCK = "lock"
_BEGINNINGS = {_LOCK, f"{_MARK}.new"}
"""All there is in a folder in which the first backup was interrupted before it had made the mark."""
_NAME = re.compile(r"\d{8}T\d{6}Z")
_PARTS = tuple(f"{number:02x}" for number in range(256))


class Source(Protocol):
    """What an object's bytes are read from."""

    def read(self, count: int, /) -> bytes:
        """Return up to so many of the next bytes, none at the end."""
        ...


class Known:
    """What earlier backups, and interrupted ones, have of each image; asked for in the order of ids."""

    def __init__(self, lists: list[Path]) -> None:
        """Take the lists, of which later ones win; what cannot be read of them is not known."""
        self._files = contextlib.ExitStack()
        streams = [_readable(self._files, path, rank) for rank, path in enumerate(lists)]
        self._entries = heapq.merge(*streams, key=lambda ranked: (ranked[0].image_id, ranked[1]))
        self._next = next(self._entries, None)

    def of(self, image_id: str) -> dict[str, Kept]:
        """Return what is known of the objects of an image, by key."""
        found: dict[str, Kept] = {}
        while self._next is not None and self._next[0].image_id <= image_id:
            if self._next[0].image_id == image_id:
                found.update((kept.key, kept) for kept in self._next[0].objects)
            self._next = next(self._entries, None)
        return found

    def close(self) -> None:
        """Close the lists."""
        self._files.close()


class Vault:
    """A folder of backups, held by one process that writes or by many that read."""

    def __init__(self, folder: Path, *, write: bool = False) -> None:
        """Open ``folder``; to ``write``, make it when it is not there or empty.

        Raises ``Refused`` when it is another folder or of a later format, ``Conflict`` when somebody else is at work.
        """
        self.folder = folder
        self._lock: int | None = None
        self._changed: set[Path] = set()
        """The folders of objects whose names may not all be on the disk yet."""
        if not write:
            self._refuse_other_folder()
            self._hold(write=False)
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not {path.name for path in folder.iterdir()} <= _BEGINNINGS:
            self._refuse_other_folder()
        self._hold(write=True)
        if not (folder / _MARK).exists():
            written_whole(folder / _MARK, json.dumps({"format": FORMAT, "is": "a folder of Darkroom's backups"}) + "\n")
        self._objects.mkdir(mode=0o700, exist_ok=True)
        self._snapshots.mkdir(mode=0o700, exist_ok=True)
        sync(folder)

    def close(self) -> None:
        """Let go of the folder."""
        if self._lock is not None:
            os.close(self._lock)

    @property
    def _objects(self) -> Path:
        return self.folder / "objects"

    @property
    def _snapshots(self) -> Path:
        return self.folder / "snapshots"

    @property
    def _unfinished(self) -> Path:
        return self.folder / "unfinished"

    @property
    def _lists(self) -> Path:
        """The lists of interrupted backups: what they copied is here already."""
        return self.folder / "unfinished-lists"

    def _hold(self, *, write: bool) -> None:
        path = self.folder / _LOCK
        if not write and not path.exists():  # a copy that nobody writes to
            return
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT if write else os.O_RDONLY, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if write else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            msg = f"another backup or restore is at work on {self.folder}; wait until it is done"
            raise Conflict(msg) from error
        self._lock = descriptor

    def _refuse_other_folder(self) -> None:
        mark = self.folder / _MARK
        try:
            refuse_later(json.loads(mark.read_text(encoding="utf-8"))["format"], mark)
        except (OSError, ValueError, LookupError, TypeError) as error:
            msg = f"{self.folder} is no folder of backups: {_MARK} is not in it, or damaged"
            raise Refused(msg) from error

    # ------------------------------------------------------------------ backups

    def snapshots(self) -> list[Snapshot]:
        """Return the finished backups, oldest first."""
        finished = sorted(folder for folder in self._snapshots.iterdir() if _NAME.fullmatch(folder.name))
        return [Snapshot(folder=folder) for folder in finished]

    def snapshot(self, name: str | None) -> Snapshot:
        """Return the backup of this name, or the latest. Raises ``Refused`` when there is none."""
        found = self.snapshots()
        for snapshot in reversed(found):
            if name in {None, snapshot.name}:
                return snapshot
        msg = f"there is no {'finished backup' if name is None else f'backup {name}'} in {self.folder}"
        raise Refused(msg + (f"; there are {', '.join(snapshot.name for snapshot in found)}" if found else ""))

    def begin(self) -> tuple[Snapshot, Known]:
        """Begin a backup where an interrupted one left off; return it, and what is known from earlier ones."""
        self._lists.mkdir(mode=0o700, exist_ok=True)
        snapshot = Snapshot(folder=self._unfinished)
        if snapshot.folder.exists():
            self._changed = {self._objects, *self._objects.iterdir()}
        cut_off = sorted(self._lists.iterdir())
        if snapshot.list_of_objects.exists():
            cut_off.append(self._lists / f"{len(cut_off):06}.jsonl")
            snapshot.list_of_objects.rename(cut_off[-1])
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._staged.mkdir(mode=0o700, parents=True)
        return snapshot, Known([*(finished.list_of_objects for finished in self.snapshots()[-1:]), *cut_off])

    @property
    def _staged(self) -> Path:
        return self._unfinished / "new"

    def name_for(self, moment: datetime) -> str:
        """Return the name of a backup that was begun at ``moment`` (UTC), or as soon after it as a name is free."""
        while (self._snapshots / (name := moment.strftime("%Y%m%dT%H%M%SZ"))).exists():
            moment += timedelta(seconds=1)
        return name

    def bring_to_disk(self) -> None:
        """Bring the names of all objects to the disk."""
        self._staged.rmdir()
        for folder in sorted(self._changed):
            sync(folder)
        self._changed.clear()

    def finish(self, snapshot: Snapshot, manifest: Manifest) -> Snapshot:
        """Give a backup, of which everything is on the disk, its manifest and its name."""
        snapshot.write_manifest(manifest)
        finished = self._snapshots / manifest.name
        snapshot.folder.rename(finished)
        sync(self._snapshots)
        sync(self.folder)
        shutil.rmtree(self._lists)
        return Snapshot(folder=finished)

    # ------------------------------------------------------------------ objects

    def path(self, sha256: str) -> Path:
        """Return where the object of this SHA-256 lies."""
        return self._objects / sha256[:2] / sha256

    def has(self, sha256: str, size: int) -> bool:
        """Tell whether the object of this SHA-256 and length in bytes is here."""
        try:
            return self.path(sha256).stat().st_size == size
        except FileNotFoundError:
            return False

    def store(self, file: Source, size: int) -> tuple[str, bool]:
        """Keep what is left to read of a file of that many bytes; return its SHA-256, and whether it was new.

        May be called by many threads at once.
        """
        if size <= SMALL_BYTES:
            body = file.read(SMALL_BYTES + 1)
            sha256 = hashlib.sha256(body).hexdigest()
            if self.has(sha256, len(body)):
                return sha256, False
            with self._new() as (staged, new):
                new.write(body)
                self._place(staged, new, sha256)
            return sha256, True
        digest = hashlib.sha256()
        with self._new() as (staged, new):
            while chunk := file.read(SMALL_BYTES):
                digest.update(chunk)
                new.write(chunk)
            sha256 = digest.hexdigest()
            if self.has(sha256, new.tell()):
                return sha256, False
            self._place(staged, new, sha256)
        return sha256, True

    @contextlib.contextmanager
    def _new(self) -> Iterator[tuple[Path, BinaryIO]]:
        staged = self._staged / f"{secrets.randbits(60):x}"
        try:
            with staged.open("xb") as new:
                yield staged, new
        finally:
            staged.unlink(missing_ok=True)

    def _place(self, staged: Path, new: BinaryIO, sha256: str) -> None:
        new.flush()
        os.fsync(new.fileno())
        path = self.path(sha256)
        self._changed.update((path.parent, self._objects))
        try:
            staged.rename(path)
        except FileNotFoundError:  # the first of its folder
            path.parent.mkdir(mode=0o700, exist_ok=True)
            staged.rename(path)

    # ------------------------------------------------------------------ making room

    def prune(self, keep: int) -> int:
        """Remove all backups but the newest ``keep``, and what no backup names; return how many objects went."""
        for snapshot in self.snapshots()[:-keep]:
            gone = snapshot.folder.with_name(f"{snapshot.name}.removed")
            snapshot.folder.rename(gone)
        for left in self._snapshots.glob("*.removed"):
            shutil.rmtree(left)
        sync(self._snapshots)
        return self._collect()

    def _collect(self) -> int:
        """Remove the objects that no backup names, a part of them at a time so that memory stays small."""
        removed = 0
        named = self.folder / "named"
        shutil.rmtree(named, ignore_errors=True)
        named.mkdir(mode=0o700)
        try:
            with contextlib.ExitStack() as files:
                parts = [files.enter_context((named / part).open("wb")) for part in _PARTS]
                for snapshot in self.snapshots():
                    for entry in snapshot.entries():
                        for kept in entry.objects:
                            digest = bytes.fromhex(kept.sha256)
                            parts[digest[0]].write(digest)
            for part in _PARTS:
                digests = (named / part).read_bytes()
                living = {digests[start : start + 32].hex() for start in range(0, len(digests), 32)}
                for path in (self._objects / part).glob("*"):
                    if path.name not in living:
                        path.unlink()
                        removed += 1
        finally:
            shutil.rmtree(named)
        return removed


def _readable(files: contextlib.ExitStack, path: Path, rank: int) -> Iterator[tuple[Entry, int]]:
    """Yield the lines of a list up to the first that is damaged, as the last of an interrupted one may be."""
    try:
        lines = files.enter_context(path.open(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return
    latest = ""
    for line in lines:
        try:
            entry = Entry.of_line(line)
        except (ValueError, RecursionError):
            return
        if entry.image_id <= latest:
            return
        latest = entry.image_id
        yield entry, rank
